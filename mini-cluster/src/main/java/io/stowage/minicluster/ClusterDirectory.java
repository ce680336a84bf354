/*
 * Copyright 2026 The Stowage Authors
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */
package io.stowage.minicluster;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.datanode.disk.LocalDiskFiles;
import java.io.IOException;
import java.io.StringReader;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The directory that an embedded cluster lives in, and the lock on it. Confined to the thread that
 * opens and closes it.
 *
 * <pre>
 *   cluster.lock         held while a process uses the directory
 *   cluster.properties   format version, cluster id, ports
 *   aws-credentials      [default] profile, readable by its owner alone
 *   conf/                stowage-site.xml and core-site.xml, for clients in other processes
 *   zookeeper/ hbase/    what they keep
 *   disks/disk1 ..       shard files, one directory a disk
 *   logs/
 * </pre>
 *
 * <p>Files are replaced whole, by writing another, forcing it and renaming it, so that a start that
 * is killed leaves the old or the new one.
 */
final class ClusterDirectory implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ClusterDirectory.class);

  /** Version of the layout; what a later one writes is not for this code to read. */
  static final int FORMAT_VERSION = 1;

  /** Below this nothing can be started: HBase's logs and the shard files could not be written. */
  static final long LEAST_FREE_BYTES = 256L << 20;

  private static final String PROPERTIES = "cluster.properties";
  private static final String CREDENTIALS = "aws-credentials";
  private static final String LOCK = "cluster.lock";
  private static final Set<PosixFilePermission> OWNER_ONLY =
      PosixFilePermissions.fromString("rw-------");

  /** Below the range from which kernels take the ports of outgoing connections. */
  private static final int FIRST_PORT = 20_000;

  private static final int PORT_COUNT = 12_000;
  private static final int PORT_ATTEMPTS = 100;

  private final Path root;
  private final FileChannel lockFile;
  private final Properties properties;

  /** An S3 access key and its secret. */
  record AccessKey(String id, String secret) {}

  private ClusterDirectory(Path root, FileChannel lockFile, Properties properties) {
    this.root = root;
    this.lockFile = lockFile;
    this.properties = properties;
  }

  /** Opens a directory, making it if it is absent or empty, and locks it. */
  static ClusterDirectory open(Path directory) throws StoreException {
    Path root = directory.toAbsolutePath().normalize();
    try {
      Files.createDirectories(root);
      boolean ours = Files.isRegularFile(root.resolve(PROPERTIES));
      if (!ours && !isEmptyButForTheLock(root)) {
        throw refused(
            ErrorCode.BAD_CONFIGURATION,
            root,
            "it holds files but no " + PROPERTIES + ", so it is not a Stowage data directory");
      }
      FileChannel lockFile = lock(root);
      try {
        makePrivate(root);
        Properties properties = ours ? read(root.resolve(PROPERTIES)) : new Properties();
        checkFormat(root, properties, ours);
        checkSpace(root);
        ClusterDirectory opened = new ClusterDirectory(root, lockFile, properties);
        opened.save();
        return opened;
      } catch (IOException | RuntimeException e) {
        lockFile.close();
        throw e;
      }
    } catch (StoreException e) {
      throw e;
    } catch (FileAlreadyExistsException e) {
      throw refused(ErrorCode.BAD_CONFIGURATION, root, "it is not a directory");
    } catch (AccessDeniedException e) {
      throw refused(ErrorCode.BAD_CONFIGURATION, root, "no permission to write " + e.getFile());
    } catch (IOException e) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION, "Cannot use " + root + ": " + e.getMessage(), e);
    }
  }

  private static StoreException refused(ErrorCode code, Path root, String why) {
    return new StoreException(code, "Cannot use " + root + ": " + why);
  }

  private static boolean isEmptyButForTheLock(Path root) throws IOException {
    try (Stream<Path> entries = Files.list(root)) {
      return entries.allMatch(entry -> entry.endsWith(LOCK) || entry.endsWith("logs"));
    }
  }

  private static FileChannel lock(Path root) throws IOException {
    FileChannel channel =
        FileChannel.open(root.resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    FileLock lock;
    try {
      lock = channel.tryLock();
    } catch (OverlappingFileLockException e) {
      lock = null; // held within this JVM
    } catch (IOException e) {
      channel.close();
      throw e;
    }
    if (lock == null) {
      channel.close();
      throw refused(ErrorCode.BAD_CONFIGURATION, root, "another process is running on it");
    }
    return channel;
  }

  private static Properties read(Path file) throws IOException {
    Properties properties = new Properties();
    properties.load(new StringReader(Files.readString(file)));
    return properties;
  }

  private static void checkFormat(Path root, Properties properties, boolean ours)
      throws StoreException {
    if (!ours) {
      properties.setProperty("format.version", Integer.toString(FORMAT_VERSION));
      return;
    }
    String text = properties.getProperty("format.version", "");
    int version;
    try {
      version = Integer.parseInt(text);
    } catch (NumberFormatException e) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot use "
              + root
              + ": its "
              + PROPERTIES
              + " names no format version but '"
              + text
              + "'",
          e);
    }
    if (version > FORMAT_VERSION) {
      throw refused(
          ErrorCode.FORMAT_TOO_NEW,
          root,
          "it was written in format "
              + version
              + ", and this version reads up to "
              + FORMAT_VERSION);
    }
  }

  private static void checkSpace(Path root) throws IOException {
    long free = Files.getFileStore(root).getUsableSpace();
    if (free < LEAST_FREE_BYTES) {
      throw refused(
          ErrorCode.DISK_FULL,
          root,
          "its disk has "
              + (free >> 20)
              + " MiB free, and at least "
              + (LEAST_FREE_BYTES >> 20)
              + " MiB are needed");
    }
  }

  Path root() {
    return root;
  }

  Path zooKeeper() {
    return root.resolve("zookeeper");
  }

  Path hbase() {
    return root.resolve("hbase");
  }

  Path conf() {
    return root.resolve("conf");
  }

  Path credentials() {
    return root.resolve(CREDENTIALS);
  }

  /** The directories of disks, made if they are absent. */
  List<Path> disks(int count) throws IOException {
    List<Path> disks = new ArrayList<>();
    for (int i = 1; i <= count; i++) {
      disks.add(Files.createDirectories(root.resolve("disks").resolve("disk" + i)));
    }
    return disks;
  }

  /** Checks that what was found in the parts is of this directory's cluster; keeps it at first. */
  void checkClusterId(String found) throws IOException {
    String expected = properties.getProperty("cluster.id");
    if (expected == null) {
      properties.setProperty("cluster.id", found);
      save();
    } else if (!expected.equals(found)) {
      throw refused(
          ErrorCode.WRONG_CLUSTER,
          root,
          "its metadata belongs to cluster " + found + ", the directory to cluster " + expected);
    }
  }

  /**
   * The loopback port of a role: the one of the last start, so that what clients were configured
   * with stays true; another if somebody took it meanwhile.
   */
  int port(String role) throws IOException {
    String name = role + ".port";
    String kept = properties.getProperty(name);
    if (kept != null && kept.matches("[0-9]{1,5}") && isFree(Integer.parseInt(kept))) {
      return Integer.parseInt(kept);
    }
    SecureRandom random = new SecureRandom();
    for (int i = 0; i < PORT_ATTEMPTS; i++) {
      int port = FIRST_PORT + random.nextInt(PORT_COUNT);
      if (!properties.containsValue(Integer.toString(port)) && isFree(port)) {
        properties.setProperty(name, Integer.toString(port));
        save();
        return port;
      }
    }
    throw refused(ErrorCode.BAD_CONFIGURATION, root, "no free port on 127.0.0.1 was found");
  }

  /** Whether a server could listen on a loopback port now. */
  static boolean isFree(int port) {
    try (ServerSocket socket = new ServerSocket()) {
      socket.setReuseAddress(true);
      socket.bind(new InetSocketAddress(InetAddress.getByAddress(new byte[] {127, 0, 0, 1}), port));
      return true;
    } catch (IOException | IllegalArgumentException e) {
      return false;
    }
  }

  /** The key of the first start; a new one if its file is gone. */
  AccessKey accessKey() throws IOException {
    Path file = root.resolve(CREDENTIALS);
    if (Files.isRegularFile(file)) {
      Properties profile = read(file);
      String id = profile.getProperty("aws_access_key_id");
      String secret = profile.getProperty("aws_secret_access_key");
      if (id == null || secret == null) {
        throw refused(
            ErrorCode.BAD_CONFIGURATION,
            root,
            CREDENTIALS + " names no access key and secret; delete it to have new ones made");
      }
      return new AccessKey(id.trim(), secret.trim());
    }
    AccessKey key = new AccessKey("STOW" + random(UPPER, 16), random(UPPER + LOWER, 40));
    String text =
        "[default]\naws_access_key_id = "
            + key.id()
            + "\naws_secret_access_key = "
            + key.secret()
            + "\n";
    replace(file, text, OWNER_ONLY);
    return key;
  }

  private static final String UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  private static final String LOWER = "abcdefghijklmnopqrstuvwxyz";

  private static String random(String alphabet, int length) {
    SecureRandom random = new SecureRandom();
    StringBuilder text = new StringBuilder(length);
    for (int i = 0; i < length; i++) {
      text.append(alphabet.charAt(random.nextInt(alphabet.length())));
    }
    return text.toString();
  }

  /** Writes a Hadoop configuration file into conf/; readable by its owner alone. */
  void writeConf(String name, Map<String, String> settings) throws IOException {
    Files.createDirectories(conf());
    StringBuilder xml = new StringBuilder();
    xml.append("<?xml version=\"1.0\"?>\n");
    xml.append("<!-- Written at every start of the embedded cluster. -->\n<configuration>\n");
    for (Map.Entry<String, String> setting : new TreeMap<>(settings).entrySet()) {
      xml.append("  <property><name>")
          .append(escape(setting.getKey()))
          .append("</name><value>")
          .append(escape(setting.getValue()))
          .append("</value></property>\n");
    }
    xml.append("</configuration>\n");
    replace(conf().resolve(name), xml.toString(), OWNER_ONLY);
  }

  private static String escape(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
  }

  /** Objects lie here as they are, and what is said over HBase, besides keys. */
  private static void makePrivate(Path root) {
    try {
      LocalDiskFiles.INSTANCE.makePrivate(root);
    } catch (IOException e) {
      LOG.warn("Other users of this machine may read {}: {}", root, e.toString());
    }
  }

  private void save() throws IOException {
    StringWriter text = new StringWriter();
    text.write("# Of the Stowage cluster in this directory. Not to be edited.\n");
    new TreeMap<>(properties).forEach((name, value) -> text.write(name + "=" + value + "\n"));
    replace(root.resolve(PROPERTIES), text.toString(), null);
  }

  private static void replace(Path file, String text, Set<PosixFilePermission> permissions)
      throws IOException {
    Path next = file.resolveSibling("." + file.getFileName() + ".new");
    Files.deleteIfExists(next);
    if (permissions == null) {
      Files.createFile(next);
    } else {
      Files.createFile(next, PosixFilePermissions.asFileAttribute(permissions));
    }
    try (FileChannel channel = FileChannel.open(next, StandardOpenOption.WRITE)) {
      channel.write(StandardCharsets.UTF_8.encode(text));
      channel.force(true);
    }
    Files.move(next, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    DurableLocalFileSystem.force(file.getParent());
  }

  /** Gives the lock back. */
  @Override
  public void close() {
    try {
      lockFile.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}

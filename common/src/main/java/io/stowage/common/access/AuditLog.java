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
package io.stowage.common.access;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.stowage.common.conf.ConfigKey;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.policy.Question;
import io.stowage.common.time.StoreClock;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Every decision on a request, one line of JSON each, in a file of its own that is rotated by size
 * and count. Holds no secret: keys by their ids, signatures and tokens not at all.
 *
 * <p>Thread-safe. Lines are handed to one writer over a bounded queue. A request waits for a place
 * in it at most {@link #MOST_WAIT_MILLIS}, and not at all once one has waited in vain, until the
 * writer is through again: a disk that stands still costs requests a moment, never their answer.
 * Lines that found no place are counted, and the log says how many are missing where they are
 * missing. A crash loses what the writer has not yet written (the file is not forced).
 */
public final class AuditLog implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(AuditLog.class);

  /** Lines on their way to the writer: about 2 MiB, 20 MiB if all are as long as can be. */
  private static final int CAPACITY = 4_096;

  static final long MOST_WAIT_MILLIS = 20;

  /** Chars of names, of which a caller may choose some as he likes; longer ones are cut. */
  private static final int LONGEST_NAME = 256;

  /** No key is longer; what is said to be one may be. */
  private static final int LONGEST_KEY = 1_024;

  /** Names a path, and who owns it. */
  private static final int LONGEST_WHY = 3_072;

  private static final Set<PosixFilePermission> MODE = PosixFilePermissions.fromString("rw-r-----");

  private static final JsonFactory JSON = new JsonFactory();

  /** What became of a request. */
  record Line(
      long timeMicros,
      Origin origin,
      Question.Principal who,
      String action,
      String bucket,
      String key,
      String version,
      boolean allowed,
      String why) {}

  private static final Line CLOSING =
      new Line(0, Origin.INSIDE, Question.Principal.ANONYMOUS, "", null, null, null, false, "");

  private final StoreClock clock;
  private final Path file;
  private final long mostBytes;
  private final int mostFiles;
  private final BlockingQueue<Line> queue;
  private final Thread writer;
  private final AtomicLong written = new AtomicLong();
  private final AtomicLong dropped = new AtomicLong();
  private final AtomicLong waited = new AtomicLong();
  private volatile boolean stalled;
  private final Opener opener;
  private WritableByteChannel channel;
  private long size;
  private boolean endsWithinLine; // what comes next would go on there
  private long told;
  private boolean failing;

  private AuditLog(
      StoreClock clock, Path file, long mostBytes, int mostFiles, int capacity, Opener opener) {
    this.clock = clock;
    this.file = file;
    this.mostBytes = mostBytes;
    this.mostFiles = mostFiles;
    this.opener = opener;
    this.queue = new ArrayBlockingQueue<>(capacity);
    this.writer = file == null ? null : new Thread(this::write, "audit-log");
  }

  /**
   * As a configuration says.
   *
   * @param key names the file
   * @param file empty: beside the process's own log, if it has one; "none": nowhere
   * @param kind of what is written down, in the name of a file that is not named
   */
  public static AuditLog open(
      StoreClock clock,
      ConfigKey<String> key,
      String file,
      long mostBytes,
      int mostFiles,
      String kind)
      throws StoreException {
    try {
      Path path = path(file, kind);
      return path == null ? none() : to(clock, path, mostBytes, mostFiles);
    } catch (IOException | InvalidPathException e) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot write the audit log " + key.name() + " = '" + file + "': " + e,
          e);
    }
  }

  private static Path path(String file, String kind) {
    if (!file.isEmpty()) {
      return file.equals("none") ? null : Path.of(file);
    }
    String log = System.getProperty("stowage.log.file");
    if (log != null) {
      Path own = Path.of(log);
      String name = own.getFileName().toString();
      int dot = name.lastIndexOf('.');
      String stem = dot > 0 ? name.substring(0, dot) : name;
      return own.resolveSibling(stem + (kind.equals("s3") ? "" : "-" + kind) + "-audit.log");
    }
    String logs = System.getProperty("stowage.log.dir");
    return logs == null ? null : Path.of(logs, kind + "-audit.log");
  }

  /** Keeps nothing. */
  public static AuditLog none() {
    return new AuditLog(StoreClock.system(), null, 0, 0, 1, AuditLog::append);
  }

  /**
   * Writes to a file, behind what is in it.
   *
   * @param mostBytes size at which a file is put aside as {@code FILE.1}
   * @param mostFiles how many there are in all
   */
  public static AuditLog to(StoreClock clock, Path file, long mostBytes, int mostFiles)
      throws IOException {
    return to(clock, file, mostBytes, mostFiles, CAPACITY);
  }

  static AuditLog to(StoreClock clock, Path file, long mostBytes, int mostFiles, int capacity)
      throws IOException {
    return to(clock, file, mostBytes, mostFiles, capacity, AuditLog::append);
  }

  static AuditLog to(
      StoreClock clock, Path file, long mostBytes, int mostFiles, int capacity, Opener opener)
      throws IOException {
    AuditLog log = new AuditLog(clock, file, mostBytes, mostFiles, capacity, opener);
    if (file.toAbsolutePath().getParent() != null) {
      Files.createDirectories(file.toAbsolutePath().getParent());
    }
    log.open(); // whoever cannot write it at the start is told then
    log.writer.setDaemon(true);
    log.writer.start();
    return log;
  }

  /** A request that could not prove who sent it, or that is refused before anything is asked. */
  public void refused(Origin origin, String action, String why) {
    add(origin, Question.Principal.ANONYMOUS, action, null, null, null, false, why);
  }

  /** A decision. */
  public void add(
      Origin origin,
      Question.Principal who,
      String action,
      String bucket,
      String key,
      String version,
      boolean allowed,
      String why) {
    if (writer == null) {
      return;
    }
    Line line =
        new Line(
            clock.wallMicros(),
            new Origin(
                bounded(origin.requestId(), LONGEST_NAME),
                bounded(origin.address(), LONGEST_NAME),
                bounded(origin.mechanism(), LONGEST_NAME),
                bounded(origin.accessKey(), LONGEST_NAME)),
            new Question.Principal(
                bounded(who.canonicalId(), LONGEST_NAME),
                bounded(who.userName(), LONGEST_NAME),
                who.anonymous()),
            bounded(action, LONGEST_NAME),
            bounded(bucket, LONGEST_NAME),
            bounded(key, LONGEST_KEY),
            bounded(version, LONGEST_NAME),
            allowed,
            bounded(why, LONGEST_WHY));
    if (queue.offer(line)) {
      return;
    }
    if (!stalled) {
      waited.incrementAndGet();
      try {
        if (queue.offer(line, MOST_WAIT_MILLIS, TimeUnit.MILLISECONDS)) {
          return;
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      stalled = true;
    }
    dropped.incrementAndGet();
  }

  /**
   * What goes into a line: whatever a caller sends, a line has its bound, and is one that can be
   * written (half a surrogate pair cannot).
   */
  private static String bounded(String text, int most) {
    if (text == null || (text.length() <= most && !hasSurrogate(text))) {
      return text;
    }
    String cut = text.length() <= most ? text : text.substring(0, most) + "…";
    return new String(cut.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8);
  }

  private static boolean hasSurrogate(String text) {
    for (int i = 0; i < text.length(); i++) {
      if (Character.isSurrogate(text.charAt(i))) {
        return true;
      }
    }
    return false;
  }

  /** Lines written so far. */
  public long written() {
    return written.get();
  }

  /** Lines that found no place or could not be written. */
  public long dropped() {
    return dropped.get();
  }

  /** Requests that waited for a place. */
  public long waited() {
    return waited.get();
  }

  private void write() {
    List<Line> batch = new ArrayList<>();
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    boolean closing = false;
    while (!closing) {
      batch.clear();
      bytes.reset();
      try {
        batch.add(queue.take());
      } catch (InterruptedException e) {
        return;
      }
      queue.drainTo(batch, 255);
      stalled = false;
      closing = batch.remove(CLOSING);
      ByteBuffer left = ByteBuffer.allocate(0);
      try {
        for (Line line : batch) {
          write(line, bytes);
        }
        long missing = dropped.get();
        if (missing != told) {
          writeMissing(missing - told, bytes);
        }
        left = ByteBuffer.wrap(bytes.toByteArray());
        append(left);
        told = missing;
        written.addAndGet(batch.size());
        failing = false;
      } catch (IOException e) {
        int whole = Math.min(batch.size(), wholeLines(left));
        written.addAndGet(whole);
        dropped.addAndGet(batch.size() - whole);
        if (!failing) {
          LOG.error("Cannot write the audit log {}; lines are being lost", file, e);
        }
        failing = true;
      }
    }
    closeChannel();
  }

  /** Appends; whatever of it is written, also when it fails, is behind the buffer's position. */
  private void append(ByteBuffer left) throws IOException {
    if (channel == null || !channel.isOpen()) {
      open();
    }
    if (size > 0 && size + left.remaining() > mostBytes) {
      rotate();
    }
    if (endsWithinLine) { // where a disk was full: whoever reads lines loses that one alone
      write(ByteBuffer.wrap(new byte[] {'\n'}));
    }
    write(left);
  }

  private void write(ByteBuffer left) throws IOException {
    while (left.hasRemaining()) {
      int count = channel.write(left);
      if (count > 0) {
        size += count;
        endsWithinLine = left.get(left.position() - 1) != '\n';
      }
    }
  }

  /** Lines that are before a buffer's position. */
  private static int wholeLines(ByteBuffer left) {
    int lines = 0;
    for (int i = 0; i < left.position(); i++) {
      if (left.get(i) == '\n') {
        lines++;
      }
    }
    return lines;
  }

  private void open() throws IOException {
    channel = opener.open(file);
    size = 0;
    endsWithinLine = false;
    if (!Files.isRegularFile(file)) {
      return; // a pipe
    }
    size = Files.size(file);
    endsWithinLine = size > 0 && !endsLine();
  }

  private boolean endsLine() throws IOException {
    try (FileChannel there = opener.read(file)) {
      ByteBuffer last = ByteBuffer.allocate(1);
      return there.read(last, size - 1) == 1 && last.get(0) == '\n';
    } catch (AccessDeniedException e) {
      return false; // ours to write, not to read: an empty line is no harm, half of one may be
    }
  }

  /** How the writer comes to a file. */
  interface Opener {
    /** To append to it. */
    WritableByteChannel open(Path file) throws IOException;

    /** To see how it ends. */
    default FileChannel read(Path file) throws IOException {
      return FileChannel.open(file, StandardOpenOption.READ);
    }
  }

  /** A new file is its owner's and his group's: it says who asked for what, and who may. */
  private static WritableByteChannel append(Path file) throws IOException {
    Set<OpenOption> how =
        Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.APPEND);
    return file.getFileSystem().supportedFileAttributeViews().contains("posix")
        ? FileChannel.open(file, how, PosixFilePermissions.asFileAttribute(MODE))
        : FileChannel.open(file, how);
  }

  private void rotate() throws IOException {
    closeChannel();
    for (int i = mostFiles - 1; i > 0; i--) {
      Path from = i == 1 ? file : numbered(i - 1);
      if (Files.exists(from)) {
        Files.move(from, numbered(i), StandardCopyOption.REPLACE_EXISTING);
      }
    }
    if (mostFiles == 1) {
      Files.deleteIfExists(file);
    }
    open();
  }

  private Path numbered(int number) {
    return file.resolveSibling(file.getFileName() + "." + number);
  }

  private void closeChannel() {
    try {
      if (channel != null) {
        channel.close();
      }
    } catch (IOException e) {
      LOG.warn("Cannot close the audit log {}", file, e);
    }
  }

  private static void write(Line line, ByteArrayOutputStream bytes) throws IOException {
    try (JsonGenerator json = JSON.createGenerator(bytes)) {
      json.disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET);
      json.writeStartObject();
      json.writeStringField("time", time(line.timeMicros));
      json.writeStringField("requestId", line.origin.requestId());
      json.writeStringField("from", line.origin.address());
      json.writeStringField("authenticated", line.origin.mechanism());
      if (!line.origin.accessKey().isEmpty()) {
        json.writeStringField("accessKey", line.origin.accessKey());
      }
      if (!line.who.anonymous()) {
        json.writeStringField("user", line.who.userName());
        json.writeStringField("canonicalId", line.who.canonicalId());
      }
      json.writeStringField("action", line.action);
      writeIfSaid(json, "bucket", line.bucket);
      writeIfSaid(json, "key", line.key);
      writeIfSaid(json, "version", line.version);
      json.writeBooleanField("allowed", line.allowed);
      json.writeStringField("why", line.why);
      json.writeEndObject();
    }
    bytes.write('\n');
  }

  private static void writeIfSaid(JsonGenerator json, String field, String value)
      throws IOException {
    if (value != null && !value.isEmpty()) {
      json.writeStringField(field, value);
    }
  }

  private void writeMissing(long count, ByteArrayOutputStream bytes) throws IOException {
    try (JsonGenerator json = JSON.createGenerator(bytes)) {
      json.disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET);
      json.writeStartObject();
      json.writeStringField("time", time(clock.wallMicros()));
      json.writeNumberField("missing", count);
      json.writeEndObject();
    }
    bytes.write('\n');
  }

  private static String time(long micros) {
    return Instant.ofEpochSecond(micros / 1_000_000, micros % 1_000_000 * 1_000).toString();
  }

  /** Writes what was handed over before. */
  @Override
  public void close() {
    if (writer == null) {
      return;
    }
    try {
      if (!queue.offer(CLOSING, 5, TimeUnit.SECONDS)) {
        writer.interrupt();
      }
      writer.join(TimeUnit.SECONDS.toMillis(10));
    } catch (InterruptedException e) {
      writer.interrupt();
      Thread.currentThread().interrupt();
    }
  }
}

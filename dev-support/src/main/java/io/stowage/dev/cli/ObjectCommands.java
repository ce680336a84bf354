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
package io.stowage.dev.cli;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.stowage.client.DataPath;
import io.stowage.client.MovedVersion;
import io.stowage.client.ObjectReader;
import io.stowage.client.ObjectWriter;
import io.stowage.client.Placement;
import io.stowage.client.crypt.ObjectCipher;
import io.stowage.client.crypt.PacketLayout;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.DeleteObjectsRequest;
import io.stowage.common.proto.DeletedObject;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.GetBucketRequest;
import io.stowage.common.proto.GetObjectReply;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.ListObjectsReply;
import io.stowage.common.proto.ListObjectsRequest;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectToDelete;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.PutObjectReply;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.dev.cli.Output.Bytes;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code stowage object …}: bytes go straight between this process and the datanodes. */
@Command(
    name = "object",
    mixinStandardHelpOptions = true,
    description = "Put, get, list, look at and remove objects.",
    subcommands = {
      ObjectCommands.Put.class,
      ObjectCommands.Get.class,
      ObjectCommands.Ls.class,
      ObjectCommands.Stat.class,
      ObjectCommands.Rm.class
    })
final class ObjectCommands {
  private static final int PAGE = 1000;
  private static final int CHUNK_BYTES = 1 << 20;

  private static String etagOf(ObjectVersion version) {
    String md5 = HexFormat.of().formatHex(version.getMd5().toByteArray());
    return version.getPartCount() == 0 ? md5 : md5 + "-" + version.getPartCount();
  }

  @Command(name = "put", mixinStandardHelpOptions = true, description = "Store a file.")
  static final class Put extends ClusterCommand {
    @Parameters(
        index = "0",
        paramLabel = "BUCKET/KEY",
        description = "a key that ends with / gets the file's name")
    private String target;

    @Parameters(index = "1", paramLabel = "FILE", description = "- is standard input")
    private String file;

    @Option(names = "--content-type", description = "kept with the object")
    private String contentType;

    @Override
    void run(Session session, Output output) throws Exception {
      boolean standardInput = file.equals("-");
      Path path = Path.of(file);
      if (!standardInput && !Files.isRegularFile(path)) {
        throw new StoreException(
            ErrorCode.INVALID_ARGUMENT, "Cannot put " + file + ": no such file");
      }
      boolean folder = target.endsWith("/") || target.indexOf('/') < 0;
      ObjectName name =
          ObjectName.parseWithKey(
              folder && !standardInput
                  ? target + (target.endsWith("/") ? "" : "/") + path.getFileName()
                  : target);
      long length = standardInput ? -1 : Files.size(path);
      try (InputStream in = standardInput ? System.in : Files.newInputStream(path)) {
        ObjectVersion version = store(session, name, in, length);
        output.done(
            "stored " + name + ", " + new Bytes(version.getLength()) + ", ETag " + etagOf(version));
      }
    }

    private ObjectVersion store(Session session, ObjectName name, InputStream in, long length)
        throws IOException {
      BucketInfo bucket =
          session
              .objectManager()
              .getBucket(GetBucketRequest.newBuilder().setName(name.bucket()).build())
              .getBucket();
      ByteString writeId = WriteId.random();
      ObjectMetadata.Builder metadata =
          ObjectMetadata.newBuilder().setOwner(System.getProperty("user.name"));
      if (contentType != null) {
        metadata.putHeaders("content-type", contentType);
      }
      ObjectCipher cipher = session.ciphers().forWrite(bucket);
      if (cipher != null) {
        metadata.setEncryption(cipher.envelope());
      }
      Placement placement = Placement.of(session.recordingNamespace(), bucket, name.key());
      DataPath.WriteSpec spec =
          new DataPath.WriteSpec(
              bucket.getId(),
              placement.rowKey(),
              writeId,
              bucket.getPolicy(),
              cipher == null ? length : PacketLayout.cipherLength(length),
              metadata.build().toByteString());
      MessageDigest md5 = md5();
      ObjectWriter stored = session.dataPath().write(spec);
      try (ObjectWriter writer =
          cipher == null ? stored : cipher.encrypting(stored, ByteString.EMPTY)) {
        long written = copy(in, writer, md5);
        ObjectWriter.Written where = placement.told(writer.finish());
        PutObjectReply reply =
            session
                .recordingNamespace()
                .putObject(
                    PutObjectRequest.newBuilder()
                        .setBucket(name.bucket())
                        .setKey(name.key())
                        .setWriteId(writeId)
                        .setLength(written)
                        .setMd5(etag(cipher, md5.digest()))
                        .setMetadata(metadata)
                        .setEncryptionDecided(true)
                        .setManifest(where.manifest())
                        .addAllGrants(where.grants())
                        .setClockMicros(where.clockMicros())
                        .build());
        return reply.getVersion();
      }
    }

    private static ByteString etag(ObjectCipher cipher, byte[] md5) {
      return cipher == null ? ByteString.copyFrom(md5) : cipher.etag(md5);
    }

    private static long copy(InputStream in, ObjectWriter writer, MessageDigest md5)
        throws IOException {
      byte[] chunk = new byte[CHUNK_BYTES];
      long total = 0;
      for (int count = in.readNBytes(chunk, 0, chunk.length);
          count > 0;
          count = in.readNBytes(chunk, 0, chunk.length)) {
        md5.update(chunk, 0, count);
        ByteBuf bytes = PooledByteBufAllocator.DEFAULT.directBuffer(count);
        bytes.writeBytes(chunk, 0, count);
        writer.write(bytes);
        total += count;
      }
      return total;
    }

    private static MessageDigest md5() {
      try {
        return MessageDigest.getInstance("MD5");
      } catch (NoSuchAlgorithmException e) {
        throw new IllegalStateException("every JDK has MD5", e);
      }
    }
  }

  @Command(name = "get", mixinStandardHelpOptions = true, description = "Fetch an object.")
  static final class Get extends ClusterCommand {
    @Parameters(index = "0", paramLabel = "BUCKET/KEY")
    private String source;

    @Parameters(
        index = "1",
        arity = "0..1",
        paramLabel = "FILE",
        description = "- is standard output; default: the key's last part, here")
    private String file;

    @Override
    void run(Session session, Output output) throws Exception {
      ObjectName name = ObjectName.parseWithKey(source);
      GetObjectReply object =
          session
              .objectManager()
              .getObject(
                  GetObjectRequest.newBuilder()
                      .setBucket(name.bucket())
                      .setKey(name.key())
                      .setWantManifest(true)
                      .build());
      if ("-".equals(file)) {
        fetch(session, name.bucket(), object, System.out);
        if (System.out.checkError()) { // it never throws
          throw new IOException("Cannot write to standard output");
        }
        return;
      }
      Path target =
          Path.of(file != null ? file : name.key().substring(name.key().lastIndexOf('/') + 1));
      if (Files.isDirectory(target)) {
        target = target.resolve(name.key().substring(name.key().lastIndexOf('/') + 1));
      }
      // Half a file never stands under the name that was asked for.
      Path partial = target.resolveSibling(target.getFileName() + ".part");
      try {
        try (OutputStream out = Files.newOutputStream(partial)) {
          fetch(session, name.bucket(), object, out);
        }
        move(partial, target);
      } finally {
        Files.deleteIfExists(partial);
      }
      output.done(
          "fetched " + name + " to " + target + ", " + new Bytes(object.getVersion().getLength()));
    }

    private static void fetch(
        Session session, String bucket, GetObjectReply object, OutputStream out)
        throws IOException {
      ObjectReader reader = open(session, bucket, object);
      try {
        long length = reader.length();
        int step = Math.min(CHUNK_BYTES, reader.maxRead());
        for (long offset = 0; offset < length; offset += step) {
          int count = (int) Math.min(step, length - offset);
          ByteBuf bytes;
          try {
            bytes = reader.read(offset, count);
          } catch (StoreException e) {
            // Repacked, or under a token that holds again.
            GetObjectReply found =
                MovedVersion.find(session.objectManager(), bucket, object.getVersion(), e);
            reader.close();
            reader = open(session, bucket, found);
            bytes = reader.read(offset, count);
          }
          try {
            bytes.readBytes(out, bytes.readableBytes());
          } finally {
            bytes.release();
          }
        }
      } finally {
        reader.close();
      }
    }

    private static ObjectReader open(Session session, String bucket, GetObjectReply object)
        throws StoreException {
      ObjectCipher cipher = null;
      if (object.getVersion().getMetadata().hasEncryption()) {
        GetBucketRequest asked = GetBucketRequest.newBuilder().setName(bucket).build();
        long bucketId = session.objectManager().getBucket(asked).getBucket().getId();
        cipher = session.ciphers().forRead(bucketId, object.getVersion());
      }
      ObjectReader stored =
          session
              .dataPath()
              .read(DataPath.ReadSpec.of(object.getVersion(), object.getContainersList()));
      try {
        return cipher == null ? stored : cipher.decrypting(stored, object.getVersion());
      } catch (StoreException e) {
        stored.close();
        throw e;
      }
    }

    private static void move(Path from, Path to) throws IOException {
      try {
        Files.move(from, to, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      } catch (AtomicMoveNotSupportedException e) {
        Files.move(from, to, StandardCopyOption.REPLACE_EXISTING);
      }
    }
  }

  @Command(
      name = "ls",
      mixinStandardHelpOptions = true,
      description = "List keys, a level at a time unless --recursive.")
  static final class Ls extends ClusterCommand {
    @Parameters(paramLabel = "BUCKET[/PREFIX]")
    private String place;

    @Option(
        names = {"-r", "--recursive"},
        description = "all keys under the prefix")
    private boolean recursive;

    @Option(names = "--limit", description = "at most so many (${DEFAULT-VALUE})")
    private int limit = 100_000;

    @Override
    void run(Session session, Output output) throws Exception {
      ObjectName start = ObjectName.parse(place);
      List<Map<String, Object>> rows = new ArrayList<>();
      String after = "";
      ListObjectsReply page;
      do {
        page =
            session
                .objectManager()
                .listObjects(
                    ListObjectsRequest.newBuilder()
                        .setBucket(start.bucket())
                        .setPrefix(start.key())
                        .setDelimiter(recursive ? "" : "/")
                        .setStartAfter(after)
                        .setLimit(Math.min(PAGE, limit - rows.size()))
                        .build());
        page.getCommonPrefixesList().forEach(prefix -> rows.add(row("", "", prefix)));
        for (ObjectVersion version : page.getObjectsList()) {
          rows.add(
              row(
                  timeOf(version.getModifiedMicros()),
                  new Bytes(version.getLength()),
                  version.getKey()));
        }
        after = page.getLast();
      } while (page.getMore() && rows.size() < limit);
      output.rows(rows);
    }

    private static Map<String, Object> row(String modified, Object size, String key) {
      Map<String, Object> row = new LinkedHashMap<>();
      row.put("modified", modified);
      row.put("size", size);
      row.put("key", key);
      return row;
    }
  }

  @Command(
      name = "stat",
      mixinStandardHelpOptions = true,
      description = "Everything that is known of an object, and where its bytes are.")
  static final class Stat extends ClusterCommand {
    @Parameters(paramLabel = "BUCKET/KEY")
    private String source;

    @Override
    void run(Session session, Output output) throws Exception {
      ObjectName name = ObjectName.parseWithKey(source);
      ObjectVersion version =
          session
              .objectManager()
              .getObject(
                  GetObjectRequest.newBuilder()
                      .setBucket(name.bucket())
                      .setKey(name.key())
                      .setWantManifest(true)
                      .build())
              .getVersion();
      Map<String, Object> facts = new LinkedHashMap<>();
      facts.put("key", name.key());
      facts.put("size", new Bytes(version.getLength()));
      facts.put("modified", timeOf(version.getModifiedMicros()));
      facts.put("etag", etagOf(version));
      facts.put("version", Long.toUnsignedString(version.getVersionId()));
      facts.put("stamp", Long.toUnsignedString(version.getStamp()));
      facts.put("write id", WriteId.toHex(version.getWriteId()));
      facts.put("owner", version.getMetadata().getOwner());
      facts.put("headers", new LinkedHashMap<>(version.getMetadata().getHeadersMap()));
      facts.put("user metadata", new LinkedHashMap<>(version.getMetadata().getUserMap()));
      List<Map<String, Object>> extents = new ArrayList<>();
      for (Extent extent : version.getManifest().getExtentsList()) {
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("container", HexFormat.of().toHexDigits(extent.getContainer()));
        row.put("epoch", extent.getEpoch());
        row.put("offset", extent.getOffset());
        row.put("first shard", extent.getFirstShard());
        row.put("width", extent.getWidth());
        row.put("cell", new Bytes(extent.getCellLength()));
        row.put("length", new Bytes(extent.getLength()));
        extents.add(row);
      }
      facts.put("extents", extents);
      output.facts(facts);
    }
  }

  @Command(name = "rm", mixinStandardHelpOptions = true, description = "Remove objects.")
  static final class Rm extends ClusterCommand {
    @Parameters(paramLabel = "BUCKET/KEY", arity = "1..*")
    private List<String> names;

    @Override
    void run(Session session, Output output) throws Exception {
      for (String text : names) {
        ObjectName name = ObjectName.parseWithKey(text);
        DeletedObject result =
            session
                .recordingNamespace()
                .deleteObjects(
                    DeleteObjectsRequest.newBuilder()
                        .setBucket(name.bucket())
                        .addObjects(
                            ObjectToDelete.newBuilder()
                                .setKey(name.key())
                                .setWriteId(WriteId.random()))
                        .build())
                .getObjects(0);
        if (result.getErrorCode() != 0) {
          throw new IOException("Cannot remove " + name + ": " + result.getErrorMessage());
        }
        output.done(result.getStamp() == 0 ? name + " was not there" : "removed " + name);
      }
    }
  }
}

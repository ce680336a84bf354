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
package io.stowage.fs;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.client.crypt.CustomerKey;
import io.stowage.client.crypt.DataKey;
import io.stowage.client.crypt.Envelopes;
import io.stowage.client.crypt.KeyService;
import io.stowage.client.crypt.PacketLayout;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.om.BucketEncryption;
import io.stowage.common.proto.Encryption;
import io.stowage.common.proto.EncryptionMode;
import io.stowage.common.proto.GetBucketRequest;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.UpdateBucketRequest;
import io.stowage.common.time.ManualClock;
import io.stowage.common.time.StoreClock;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.CommonPathCapabilities;
import org.apache.hadoop.fs.EtagSource;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileRange;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.MultipartUploader;
import org.apache.hadoop.fs.PartHandle;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.StreamCapabilities;
import org.apache.hadoop.fs.UploadHandle;
import org.apache.hadoop.security.AccessControlException;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Files in buckets that encrypt by default, and what S3 clients encrypted. */
@Timeout(120)
class EncryptedFilesTest {
  private static final Path FILE = new Path("/d/f");
  private static final int PACKET = PacketLayout.PACKET_BYTES;

  private TwinCluster twins;
  private FileSystem fs;

  @BeforeEach
  void start() throws IOException {
    twins = TwinCluster.start();
    twins.createBucket("plain");
    twins.createBucket("s3");
    encrypt("s3", "<SSEAlgorithm>AES256</SSEAlgorithm>");
    twins.createBucket("kms");
    encrypt("kms", "<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>named</KMSMasterKeyID>");
  }

  @AfterEach
  void stop() throws IOException {
    if (fs != null) {
      fs.close();
    }
    twins.close();
    assertEquals(0, twins.dataPath.openWriters(), "writers left open");
    assertEquals(0, twins.dataPath.openReaders(), "readers left open");
    assertEquals(0, twins.connected.get(), "clusters left connected");
  }

  /** As PutBucketEncryption leaves it. */
  private void encrypt(String bucket, String by) throws StoreException {
    String document =
        "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>"
            + by
            + "</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>";
    twins.objectManager.updateBucket(
        UpdateBucketRequest.newBuilder()
            .setName(bucket)
            .setWriteId(WriteId.random())
            .putPut(BucketEncryption.SETTING, ByteString.copyFromUtf8(document))
            .build());
  }

  private FileSystem open(String bucket) throws IOException {
    if (fs != null) {
      fs.close();
    }
    fs = twins.open(bucket);
    return fs;
  }

  private static byte[] bytes(int length, long seed) {
    byte[] bytes = new byte[length];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  private void write(Path path, byte[] content) throws IOException {
    try (FSDataOutputStream out = fs.create(path, true)) {
      out.write(content);
    }
  }

  private byte[] read(Path path) throws IOException {
    try (FSDataInputStream in = fs.open(path)) {
      return in.readAllBytes();
    }
  }

  private ObjectVersion version(String bucket, String key) throws StoreException {
    return twins
        .objectManager
        .getObject(
            GetObjectRequest.newBuilder()
                .setBucket(bucket)
                .setKey(key)
                .setWantManifest(true)
                .build())
        .getVersion();
  }

  @Test
  void filesAreEncryptedByTheBucketsDefaultAndReadBack() throws Exception {
    for (String bucket : List.of("s3", "kms")) {
      open(bucket);
      for (int size : new int[] {0, 1, PACKET, PACKET + 1, 1 << 20, 8 << 20, (9 << 20) + 77}) {
        byte[] content = bytes(size, size);
        write(FILE, content);
        ObjectVersion version = version(bucket, "d/f");
        Encryption envelope = version.getMetadata().getEncryption();
        assertEquals(
            bucket.equals("s3") ? EncryptionMode.SSE_S3 : EncryptionMode.SSE_KMS,
            envelope.getMode());
        assertEquals(bucket.equals("s3") ? "stowage-s3" : "named", envelope.getKeyName());
        assertEquals(size, version.getLength());
        assertEquals(PacketLayout.cipherLength(size), version.getManifest().getLength());
        assertEquals(size, fs.getFileStatus(FILE).getLen());
        assertArrayEquals(content, read(FILE));
        String md5 = HexFormat.of().formatHex(MessageDigest.getInstance("MD5").digest(content));
        String etag = ((EtagSource) fs.getFileStatus(FILE)).getEtag();
        assertEquals(bucket.equals("s3") && size <= 8 << 20, etag.equals(md5), etag);
        assertEquals(size > 8 << 20, etag.endsWith("-1"), etag);
      }
      // Under another name of the same bucket it is the same file.
      Path moved = new Path("/elsewhere");
      byte[] content = read(FILE);
      assertTrue(fs.rename(FILE, moved));
      assertArrayEquals(content, read(moved));
    }
  }

  @Test
  void positionedAndVectoredReadsDecryptWhatTheyAskFor() throws Exception {
    open("s3");
    byte[] content = bytes(5 * PACKET + 100, 3);
    write(FILE, content);
    try (FSDataInputStream in = fs.open(FILE)) {
      int[][] ranges = {
        {0, 1}, {PACKET - 1, 2}, {PACKET, PACKET}, {3, 4 * PACKET}, {content.length - 1, 1}
      };
      for (int[] range : ranges) {
        byte[] some = new byte[range[1]];
        in.readFully(range[0], some);
        assertArrayEquals(
            Arrays.copyOfRange(content, range[0], range[0] + range[1]),
            some,
            () -> Arrays.toString(range));
      }
      List<FileRange> wanted =
          List.of(
              FileRange.createFileRange(10, 50),
              FileRange.createFileRange(2L * PACKET - 5, 10),
              FileRange.createFileRange(content.length - 100, 100));
      in.readVectored(wanted, ByteBuffer::allocate);
      for (FileRange range : wanted) {
        byte[] some = new byte[range.getLength()];
        range.getData().get().get(some);
        int from = (int) range.getOffset();
        assertArrayEquals(Arrays.copyOfRange(content, from, from + some.length), some);
      }
      in.seek(2 * PACKET + 9);
      assertEquals(content[2 * PACKET + 9] & 0xff, in.read());
    }
  }

  @Test
  void aFileWhoseContainersWereRewrittenIsReadOn() throws Exception {
    open("kms");
    byte[] content = bytes(3 << 20, 5);
    write(FILE, content);
    try (FSDataInputStream in = fs.open(FILE)) {
      assertEquals(content[0] & 0xff, in.read());
      int unwraps = twins.keys.unwraps();
      twins.objectManager.repack("kms", "d/f", twins.dataPath::repack);
      byte[] end = new byte[1000];
      in.readFully(content.length - 1000, end);
      assertArrayEquals(Arrays.copyOfRange(content, content.length - 1000, content.length), end);
      assertEquals(unwraps, twins.keys.unwraps());
    }
  }

  @Test
  void checksumsAreOfThePlainBytes() throws Exception {
    byte[] content = bytes(2 * PACKET + 1, 7);
    Configuration comparing = twins.configuration();
    comparing.set("dfs.checksum.combine.mode", "COMPOSITE_CRC");
    Object plain = null;
    for (String bucket : List.of("plain", "s3", "kms")) {
      try (FileSystem files = FileSystem.newInstance(URI.create("stow://" + bucket), comparing)) {
        try (FSDataOutputStream out = files.create(FILE)) {
          out.write(content);
        }
        Object told = files.getFileChecksum(FILE);
        assertNotEquals(null, told);
        assertEquals(plain == null ? told : plain, told);
        assertEquals(told, files.getFileChecksum(FILE, content.length));
        // Of a part of the file the bytes are read.
        assertNotEquals(told, files.getFileChecksum(FILE, content.length - 1));
        plain = told;
      }
    }
  }

  @Test
  void uploadsByPartsAreEncryptedAsTheyBegan() throws Exception {
    open("kms");
    byte[] content = bytes((5 << 20) + 100, 11);
    Path path = fs.makeQualified(FILE);
    UploadHandle upload;
    try (MultipartUploader first = fs.createMultipartUploader(new Path("/")).build()) {
      upload = first.startUpload(path).get();
    }
    // The rest by another, after the bucket changed its mind.
    encrypt("kms", "<SSEAlgorithm>AES256</SSEAlgorithm>");
    open("kms");
    try (MultipartUploader second = fs.createMultipartUploader(new Path("/")).build()) {
      int border = 5 << 20;
      PartHandle one =
          second
              .putPart(upload, 1, false, path, new ByteArrayInputStream(content, 0, border), border)
              .get();
      PartHandle two =
          second
              .putPart(upload, 2, true, path, new ByteArrayInputStream(content, border, 100), 100)
              .get();
      second.complete(upload, path, Map.of(1, one, 2, two)).get();
    }
    assertEquals(
        EncryptionMode.SSE_KMS, version("kms", "d/f").getMetadata().getEncryption().getMode());
    assertArrayEquals(content, read(FILE));
    try (FSDataInputStream in = fs.open(FILE)) {
      byte[] across = new byte[200];
      in.readFully((5 << 20) - 100, across);
      assertArrayEquals(Arrays.copyOfRange(content, (5 << 20) - 100, (5 << 20) + 100), across);
    }
  }

  @Test
  void encryptedFilesAreWrittenWholeOrNotAtAll() throws Exception {
    open("s3");
    try (FSDataOutputStream out = fs.create(FILE)) {
      assertFalse(out.hasCapability(StreamCapabilities.HSYNC));
      assertFalse(out.hasCapability("hflush"));
      out.write(1);
      assertThrows(UnsupportedOperationException.class, out::hsync);
      assertThrows(UnsupportedOperationException.class, out::hflush);
      out.write(2);
    }
    assertArrayEquals(new byte[] {1, 2}, read(FILE));
    assertFalse(fs.hasPathCapability(FILE, CommonPathCapabilities.FS_APPEND));
    IOException refused = assertThrows(IOException.class, () -> fs.append(FILE));
    assertTrue(refused.getMessage().contains("encrypt"), refused.getMessage());
    assertArrayEquals(new byte[] {1, 2}, read(FILE));
  }

  @Test
  void anEncryptedFileOfAPlainBucketIsReadAndNotAppendedTo() throws Exception {
    open("s3");
    write(FILE, bytes(1000, 1));
    twins.objectManager.updateBucket(
        UpdateBucketRequest.newBuilder()
            .setName("s3")
            .setWriteId(WriteId.random())
            .addRemove(BucketEncryption.SETTING)
            .build());
    open("s3");
    assertTrue(fs.hasPathCapability(FILE, CommonPathCapabilities.FS_APPEND));
    IOException refused = assertThrows(IOException.class, () -> fs.append(FILE));
    assertTrue(refused.getMessage().contains("SSE_S3"), refused.getMessage());
    assertArrayEquals(bytes(1000, 1), read(FILE));
    Path next = new Path("/d/plain");
    write(next, bytes(10, 2));
    assertFalse(version("s3", "d/plain").getMetadata().hasEncryption());
    try (FSDataOutputStream out = fs.append(next)) {
      out.write(bytes(10, 3));
    }
    assertEquals(20, read(next).length);
  }

  @Test
  void whoHasNoKeysIsToldSo() throws Exception {
    open("s3");
    write(FILE, bytes(1000, 1));
    fs.close();
    twins.keysFound = KeyService.none();
    open("s3");
    for (IOException refused :
        List.of(
            assertThrows(AccessControlException.class, () -> fs.open(FILE)),
            assertThrows(AccessControlException.class, () -> fs.create(new Path("/new"))))) {
      assertTrue(
          refused.getMessage().contains("stowage.encryption.key-provider"), refused.getMessage());
    }
    assertEquals(1000, fs.getFileStatus(FILE).getLen());
    assertTrue(fs.mkdirs(new Path("/directories/need/none")));
    assertTrue(fs.delete(FILE, false));
  }

  @Test
  void aKeyThatWasDestroyedIsToldByName() throws Exception {
    open("kms");
    write(FILE, bytes(1000, 1));
    open("kms"); // with no key in memory
    twins.keys.destroy("named");
    IOException refused = assertThrows(IOException.class, () -> fs.open(FILE));
    assertTrue(refused.getMessage().contains("named"), refused.getMessage());
  }

  @Test
  void whatS3ClientsHaveTheKeysOfStaysClosed() throws Exception {
    Envelopes envelopes = new Envelopes(twins.keys, StoreClock.system());
    long id =
        twins
            .objectManager
            .getBucket(GetBucketRequest.newBuilder().setName("plain").build())
            .getBucket()
            .getId();
    Encryption ofCustomer =
        envelopes
            .withCustomerKey(
                id, new CustomerKey(DataKey.of(bytes(32, 1)), ByteString.copyFrom(bytes(16, 2))))
            .envelope();
    twins.objectManager.putObject(
        PutObjectRequest.newBuilder()
            .setBucket("plain")
            .setKey("d/f")
            .setWriteId(WriteId.random())
            .setManifest(Manifest.getDefaultInstance())
            .setMetadata(ObjectMetadata.newBuilder().setEncryption(ofCustomer))
            .build());
    open("plain");
    IOException refused = assertThrows(AccessControlException.class, () -> fs.open(FILE));
    assertTrue(refused.getMessage().contains("SSE-C"), refused.getMessage());
  }

  @Test
  void aFileSystemHearsOfANewDefault() throws Exception {
    ManualClock clock = new ManualClock(0);
    FreshBucket bucket =
        new FreshBucket(
            twins.objectManager,
            twins
                .objectManager
                .getBucket(GetBucketRequest.newBuilder().setName("plain").build())
                .getBucket(),
            clock);
    encrypt("plain", "<SSEAlgorithm>AES256</SSEAlgorithm>");
    assertFalse(BucketEncryption.isDefault(bucket.get()));
    clock.advance(FreshBucket.FRESH);
    assertTrue(BucketEncryption.isDefault(bucket.get()));
  }
}

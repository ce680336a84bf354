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
package io.stowage.client.crypt;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.CompositeByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.stowage.client.ObjectReader;
import io.stowage.client.ObjectWriter;
import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.Encryption;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.time.StoreClock;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is written comes back, whatever range is asked for; nothing else ever does. */
class ObjectCipherTest {
  private static final int PACKET = PacketLayout.PACKET_BYTES;
  private static final int SEALED = PACKET + 16;
  private static final long BUCKET = 77;

  private final MemoryKeys keys = new MemoryKeys("s3", "mine");
  private final AtomicLong now = new AtomicLong();
  private final Envelopes envelopes = new Envelopes(keys, clock());
  private final Random random = new Random(1);
  private long pinnedBefore;

  @BeforeEach
  void countBuffers() {
    pinnedBefore = PooledByteBufAllocator.DEFAULT.pinnedDirectMemory();
  }

  @AfterEach
  void noBufferIsLeft() {
    assertEquals(pinnedBefore, PooledByteBufAllocator.DEFAULT.pinnedDirectMemory());
  }

  private StoreClock clock() {
    return new StoreClock() {
      @Override
      public long wallMicros() {
        return now.get() / 1000;
      }

      @Override
      public long monotonicNanos() {
        return now.get();
      }
    };
  }

  @Test
  void manyObjectsOfOneMinuteShareADataKeyAndNoPacketKey() throws Exception {
    ObjectCipher one = envelopes.withStoreKey(BUCKET, "s3");
    ObjectCipher two = envelopes.withStoreKey(BUCKET, "s3");
    assertEquals(one.envelope().getWrappedKey(), two.envelope().getWrappedKey());
    assertNotEquals(one.envelope().getSalt(), two.envelope().getSalt());
    refuses(two, seal(one, bytes(100), ByteString.EMPTY), 100);
    now.addAndGet(Envelopes.SHARED.toNanos());
    assertNotEquals(
        one.envelope().getWrappedKey(),
        envelopes.withStoreKey(BUCKET, "s3").envelope().getWrappedKey());
    Encryption plain = Encryption.getDefaultInstance();
    assertNotEquals(
        envelopes.withNamedKey(BUCKET, "mine", plain).envelope().getWrappedKey(),
        envelopes.withNamedKey(BUCKET, "mine", plain).envelope().getWrappedKey());
    Encryption sharing = Encryption.newBuilder().setBucketKey(true).build();
    assertEquals(
        envelopes.withNamedKey(BUCKET, "mine", sharing).envelope().getWrappedKey(),
        envelopes.withNamedKey(BUCKET, "mine", sharing).envelope().getWrappedKey());
  }

  @Test
  void aDestroyedKeyIsHeardWithinMinutes() throws Exception {
    ObjectCipher cipher = envelopes.withStoreKey(BUCKET, "s3");
    envelopes.open(BUCKET, cipher.envelope(), null);
    assertEquals(0, keys.unwraps(), "it was just made");
    keys.destroy("s3");
    now.addAndGet(Envelopes.OPEN.toNanos());
    StoreException gone =
        assertThrows(StoreException.class, () -> envelopes.open(BUCKET, cipher.envelope(), null));
    assertEquals(ErrorCode.NO_SUCH_ENCRYPTION_KEY, gone.code());
  }

  private byte[] bytes(int length) {
    byte[] bytes = new byte[length];
    random.nextBytes(bytes);
    return bytes;
  }

  private static ByteBuf direct(byte[] bytes, int from, int count) {
    return PooledByteBufAllocator.DEFAULT
        .directBuffer(Math.max(1, count))
        .writeBytes(bytes, from, count);
  }

  /** Keeps what is written. */
  private static final class Sink implements ObjectWriter {
    final ByteArrayOutputStream out = new ByteArrayOutputStream();
    boolean closed;

    @Override
    public void write(ByteBuf bytes) {
      byte[] some = new byte[bytes.readableBytes()];
      bytes.readBytes(some).release();
      out.writeBytes(some);
    }

    @Override
    public Written finish() {
      return new Written(Manifest.newBuilder().setLength(out.size()).build(), List.of(), 0);
    }

    @Override
    public void close() {
      closed = true;
    }
  }

  /** Gives what is stored, in pieces that do not end where packets do, and counts it. */
  private static final class Stored implements ObjectReader {
    final byte[] bytes;
    long bytesRead;
    int reads;
    int stripe = Integer.MAX_VALUE;

    Stored(byte[] bytes) {
      this.bytes = bytes;
    }

    @Override
    public long length() {
      return bytes.length;
    }

    @Override
    public ByteBuf read(long offset, int length) {
      assertTrue(length <= maxRead());
      reads++;
      bytesRead += length;
      CompositeByteBuf all = PooledByteBufAllocator.DEFAULT.compositeDirectBuffer(100);
      for (int at = (int) offset; at < offset + length; ) {
        int some = Math.min((int) offset + length - at, 100_000);
        all.addComponent(true, direct(bytes, at, some));
        at += some;
      }
      return all;
    }

    @Override
    public int evenLength(long offset, int most) {
      assertTrue(most >= 1 && offset + most <= bytes.length, most + " at " + offset);
      long even = (offset + most) / stripe * stripe - offset;
      return 2 * even >= most ? (int) even : most;
    }

    @Override
    public int maxRead() {
      return 1 << 20;
    }

    @Override
    public void close() {}
  }

  private byte[] seal(ObjectCipher cipher, byte[] plain, ByteString part) throws StoreException {
    Sink sink = new Sink();
    try (ObjectWriter writer = cipher.encrypting(sink, part)) {
      for (int at = 0; at < plain.length; ) {
        int some = Math.min(plain.length - at, 1 + random.nextInt(150_000));
        writer.write(direct(plain, at, some));
        at += some;
      }
      assertEquals(PacketLayout.cipherLength(plain.length), writer.finish().manifest().getLength());
    }
    assertTrue(sink.closed);
    return sink.out.toByteArray();
  }

  private static ObjectVersion version(long length) {
    return ObjectVersion.newBuilder().setLength(length).build();
  }

  private static byte[] read(ObjectReader reader, long offset, int length) throws StoreException {
    ByteBuf got = reader.read(offset, length);
    byte[] bytes = new byte[got.readableBytes()];
    got.readBytes(bytes).release();
    return bytes;
  }

  private static byte[] readAll(ObjectReader reader) throws StoreException {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    for (long at = 0; at < reader.length(); ) {
      int some = (int) Math.min(reader.length() - at, reader.maxRead());
      all.writeBytes(read(reader, at, some));
      at += some;
    }
    return all.toByteArray();
  }

  @ParameterizedTest
  @ValueSource(
      ints = {0, 1, 15, PACKET - 1, PACKET, PACKET + 1, 3 * PACKET, 3 * PACKET + 7, 5_000_000})
  void givesBackWhatWasWritten(int length) throws Exception {
    byte[] plain = bytes(length);
    ObjectCipher written = envelopes.withStoreKey(BUCKET, "s3");
    byte[] stored = seal(written, plain, ByteString.EMPTY);
    ObjectCipher opened = envelopes.open(BUCKET, written.envelope(), null);
    assertArrayEquals(plain, readAll(opened.decrypting(new Stored(stored), version(length))));
  }

  @Test
  void readsOfWhatIsStoredOnlyThePacketsOfTheRange() throws Exception {
    byte[] plain = bytes(20 * PACKET + 500);
    ObjectCipher cipher = envelopes.withStoreKey(BUCKET, "s3");
    Stored stored = new Stored(seal(cipher, plain, ByteString.EMPTY));
    ObjectReader reader = cipher.decrypting(stored, version(plain.length));
    long[][] ranges = {
      {0, 1, 1},
      {PACKET - 1, 1, 1},
      {PACKET, 1, 1},
      {PACKET - 1, 2, 2},
      {5, PACKET, 2},
      {PACKET, PACKET, 1},
      {3 * PACKET - 1, 2 * PACKET + 2, 4},
      {17, 10 * PACKET, 11}
    };
    for (long[] range : ranges) {
      stored.bytesRead = 0;
      stored.reads = 0;
      int from = (int) range[0];
      assertArrayEquals(
          Arrays.copyOfRange(plain, from, from + (int) range[1]),
          read(reader, from, (int) range[1]));
      assertEquals(range[2] * SEALED, stored.bytesRead, () -> Arrays.toString(range));
      assertEquals(1, stored.reads);
    }
    stored.bytesRead = 0;
    read(reader, plain.length - 1, 1);
    assertEquals(516, stored.bytesRead, "the last packet is short");
  }

  @Test
  void anyRangeOfAnObjectOfPartsIsRight() throws Exception {
    int[] lengths = {PACKET, 1, 0, 3 * PACKET - 1, 2 * PACKET + 100, 70_000};
    ObjectCipher cipher = envelopes.withNamedKey(BUCKET, "mine", Encryption.getDefaultInstance());
    ByteArrayOutputStream plain = new ByteArrayOutputStream();
    ByteArrayOutputStream stored = new ByteArrayOutputStream();
    ObjectVersion.Builder version = ObjectVersion.newBuilder().setPartCount(lengths.length);
    ByteString ids = ByteString.EMPTY;
    for (int length : lengths) {
      byte[] part = bytes(length);
      ByteString id = WriteId.random();
      plain.writeBytes(part);
      stored.writeBytes(seal(cipher, part, id));
      ids = ids.concat(id);
      version.addPartLengths(length);
    }
    byte[] expected = plain.toByteArray();
    Stored parts = new Stored(stored.toByteArray());
    ObjectReader reader =
        envelopes
            .open(BUCKET, cipher.envelope(), null)
            .decrypting(parts, version.setLength(expected.length).setPartWriteIds(ids).build());
    assertArrayEquals(expected, readAll(reader));
    for (int i = 0; i < 300; i++) {
      int from = random.nextInt(expected.length);
      int most = 1 + random.nextInt(Math.min(expected.length - from, 200_000));
      parts.stripe = 1 + random.nextInt(200_000);
      int count = reader.evenLength(from, most);
      assertTrue(count <= most && 2 * count >= most, count + " of " + most);
      assertArrayEquals(
          Arrays.copyOfRange(expected, from, from + count), read(reader, from, count));
    }
  }

  @Test
  void evenReadsOfWhatIsStoredEndInThePacketBeforeAStripe() throws Exception {
    byte[] plain = bytes(3_000_000);
    ObjectCipher cipher = envelopes.withStoreKey(BUCKET, "s3");
    Stored stored = new Stored(seal(cipher, plain, ByteString.EMPTY));
    ObjectReader reader = cipher.decrypting(stored, version(plain.length));
    int most = reader.maxRead();
    assertEquals(most, reader.evenLength(5, most), "nothing is even");
    stored.stripe = 300_000;
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    int even = 0;
    for (int at = 0; at < plain.length; ) {
      int count = Math.min(most, plain.length - at);
      int some = reader.evenLength(at, count);
      assertTrue(some <= count && 2 * some >= count, some + " of " + count);
      if (some < count) {
        long packets = ((long) at + some) / PACKET;
        assertEquals(0, (at + some) % PACKET);
        assertTrue(stored.stripe - packets * SEALED % stored.stripe < SEALED, "at " + packets);
        even++;
      }
      all.writeBytes(read(reader, at, some));
      at += some;
    }
    assertArrayEquals(plain, all.toByteArray());
    assertEquals(4, even);
  }

  @Test
  void everyChangedByteIsRefused() throws Exception {
    byte[] plain = bytes(300);
    ObjectCipher cipher = envelopes.withStoreKey(BUCKET, "s3");
    byte[] stored = seal(cipher, plain, ByteString.EMPTY);
    for (int at = 0; at < stored.length; at++) {
      for (int bit = 0; bit < 8; bit++) {
        byte[] damaged = stored.clone();
        damaged[at] ^= (byte) (1 << bit);
        refuses(cipher, damaged, plain.length);
      }
    }
  }

  private static void refuses(ObjectCipher cipher, byte[] stored, long length) {
    assertThrows(
        CorruptDataException.class,
        () -> readAll(cipher.decrypting(new Stored(stored), version(length))));
  }

  @Test
  void packetsThatChangePlacesAreRefused() throws Exception {
    byte[] plain = bytes(3 * PACKET);
    ObjectCipher cipher = envelopes.withStoreKey(BUCKET, "s3");
    byte[] stored = seal(cipher, plain, ByteString.EMPTY);
    for (int[] swap : new int[][] {{0, 1}, {1, 2}, {0, 2}}) {
      byte[] swapped = stored.clone();
      System.arraycopy(stored, swap[0] * SEALED, swapped, swap[1] * SEALED, SEALED);
      System.arraycopy(stored, swap[1] * SEALED, swapped, swap[0] * SEALED, SEALED);
      refuses(cipher, swapped, plain.length);
    }
  }

  @Test
  void anObjectCutAtAPacketIsRefusedEvenIfItsLengthWasChangedToo() throws Exception {
    byte[] plain = bytes(3 * PACKET);
    ObjectCipher cipher = envelopes.withStoreKey(BUCKET, "s3");
    byte[] stored = seal(cipher, plain, ByteString.EMPTY);
    refuses(cipher, Arrays.copyOf(stored, 2 * SEALED), 3 * PACKET);
    refuses(cipher, Arrays.copyOf(stored, 2 * SEALED), 2 * PACKET);
    refuses(cipher, Arrays.copyOf(stored, 4 * SEALED), 4 * PACKET);
  }

  @Test
  void bytesOfOneObjectDoNotPassForAnothers() throws Exception {
    byte[] plain = bytes(1000);
    ObjectCipher one = envelopes.withStoreKey(BUCKET, "s3");
    ObjectCipher other = envelopes.withStoreKey(BUCKET, "s3");
    byte[] stored = seal(one, plain, ByteString.EMPTY);
    refuses(other, stored, plain.length);
    // An envelope that was taken to another bucket does not open there.
    refuses(envelopes.open(BUCKET + 1, one.envelope(), null), stored, plain.length);
    // Nor one whose context was changed.
    Encryption changed =
        one.envelope().toBuilder().setContext(ByteString.copyFromUtf8("{}")).build();
    refuses(envelopes.open(BUCKET, changed, null), stored, plain.length);
  }

  @Test
  void partsOfOneUploadDoNotPassForOneAnother() throws Exception {
    ObjectCipher cipher = envelopes.withStoreKey(BUCKET, "s3");
    ByteString id = WriteId.random();
    byte[] stored = seal(cipher, bytes(1000), id);
    ObjectVersion.Builder version =
        ObjectVersion.newBuilder().setLength(1000).setPartCount(1).addPartLengths(1000);
    readAll(cipher.decrypting(new Stored(stored), version.setPartWriteIds(id).build()));
    ObjectVersion replaced = version.setPartWriteIds(WriteId.random()).build();
    assertThrows(
        CorruptDataException.class, () -> readAll(cipher.decrypting(new Stored(stored), replaced)));
    assertThrows(
        CorruptDataException.class,
        () -> cipher.decrypting(new Stored(stored), version.clearPartWriteIds().build()));
    refuses(cipher, stored, 1000);
  }

  /** As files are whose bytes were not hashed: of one part, which is known only at their end. */
  @Test
  void aPartThatHasTheIdOfTheVersionIsTheWholeObject() throws Exception {
    byte[] plain = bytes(2 * PACKET + 1);
    ByteString id = WriteId.random();
    ObjectCipher cipher = envelopes.withStoreKey(BUCKET, "s3");
    byte[] stored = seal(cipher, plain, ByteString.EMPTY);
    ObjectVersion.Builder version =
        ObjectVersion.newBuilder()
            .setLength(plain.length)
            .setPartCount(1)
            .addPartLengths(plain.length)
            .setPartWriteIds(id);
    ObjectVersion whole = version.setWriteId(id).build();
    assertArrayEquals(plain, readAll(cipher.decrypting(new Stored(stored), whole)));
    ObjectVersion ofOlderFsck = whole.toBuilder().clearPartLengths().clearPartWriteIds().build();
    assertArrayEquals(plain, readAll(cipher.decrypting(new Stored(stored), ofOlderFsck)));
    ObjectVersion part = version.setWriteId(WriteId.random()).build();
    assertThrows(
        CorruptDataException.class, () -> readAll(cipher.decrypting(new Stored(stored), part)));
  }

  private static CustomerKey customer(int seed) {
    byte[] key = new byte[32];
    Arrays.fill(key, (byte) seed);
    return new CustomerKey(DataKey.of(key), ByteString.copyFromUtf8("md5 of " + seed));
  }

  @Test
  void onlyTheCustomersKeyOpensWhatItClosed() throws Exception {
    byte[] plain = bytes(100);
    ObjectCipher cipher = envelopes.withCustomerKey(BUCKET, customer(1));
    byte[] stored = seal(cipher, plain, ByteString.EMPTY);
    ObjectCipher opened = envelopes.open(BUCKET, cipher.envelope(), customer(1));
    assertArrayEquals(plain, readAll(opened.decrypting(new Stored(stored), version(100))));
    StoreException refused =
        assertThrows(
            StoreException.class, () -> envelopes.open(BUCKET, cipher.envelope(), customer(2)));
    assertEquals(ErrorCode.ACCESS_DENIED, refused.code());
    assertThrows(
        StoreException.class, () -> envelopes.open(BUCKET + 1, cipher.envelope(), customer(1)));
  }

  @Test
  void nothingOfAKeyIsInEnvelopesAndTexts() throws Exception {
    CustomerKey key = customer(0x5a);
    ObjectCipher cipher = envelopes.withCustomerKey(BUCKET, key);
    String hex = HexFormat.of().formatHex(cipher.envelope().toByteArray());
    assertFalse(hex.contains("5a5a5a5a"));
    assertFalse(hex.contains(HexFormat.of().formatHex(key.md5().toByteArray())));
    assertEquals("customer key", key.toString());
    assertEquals("key of 32 bytes", key.key().toString());
    assertEquals("cipher of SSE_C", cipher.toString());
  }

  @Test
  void entityTagsOfHiddenObjectsTellNothingOfTheirBytes() throws Exception {
    byte[] md5 = bytes(16);
    assertEquals(ByteString.copyFrom(md5), envelopes.withStoreKey(BUCKET, "s3").etag(md5));
    List<ByteString> tags = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      tags.add(envelopes.withCustomerKey(BUCKET, customer(1)).etag(md5));
      tags.add(envelopes.withNamedKey(BUCKET, "mine", Encryption.getDefaultInstance()).etag(md5));
    }
    for (ByteString tag : tags) {
      assertEquals(16, tag.size());
      assertNotEquals(ByteString.copyFrom(md5), tag);
      assertEquals(1, tags.stream().filter(tag::equals).count());
    }
  }

  @Test
  void aWriterThatGivesUpFreesWhatItHolds() {
    Sink sink = new Sink();
    ObjectCipher cipher = envelopes.withCustomerKey(BUCKET, customer(3));
    try (ObjectWriter writer = cipher.encrypting(sink, ByteString.EMPTY)) {
      writer.write(direct(bytes(1000), 0, 1000));
    } catch (StoreException e) {
      throw new AssertionError(e);
    }
    assertTrue(sink.closed);
    assertEquals(0, sink.out.size());
  }

  /** The format: these bytes must be readable for ever. */
  @Test
  void bytesOfTheFormat() throws Exception {
    DataKey key = DataKey.of(HexFormat.of().parseHex("00112233445566778899aabbccddeeff".repeat(2)));
    ByteString salt = ByteString.copyFrom(HexFormat.of().parseHex("0f".repeat(16)));
    ByteString part = ByteString.copyFrom(HexFormat.of().parseHex("a5".repeat(16)));
    DataKey.Identity identity =
        new DataKey.Identity(0x0102030405060708L, salt, ByteString.EMPTY, ByteString.EMPTY);
    byte[] plain = new byte[PACKET + 5];
    Arrays.fill(plain, (byte) 'x');
    ObjectCipher cipher = new ObjectCipher(Encryption.getDefaultInstance(), key, identity);
    StringBuilder golden = new StringBuilder();
    HexFormat hex = HexFormat.of();
    golden
        .append("packet key ")
        .append(hex.formatHex(key.derive("packets", identity)))
        .append('\n');
    golden
        .append("part key ")
        .append(hex.formatHex(key.derive("packets", identity.ofPart(part))))
        .append('\n');
    byte[] stored = seal(cipher, plain, ByteString.EMPTY);
    golden.append("packet 0 begins ").append(hex.formatHex(stored, 0, 32)).append('\n');
    golden.append("packet 0 tag ").append(hex.formatHex(stored, PACKET, SEALED)).append('\n');
    golden.append("packet 1 ").append(hex.formatHex(stored, SEALED, stored.length)).append('\n');
    try (InputStream frozen = getClass().getResourceAsStream("/encryption-format-1.txt")) {
      assertEquals(new String(frozen.readAllBytes(), StandardCharsets.UTF_8), golden.toString());
    }
    assertEquals(
        ByteString.copyFrom(plain, 0, 5),
        ByteString.copyFrom(
            read(cipher.decrypting(new Stored(stored), version(plain.length)), PACKET, 5)));
    assertEquals(
        Unpooled.EMPTY_BUFFER,
        cipher.decrypting(new Stored(stored), version(plain.length)).read(3, 0));
  }
}

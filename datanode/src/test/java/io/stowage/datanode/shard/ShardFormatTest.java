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
package io.stowage.datanode.shard;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.SectorState;
import io.stowage.common.proto.ShardReport;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.zip.CRC32C;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;

/** The bytes of shard files. */
class ShardFormatTest {
  private static final int SECTOR = ShardFormat.SECTOR_BYTES;

  /** Sectors of {@link #life}: number to (epoch, pattern, sector within the pattern). */
  private static final Map<Integer, int[]> WRITTEN = new HashMap<>();

  static {
    for (int i = 0; i < 3; i++) {
      WRITTEN.put(i, new int[] {1, 10, i});
    }
    WRITTEN.put(5, new int[] {1, 11, 0});
    WRITTEN.put(6, new int[] {4, 12, 0});
    WRITTEN.put(7, new int[] {4, 12, 1});
  }

  private static final int SECTORS = 8;

  /** A short life: two leases, a hole, maybe sealed. */
  private static TestHost life(boolean sealed) throws StoreException {
    TestHost host = new TestHost();
    host.open(1, 7);
    host.write(1, 0, TestHost.pattern(10, 3), 0b111);
    host.write(1, 5, TestHost.pattern(11, 1), 0b001);
    host.open(4, 8);
    host.write(4, 6, TestHost.pattern(12, 2), 0b110);
    if (sealed) {
      host.seal(5);
    }
    return host;
  }

  private static byte[] expected(int sector) {
    int[] what = WRITTEN.get(sector);
    if (what == null) {
      return new byte[SECTOR];
    }
    return Arrays.copyOfRange(
        TestHost.pattern(what[1], 3), what[2] * SECTOR, (what[2] + 1) * SECTOR);
  }

  /**
   * To write the golden file anew, which only a new format version may do: -Dstowage.regenerate.
   */
  @Test
  void theGoldenFileIsWhatIsWrittenAndReads() throws Exception {
    byte[] now = life(true).disks.contents(TestHost.PATH);
    if (Boolean.getBoolean("stowage.regenerate")) {
      Path file = Path.of("src/test/resources/io/stowage/datanode/shard/version-1.shard.gz");
      Files.createDirectories(file.getParent());
      try (GZIPOutputStream out = new GZIPOutputStream(Files.newOutputStream(file))) {
        out.write(now);
      }
    }
    byte[] golden;
    try (InputStream in =
        new GZIPInputStream(ShardFormatTest.class.getResourceAsStream("version-1.shard.gz"))) {
      golden = in.readAllBytes();
    }
    assertArrayEquals(golden, now);
    TestHost host = new TestHost();
    host.disks.setContents(TestHost.PATH, golden);
    host.restart();
    ShardReport report = host.shard.report().build();
    assertTrue(report.getSealed());
    assertEquals(8L * SECTOR, report.getEnd());
    for (Map.Entry<Integer, int[]> entry : WRITTEN.entrySet()) {
      TestHost.Read read = host.read(entry.getValue()[0], entry.getKey(), 1);
      assertEquals(List.of(SectorState.WRITTEN), read.states());
      assertArrayEquals(expected(entry.getKey()), read.bytes());
    }
    assertEquals(
        List.of(SectorState.NEVER_WRITTEN, SectorState.NEVER_WRITTEN), host.read(1, 3, 2).states());
  }

  @Test
  void aRebuiltShardSaysHowManySectorsAreMarkedLost() throws Exception {
    TestHost host = new TestHost();
    RebuiltShardFile file = RebuiltShardFile.create(TestHost.ID, TestHost.PATH, host);
    RebuiltSegment segment = new RebuiltSegment(0, 5);
    segment.written(0, 77, 0b111);
    segment.lost(2, 0b111);
    segment.lost(3, 0b111);
    file.writeSegment(segment, ByteBuffer.allocate(5 * SECTOR));
    file.finish("golden", 3, 2, TestHost.CAPACITY, new long[] {1}, new long[] {0});
    ByteBuffer bytes = ByteBuffer.wrap(host.disks.contents(TestHost.PATH));
    for (int slot = 0; slot < 2; slot++) {
      assertEquals(2, bytes.getLong(slot * 16_384 + 216));
    }
    assertEquals(0x4C4F5354, bytes.getInt(32_768 + 64 + 6 * 2));
    host.restart();
    assertEquals(2, host.shard.report().getLostSectors());
  }

  /** Spells the layout out, so that it cannot change together with its codec unnoticed. */
  @Test
  void fieldsAreWhereTheFormatPageSays() throws Exception {
    ByteBuffer file = ByteBuffer.wrap(life(true).disks.contents(TestHost.PATH));
    int newer = file.getLong(16) > file.getLong(16_384 + 16) ? 0 : 16_384;
    ByteBuffer superblock = file.slice(newer, 16_384);
    assertEquals("STOWSHRD", ascii(superblock, 0));
    assertEquals(1, superblock.getInt(8));
    assertEquals(TestHost.ID.container(), superblock.getLong(24));
    assertEquals(2, superblock.getInt(32));
    assertEquals(3, superblock.getInt(36));
    assertEquals(3, superblock.getShort(40));
    assertEquals(2, superblock.getShort(42));
    assertEquals(1, superblock.getInt(44));
    assertEquals(TestHost.CAPACITY, superblock.getLong(48));
    assertEquals(8L * SECTOR, superblock.getLong(56));
    assertEquals(2, superblock.getInt(80));
    assertEquals(6, superblock.getShort(84));
    assertEquals(0, superblock.getLong(216));
    assertEquals(1, superblock.getLong(384));
    assertEquals(0, superblock.getLong(392));
    assertEquals(4, superblock.getLong(400));
    assertEquals(6L * SECTOR, superblock.getLong(408));
    ByteBuffer page = file.slice(32_768, 4_096);
    assertEquals("STOWPAGE", ascii(page, 0));
    assertEquals(TestHost.ID.container(), page.getLong(8));
    assertEquals(0, page.getInt(24));
    CRC32C crc = new CRC32C();
    crc.update(expected(5));
    assertEquals((int) crc.getValue(), page.getInt(64 + 6 * 5));
    assertEquals(1, page.getShort(64 + 6 * 5 + 4));
    assertEquals(0, page.getInt(64 + 6 * 4));
    assertArrayEquals(expected(5), slice(file, 32_768 + 8_192 + 5 * SECTOR));
    assertEquals(32_768 + 8_192 + 8 * SECTOR, file.capacity());
    // the second segment begins behind 672 sectors
    assertEquals(32_768 + 674 * 4_096, ShardFormat.pagePosition(1, 0));
    assertEquals(32_768 + 676 * 4_096, ShardFormat.filePosition(672L * SECTOR));
  }

  private static String ascii(ByteBuffer bytes, int at) {
    byte[] text = new byte[8];
    bytes.get(at, text);
    return new String(text, java.nio.charset.StandardCharsets.US_ASCII);
  }

  private static byte[] slice(ByteBuffer bytes, int at) {
    byte[] sector = new byte[SECTOR];
    bytes.get(at, sector);
    return sector;
  }

  /**
   * A sealed file holds everything twice but the data: no flipped byte outside the data harms
   * anything, and one inside costs its own sector.
   */
  @Test
  void noFlippedByteOfASealedFileHarmsMoreThanItsSector() throws Exception {
    flipEveryByte(true);
  }

  /** An open file may lose what the last page alone held; it must say so. */
  @Test
  void noFlippedByteOfAnOpenFileGoesUnnoticed() throws Exception {
    flipEveryByte(false);
  }

  private static void flipEveryByte(boolean sealed) throws Exception {
    byte[] file = life(sealed).disks.contents(TestHost.PATH);
    List<byte[]> sectors = IntStream.range(0, SECTORS).mapToObj(ShardFormatTest::expected).toList();
    byte[] zeros = new byte[SECTOR];
    int data = 32_768 + 8_192;
    for (int at = 0; at < file.length; at++) {
      // within data one byte in 61 is enough: CRC32C is not on trial, its use is
      if (at > data && at % 61 != 0) {
        continue;
      }
      byte[] flipped = file.clone();
      flipped[at] ^= (byte) (1 << (at % 8));
      TestHost host = new TestHost();
      host.disks.setContents(TestHost.PATH, flipped);
      host.restart();
      String where = "byte " + at;
      ShardReport report = host.shard.report().build();
      assertEquals(sealed, report.getSealed(), where);
      assertEquals(4, report.getEpoch(), where);
      int hit = at < data ? -1 : (at - data) / SECTOR;
      TestHost.Read first = host.read(1, 0, 6);
      TestHost.Read second = host.read(4, 6, SECTORS - 6);
      for (int sector = 0; sector < SECTORS; sector++) {
        int[] what = WRITTEN.get(sector);
        TestHost.Read read = sector < 6 ? first : second;
        int in = sector < 6 ? sector : sector - 6;
        SectorState state = read.states().get(in);
        byte[] found = Arrays.copyOfRange(read.bytes(), in * SECTOR, (in + 1) * SECTOR);
        byte[] expected = state == SectorState.WRITTEN ? sectors.get(sector) : zeros;
        assertTrue(Arrays.equals(expected, found), where);
        if (what != null) {
          String which = where + ", sector " + sector;
          assertNotEquals(SectorState.NEVER_WRITTEN, state, which);
          if (sealed || at < 32_768) {
            assertEquals(hit == sector ? SectorState.LOST : SectorState.WRITTEN, state, which);
          }
        }
      }
      if (sealed) {
        assertEquals(8L * SECTOR, report.getEnd(), where);
      }
    }
  }

  @Test
  void aLaterFormatIsRefusedByName() throws Exception {
    TestHost host = life(true);
    byte[] bytes = host.disks.contents(TestHost.PATH);
    for (int slot = 0; slot < 2; slot++) {
      ByteBuffer superblock = ByteBuffer.wrap(bytes, slot * 16_384, 16_384).slice();
      superblock.putInt(8, 2).putInt(12, 0);
      CRC32C crc = new CRC32C();
      crc.update(superblock.duplicate());
      superblock.putInt(12, (int) crc.getValue());
    }
    host.disks.setContents(TestHost.PATH, bytes);
    StoreException refused = assertThrows(StoreException.class, host::restart);
    assertEquals(ErrorCode.FORMAT_TOO_NEW, refused.code());
  }

  /** A file of another shard under this one's name is no shard of ours. */
  @Test
  void aFileUnderAWrongNameIsFailed() throws Exception {
    TestHost host = life(true);
    ShardId other = new ShardId(TestHost.ID.container(), 1, 3);
    Path path = TestHost.DIRECTORY.resolve(other.fileName());
    host.disks.setContents(path, host.disks.contents(TestHost.PATH));
    assertTrue(ShardFile.load(other, path, host).report().getFailed());
  }
}

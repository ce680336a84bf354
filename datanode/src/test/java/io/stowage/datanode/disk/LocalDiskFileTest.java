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
package io.stowage.datanode.disk;

import static java.nio.file.StandardCopyOption.REPLACE_EXISTING;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LocalDiskFileTest {
  private static final int BLOCK = 4096;
  private static final int FILE_BYTES = 8 << 20;
  private static final int LARGE = 3 * LocalDiskFile.DIRECT_BYTES;

  private static final AlignedBuffers NO_MEMORY =
      new AlignedBuffers(
          bytes -> {
            throw new OutOfMemoryError("as the JVM says");
          });

  private final Random random = new Random(7);
  private final byte[] expected = new byte[FILE_BYTES];

  @TempDir Path directory;

  /** Whatever way a write takes, past the page cache or through it, everybody reads it. */
  @Test
  void readsWhatWasWrittenEitherWay() throws Exception {
    Path path = directory.resolve("file");
    try (DiskFile file = LocalDiskFiles.INSTANCE.create(path)) {
      int end = 0;
      for (int round = 0; round < 200; round++) {
        int position = random.nextInt(FILE_BYTES / BLOCK) * BLOCK;
        if (round % 7 == 6) {
          position = Math.min(position + random.nextInt(BLOCK), FILE_BYTES - 1);
        }
        int length = 1 + random.nextInt(2 * LocalDiskFile.DIRECT_BYTES);
        if (round % 3 == 0) {
          length = length / BLOCK * BLOCK + LocalDiskFile.DIRECT_BYTES;
        }
        length = Math.min(length, FILE_BYTES - position);
        ByteBuffer bytes = buffer(round, length);
        bytes.get(bytes.position(), expected, position, length);
        if (round % 5 < 2) {
          file.write(bytes, position);
          assertEquals(0, bytes.remaining());
        } else {
          ByteBuffer[] pieces = cut(bytes, round);
          file.write(pieces, position);
          for (ByteBuffer piece : pieces) {
            assertEquals(0, piece.remaining());
          }
        }
        end = Math.max(end, position + length);
        assertRead(file, position, length);
        assertRead(file, random.nextInt(end), 1 + random.nextInt(BLOCK));
        assertEquals(end, file.size());
      }
      file.force();
      assertArrayEquals(Arrays.copyOf(expected, end), Files.readAllBytes(path));
    }
  }

  /**
   * What several threads read while one writes, each its own way: of every byte, what was written
   * before the read began, or what was begun before it ended.
   */
  @Test
  void readersSeeWhatIsWrittenWhicheverWayEitherTakes() throws Exception {
    int size = 1 << 20;
    byte[] written = new byte[size]; // of each byte the last round that was, as an unsigned number
    byte[] begun = new byte[size];
    AtomicInteger rounds = new AtomicInteger();
    try (DiskFile file = LocalDiskFiles.INSTANCE.create(directory.resolve("file"))) {
      file.write(ByteBuffer.allocate(size), 0);
      ExecutorService readers = Executors.newFixedThreadPool(3);
      try {
        List<Future<Integer>> reading = new ArrayList<>();
        for (int seed = 0; seed < 3; seed++) {
          Random own = new Random(seed);
          reading.add(
              readers.submit(
                  () -> {
                    int read = 0;
                    while (rounds.get() < 255 || read == 0) {
                      checkRead(file, own, written, begun);
                      read++;
                    }
                    return read;
                  }));
        }
        while (rounds.get() < 255) {
          int round = rounds.get() + 1;
          int position = random.nextInt(size / BLOCK) * BLOCK;
          int length = 1 + random.nextInt(size - position);
          switch (round % 3) {
            case 0 -> position += random.nextInt(Math.min(BLOCK, size - position));
            case 1 -> length = Math.max(1, length / BLOCK * BLOCK);
            default -> length = 1 + length % (2 * BLOCK);
          }
          length = Math.min(length, size - position);
          byte[] content = new byte[length];
          Arrays.fill(content, (byte) round);
          fill(begun, position, length, round);
          file.write(buffer(round, content), position);
          fill(written, position, length, round);
          rounds.set(round);
        }
        for (Future<Integer> reader : reading) {
          assertTrue(reader.get(60, TimeUnit.SECONDS) > 0);
        }
      } finally {
        rounds.set(255);
        readers.shutdown();
        assertTrue(readers.awaitTermination(60, TimeUnit.SECONDS));
      }
    }
  }

  private static void fill(byte[] model, int position, int length, int round) {
    synchronized (model) {
      Arrays.fill(model, position, position + length, (byte) round);
    }
  }

  private static byte[] copy(byte[] model, int position, int length) {
    synchronized (model) {
      return Arrays.copyOfRange(model, position, position + length);
    }
  }

  private static void checkRead(DiskFile file, Random own, byte[] written, byte[] begun)
      throws IOException {
    int way = own.nextInt(4);
    int position = own.nextInt((written.length - LocalDiskFile.DIRECT_BYTES) / BLOCK) * BLOCK;
    int most = written.length - position;
    int length =
        way == 3
            ? 1 + own.nextInt(most)
            : (LocalDiskFile.DIRECT_BYTES + own.nextInt(most - LocalDiskFile.DIRECT_BYTES + 1))
                / BLOCK
                * BLOCK;
    ByteBuffer into = buffer(own.nextInt(4), new byte[length]);
    int start = into.position();
    byte[] atLeast = copy(written, position, length);
    assertEquals(
        length, way < 2 ? file.readOnce(into, position) : file.read(into, position), "at " + way);
    byte[] atMost = copy(begun, position, length);
    for (int i = 0; i < length; i++) {
      int found = into.get(start + i) & 0xff;
      if (found < (atLeast[i] & 0xff) || found > (atMost[i] & 0xff)) {
        fail(found + " at " + (position + i) + ", not " + atLeast[i] + " to " + atMost[i]);
      }
    }
  }

  /** Also reads of more than is copied at a time. */
  @Test
  void aReadIsShortWhereTheFileEnds() throws Exception {
    int size = (2 << 20) + LocalDiskFile.DIRECT_BYTES + 4711;
    try (DiskFile file = LocalDiskFiles.INSTANCE.create(directory.resolve("file"))) {
      ByteBuffer bytes = buffer(0, size);
      bytes.get(bytes.position(), expected, 0, size);
      file.write(bytes, 0);
      for (int kind = 0; kind < 4; kind++) {
        for (int position = 0; position < size + 40 * BLOCK; position += 37 * BLOCK) {
          ByteBuffer into = buffer(kind, new byte[3 << 20]);
          int start = into.position();
          int there = Math.max(0, size - position);
          assertEquals(there, file.readOnce(into, position));
          assertEquals(start + there, into.position());
          byte[] read = new byte[there];
          into.get(start, read);
          assertArrayEquals(Arrays.copyOfRange(expected, position, position + there), read);
        }
      }
    }
  }

  /** What a stream reads leaves nothing in memory; what is read again stays. */
  @Test
  void theSecondReadIsThePageCaches() throws Exception {
    CachedBlocks.assumeTold(directory);
    Path path = directory.resolve("file");
    Path other = directory.resolve("other");
    int piece = LocalDiskFile.DIRECT_BYTES + 3 * BLOCK;
    try (DiskFile file = LocalDiskFiles.INSTANCE.create(path);
        DiskFile beside = LocalDiskFiles.INSTANCE.create(other)) {
      file.write(buffer(0, 16 * piece), 0);
      beside.write(buffer(0, 16 * piece), 0);
      for (int i = 1; i < 16; i++) {
        file.read(buffer(i, piece), (long) i * piece);
        beside.readOnce(buffer(i, piece), (long) i * piece);
      }
      assertEquals(List.of(), CachedBlocks.of(path), "read once");

      file.read(buffer(0, piece), 5L * piece);
      List<Integer> cached = CachedBlocks.of(path);
      assertTrue(cached.containsAll(blocks(5 * piece, piece)), "read again: " + cached);
      assertFalse(cached.contains(14 * piece / BLOCK), "not read again: " + cached);

      beside.readOnce(buffer(0, piece), 5L * piece);
      beside.read(buffer(0, piece), 5L * piece);
      assertEquals(List.of(), CachedBlocks.of(other), "read often by who does not come back");
    }
    try (DiskFile file = LocalDiskFiles.INSTANCE.open(path)) {
      file.read(buffer(0, piece), 12L * piece);
      assertTrue(CachedBlocks.of(path).containsAll(blocks(12 * piece, piece)), "opened again");
    }
  }

  private static List<Integer> blocks(int position, int length) {
    return IntStream.range(position / BLOCK, (position + length) / BLOCK).boxed().toList();
  }

  /** Readers may still have a file when its path is another's. */
  @Test
  void aFileThatWasReplacedIsReadOn() throws Exception {
    Path path = directory.resolve("file");
    int size = 2 * LocalDiskFile.DIRECT_BYTES;
    byte[] old = new byte[size];
    random.nextBytes(old);
    Files.write(path, old);
    try (DiskFile file = LocalDiskFiles.INSTANCE.open(path)) {
      Files.move(Files.write(directory.resolve("new"), new byte[size]), path, REPLACE_EXISTING);
      ByteBuffer into = buffer(0, size);
      assertEquals(size, file.readOnce(into, 0));
      byte[] read = new byte[size];
      into.flip().get(read);
      assertArrayEquals(old, read);
    }
  }

  @Test
  void whatHasNoWayPastThePageCacheIsReadThroughIt() throws Exception {
    Path zeros = Path.of("/dev/zero");
    Assumptions.assumeTrue(Files.isWritable(zeros), "no device that reads without end");
    try (DiskFile file = LocalDiskFiles.INSTANCE.open(zeros)) {
      long before = LocalDiskFiles.bytesReadThroughCache();
      assertEquals(FILE_BYTES, file.readOnce(buffer(0, FILE_BYTES), 0));
      assertEquals(FILE_BYTES, file.readOnce(buffer(3, FILE_BYTES), 0));
      assertTrue(LocalDiskFiles.bytesReadThroughCache() >= before + 2 * FILE_BYTES);
    }
  }

  /** One that goes past the page cache only in name, and by a channel that can be told to fail. */
  private final class FaultyFile implements AutoCloseable {
    private final FaultyChannel through;
    private final FaultyChannel past;
    private final LocalDiskFile file;

    FaultyFile(AlignedBuffers aligned) throws IOException {
      Assumptions.assumeTrue(Files.getFileStore(directory).getBlockSize() <= BLOCK);
      Path path = directory.resolve("faulty");
      random.nextBytes(expected);
      Files.write(path, expected);
      through = new FaultyChannel(FileChannel.open(path, READ, WRITE));
      past = new FaultyChannel(FileChannel.open(path, READ, WRITE));
      file = new LocalDiskFile(path, through, aligned, asked -> past);
    }

    /** Unaligned, so that it needs the thread's buffer. */
    void writes(int position, int length) throws Exception {
      ByteBuffer bytes = buffer(2, length);
      bytes.get(bytes.position(), expected, position, length);
      file.write(bytes, position);
      assertEquals(0, bytes.remaining());
      assertRead(file, position, length);
    }

    void reads(int position, int length) throws IOException {
      ByteBuffer into = buffer(2, length);
      int start = into.position();
      assertEquals(length, file.readOnce(into, position));
      byte[] read = new byte[length];
      into.get(start, read);
      assertArrayEquals(Arrays.copyOfRange(expected, position, position + length), read);
    }

    @Override
    public void close() throws IOException {
      file.close();
    }
  }

  @Test
  void withoutDirectMemoryThePageCacheIsUsed() throws Exception {
    try (FaultyFile faulty = new FaultyFile(NO_MEMORY)) {
      faulty.writes(2 * BLOCK, LARGE);
      faulty.reads(BLOCK, LARGE);
      assertEquals(0, faulty.past.reads + faulty.past.writes);
    }
  }

  @Test
  void aFileThatCannotBeWrittenPastThePageCacheIsWrittenThroughIt() throws Exception {
    try (FaultyFile faulty = new FaultyFile(aligned())) {
      faulty.past.refusesWrites = true;
      faulty.writes(2 * BLOCK, LARGE);
      faulty.writes(5 * BLOCK, LARGE);
      assertEquals(1, faulty.past.writes);
    }
  }

  @Test
  void aWriteThatFailsWhereOthersWorkedHasFailed() throws Exception {
    try (FaultyFile faulty = new FaultyFile(aligned())) {
      faulty.writes(2 * BLOCK, LARGE);
      int through = faulty.through.writes;
      faulty.past.refusesWrites = true;
      assertThrows(IOException.class, () -> faulty.file.write(buffer(2, LARGE), 0));
      assertEquals(through, faulty.through.writes);
    }
  }

  @Test
  void aFileThatCannotBeReadPastThePageCacheIsReadThroughIt() throws Exception {
    try (FaultyFile faulty = new FaultyFile(aligned())) {
      faulty.past.refusesReads = true;
      faulty.reads(2 * BLOCK, LARGE);
      faulty.reads(5 * BLOCK, LARGE);
      assertEquals(1, faulty.past.reads);
    }
  }

  /** What neither way can read is the disk's, and says nothing of the ways. */
  @Test
  void aBadSectorUnderTheFirstReadLeavesTheWayPastThePageCache() throws Exception {
    try (FaultyFile faulty = new FaultyFile(aligned())) {
      faulty.past.badPosition = 3 * BLOCK;
      faulty.through.badPosition = 3 * BLOCK;
      assertThrows(IOException.class, () -> faulty.file.readOnce(buffer(2, LARGE), 0));
      int through = faulty.through.reads;
      faulty.reads(4 * BLOCK, LARGE);
      assertEquals(2, faulty.past.reads);
      assertEquals(through, faulty.through.reads);
    }
  }

  private static AlignedBuffers aligned() {
    return new AlignedBuffers(ByteBuffer::allocateDirect);
  }

  /** The kernel's own answer, in the words of whatever language this process runs in. */
  @Test
  void aWriteWithoutRoomSaysSo() throws Exception {
    Path full = Path.of("/dev/full");
    Assumptions.assumeTrue(Files.exists(full), "no device that is always full");
    try (DiskFile file = LocalDiskFiles.INSTANCE.open(full)) {
      for (int length : List.of(1, BLOCK, 2 * LocalDiskFile.DIRECT_BYTES)) {
        assertThrows(DiskFullException.class, () -> file.write(buffer(1, length), 0));
      }
    }
  }

  @Test
  void aFullDiskIsToldFromABrokenOneInEveryLanguage() {
    IOException german = new IOException("Auf dem Gerät ist kein Speicherplatz mehr verfügbar");
    IOException broken = new IOException("Input/output error");
    long much = 1L << 30;
    assertInstanceOf(DiskFullException.class, DiskFullException.of(german, 0, BLOCK));
    assertInstanceOf(DiskFullException.class, DiskFullException.of(german, BLOCK - 1, BLOCK));
    assertSame(broken, DiskFullException.of(broken, much, BLOCK));
    assertSame(broken, DiskFullException.of(broken, 0, BLOCK), "a full disk may break, too");
    IOException readOnly = new IOException("Read-only file system");
    assertSame(readOnly, DiskFullException.of(readOnly, 0, BLOCK));
    for (String text : List.of("No space left on device", "Disk quota exceeded")) {
      // of which a file system with room for others says nothing
      assertInstanceOf(
          DiskFullException.class, DiskFullException.of(new IOException(text), much, BLOCK));
    }
  }

  /** As on a file system that was made read-only. */
  @Test
  void whatCannotBeWrittenIsReadAndLocked() throws Exception {
    Path readOnly = Path.of("/sys/devices/system/cpu/possible"); // for root, too
    Assumptions.assumeTrue(Files.exists(readOnly), "no file that nobody may write");
    LocalDiskFiles files = new LocalDiskFiles(directory -> true);
    try (DiskFile file = files.open(readOnly)) {
      assertTrue(file.isReadOnly());
      ByteBuffer first = ByteBuffer.allocate(1);
      assertEquals(1, file.read(first, 0));
      assertEquals('0', first.get(0));
      IOException refused =
          assertThrows(IOException.class, () -> file.write(ByteBuffer.wrap(new byte[1]), 0));
      assertTrue(refused.getMessage().contains(readOnly.toString()), refused::getMessage);
    }
    try (DiskLock lock = files.tryLock(readOnly)) {
      assertNotNull(lock);
      assertTrue(lock.isShared());
      assertNull(files.tryLock(readOnly));
    }
    LocalDiskFiles elsewhere = LocalDiskFiles.INSTANCE; // whose file system takes writes
    assertThrows(IOException.class, () -> elsewhere.open(readOnly));
    assertThrows(IOException.class, () -> elsewhere.tryLock(readOnly));
    try (DiskLock lock = elsewhere.tryLock(directory.resolve("lock"))) {
      assertFalse(lock.isShared());
    }
  }

  @Test
  void writesLeaveTheirBufferAtItsLimit() throws Exception {
    try (DiskFile file = LocalDiskFiles.INSTANCE.create(directory.resolve("file"))) {
      ByteBuffer bytes = ByteBuffer.allocateDirect(3 * LocalDiskFile.DIRECT_BYTES).alignedSlice(1);
      bytes.limit(2 * LocalDiskFile.DIRECT_BYTES + 5);
      file.write(bytes, BLOCK);
      assertEquals(2 * LocalDiskFile.DIRECT_BYTES + 5, bytes.limit());
      assertEquals(bytes.limit(), bytes.position());
    }
  }

  /** On the heap, direct and aligned, direct and not. */
  private ByteBuffer buffer(int round, int length) {
    byte[] content = new byte[length];
    random.nextBytes(content);
    return buffer(round, content);
  }

  private static ByteBuffer buffer(int round, byte[] content) {
    int length = content.length;
    ByteBuffer bytes =
        switch (round % 4) {
          case 0, 1 -> ByteBuffer.allocateDirect(length + 2 * BLOCK).alignedSlice(BLOCK);
          case 2 -> ByteBuffer.allocateDirect(length + 2 * BLOCK).alignedSlice(BLOCK).position(24);
          default -> ByteBuffer.allocate(length + 2 * BLOCK);
        };
    int start = bytes.position();
    return bytes.put(content).limit(start + length).position(start);
  }

  /** The same bytes in up to seven buffers of all kinds and of any length, none included. */
  private ByteBuffer[] cut(ByteBuffer bytes, int round) {
    int[] cuts = random.ints(random.nextInt(7), 0, bytes.remaining() + 1).sorted().toArray();
    ByteBuffer[] pieces = new ByteBuffer[cuts.length + 1];
    int from = 0;
    for (int i = 0; i < pieces.length; i++) {
      int to = i < cuts.length ? cuts[i] : bytes.remaining();
      pieces[i] = buffer(round + i, to - from);
      pieces[i].put(pieces[i].position(), bytes, bytes.position() + from, to - from);
      from = to;
    }
    return pieces;
  }

  private void assertRead(DiskFile file, int position, int atMost) throws Exception {
    int length = (int) Math.min(atMost, file.size() - position);
    byte[] read = new byte[length];
    file.read(ByteBuffer.wrap(read), position);
    assertArrayEquals(Arrays.copyOfRange(expected, position, position + length), read);
  }
}

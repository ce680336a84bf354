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
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.ByteBuf;
import io.stowage.client.twin.InMemoryDataPath;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.LongStream;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What streams fetch ahead of their readers, how much that may be, and that they give it back. */
@Timeout(120)
class ReadAheadTest {
  private static final int KIB = 1 << 10;
  private static final int MIB = 1 << 20; // the longest piece
  private static final Path FILE = new Path("/f");

  private final byte[] content = new byte[16 * MIB];
  private final Watch watch = new Watch();
  private TwinCluster twins;
  private FileSystem fs;
  private ClusterConnection cluster;
  private PieceMemory memory;
  private long bound;

  /** Notes all reads, and holds up those that it is told to. */
  private static final class Watch implements InMemoryDataPath.ReadWatch {
    private final List<Long> begun = new ArrayList<>(); // guarded by this
    private final Queue<ByteBuf> given = new ConcurrentLinkedQueue<>();
    private long heldFrom = Long.MAX_VALUE; // guarded by this
    private long failsOnceAt = -1; // guarded by this
    private int held; // guarded by this
    private int failed; // guarded by this

    @Override
    public synchronized void begins(long offset, int length) throws StoreException {
      begun.add(offset);
      if (offset == failsOnceAt) {
        failsOnceAt = -1;
        failed++;
        throw new StoreException(ErrorCode.DATA_UNAVAILABLE, "Cannot read: the test says so");
      }
      try {
        held++;
        while (offset >= heldFrom) {
          wait();
        }
      } catch (InterruptedException e) {
        throw new StoreException(ErrorCode.UNAVAILABLE, "Cannot read: interrupted", e);
      } finally {
        held--;
      }
    }

    @Override
    public void gives(ByteBuf bytes) {
      given.add(bytes);
    }

    synchronized void holdFrom(long offset) {
      heldFrom = offset;
    }

    synchronized void letGo() {
      heldFrom = Long.MAX_VALUE;
      notifyAll();
    }

    synchronized void failOnceAt(long offset) {
      failsOnceAt = offset;
    }

    synchronized int held() {
      return held;
    }

    synchronized int begun() {
      return begun.size();
    }

    /** Whether no read is under way. */
    synchronized boolean allCame() {
      return given.size() == begun.size() - failed;
    }

    /** Where reads began, from an offset on, in order. */
    synchronized List<Long> begunFrom(long offset) {
      return begun.stream().filter(start -> start >= offset).sorted().toList();
    }

    /** Buffers that were given and not released. */
    long live() {
      return given.stream().filter(bytes -> bytes.refCnt() > 0).count();
    }
  }

  @BeforeEach
  void start() throws IOException {
    twins = TwinCluster.start();
    twins.createBucket("b");
    fs = twins.open("b");
    new Random(1).nextBytes(content);
    try (FSDataOutputStream out = fs.create(FILE)) {
      out.write(content);
    }
    assertEquals(MIB, InMemoryDataPath.MAX_READ);
    twins.dataPath.watchReads(watch);
    cluster = ClusterConnection.open(twins.configuration());
    memory = cluster.pieceMemory();
    bound = memory.limit(64L * MIB);
  }

  @AfterEach
  void everythingIsGivenBack() throws IOException {
    watch.letGo();
    memory.limit(bound);
    cluster.close();
    fs.close();
    twins.close();
    await(watch::allCame, "reads go on");
    assertEquals(0, memory.bytes(), "bytes kept of streams that are closed");
    await(() -> watch.live() == 0, "buffers are not released");
    assertEquals(0, twins.dataPath.openReaders(), "readers left open");
  }

  private static void await(BooleanSupplier done, String otherwise) {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (!done.getAsBoolean()) {
      assertTrue(System.nanoTime() < end, otherwise);
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
    }
  }

  private FSDataInputStream open(String policy) throws Exception {
    return fs.openFile(FILE).opt(ReadPolicy.OPTION, policy).build().get();
  }

  private void readOn(FSDataInputStream in, int count) throws IOException {
    int from = (int) in.getPos();
    byte[] got = new byte[count];
    in.readFully(got);
    assertArrayEquals(Arrays.copyOfRange(content, from, from + count), got);
  }

  private static List<Long> mebibytes(long from, long to) {
    return LongStream.range(from, to).mapToObj(i -> i * MIB).toList();
  }

  @Test
  void threePiecesAreUnderWayAheadOfWhoReadsInSequence() throws Exception {
    watch.holdFrom(8L * MIB);
    try (FSDataInputStream in = open("sequential")) {
      readOn(in, 8 * MIB);
      await(() -> watch.held() == 3, "three are not begun");
      assertEquals(4 * MIB, memory.bytes(), "the one that was read last, and three");
      assertEquals(mebibytes(8, 11), watch.begunFrom(8L * MIB));
      watch.letGo();
      readOn(in, 8 * MIB);
      assertEquals(mebibytes(0, 16), watch.begunFrom(0), "each once");
    }
  }

  @Test
  void firstPiecesGrowAndThenTheirNumber() throws Exception {
    try (FSDataInputStream in = fs.open(FILE)) {
      int[][] steps = { // where a piece begins; it and those ahead
        {0, 128}, {128, 256 + 512}, {384, 512 + 1024}, {896, 3 * 1024}, {1920, 4 * 1024}
      };
      for (int[] step : steps) {
        readOn(in, step[0] * KIB + 1 - (int) in.getPos());
        assertEquals((long) step[1] * KIB, memory.bytes(), () -> Arrays.toString(step));
      }
      in.seek(12L * MIB);
      readOn(in, 1);
      assertEquals(128 * KIB, memory.bytes(), "another sequence");
    }
  }

  @Test
  void nothingIsFetchedAheadOfWhoReadsHereAndThere() throws Exception {
    try (FSDataInputStream in = open("parquet")) {
      readOn(in, 2 * MIB);
      assertEquals(128 * KIB, memory.bytes());
    }
  }

  @Test
  void moreThanOnePieceAheadIsHadOnlyWhereThereIsRoom() throws Exception {
    for (int mebibytes = 1; mebibytes <= 3; mebibytes++) {
      memory.limit(mebibytes * (long) MIB);
      watch.holdFrom(8L * MIB);
      int ahead = Math.max(1, mebibytes - 1);
      try (FSDataInputStream in = open("sequential")) {
        readOn(in, 8 * MIB);
        await(() -> watch.held() == ahead, ahead + " are not begun");
        assertEquals((1 + ahead) * (long) MIB, memory.bytes());
        watch.letGo();
        readOn(in, 8 * MIB);
      }
    }
  }

  @Test
  void aSkipIntoTheNextPieceGoesOn() throws Exception {
    try (FSDataInputStream in = open("sequential")) {
      readOn(in, 8 * MIB);
      in.seek(8L * MIB + 5000);
      readOn(in, 8 * MIB - 5000);
      assertEquals(mebibytes(0, 16), watch.begunFrom(0), "each once");
    }
  }

  @Test
  void whoGoesElsewhereGetsNothingMoreOfWhereHeWas() throws Exception {
    watch.holdFrom(8L * MIB);
    try (FSDataInputStream in = open("sequential")) {
      readOn(in, 8 * MIB);
      await(() -> watch.held() == 3, "three are not begun");
      in.seek(0);
      readOn(in, 1);
      assertEquals(3 * MIB, memory.bytes(), "the new piece and two ahead");
      watch.letGo();
      await(() -> watch.allCame() && watch.live() == 3, "what is not wanted is not released");
      assertEquals(mebibytes(8, 11), watch.begunFrom(8L * MIB));
    }
  }

  private void givesAllBack(FSDataInputStream in, boolean close) throws Exception {
    watch.holdFrom(8L * MIB);
    readOn(in, 8 * MIB);
    await(() -> watch.held() == 3, "three are not begun");
    int begun = watch.begun();
    if (close) {
      in.close();
    } else {
      in.unbuffer();
    }
    assertEquals(0, memory.bytes());
    watch.letGo();
    await(() -> watch.allCame() && watch.live() == 0, "buffers are not released");
    assertEquals(begun, watch.begun());
  }

  @Test
  void closeGivesAllBackAtOnce() throws Exception {
    givesAllBack(open("sequential"), true);
  }

  @Test
  void unbufferGivesAllBackAtOnceAndReadsGoOn() throws Exception {
    try (FSDataInputStream in = open("sequential")) {
      givesAllBack(in, false);
      readOn(in, 8 * MIB);
    }
  }

  @Test
  void aPieceAheadThatFailsIsFetchedAgainAndTheOthersAreUsed() throws Exception {
    watch.failOnceAt(5L * MIB);
    try (FSDataInputStream in = open("sequential")) {
      readOn(in, content.length);
    }
    List<Long> begun = new ArrayList<>(mebibytes(0, 16));
    begun.add(5L * MIB);
    Collections.sort(begun);
    assertEquals(begun, watch.begunFrom(0));
  }

  @Test
  void anotherStreamTakesWhatIsFarAheadAndNotTheNextPiece() throws Exception {
    memory.limit(5L * MIB);
    try (FSDataInputStream one = open("sequential");
        FSDataInputStream other = open("sequential")) {
      readOn(one, 8 * MIB);
      assertEquals(4 * MIB, memory.bytes());
      readOn(other, 1);
      assertEquals(5 * MIB, memory.bytes(), "two, and the new one's piece and two ahead");
      readOn(one, 8 * MIB);
      List<Long> begun = new ArrayList<>(mebibytes(8, 16));
      begun.addAll(mebibytes(9, 11));
      Collections.sort(begun);
      await(() -> watch.begunFrom(8L * MIB).size() >= begun.size(), "two are not begun again");
      assertEquals(begun, watch.begunFrom(8L * MIB));
    }
  }

  @Test
  void manyStreamsInSequenceKeepToTheBoundAndToAFewThreads() throws Exception {
    memory.limit(8L * MIB);
    int threads = Thread.activeCount();
    List<FSDataInputStream> streams = new ArrayList<>();
    try {
      for (int i = 0; i < 300; i++) {
        FSDataInputStream in = open("whole-file");
        streams.add(in);
        readOn(in, 1);
        // Beyond it, its own piece and the next.
        assertTrue(memory.bytes() <= 10L * MIB, () -> memory.bytes() + " bytes are kept");
      }
      assertTrue(Thread.activeCount() <= threads + 40, () -> Thread.activeCount() + " threads");
      for (int i = 0; i < streams.size(); i += 17) {
        readOn(streams.get(i), 2 * MIB);
      }
    } finally {
      for (FSDataInputStream in : streams) {
        in.close();
      }
    }
  }

  @Test
  void readsOfAllKindsGiveTheFilesBytesWhateverMemoryThereIs() throws Exception {
    Random random = new Random(7);
    FSDataInputStream[] streams = new FSDataInputStream[5];
    try {
      for (int i = 0; i < 1500; i++) {
        if (i % 100 == 0) {
          memory.limit((1 + random.nextInt(12)) * (long) MIB);
        }
        int which = random.nextInt(streams.length);
        if (streams[which] == null) {
          streams[which] = open(List.of("sequential", "adaptive", "random").get(random.nextInt(3)));
        }
        FSDataInputStream in = streams[which];
        int rest = content.length - (int) in.getPos();
        switch (random.nextInt(8)) {
          case 0 -> in.seek(random.nextInt(content.length));
          case 1 -> {
            long before = in.getPos();
            assertEquals(before + in.skip(random.nextInt(2 * MIB)), in.getPos());
          }
          case 2 -> {
            if (random.nextInt(8) == 0) {
              in.unbuffer();
            }
          }
          case 3 -> {
            if (random.nextInt(16) == 0) {
              in.close();
              streams[which] = null;
            }
          }
          case 4 -> readOn(in, Math.min(rest, random.nextInt(4 * MIB)));
          default -> readOn(in, Math.min(rest, random.nextInt(200 * KIB)));
        }
      }
    } finally {
      for (FSDataInputStream in : streams) {
        if (in != null) {
          in.close();
        }
      }
    }
  }
}

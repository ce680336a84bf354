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
package io.stowage.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.stowage.client.DataPath.ReadSpec;
import io.stowage.client.DataPath.WriteSpec;
import io.stowage.client.twin.LeakCheck;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.needle.NeedleFacts;
import io.stowage.common.needle.NeedleHeader;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.LeaseOutcome;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ReleaseLeaseRequest;
import io.stowage.common.time.StoreClock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.BooleanSupplier;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What the data path does over datanodes that misbehave on order. Run over the twin in memory here,
 * and over real datanodes where they are to be had.
 */
@Timeout(600) // a hang; on a machine of its own none takes a tenth of it
public abstract class DataPathContractTest {
  static {
    LeakCheck.turnOn();
  }

  private static final int PACKING_LIMIT = 8 << 10;
  private static final int CELL = 32 << 10;
  private static final long MEMORY = 16 << 20;
  private static final ByteString WRITE_ID = WriteId.random();

  /** In whose stack a writer is that waits for its stripe. */
  private static final String PACKED = PackedNeedle.class.getName();

  TwinCluster cluster;
  StowageDataPath path;

  /** Fresh datanodes, at least so many. */
  protected abstract TwinCluster newCluster(int nodes);

  /** Policies whose objects of all sizes are tried. */
  protected List<ErasurePolicy> policies() {
    return ErasurePolicy.ALL;
  }

  final void start(int nodes) {
    start(nodes, MEMORY);
  }

  final void start(int nodes, long memory) {
    start(nodes, new ClientConfig(PACKING_LIMIT, CELL, memory));
  }

  /** Over a cluster in memory that goes by this clock. */
  final void start(int nodes, StoreClock clock) {
    ClientConfig config = new ClientConfig(PACKING_LIMIT, CELL, MEMORY);
    cluster = TwinCluster.inMemory(nodes, clock);
    path = StowageDataPath.create(config, cluster, cluster, clock);
  }

  private void start(int nodes, ClientConfig config) {
    cluster = newCluster(nodes);
    path = StowageDataPath.create(config, cluster, cluster, StoreClock.system());
  }

  @AfterEach
  void everythingIsGivenBack() throws Exception {
    if (path != null) {
      path.close();
      cluster.close();
      await(() -> path.freeStripeMemory() == path.stripeMemory());
      assertEquals(path.stripeMemory(), path.freeStripeMemory());
      await(() -> !hasThreads());
      assertFalse(hasThreads());
    }
  }

  @AfterAll
  static void noBufferLeaked() throws Exception {
    assertEquals(List.of(), LeakCheck.leaks());
  }

  private static boolean hasThreads() {
    return Thread.getAllStackTraces().keySet().stream()
        .anyMatch(thread -> thread.isAlive() && thread.getName().startsWith("stowage-client"));
  }

  static void await(BooleanSupplier condition) throws InterruptedException {
    long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
    while (!condition.getAsBoolean() && System.nanoTime() < deadline) {
      Thread.sleep(5);
    }
  }

  static byte[] content(int length, long seed) {
    byte[] bytes = new byte[length];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  static ByteBuf buffer(byte[] bytes, int from, int length) {
    return PooledByteBufAllocator.DEFAULT
        .directBuffer(Math.max(1, length))
        .writeBytes(bytes, from, length);
  }

  static WriteSpec spec(ErasurePolicy policy, long length) {
    return new WriteSpec(
        7, ByteString.copyFromUtf8("some/key"), WRITE_ID, policy.name(), length, ByteString.EMPTY);
  }

  ObjectWriter.Written write(ErasurePolicy policy, byte[] bytes, boolean known, int chunk)
      throws StoreException {
    try (ObjectWriter writer = path.write(spec(policy, known ? bytes.length : -1))) {
      for (int at = 0; at < bytes.length; at += chunk) {
        writer.write(buffer(bytes, at, Math.min(chunk, bytes.length - at)));
      }
      return writer.finish();
    }
  }

  ObjectReader reader(Manifest manifest) {
    return reader(manifest, WRITE_ID);
  }

  ObjectReader reader(Manifest manifest, ByteString writeId) {
    return path.read(new ReadSpec(manifest, containersOf(manifest), writeId));
  }

  private List<ContainerInfo> containersOf(Manifest manifest) {
    Set<Long> ids = new HashSet<>();
    for (Extent extent : manifest.getExtentsList()) {
      ids.add(extent.getContainer());
    }
    return cluster.containers().stream().filter(info -> ids.contains(info.getId())).toList();
  }

  static byte[] readAll(ObjectReader reader) throws StoreException {
    byte[] bytes = new byte[(int) reader.length()];
    for (int at = 0; at < bytes.length; at += reader.maxRead()) {
      readInto(reader, bytes, at, Math.min(reader.maxRead(), bytes.length - at));
    }
    return bytes;
  }

  private static void readInto(ObjectReader reader, byte[] bytes, int at, int length)
      throws StoreException {
    ByteBuf part = reader.read(at, length);
    assertEquals(length, part.readableBytes());
    part.readBytes(bytes, at, length);
    part.release();
  }

  void assertReads(byte[] expected, Manifest manifest) throws StoreException {
    assertEquals(expected.length, manifest.getLength());
    ObjectReader reader = reader(manifest);
    assertEquals(-1, Arrays.mismatch(expected, readAll(reader)), "whole");
    Random random = new Random(expected.length);
    byte[] inPieces = new byte[expected.length];
    int readAtOnce = Math.min(reader.maxRead(), 1 + expected.length / (1 + random.nextInt(8)));
    for (int at = 0; at < expected.length; ) {
      int most = Math.min(readAtOnce, expected.length - at);
      int even = reader.evenLength(at, most);
      assertTrue(even <= most && 2 * even >= most, even + " of " + most);
      readInto(reader, inPieces, at, even);
      at += even;
    }
    assertEquals(-1, Arrays.mismatch(expected, inPieces), "in pieces of " + readAtOnce);
    for (int i = 0; i < 10 && expected.length > 0; i++) {
      int from = random.nextInt(expected.length);
      int length = 1 + random.nextInt(Math.min(reader.maxRead(), expected.length - from));
      byte[] part = new byte[expected.length];
      readInto(reader, part, from, length);
      assertEquals(
          -1,
          Arrays.mismatch(part, from, from + length, expected, from, from + length),
          length + " bytes at " + from + " of " + expected.length);
    }
  }

  private static List<Integer> sizes(ErasurePolicy policy) {
    List<Integer> sizes = new ArrayList<>(List.of(0, 1, 100));
    int stripe = CELL * policy.k();
    int header = 80;
    for (int edge :
        new int[] {4096, PACKING_LIMIT, CELL, 2 * CELL, stripe, 2 * stripe, 5 * stripe, 700_000}) {
      for (int off : new int[] {-1, 0, 1, -header - 1, -header, -header + 1}) {
        sizes.add(edge + off);
      }
    }
    return sizes;
  }

  @Test
  void readsBackAllSizesAroundCellsAndSectors() throws Exception {
    start(14);
    for (ErasurePolicy policy : policies()) {
      for (int size : sizes(policy)) {
        byte[] bytes = content(size, size);
        boolean known = size % 2 == 0;
        ObjectWriter.Written written = write(policy, bytes, known, 10_000);
        assertReads(bytes, written.manifest());
        for (Extent extent : written.manifest().getExtentsList()) {
          assertTrue(
              written.grants().stream()
                  .anyMatch(
                      grant ->
                          grant.getContainer() == extent.getContainer()
                              && grant.getEpoch() == extent.getEpoch()
                              && grant.getGrantedMicros() > 0));
        }
      }
    }
  }

  @Test
  void evenReadsAskEachShardForTheSame() throws Exception {
    start(5);
    int k = ErasurePolicy.RS_3_2.k();
    int stripe = k * CELL;
    byte[] bytes = content(20 * stripe, 1);
    Manifest manifest = write(ErasurePolicy.RS_3_2, bytes, false, 50_000).manifest();
    assertEquals(1, manifest.getExtentsCount());
    Extent extent = manifest.getExtents(0);
    assertEquals(CELL, extent.getCellLength());
    int most = stripe + CELL;
    ObjectReader reader = reader(manifest);
    long at = stripe / 4; // somewhere
    at += reader.evenLength(at, most);
    int reads = 0;
    for (; at + most < bytes.length; reads++) {
      int even = reader.evenLength(at, most);
      assertEquals(stripe, even);
      for (ExtentMap.Piece piece :
          ExtentMap.pieces(extent, k, at + extent.getHeaderLength(), even)) {
        assertEquals(CELL, piece.length());
      }
      at += even;
    }
    assertTrue(reads >= 15, reads + " reads");
    assertEquals(bytes.length - at, reader.evenLength(at, (int) (bytes.length - at)), "the rest");
  }

  @Test
  void anObjectOfNoBytesHasNoExtents() throws Exception {
    start(5);
    ObjectWriter.Written written = write(ErasurePolicy.RS_3_2, new byte[0], false, 1);
    assertEquals(0, written.manifest().getExtentsCount());
    assertEquals(List.of(), written.grants());
    assertEquals(0, cluster.leases());
  }

  @Test
  void aSmallReadAsksOneShard() throws Exception {
    byte[] bytes = content(4_096, 1);
    // Others are asked, too, once a shard is late, be it by a pause of this process: what counts is
    // a read that nobody could think late.
    for (int attempt = 1; ; attempt++) {
      start(5);
      Manifest manifest = write(ErasurePolicy.RS_3_2, bytes, true, 4_096).manifest();
      long begin = System.nanoTime();
      byte[] read = readAll(reader(manifest));
      Duration took = Duration.ofNanos(System.nanoTime() - begin);
      assertEquals(-1, Arrays.mismatch(bytes, read));
      if (took.toMillis() < NodeHealth.LEAST_PATIENCE_MILLIS) {
        int reads = 0;
        for (int node = 0; node < 5; node++) {
          reads += cluster.node(node).reads();
        }
        assertEquals(1, reads);
        return;
      }
      assertTrue(attempt < 50, "no read of 50 was in time; the last took " + took);
      everythingIsGivenBack();
    }
  }

  @Test
  void readsGoOnWithEveryPatternOfMissingShards() throws Exception {
    for (ErasurePolicy policy : List.of(ErasurePolicy.RS_3_2, ErasurePolicy.RS_1_2)) {
      start(policy.shards());
      byte[] small = content(5_000, 1);
      byte[] narrow = content(100, 2);
      byte[] large = content(3 * policy.k() * CELL + 12_345, 3);
      List<Manifest> manifests =
          List.of(
              write(policy, small, true, 1_000).manifest(),
              write(policy, narrow, true, 1_000).manifest(),
              write(policy, large, false, 50_000).manifest());
      for (int missing = 1; missing < (1 << policy.shards()); missing++) {
        if (Integer.bitCount(missing) > policy.m()) {
          continue;
        }
        for (int node = 0; node < policy.shards(); node++) {
          cluster.node(node).setAway((missing >>> node & 1) != 0);
        }
        assertReads(small, manifests.get(0));
        assertReads(narrow, manifests.get(1));
        assertReads(large, manifests.get(2));
      }
      for (int node = 0; node < policy.shards(); node++) {
        cluster.node(node).setAway(false);
      }
      everythingIsGivenBack();
    }
  }

  @Test
  void tooManyMissingShardsAreNamed() throws Exception {
    start(5);
    byte[] bytes = content(100_000, 1);
    Manifest manifest = write(ErasurePolicy.RS_3_2, bytes, true, 100_000).manifest();
    for (int node = 0; node < 3; node++) {
      cluster.node(node).setAway(true);
    }
    StoreException e = assertThrows(StoreException.class, () -> readAll(reader(manifest)));
    assertEquals(ErrorCode.DATA_UNAVAILABLE, e.code());
    assertTrue(e.getMessage().contains("0000000000005100"), e.getMessage());
    assertTrue(
        e.getMessage().contains("node-0") && e.getMessage().contains("node-2"), e.getMessage());
    assertFalse(e.getMessage().contains("node-3"), e.getMessage());
    cluster.node(0).setAway(false);
    assertReads(bytes, manifest);
  }

  @Test
  void aSlowShardIsHedged() throws Exception {
    start(5);
    byte[] large = content(400_000, 2);
    Manifest manifest = write(ErasurePolicy.RS_3_2, large, true, 5_000).manifest();
    cluster.node(1).holdReads();
    long start = System.nanoTime();
    assertEquals(-1, Arrays.mismatch(large, readAll(reader(manifest))));
    assertTrue(System.nanoTime() - start < Duration.ofSeconds(10).toNanos());
    cluster.node(1).letGo(); // the late answers' buffers are released: the leak check says so
  }

  @Test
  void aSilentNodeIsReadAroundAtOnceUntilItAnswersInTime() throws Exception {
    start(6);
    List<Manifest> onSilent = new ArrayList<>();
    for (int i = 0; onSilent.size() < 4; i++) {
      Manifest manifest = write(ErasurePolicy.RS_3_2, content(5_000, i), true, 5_000).manifest();
      Extent extent = manifest.getExtents(0);
      if (cluster.nodeOf(extent.getContainer(), extent.getFirstShard()) == 1) {
        onSilent.add(manifest);
      }
    }
    cluster.node(1).holdReads();
    long silent = System.nanoTime() + NodeHealth.SILENT.plusMillis(100).toNanos();
    while (System.nanoTime() < silent) {
      readAll(reader(onSilent.get(0)));
    }
    int reads = cluster.node(1).reads();
    long start = System.nanoTime();
    for (int i = 0; i < 100; i++) {
      readAll(reader(onSilent.get(i % onSilent.size())));
    }
    Duration took = Duration.ofNanos(System.nanoTime() - start);
    int probes = cluster.node(1).reads() - reads;
    // one that was sent before may arrive only now
    assertTrue(probes <= 2 + took.toMillis() / 500, probes + " reads of it in " + took);
    cluster.node(1).letGo();
    int before = cluster.node(1).reads();
    await(
        () -> {
          try {
            readAll(reader(onSilent.get(0)));
          } catch (StoreException e) {
            throw new AssertionError(e);
          }
          return cluster.node(1).reads() > before + 2 * NodeHealth.TIMELY_TO_CLEAR;
        });
    assertTrue(
        cluster.node(1).reads() > before + 2 * NodeHealth.TIMELY_TO_CLEAR, "it is trusted again");
  }

  @Test
  void aNeedleOfAnotherWriteIsVerifiedByItsSectors() throws Exception {
    start(5);
    byte[] bytes = content(5_000, 1);
    Manifest manifest = write(ErasurePolicy.RS_3_2, bytes, true, 5_000).manifest();
    assertEquals(-1, Arrays.mismatch(bytes, readAll(reader(manifest, WriteId.random()))));
    assertEquals(-1, Arrays.mismatch(bytes, readAll(reader(manifest, ByteString.EMPTY))));
    assertTrue(cluster.damage().isEmpty(), "nothing is wrong with it");
  }

  @Test
  void anOpenThatOneNodeDoesNotAnswerGoesElsewhere() throws Exception {
    start(6);
    cluster.node(2).holdOpens();
    long start = System.nanoTime();
    byte[] bytes = content(5_000, 1);
    Manifest manifest = write(ErasurePolicy.RS_3_2, bytes, true, 5_000).manifest();
    // The node has still not answered: that the write has returned is what shows it.
    Duration took = Duration.ofNanos(System.nanoTime() - start);
    assertTrue(took.toSeconds() < 20, "waited " + took);
    assertReads(bytes, manifest);
    cluster.node(2).letGo();
  }

  @Test
  void refusedWritesGoToAnotherContainer() throws Exception {
    start(7);
    for (ErrorCode code : List.of(ErrorCode.SHARD_FAILED, ErrorCode.DISK_FULL, ErrorCode.FENCED)) {
      byte[] small = content(5_000, 1);
      byte[] large = content(900_000, 2);
      Manifest before = write(ErasurePolicy.RS_3_2, small, true, 5_000).manifest();
      int bad = cluster.nodeOf(before.getExtents(0).getContainer(), 4);
      cluster.node(bad).refuseWrites(code, code == ErrorCode.FENCED ? 2 : 1_000);
      Manifest smallManifest = write(ErasurePolicy.RS_3_2, small, true, 5_000).manifest();
      Manifest largeManifest = write(ErasurePolicy.RS_3_2, large, false, 5_000).manifest();
      cluster.node(bad).refuseWrites(code, 0);
      assertReads(small, before);
      assertReads(small, smallManifest);
      assertReads(large, largeManifest);
      assertTrue(
          smallManifest.getExtents(0).getContainer() != before.getExtents(0).getContainer()
              || smallManifest.getExtents(0).getEpoch() != before.getExtents(0).getEpoch());
      if (code != ErrorCode.FENCED) {
        await(() -> hasSuspect(bad));
        assertTrue(hasSuspect(bad));
      }
    }
  }

  private boolean hasSuspect(int node) {
    for (ReleaseLeaseRequest release : cluster.releases()) {
      if (release.getOutcome() == LeaseOutcome.LEASE_DAMAGED
          && release.getSuspectNodesList().contains(String.valueOf(node))) {
        return true;
      }
    }
    return false;
  }

  @Test
  void aStripeThatTimesOutIsWrittenAgainAndMayLandLater() throws Exception {
    start(7);
    byte[] small = content(5_000, 1);
    byte[] large = content(900_000, 2);
    Manifest before = write(ErasurePolicy.RS_3_2, small, true, 5_000).manifest();
    int slow = cluster.nodeOf(before.getExtents(0).getContainer(), 3);
    cluster.node(slow).holdWritesAfter(2);
    Manifest largeManifest = write(ErasurePolicy.RS_3_2, large, true, 5_000).manifest();
    Manifest smallManifest = write(ErasurePolicy.RS_3_2, small, true, 5_000).manifest();
    assertTrue(cluster.node(slow).held() > 0);
    assertTrue(path.freeStripeMemory() < path.stripeMemory(), "held buffers count");
    cluster.node(slow).letGo();
    assertReads(large, largeManifest);
    assertReads(small, smallManifest);
    assertReads(small, before);
    assertTrue(largeManifest.getExtentsCount() > 1);
    await(() -> hasSuspect(slow));
    assertTrue(hasSuspect(slow));
  }

  @Test
  void aFullContainerIsReleasedAsFullAndTheNextTakesOver() throws Exception {
    start(5);
    cluster.setCapacity(256 << 10);
    byte[] large = content(3 << 20, 2);
    Manifest manifest = write(ErasurePolicy.RS_3_2, large, false, 50_000).manifest();
    assertTrue(manifest.getExtentsCount() >= 4, manifest.getExtentsCount() + " extents");
    assertReads(large, manifest);
    await(() -> !cluster.releases().isEmpty());
    assertEquals(LeaseOutcome.LEASE_FULL, cluster.releases().get(0).getOutcome());
    for (int i = 0; i < 100; i++) {
      byte[] small = content(8_000, i);
      assertReads(small, write(ErasurePolicy.RS_3_2, small, true, 8_000).manifest());
    }
  }

  @Test
  void tooFewNodesAreNamedAndWritesResume() throws Exception {
    start(5);
    byte[] bytes = content(20_000, 2);
    Manifest before = write(ErasurePolicy.RS_3_2, bytes, true, 20_000).manifest();
    cluster.node(2).setAway(true);
    StoreException e =
        assertThrows(StoreException.class, () -> write(ErasurePolicy.RS_3_2, bytes, true, 20_000));
    assertEquals(ErrorCode.NOT_ENOUGH_NODES, e.code());
    assertTrue(e.getMessage().contains("1 more nodes"), e.getMessage());
    assertReads(bytes, before);
    StoreException small =
        assertThrows(
            StoreException.class, () -> write(ErasurePolicy.RS_3_2, content(10, 1), true, 20_000));
    assertEquals(ErrorCode.NOT_ENOUGH_NODES, small.code());
    cluster.node(2).setAway(false);
    Manifest[] after = new Manifest[1];
    await(
        () -> {
          try {
            after[0] = write(ErasurePolicy.RS_3_2, bytes, true, 20_000).manifest();
          } catch (StoreException again) {
            assertEquals(ErrorCode.NOT_ENOUGH_NODES, again.code());
          }
          return after[0] != null;
        });
    assertReads(bytes, after[0]);
  }

  @Test
  void aReaderWithoutPlacesAsksForThem() throws Exception {
    start(5);
    byte[] bytes = content(50_000, 1);
    Manifest manifest = write(ErasurePolicy.RS_3_2, bytes, true, 50_000).manifest();
    assertEquals(-1, Arrays.mismatch(bytes, readAll(path.read(new ReadSpec(manifest, List.of())))));
    cluster.drop(manifest.getExtents(0).getContainer());
    StoreException e =
        assertThrows(
            StoreException.class, () -> readAll(path.read(new ReadSpec(manifest, List.of()))));
    assertEquals(ErrorCode.NO_SUCH_CONTAINER, e.code());
  }

  @Test
  void leasesAreRenewedBeforeTheyLapse() throws Exception {
    byte[] bytes = content(5_000, 1);
    // A process that pauses for most of a second has let its lease lapse and did nothing wrong.
    for (int attempt = 1; ; attempt++) {
      start(5);
      cluster.setLeaseDuration(Duration.ofMillis(900));
      write(ErasurePolicy.RS_3_2, bytes, true, 50_000);
      await(() -> cluster.renewals() >= 5);
      Manifest manifest = write(ErasurePolicy.RS_3_2, bytes, true, 50_000).manifest();
      assertReads(bytes, manifest);
      if (cluster.leases() == 1) {
        assertTrue(cluster.renewals() >= 5, cluster.renewals() + " renewals");
        return;
      }
      assertTrue(attempt < 5, "no first lease of five lived on");
      everythingIsGivenBack();
    }
  }

  @Test
  void aLostLeaseIsReplaced() throws Exception {
    start(5);
    cluster.setLeaseDuration(Duration.ofMillis(900));
    byte[] bytes = content(5_000, 1);
    Manifest before = write(ErasurePolicy.RS_3_2, bytes, true, 50_000).manifest();
    cluster.forgetLeases();
    await(() -> cluster.renewals() >= 1);
    await(
        () -> {
          try {
            Manifest after = write(ErasurePolicy.RS_3_2, bytes, true, 50_000).manifest();
            assertReads(bytes, after);
            return cluster.leases() > 1;
          } catch (StoreException e) {
            throw new AssertionError(e);
          }
        });
    assertReads(bytes, before);
    assertTrue(cluster.releases().isEmpty(), "a lost lease is nobody's to release");
  }

  @Test
  void closingGivesTheLeasesBack() throws Exception {
    start(5);
    write(ErasurePolicy.RS_3_2, content(5_000, 1), true, 50_000);
    write(ErasurePolicy.RS_1_2, content(500_000, 1), true, 50_000);
    path.close();
    assertEquals(2, cluster.releases().size());
    for (ReleaseLeaseRequest release : cluster.releases()) {
      assertEquals(LeaseOutcome.LEASE_IDLE, release.getOutcome());
    }
    StoreException e =
        assertThrows(StoreException.class, () -> path.write(spec(ErasurePolicy.RS_3_2, 1)));
    assertEquals(ErrorCode.UNAVAILABLE, e.code());
  }

  @Test
  void whatIsNotFinishedLeavesNothingBehind() throws Exception {
    start(5);
    for (int size : new int[] {100, 5_000, 90_000, 900_000}) {
      try (ObjectWriter writer = path.write(spec(ErasurePolicy.RS_3_2, -1))) {
        writer.write(buffer(content(size, 1), 0, size));
      }
    }
    await(() -> path.freeStripeMemory() == path.stripeMemory());
    assertEquals(path.stripeMemory(), path.freeStripeMemory());
  }

  @Test
  void aHeaderLongerThanAStripeSurvivesFailures() throws Exception {
    start(6, new ClientConfig(4_096, 4_096, MEMORY));
    byte[] bytes = content(90_000, 4);
    for (int refuseAfter = 0; refuseAfter < 20; refuseAfter++) {
      WriteSpec spec =
          new WriteSpec(
              7,
              ByteString.copyFromUtf8("k".repeat(1_024)),
              WriteId.random(),
              "rs-1-2",
              refuseAfter % 2 == 0 ? bytes.length : -1,
              ByteString.copyFrom(new byte[25_000]));
      try (ObjectWriter writer = path.write(spec)) {
        for (int at = 0; at < 15; at++) {
          if (at == refuseAfter % 15) {
            cluster.node(refuseAfter % 6).refuseWrites(ErrorCode.SHARD_FAILED, 1);
          }
          writer.write(buffer(bytes, at * 6_000, 6_000));
        }
        assertReads(bytes, writer.finish().manifest());
      }
    }
  }

  @Test
  void aCellLargerThanAContainerIsRefused() throws Exception {
    start(5);
    cluster.setCapacity(8_192);
    StoreException e =
        assertThrows(
            StoreException.class,
            () -> write(ErasurePolicy.RS_3_2, content(90_000, 1), true, 9_000));
    assertEquals(ErrorCode.BAD_CONFIGURATION, e.code());
  }

  @Test
  void lengthsThatDoNotMatchAreRefused() throws Exception {
    start(5);
    try (ObjectWriter writer = path.write(spec(ErasurePolicy.RS_3_2, 10))) {
      writer.write(buffer(content(9, 1), 0, 9));
      assertEquals(
          ErrorCode.INCOMPLETE_BODY, assertThrows(StoreException.class, writer::finish).code());
    }
    try (ObjectWriter writer = path.write(spec(ErasurePolicy.RS_3_2, 10))) {
      ByteBuf tooMuch = buffer(content(11, 1), 0, 11);
      assertThrows(StoreException.class, () -> writer.write(tooMuch));
      assertEquals(0, tooMuch.refCnt());
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aStripeHoldsOneBucketsObjectsOnlyWithSecurityOn(boolean security) throws Exception {
    start(
        7,
        ClientConfig.from(
            StowageConfig.of(Map.of(Keys.SECURITY_ENABLED.name(), String.valueOf(security)))));
    Map<String, Set<Long>> bucketsAt = new HashMap<>();
    List<Manifest> written = writeTogether(40);
    for (int i = 0; i < written.size(); i++) {
      noteSectors(written.get(i), 1 + i % 2, bucketsAt);
      assertReads(content(500, i), written.get(i));
    }
    assertEquals(!security, haveSeveral(bucketsAt), "written by their puts");
    bucketsAt.clear();
    List<ContainerAccess.Packed> needles = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      ByteString what = ByteString.copyFrom(content(500, i));
      NeedleHeader header =
          NeedleFacts.header(1 + i % 2, ByteString.copyFromUtf8("key" + i), WRITE_ID, i, what);
      needles.add(new ContainerAccess.Packed(header, buffer(what.toByteArray(), 0, what.size())));
    }
    List<ContainerAccess.Rewritten> again = path.rewriteAll(needles, ErasurePolicy.RS_3_2.name());
    for (int i = 0; i < again.size(); i++) {
      noteSectors(again.get(i).written().manifest(), 1 + i % 2, bucketsAt);
    }
    assertEquals(!security, haveSeveral(bucketsAt), "rewritten by a repacker");
  }

  /** Small objects of bucket 1 and 2 in turns, each by its own writer, that all wait at a time. */
  private List<Manifest> writeTogether(int count) throws Exception {
    for (int node = 0; node < 7; node++) {
      cluster.node(node).holdWrites();
    }
    List<Thread> writers = new CopyOnWriteArrayList<>();
    ExecutorService pool =
        Executors.newFixedThreadPool(
            count,
            work -> {
              Thread thread = new Thread(work, "writer");
              writers.add(thread);
              return thread;
            });
    List<Future<Manifest>> results = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int bucket = 1 + i % 2;
      byte[] bytes = content(500, i);
      WriteSpec spec =
          new WriteSpec(
              bucket,
              ByteString.copyFromUtf8("key" + i),
              WRITE_ID,
              ErasurePolicy.RS_3_2.name(),
              bytes.length,
              ByteString.EMPTY);
      results.add(
          pool.submit(
              () -> {
                try (ObjectWriter writer = path.write(spec)) {
                  writer.write(buffer(bytes, 0, bytes.length));
                  return writer.finish().manifest();
                }
              }));
    }
    BooleanSupplier allAreQueued =
        () ->
            writers.stream()
                .allMatch(
                    writer ->
                        Arrays.stream(writer.getStackTrace())
                            .anyMatch(at -> at.getClassName().equals(PACKED)));
    await(allAreQueued);
    assertTrue(allAreQueued.getAsBoolean());
    for (int node = 0; node < 7; node++) {
      cluster.node(node).letGo();
    }
    List<Manifest> manifests = new ArrayList<>();
    for (Future<Manifest> result : results) {
      manifests.add(result.get());
    }
    pool.shutdown();
    return manifests;
  }

  /** On whichever shard: the same address of others is what a sector is decoded from. */
  private static void noteSectors(Manifest manifest, long bucket, Map<String, Set<Long>> at) {
    for (Extent extent : manifest.getExtentsList()) {
      long end = extent.getOffset() + extent.getLength();
      for (long sector = extent.getOffset() / Sectors.BYTES;
          sector * Sectors.BYTES < end;
          sector++) {
        at.computeIfAbsent(extent.getContainer() + ":" + sector, place -> new HashSet<>())
            .add(bucket);
      }
    }
  }

  private static boolean haveSeveral(Map<String, Set<Long>> bucketsAt) {
    return bucketsAt.values().stream().anyMatch(buckets -> buckets.size() > 1);
  }

  @Test
  void manyThreadsWriteAndReadWithinLittleMemory() throws Exception {
    start(7, 2 << 20);
    int threads = 24;
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    List<Callable<Void>> tasks = new ArrayList<>();
    for (int thread = 0; thread < threads; thread++) {
      int seed = thread;
      tasks.add(
          () -> {
            Random random = new Random(seed);
            for (int i = 0; i < 12; i++) {
              int size =
                  random.nextInt(4) == 0 ? random.nextInt(1_500_000) : random.nextInt(20_000);
              byte[] bytes = content(size, random.nextLong());
              ErasurePolicy policy =
                  random.nextBoolean() ? ErasurePolicy.RS_3_2 : ErasurePolicy.RS_1_2;
              Manifest manifest =
                  write(policy, bytes, random.nextBoolean(), 1 + random.nextInt(60_000)).manifest();
              assertReads(bytes, manifest);
            }
            return null;
          });
    }
    for (Future<Void> result : pool.invokeAll(tasks)) {
      result.get();
    }
    pool.shutdown();
  }

  @Test
  void manyThreadsWriteWhileNodesComeAndGo() throws Exception {
    start(8, 4 << 20);
    int threads = 12;
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    List<Future<Void>> results = new ArrayList<>();
    for (int thread = 0; thread < threads; thread++) {
      int seed = thread;
      results.add(
          pool.submit(
              () -> {
                Random random = new Random(seed);
                for (int i = 0; i < 15; i++) {
                  byte[] bytes =
                      content(
                          random.nextInt(3) == 0 ? random.nextInt(800_000) : random.nextInt(9_000),
                          random.nextLong());
                  assertReads(
                      bytes, write(ErasurePolicy.RS_3_2, bytes, i % 2 == 0, 30_000).manifest());
                }
                return null;
              }));
    }
    Random random = new Random(99);
    while (results.stream().anyMatch(result -> !result.isDone())) {
      int node = random.nextInt(8);
      switch (random.nextInt(3)) {
        case 0 -> cluster.node(node).setAway(true);
        case 1 -> cluster.node(node).refuseWrites(ErrorCode.SHARD_FAILED, 1_000);
        default -> cluster.node(node).holdWrites();
      }
      Thread.sleep(30);
      cluster.node(node).setAway(false);
      cluster.node(node).refuseWrites(ErrorCode.SHARD_FAILED, 0);
      cluster.node(node).letGo();
    }
    for (Future<Void> result : results) {
      result.get();
    }
    pool.shutdown();
  }
}

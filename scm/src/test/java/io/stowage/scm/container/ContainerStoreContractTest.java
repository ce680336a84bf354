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
package io.stowage.scm.container;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.NotLeaderException;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.OperatorWord;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.time.ManualClock;
import io.stowage.scm.container.ContainerStore.Outcome;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What any {@link ContainerStore} does: run by the in-memory twin and by HBase. */
public abstract class ContainerStoreContractTest {
  private static final LeaderEpoch FIRST = new LeaderEpoch(1);
  private static final LeaderEpoch SECOND = new LeaderEpoch(2);

  private final ManualClock clock = new ManualClock(1_700_000_000_000_000L);
  private ContainerStore store;

  /** An empty store. */
  protected abstract ContainerStore open(ManualClock clock) throws StoreException;

  @BeforeEach
  void openStore() throws Exception {
    store = open(clock);
  }

  @AfterEach
  void closeStore() {
    store.close();
  }

  static ContainerInfo info(long id) {
    ContainerInfo.Builder info =
        ContainerInfo.newBuilder()
            .setId(id)
            .setPolicy("rs-1-2")
            .setState(ContainerState.OPEN)
            .setCapacityBytes(1 << 30)
            .setLeaseEpoch(1)
            .setLeaseHolder(WriteId.random());
    for (int i = 0; i < 3; i++) {
      info.addShards(
          ShardPlace.newBuilder().setIndex(i).setNodeId("n" + i).setDiskId("d").setGeneration(1));
    }
    return info.build();
  }

  private ContainerRow create(LeaderEpoch leader, ContainerInfo info) throws StoreException {
    return assertInstanceOf(Outcome.Written.class, store.write(leader, null, info)).row();
  }

  private ContainerRow replace(LeaderEpoch leader, ContainerRow before, ContainerInfo after)
      throws StoreException {
    return assertInstanceOf(Outcome.Written.class, store.write(leader, before, after)).row();
  }

  @Test
  void keepsWhatWasWrittenUnderVersionAndEpoch() throws Exception {
    ContainerInfo info = info(7);
    ContainerRow created = create(SECOND, info);
    assertEquals(clock.wallMicros(), created.stampMicros());
    assertEquals(info.toBuilder().setRowVersion(1).setLeaderEpoch(2).build(), created.info());
    assertEquals(created, store.read(7));
    assertNull(store.read(8));
  }

  @Test
  void keepsNoAddresses() throws Exception {
    ContainerInfo info = info(7);
    ShardPlace told = info.getShards(0).toBuilder().setHost("h").setPort(9).build();
    create(FIRST, info.toBuilder().setShards(0, told).build());
    assertEquals(info.getShards(0), store.read(7).info().getShards(0));
  }

  @Test
  void removesWhatTheCallerSawOnly() throws Exception {
    ContainerRow first = create(FIRST, info(7));
    create(FIRST, info(8));
    ContainerRow second =
        replace(SECOND, first, first.info().toBuilder().setState(ContainerState.DELETED).build());
    assertFalse(store.remove(SECOND, first));
    assertThrows(NotLeaderException.class, () -> store.remove(FIRST, second));
    assertEquals(second, store.read(7));
    assertTrue(store.remove(SECOND, second));
    assertNull(store.read(7));
    assertTrue(store.remove(SECOND, second)); // a repeated call whose first answer was lost
    List<Long> left = new ArrayList<>();
    store.scan(0, 0, row -> left.add(row.id()));
    assertEquals(List.of(8L), left);
  }

  @Test
  void keepsWhatOperatorsSaidByCompareAndSet() throws Exception {
    ContainerStore.OperatorCell nothing = store.operatorWord();
    OperatorWord one = OperatorWord.newBuilder().setUnknownAcceptedUntilMicros(1).build();
    OperatorWord two = OperatorWord.newBuilder().setUnknownAcceptedUntilMicros(2).build();
    assertEquals(OperatorWord.getDefaultInstance(), nothing.word());
    assertTrue(store.writeOperatorWord(nothing, one));
    assertFalse(store.writeOperatorWord(nothing, two));
    ContainerStore.OperatorCell said = store.operatorWord();
    assertEquals(one, said.word());
    assertTrue(store.writeOperatorWord(said, two));
    assertEquals(two, store.operatorWord().word());
    List<Long> containers = new ArrayList<>();
    store.scan(0, 0, row -> containers.add(row.id()));
    assertEquals(List.of(), containers);
  }

  @Test
  void keepsHostsOfNodesByCompareAndSet() throws Exception {
    assertNull(store.hostOf("n1"));
    assertFalse(store.writeHost("n1", "a", "b"));
    assertTrue(store.writeHost("n1", null, "a"));
    assertFalse(store.writeHost("n1", null, "b"));
    assertFalse(store.writeHost("n1", "b", "c"));
    assertEquals("a", store.hostOf("n1"));
    assertTrue(store.writeHost("n1", "a", "b"));
    assertEquals("b", store.hostOf("n1"));
    assertNull(store.hostOf("n"));
    List<Long> containers = new ArrayList<>();
    store.scan(0, 0, row -> containers.add(row.id()));
    assertEquals(List.of(), containers);
  }

  private static ByteString run(int number) {
    return ByteString.copyFromUtf8("run-" + number);
  }

  /** By id: dead bytes and cells. */
  private Map<Long, List<Long>> deadBytes(long sinceMicros) throws StoreException {
    Map<Long, List<Long>> found = new TreeMap<>();
    store.scanDeadBytes(
        sinceMicros, (id, bytes, cells) -> found.put(id, List.of(bytes, (long) cells)));
    return found;
  }

  @Test
  void countsTheFirstWordOfEachRun() throws Exception {
    create(FIRST, info(7));
    create(FIRST, info(Long.MAX_VALUE));
    store.addDeadBytes(7, run(1), 100);
    store.addDeadBytes(7, run(1), 999); // told again by whoever took the run over
    store.addDeadBytes(7, run(2), 20);
    store.addDeadBytes(Long.MAX_VALUE, run(2), 3);
    assertEquals(Map.of(7L, List.of(120L, 2L), Long.MAX_VALUE, List.of(3L, 1L)), deadBytes(0));
    List<Long> containers = new ArrayList<>();
    store.scan(0, 0, row -> containers.add(row.id()));
    assertEquals(List.of(7L, Long.MAX_VALUE), containers);
  }

  @Test
  void tellsAllDeadBytesOfContainersThatGotSomeSince() throws Exception {
    create(FIRST, info(7));
    create(FIRST, info(8));
    store.addDeadBytes(7, run(1), 100);
    store.addDeadBytes(8, run(1), 1);
    clock.advance(Duration.ofSeconds(10));
    long since = clock.wallMicros();
    assertEquals(Map.of(), deadBytes(since));
    store.addDeadBytes(7, run(2), 20);
    assertEquals(Map.of(7L, List.of(120L, 2L)), deadBytes(since));
  }

  @Test
  void foldsWhatIsOldAndKeepsTheSum() throws Exception {
    create(FIRST, info(7));
    for (int i = 1; i <= 5; i++) {
      store.addDeadBytes(7, run(i), i);
      clock.advance(Duration.ofSeconds(10));
    }
    long before = clock.wallMicros() - Duration.ofSeconds(25).toNanos() / 1_000;
    assertEquals(3, store.foldDeadBytes(7, before));
    assertEquals(Map.of(7L, List.of(15L, 3L)), deadBytes(0));
    assertEquals(0, store.foldDeadBytes(7, before), "nothing is left to fold");
    store.addDeadBytes(7, run(5), 999); // is not folded yet, and thus still known
    store.addDeadBytes(7, run(6), 6);
    assertEquals(Map.of(7L, List.of(21L, 4L)), deadBytes(0));
    assertEquals(3, store.foldDeadBytes(7, Long.MAX_VALUE));
    assertEquals(Map.of(7L, List.of(21L, 1L)), deadBytes(0));
    assertEquals(0, store.foldDeadBytes(8, Long.MAX_VALUE));
    assertEquals(7, store.read(7).id());
  }

  @Test
  void aRunThatWasFoldedMayBeNotedAgain() throws Exception {
    create(FIRST, info(7));
    store.addDeadBytes(7, run(1), 1);
    store.addDeadBytes(7, run(2), 2);
    clock.advance(Duration.ofSeconds(1));
    assertEquals(2, store.foldDeadBytes(7, clock.wallMicros()));
    store.addDeadBytes(7, run(2), 2);
    assertEquals(Map.of(7L, List.of(5L, 2L)), deadBytes(0));
  }

  @Test
  void foldsOnceHoweverManyDoIt() throws Exception {
    create(FIRST, info(7));
    for (int round = 0; round < 5; round++) {
      for (int i = 0; i < 20; i++) {
        store.addDeadBytes(7, run(100 * round + i), 1);
      }
      clock.advance(Duration.ofSeconds(1));
      inParallel(4, () -> store.foldDeadBytes(7, clock.wallMicros()));
      assertEquals(Map.of(7L, List.of(20L * (round + 1), 1L)), deadBytes(0));
    }
  }

  @Test
  void deadBytesGoWithTheirContainer() throws Exception {
    ContainerRow row = create(FIRST, info(7));
    store.addDeadBytes(7, run(1), 1);
    assertTrue(store.remove(FIRST, row));
    assertEquals(Map.of(), deadBytes(0));
  }

  @Test
  void createsAnIdOnce() throws Exception {
    ContainerRow first = create(FIRST, info(7));
    Outcome second = store.write(SECOND, null, info(7));
    assertEquals(first, assertInstanceOf(Outcome.Changed.class, second).row());
    assertEquals(first, store.read(7));
  }

  @Test
  void writesOverWhatTheCallerSawOnly() throws Exception {
    ContainerRow first = create(FIRST, info(7));
    ContainerInfo sealed = first.info().toBuilder().setState(ContainerState.SEALED).build();
    ContainerRow second = replace(FIRST, first, sealed);
    assertEquals(2, second.version());
    assertTrue(second.stampMicros() > first.stampMicros());

    Outcome late = store.write(SECOND, first, first.info());
    assertEquals(second, assertInstanceOf(Outcome.Changed.class, late).row());
    assertEquals(second, store.read(7));

    ContainerRow third = replace(SECOND, second, sealed);
    assertEquals(3, third.version());
    assertEquals(2, third.info().getLeaderEpoch());
    assertEquals(third, store.read(7));
  }

  @Test
  void replacesNothingThatIsNotThere() throws Exception {
    ContainerRow imagined = new ContainerRow(5, info(7).toBuilder().setRowVersion(1).build());
    Outcome outcome = store.write(FIRST, imagined, info(7));
    assertNull(assertInstanceOf(Outcome.Changed.class, outcome).row());
    assertNull(store.read(7));
  }

  @Test
  void refusesToWriteOverAHigherEpoch() throws Exception {
    ContainerRow first = create(SECOND, info(7));
    assertThrows(NotLeaderException.class, () -> store.write(FIRST, first, first.info()));
    assertEquals(first, store.read(7));
  }

  @Test
  void staysVisibleWhenTheClockGoesBack() throws Exception {
    ContainerRow row = create(FIRST, info(7));
    clock.setWallMicros(clock.wallMicros() - Duration.ofHours(1).toNanos() / 1_000);
    for (int i = 0; i < 20; i++) {
      ContainerRow next = replace(FIRST, row, row.info());
      assertEquals(row.stampMicros() + 1, next.stampMicros());
      assertEquals(next, store.read(7));
      row = next;
    }
  }

  @Test
  void scansByIdAndByTime() throws Exception {
    long early = clock.wallMicros();
    for (long id : new long[] {Long.MAX_VALUE, 300, 1, 1L << 62}) {
      create(FIRST, info(id));
    }
    clock.advance(Duration.ofSeconds(10));
    ContainerRow old = store.read(300);
    replace(FIRST, old, old.info());
    store.raiseLeaderEpoch("scm", 0); // a row, too, but of no container
    store.clusterId();

    assertEquals(List.of(1L, 300L, 1L << 62, Long.MAX_VALUE), scan(0, 0, 10));
    assertEquals(List.of(1L << 62, Long.MAX_VALUE), scan(300, 0, 10));
    assertEquals(List.of(1L, 300L), scan(0, 0, 2));
    assertEquals(List.of(), scan(Long.MAX_VALUE, 0, 10));
    assertEquals(List.of(300L), scan(0, early + 1, 10));
    assertEquals(4, scan(0, early, 10).size());
  }

  private List<Long> scan(long after, long since, int limit) throws StoreException {
    List<Long> ids = new ArrayList<>();
    store.scan(
        after,
        since,
        row -> {
          ids.add(row.id());
          return ids.size() < limit;
        });
    return ids;
  }

  @Test
  void handsEveryLeaderEpochOutOnce() throws Exception {
    assertEquals(LeaderEpoch.NONE, store.leaderEpoch());
    List<LeaderEpoch> epochs = inParallel(8, () -> store.raiseLeaderEpoch("scm", 3));
    assertEquals(8, new HashSet<>(epochs).size());
    assertEquals(new LeaderEpoch(11), store.leaderEpoch());
    assertEquals(new LeaderEpoch(12), store.raiseLeaderEpoch("scm", 11));
    assertEquals(new LeaderEpoch(13), store.raiseLeaderEpoch("scm", 0));
    assertEquals(new LeaderEpoch(42), store.raiseLeaderEpoch("scm", 41));
  }

  @Test
  void raisesNoLeaderEpochAboveOneThatNobodyCanHave() throws Exception {
    LeaderEpoch first = store.raiseLeaderEpoch("scm", 0);
    for (long heard :
        new long[] {-1, Long.MIN_VALUE, Long.MAX_VALUE, 1L << 62, (1L << 62) + 1, (1L << 32) + 2}) {
      StoreException e =
          assertThrows(StoreException.class, () -> store.raiseLeaderEpoch("scm", heard));
      assertEquals(ErrorCode.INVALID_ARGUMENT, e.code());
      assertEquals(first, store.leaderEpoch());
    }
    assertEquals(new LeaderEpoch((1L << 32) + 2), store.raiseLeaderEpoch("scm", (1L << 32) + 1));
    assertEquals(new LeaderEpoch((1L << 32) + 3), store.raiseLeaderEpoch("scm", 0));
  }

  @Test
  void mintsOneClusterId() throws Exception {
    assertEquals(1, Set.copyOf(inParallel(8, () -> store.clusterId())).size());
  }

  @Test
  void letsOneOfManyWritersWin() throws Exception {
    ContainerRow row = create(FIRST, info(7));
    for (int round = 0; round < 10; round++) {
      ContainerRow before = row;
      List<Outcome> outcomes =
          inParallel(
              8,
              () ->
                  store.write(
                      FIRST,
                      before,
                      before.info().toBuilder().setLeaseHolder(WriteId.random()).build()));
      List<ContainerRow> winners = new ArrayList<>();
      for (Outcome outcome : outcomes) {
        if (outcome instanceof Outcome.Written written) {
          winners.add(written.row());
        }
      }
      assertEquals(1, winners.size());
      row = winners.get(0);
      assertEquals(row, store.read(7));
      assertEquals(before.version() + 1, row.version());
    }
  }

  private static <T> List<T> inParallel(int threads, Callable<T> task) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    try {
      List<T> results = new ArrayList<>();
      for (Future<T> future : pool.invokeAll(Collections.nCopies(threads, task))) {
        results.add(future.get());
      }
      return results;
    } finally {
      pool.shutdownNow();
    }
  }
}

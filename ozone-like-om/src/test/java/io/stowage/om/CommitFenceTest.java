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
package io.stowage.om;

import static io.stowage.om.NamespaceContract.fails;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.LeaseGrant;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.PutPartRequest;
import io.stowage.common.time.ManualClock;
import io.stowage.common.time.Pause;
import io.stowage.om.table.Check;
import io.stowage.om.table.ForwardingRowStore;
import io.stowage.om.table.RowChange;
import io.stowage.om.table.RowStore;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Writers that are paused past the commit window, and clocks that are wrong. */
class CommitFenceTest {
  private static final String BUCKET = "fenced";
  private static final Duration WINDOW = TestOm.CONFIG.commitWindow();

  private final ManualClock clock = new ManualClock(1_700_000_000_000_000L);
  private final FakeContainers containers = new FakeContainers();
  private final TestOm.Tables tables = TestOm.Tables.inMemory();
  private final SlowTable slow = new SlowTable(tables.objects());
  private TestOm om;

  /** A table at which time passes while a mutation is on its way, or at which one is held back. */
  private final class SlowTable extends ForwardingRowStore {
    private Duration pause = Duration.ZERO;
    private boolean silent;

    SlowTable(RowStore inner) {
      super(inner);
    }

    @Override
    public boolean checkAndMutate(ByteString row, Check check, RowChange change, Duration timeout)
        throws IOException {
      boolean applied = inner.checkAndMutate(row, check, change, timeout);
      clock.advance(pause);
      if (silent) {
        throw new IOException("no answer");
      }
      return applied;
    }
  }

  @BeforeEach
  void open() throws StoreException {
    Pause pause = duration -> clock.advance(duration.plusMillis(1));
    om = new TestOm(TestOm.CONFIG, tables.withObjects(slow), containers, clock, pause);
    om.createBucket(BUCKET);
  }

  @Test
  void aManifestUnderAnOldLeaseIsRefusedAndLeavesNothing() throws StoreException {
    PutObjectRequest request = om.putRequest(BUCKET, "k", "x").build();
    PutPartRequest part =
        om.partRequest(BUCKET, "k", om.createUpload(BUCKET, "k"), 1, "x", 1).build();
    clock.advance(WINDOW);
    fails(ErrorCode.COMMIT_TOO_LATE, () -> om.om.putObject(request));
    fails(ErrorCode.COMMIT_TOO_LATE, () -> om.om.putPart(part));
    assertNull(om.get(BUCKET, "k"));
  }

  @Test
  void aMutationThatTookTooLongIsAcknowledgedOnlyIfNobodyJudgesItsContainer()
      throws StoreException {
    OmConfig patient =
        new OmConfig(
            "stowage",
            "rs-3-2",
            WINDOW,
            Duration.ofSeconds(10),
            Duration.ofHours(1),
            Duration.ofMillis(50),
            new OmConfig.Collecting(
                Duration.ofMinutes(1),
                Duration.ofHours(1),
                Duration.ofHours(24),
                Duration.ofHours(1)),
            TestOm.EXPIRING);
    om =
        new TestOm(
            patient,
            tables.withObjects(slow),
            containers,
            clock,
            duration -> clock.advance(duration));
    slow.pause = WINDOW;
    for (ContainerState state :
        List.of(ContainerState.OPEN, ContainerState.SEALED, ContainerState.REPACKING)) {
      containers.states.put(7L, state);
      om.put(BUCKET, "fine" + state, "x");
    }
    assertEquals(3, containers.kept.get());
    for (ContainerState state : List.of(ContainerState.DELETED, ContainerState.CONTAINER_UNKNOWN)) {
      containers.states.put(7L, state);
      PutObjectRequest request = om.putRequest(BUCKET, "k" + state, "x").build();
      fails(ErrorCode.OUTCOME_UNKNOWN, () -> om.om.putObject(request));
      // Finding one's own effect is no reason to forget the fence.
      slow.pause = Duration.ZERO;
      fails(ErrorCode.OUTCOME_UNKNOWN, () -> om.om.putObject(request));
      slow.pause = WINDOW;
    }
    containers.states.put(7L, ContainerState.SEALED);
    containers.unreachable = true;
    fails(ErrorCode.OUTCOME_UNKNOWN, () -> om.put(BUCKET, "u", "x"));
  }

  @Test
  void anAnswerPastTheDeadlineCountsOnlyIfAReadShowsIt() throws StoreException {
    slow.pause = Duration.ofMinutes(2);
    assertEquals("k", om.put(BUCKET, "k", "x").getKey());
    slow.pause = Duration.ZERO;
    assertEquals(TestOm.md5("x"), om.get(BUCKET, "k").getMd5());
  }

  @Test
  void anAnswerThatNeverComesIsFoundByItsWriteId() throws StoreException {
    slow.silent = true;
    om.put(BUCKET, "k", "x");
    om.put(BUCKET, "k", "y");
    fails(ErrorCode.UNAVAILABLE, () -> om.rename(BUCKET, "k", "l", false));
    slow.silent = false;
    assertEquals(TestOm.md5("y"), om.get(BUCKET, "k").getMd5());
    assertNull(om.get(BUCKET, "l"));
    om.rename(BUCKET, "k", "l", false);
    slow.silent = true;
    om.delete(BUCKET, "l");
    slow.silent = false;
    assertNull(om.get(BUCKET, "l"));
  }

  @Test
  void aGrantFromTheFutureMeansAWrongClock() {
    PutObjectRequest request =
        om.putRequest(BUCKET, "k", "x")
            .clearGrants()
            .addGrants(
                LeaseGrant.newBuilder()
                    .setContainer(7)
                    .setEpoch(1)
                    .setGrantedMicros(clock.wallMicros() + 11_000_000))
            .build();
    fails(ErrorCode.CLOCK_SKEW, () -> om.om.putObject(request));
  }

  @Test
  void aHeadFromTheFarFutureIsNotOverwritten() throws StoreException {
    om.put(BUCKET, "k", "x");
    clock.setWallMicros(clock.wallMicros() - 9_000_000);
    om.put(BUCKET, "k", "y");
    clock.setWallMicros(clock.wallMicros() - 9_000_000);
    fails(ErrorCode.CLOCK_SKEW, () -> om.put(BUCKET, "k", "z"));
    assertEquals(TestOm.md5("y"), om.get(BUCKET, "k").getMd5());
  }
}

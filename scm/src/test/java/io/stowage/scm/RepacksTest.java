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
package io.stowage.scm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.AcceptUnknownShardsRequest;
import io.stowage.common.proto.AddDeadBytesRequest;
import io.stowage.common.proto.ClaimContainerReply;
import io.stowage.common.proto.ClaimContainerRequest;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.DeadBytes;
import io.stowage.common.proto.FinishRepackRequest;
import io.stowage.common.proto.KeepContainersRequest;
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.LeaseContainersRequest;
import io.stowage.common.proto.LeaseGrant;
import io.stowage.common.proto.LeaseOutcome;
import io.stowage.common.proto.RenewClaimRequest;
import io.stowage.common.proto.RenewLeasesRequest;
import io.stowage.common.proto.RepackOutcome;
import io.stowage.common.proto.RepackStatusReply;
import io.stowage.common.proto.RepackStatusRequest;
import io.stowage.common.proto.RepackWork;
import io.stowage.common.proto.ResurveyContainersRequest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;

/** SCM's side of repack (docs/adr/0006) and what collectors tell it, with workers played here. */
class RepacksTest {
  private static final Duration A_SCAN = Duration.ofSeconds(3);

  /** What a survey finds of a container of which all lives, written as well as it can be. */
  private static final FinishRepackRequest ALL_LIVES =
      FinishRepackRequest.newBuilder()
          .setOutcome(RepackOutcome.REPACK_SURVEYED)
          .setLiveBytes(24L << 20)
          .setStoredBytes(40L << 20)
          .setNeededBytes(40L << 20)
          .build();

  private static long sealed(ScmHarness h) throws StoreException {
    Lease lease = h.written(8 << 20);
    h.release(lease, LeaseOutcome.LEASE_FULL, 8 << 20);
    h.pass(A_SCAN);
    return lease.getContainer().getId();
  }

  /** Time passes until needles of what is sealed may be judged. */
  private static void ripen(ScmHarness h) throws StoreException {
    h.clock.advance(ScmHarness.WINDOW.plusSeconds(11));
    h.tick(); // that it stood still is held against nobody
    h.heartbeats();
    h.pass(A_SCAN);
  }

  private static ClaimContainerReply claim(ScmHarness h, ByteString holder, long container)
      throws StoreException {
    return h.scm.claimContainer(
        ClaimContainerRequest.newBuilder()
            .setHolder(holder)
            .setWorker("test")
            .setContainer(container)
            .setObjectTable(ScmHarness.TABLE)
            .build());
  }

  private static ClaimContainerReply claim(ScmHarness h) throws StoreException {
    return claim(h, WriteId.random(), 0);
  }

  private static ContainerState finish(
      ScmHarness h, long id, ByteString holder, FinishRepackRequest outcome) throws StoreException {
    return h.scm
        .finishRepack(
            outcome.toBuilder()
                .setObjectTable(ScmHarness.TABLE)
                .setContainer(id)
                .setHolder(holder)
                .build())
        .getState();
  }

  private static ContainerState finish(
      ScmHarness h, long id, ByteString holder, RepackOutcome outcome) throws StoreException {
    return finish(h, id, holder, FinishRepackRequest.newBuilder().setOutcome(outcome).build());
  }

  /** Has the only one surveyed that waits for it. */
  private static void survey(ScmHarness h, long id, FinishRepackRequest found)
      throws StoreException {
    ByteString holder = WriteId.random();
    ClaimContainerReply claim = claim(h, holder, 0);
    assertEquals(RepackWork.REPACK_SURVEY, claim.getWork());
    assertEquals(id, claim.getContainer().getId());
    assertEquals(ContainerState.SEALED, finish(h, id, holder, found));
    h.pass(A_SCAN);
  }

  private static void renew(ScmHarness h, long id, ByteString holder) throws StoreException {
    h.scm.renewClaim(
        RenewClaimRequest.newBuilder().setContainer(id).setHolder(holder).setBytesDone(1).build());
  }

  private static RepackStatusReply status(ScmHarness h) throws StoreException {
    return h.scm.repackStatus(RepackStatusRequest.getDefaultInstance());
  }

  private static void tellDead(ScmHarness h, String run, long id, long bytes)
      throws StoreException {
    h.scm.addDeadBytes(
        AddDeadBytesRequest.newBuilder()
            .setRun(ByteString.copyFromUtf8(run))
            .addContainers(DeadBytes.newBuilder().setContainer(id).setBytes(bytes))
            .build());
  }

  private static void assertRefused(ErrorCode code, Work work) {
    assertEquals(code, assertThrows(StoreException.class, work::run).code());
  }

  private interface Work {
    void run() throws StoreException;
  }

  private static final ByteString OTHER_TABLE = WriteId.random();

  private static void assertHeldBack(ScmHarness h, String who) throws StoreException {
    String heldBack = h.status().getHeldBack();
    assertTrue(heldBack.contains(who), heldBack);
  }

  private static ClaimContainerReply claimBy(ScmHarness h, ByteString table) throws StoreException {
    return h.scm.claimContainer(
        ClaimContainerRequest.newBuilder()
            .setHolder(WriteId.random())
            .setWorker("elsewhere")
            .setObjectTable(table)
            .build());
  }

  private static void accept(ScmHarness h, ByteString table) throws StoreException {
    assertEquals(
        0,
        h.scm
            .acceptUnknownShards(
                AcceptUnknownShardsRequest.newBuilder()
                    .setRebuilt(true)
                    .setObjectTable(table)
                    .build())
            .getUnknownShards());
  }

  @Test
  void onlyTheFirstTableThatIsMetIsJudgedBy() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    long id = sealed(h);
    ripen(h);
    ByteString holder = WriteId.random();
    assertEquals(RepackWork.REPACK_EMPTY, claim(h, holder, id).getWork());
    assertRefused(
        ErrorCode.FORMAT_TOO_OLD, () -> claimBy(h, ByteString.EMPTY)); // of an old version
    assertEquals("", h.status().getHeldBack());
    assertRefused(ErrorCode.WRONG_CLUSTER, () -> claimBy(h, OTHER_TABLE));
    assertHeldBack(h, "elsewhere");
    // Also by the table that is known: who says that it is the right one?
    assertRefused(ErrorCode.UNAVAILABLE, () -> finish(h, id, holder, RepackOutcome.REPACK_EMPTIED));
    h.scm = h.newScm(); // it is written down
    h.scm.follow();
    h.scm.won();
    h.heartbeats();
    h.heartbeats();
    assertHeldBack(h, "elsewhere");
    accept(h, ScmHarness.TABLE);
    assertEquals("", h.status().getHeldBack());
    assertEquals(ContainerState.DELETED, finish(h, id, holder, RepackOutcome.REPACK_EMPTIED));
    assertRefused(ErrorCode.WRONG_CLUSTER, () -> claimBy(h, OTHER_TABLE)); // it is still there
    assertHeldBack(h, "elsewhere");
  }

  @Test
  void whatAnotherTableSurveyedIsNotNoted() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    long id = sealed(h);
    ripen(h);
    ByteString holder = WriteId.random();
    assertEquals(RepackWork.REPACK_SURVEY, claim(h, holder, 0).getWork());
    for (RepackOutcome outcome :
        List.of(
            RepackOutcome.REPACK_SURVEYED,
            RepackOutcome.REPACK_EMPTIED,
            RepackOutcome.REPACK_UNREADABLE)) {
      FinishRepackRequest found =
          FinishRepackRequest.newBuilder()
              .setContainer(id)
              .setHolder(holder)
              .setObjectTable(OTHER_TABLE)
              .setOutcome(outcome)
              .build();
      assertRefused(ErrorCode.WRONG_CLUSTER, () -> h.scm.finishRepack(found));
    }
    assertEquals(0, h.store.read(id).info().getSurveyedMicros());
    assertHeldBack(h, WriteId.toHex(OTHER_TABLE));
    // A rebuild has filled that one: from now on the first is the wrong one.
    accept(h, OTHER_TABLE);
    assertEquals("", h.status().getHeldBack());
    assertRefused(ErrorCode.WRONG_CLUSTER, () -> finish(h, id, holder, ALL_LIVES));
    assertHeldBack(h, WriteId.toHex(ScmHarness.TABLE));
  }

  @Test
  void theFirstLeaseSaysWhatTableContainersBelongTo() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    assertEquals("", h.status().getHeldBack());
    lease(h, OTHER_TABLE);
    lease(h, OTHER_TABLE);
    lease(h, ByteString.EMPTY);
    assertEquals("", h.status().getHeldBack());
    assertRefused(ErrorCode.WRONG_CLUSTER, () -> claim(h));
    accept(h, OTHER_TABLE);
    lease(h, ScmHarness.TABLE); // is granted: users write on while a table is rebuilt
    assertHeldBack(h, WriteId.toHex(ScmHarness.TABLE));
  }

  private static void lease(ScmHarness h, ByteString table) throws StoreException {
    assertTrue(
        h.scm
            .leaseContainer(
                LeaseContainersRequest.newBuilder()
                    .setPolicy("rs-3-2")
                    .setHolder(WriteId.random())
                    .setObjectTable(table)
                    .build())
            .hasLease());
  }

  @Test
  void nobodyJudgesBeforeTheCommitWindowIsOver() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    long id = sealed(h);
    h.pass(ScmHarness.WINDOW.minusSeconds(10));
    assertEquals(RepackWork.REPACK_NOTHING, claim(h).getWork());
    assertRefused(ErrorCode.UNAVAILABLE, () -> claim(h, WriteId.random(), id));
    assertEquals(ContainerState.SEALED, h.container(id).getState());
    h.pass(Duration.ofSeconds(25)); // and the clock bound
    assertEquals(1, status(h).getToSurvey());
    ClaimContainerReply claim = claim(h);
    assertEquals(RepackWork.REPACK_SURVEY, claim.getWork());
    assertEquals(id, claim.getContainer().getId());
    assertEquals(ContainerState.SEALED, h.container(id).getState(), "a survey changes nothing");
    assertEquals(RepackWork.REPACK_NOTHING, claim(h).getWork(), "it has a worker");
  }

  /** Objects may be written for longer than the commit window: ADR 20. */
  @Test
  void whatAWriterHasKeptIsJudgedACommitWindowAfterTheLastTime() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    Lease lease = h.written(8 << 20);
    h.release(lease, LeaseOutcome.LEASE_FULL, 8 << 20);
    h.pass(A_SCAN);
    long id = lease.getContainer().getId();
    int mutations = h.store.mutations();
    for (int i = 0; i < 8; i++) {
      h.clock.advance(ScmHarness.WINDOW.dividedBy(8));
      Lease kept = keep(h, lease);
      assertEquals(ScmHarness.WINDOW.toNanos() / 1_000, kept.getCommitWindowMicros());
      long granted = kept.getGrantedMicros();
      assertTrue(h.clock.wallMicros() - granted <= ScmHarness.WINDOW.toNanos() / 1_000 / 4);
      // What the writer holds is in the row: nobody says REPACKING sooner than a window after it.
      ContainerInfo row = h.store.read(id).info();
      assertEquals(granted, Math.max(row.getSealedMicros(), row.getLeaseGrantedMicros()));
    }
    assertTrue(h.store.mutations() - mutations <= 5, "one mutation a quarter of the window");
    h.tick();
    h.heartbeats();
    h.scm = h.newScm(); // all that counts is in the row
    h.scm.follow();
    h.scm.won();
    h.heartbeats();
    h.heartbeats();
    h.pass(ScmHarness.WINDOW.dividedBy(2));
    assertEquals(RepackWork.REPACK_NOTHING, claim(h).getWork());
    assertRefused(ErrorCode.UNAVAILABLE, () -> claim(h, WriteId.random(), id));
    ripen(h); // its writer died
    assertEquals(id, claim(h, WriteId.random(), id).getContainer().getId());
    assertEquals(ContainerState.REPACKING, h.container(id).getState());
    assertEquals(null, keep(h, lease), "it is being judged");
  }

  @Test
  void whatIsKeptOfAContainerThatWasLeasedOnIsNoLeaseOfIt() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    Lease gone = h.written(8192);
    h.pass(ScmHarness.LEASE.plusSeconds(2));
    Lease next = h.lease();
    assertEquals(gone.getContainer().getId(), next.getContainer().getId());
    h.clock.advance(ScmHarness.LEASE.minusSeconds(10));
    assertTrue(keep(h, gone).getGrantedMicros() >= gone.getGrantedMicros());
    assertEquals(gone.getContainer().getLeaseEpoch(), keep(h, gone).getContainer().getLeaseEpoch());
    assertTrue(h.renew(next));
    assertFalse(h.renew(gone));
    Lease never =
        next.toBuilder()
            .setContainer(
                next.getContainer().toBuilder()
                    .setLeaseEpoch(next.getContainer().getLeaseEpoch() + 1))
            .build();
    assertEquals(null, keep(h, never), "there is no such lease");
  }

  /** Null if it is not kept. */
  private static Lease keep(ScmHarness h, Lease lease) throws StoreException {
    List<Lease> kept =
        h.scm
            .renewLeases(
                RenewLeasesRequest.newBuilder()
                    .addKept(
                        LeaseGrant.newBuilder()
                            .setContainer(lease.getContainer().getId())
                            .setEpoch(lease.getContainer().getLeaseEpoch()))
                    .build())
            .getKeptList();
    return kept.isEmpty() ? null : kept.get(0);
  }

  @Test
  void anOpenContainerIsNobodys() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    Lease lease = h.written(8192);
    ripen(h);
    assertEquals(RepackWork.REPACK_NOTHING, claim(h).getWork());
    assertRefused(
        ErrorCode.UNAVAILABLE, () -> claim(h, WriteId.random(), lease.getContainer().getId()));
    assertRefused(ErrorCode.NO_SUCH_CONTAINER, () -> claim(h, WriteId.random(), 12345));
    assertRefused(ErrorCode.INVALID_ARGUMENT, () -> claim(h, ByteString.EMPTY, 0));
  }

  @Test
  void whatIsNotWorthItIsLeftAlone() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    long id = sealed(h);
    ripen(h);
    // 24 % more than needed
    survey(h, id, ALL_LIVES.toBuilder().setNeededBytes((40L << 20) * 100 / 124).build());
    assertEquals(RepackWork.REPACK_NOTHING, claim(h).getWork());
    assertEquals(0, status(h).getToEmpty());
    assertEquals(1, status(h).getSurveyed());
  }

  @Test
  void whatTakesMuchMoreThanNeededIsEmptied() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    long id = sealed(h);
    ripen(h);
    survey(h, id, ALL_LIVES.toBuilder().setNeededBytes((40L << 20) * 100 / 126).build());
    assertEquals(1, status(h).getToEmpty());
    ByteString holder = WriteId.random();
    ClaimContainerReply claim = claim(h, holder, 0);
    assertEquals(RepackWork.REPACK_EMPTY, claim.getWork());
    assertEquals(ContainerState.REPACKING, h.container(id).getState());
    assertEquals(holder, h.store.read(id).info().getRepackHolder());
    renew(h, id, holder);
    assertEquals(1, status(h).getClaims(0).getBytesDone());
    assertEquals(
        ContainerState.DELETED,
        finish(
            h,
            id,
            holder,
            FinishRepackRequest.newBuilder()
                .setOutcome(RepackOutcome.REPACK_EMPTIED)
                .setStoredBytes(40L << 20)
                .setMovedBytes(7)
                .build()));
    h.pass(A_SCAN);
    assertEquals(
        RepackStatusReply.newBuilder()
            .setSurveyed(1)
            .setEmptied(1)
            .setBytesMoved(7)
            .setBytesFreed(40L << 20)
            .setKeptDeleted(1)
            .build(),
        status(h));
    // The reply was lost: the same answer, and nothing else.
    assertEquals(ContainerState.DELETED, finish(h, id, holder, RepackOutcome.REPACK_EMPTIED));
  }

  @Test
  void whatCannotBeReadOrIsPutOffTakesNobodysPlace() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    long id = sealed(h);
    ripen(h);
    survey(h, id, ALL_LIVES.toBuilder().setNeededBytes(20L << 20).build());
    ContainerInfo.Builder unreadable =
        h.container(id).toBuilder()
            .setState(ContainerState.REPACKING)
            .setRepackHolder(WriteId.random())
            .setUnreadable(true);
    for (long other = 1; other <= 10_001; other++) {
      assertNotNull(h.store.write(h.store.leaderEpoch(), null, unreadable.setId(other).build()));
    }
    h.scm.follow();
    h.pass(A_SCAN);
    ByteString holder = WriteId.random();
    assertEquals(id, claim(h, holder, 0).getContainer().getId());
    assertEquals(ContainerState.REPACKING, finish(h, id, holder, RepackOutcome.REPACK_UNREADABLE));
    h.pass(A_SCAN);
    Set<Long> tried = new HashSet<>();
    for (int i = 0; i < 1_000; i++) {
      tried.add(claim(h).getContainer().getId());
    }
    assertEquals(1_000, tried.size(), "when there is nothing else to do");
    assertFalse(tried.contains(id), "it was tried just now");
    assertEquals(10_002, status(h).getUnreadable());
  }

  @Test
  void whatDiedSinceTheSurveyCounts() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    long id = sealed(h);
    ripen(h);
    tellDead(h, "run-1", id, 20L << 20); // the survey has seen that these are dead
    survey(h, id, ALL_LIVES);
    assertEquals(RepackWork.REPACK_NOTHING, claim(h).getWork());
    tellDead(h, "run-2", id, 4L << 20); // of 24: a sixth
    h.pass(A_SCAN);
    assertEquals(RepackWork.REPACK_NOTHING, claim(h).getWork());
    tellDead(h, "run-3", id, 4L << 20);
    h.pass(A_SCAN);
    assertEquals(RepackWork.REPACK_EMPTY, claim(h).getWork());
  }

  @Test
  void aRunThatIsToldAgainCountsOnce() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    long id = sealed(h);
    ripen(h);
    survey(h, id, ALL_LIVES);
    for (int i = 0; i < 10; i++) {
      tellDead(h, "run-1", id, 4L << 20); // by collectors that take a run over from one another
      h.scm.follow();
      h.pass(A_SCAN);
    }
    assertEquals(RepackWork.REPACK_NOTHING, claim(h).getWork());
    tellDead(h, "run-1", 12345, 1); // of no container: passed over
    h.store.scanDeadBytes(0, (container, bytes, cells) -> assertEquals(id, container));
    assertRefused(ErrorCode.INVALID_ARGUMENT, () -> tellDead(h, "", id, 1));
    assertRefused(ErrorCode.INVALID_ARGUMENT, () -> tellDead(h, "+", id, 1));
    assertRefused(ErrorCode.INVALID_ARGUMENT, () -> tellDead(h, "x".repeat(33), id, 1));
  }

  @Test
  void aNewLeaderKnowsWhatDied() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    long id = sealed(h);
    ripen(h);
    survey(h, id, ALL_LIVES);
    tellDead(h, "run-1", id, 12L << 20);
    h.scm = h.newScm();
    h.scm.follow();
    h.scm.won();
    h.heartbeats();
    h.heartbeats();
    h.pass(A_SCAN);
    assertEquals(RepackWork.REPACK_EMPTY, claim(h).getWork());
  }

  @Test
  void manyRunsBecomeOneCellAfterAnHour() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    long id = sealed(h);
    for (int i = 0; i < 20; i++) {
      tellDead(h, "run-" + i, id, 1);
    }
    h.scm.follow();
    h.pass(Duration.ofMinutes(59));
    h.store.scanDeadBytes(0, (container, bytes, cells) -> assertEquals(20, cells));
    tellDead(h, "late", id, 100);
    h.pass(Duration.ofMinutes(3));
    List<Long> seen = new ArrayList<>();
    h.store.scanDeadBytes(
        0,
        (container, bytes, cells) -> {
          seen.add(bytes);
          seen.add((long) cells);
        });
    assertEquals(List.of(120L, 2L), seen);
    h.scm.follow();
    tellDead(h, "late", id, 100); // is known still
    h.store.scanDeadBytes(0, (container, bytes, cells) -> assertEquals(120, bytes));
  }

  @Test
  void aContainerGoesToOneWorkerUntilItsClaimLapses() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    long id = sealed(h);
    ripen(h);
    ByteString first = WriteId.random();
    assertEquals(RepackWork.REPACK_EMPTY, claim(h, first, id).getWork());
    assertEquals(id, claim(h, first, 0).getContainer().getId(), "a repeated call finds its claim");
    assertRefused(ErrorCode.UNAVAILABLE, () -> claim(h, WriteId.random(), id));
    for (int i = 0; i < 3; i++) {
      h.pass(ScmHarness.CLAIM.minusSeconds(5));
      renew(h, id, first);
    }
    assertEquals(RepackWork.REPACK_NOTHING, claim(h).getWork());
    h.pass(ScmHarness.CLAIM.plus(A_SCAN)); // silence
    ByteString second = WriteId.random();
    assertEquals(id, claim(h, second, 0).getContainer().getId());
    // The first wakes up: it may not go on, and above all not say that the container is empty.
    assertRefused(ErrorCode.LEASE_LOST, () -> renew(h, id, first));
    assertRefused(ErrorCode.LEASE_LOST, () -> finish(h, id, first, RepackOutcome.REPACK_EMPTIED));
    assertEquals(ContainerState.REPACKING, h.container(id).getState());
    assertEquals(ContainerState.DELETED, finish(h, id, second, RepackOutcome.REPACK_EMPTIED));
    assertRefused(ErrorCode.LEASE_LOST, () -> finish(h, id, first, RepackOutcome.REPACK_EMPTIED));
  }

  @Test
  void aClaimThatLapsedAndThatNobodyTookLivesOn() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    long id = sealed(h);
    ripen(h);
    ByteString holder = WriteId.random();
    claim(h, holder, id);
    h.pass(ScmHarness.CLAIM.plus(A_SCAN));
    assertEquals(0, status(h).getClaimsCount());
    renew(h, id, holder);
    assertEquals(1, status(h).getClaimsCount());
    assertEquals(ContainerState.DELETED, finish(h, id, holder, RepackOutcome.REPACK_EMPTIED));
  }

  @Test
  void aNewLeaderGivesAHolderAWholeDuration() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    long id = sealed(h);
    ripen(h);
    ByteString holder = WriteId.random();
    claim(h, holder, id);
    h.scm = h.newScm();
    h.scm.follow();
    h.scm.won();
    h.heartbeats();
    h.heartbeats();
    h.pass(ScmHarness.CLAIM.minusSeconds(2));
    assertEquals(RepackWork.REPACK_NOTHING, claim(h).getWork());
    h.pass(A_SCAN.plusSeconds(2));
    ClaimContainerReply other = claim(h);
    assertEquals(RepackWork.REPACK_EMPTY, other.getWork(), "what was begun is ended");
    assertEquals(id, other.getContainer().getId());
    assertRefused(ErrorCode.LEASE_LOST, () -> finish(h, id, holder, RepackOutcome.REPACK_EMPTIED));
  }

  @Test
  void whatCannotBeReadIsKeptAndTriedAgainInAnHour() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    long id = sealed(h);
    ripen(h);
    ByteString holder = WriteId.random();
    claim(h, holder, id);
    assertEquals(ContainerState.REPACKING, finish(h, id, holder, RepackOutcome.REPACK_UNREADABLE));
    h.pass(A_SCAN);
    assertEquals(1, status(h).getUnreadable());
    h.pass(Duration.ofMinutes(59));
    assertEquals(RepackWork.REPACK_NOTHING, claim(h).getWork());
    h.pass(Duration.ofMinutes(2));
    assertEquals(id, claim(h).getContainer().getId());
  }

  @Test
  void whatWasNotFinishedIsTriedAgainInHalfAMinute() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    long id = sealed(h);
    ripen(h);
    ByteString holder = WriteId.random();
    claim(h, holder, id);
    assertEquals(ContainerState.REPACKING, finish(h, id, holder, RepackOutcome.REPACK_UNDONE));
    h.pass(Duration.ofSeconds(25));
    assertEquals(RepackWork.REPACK_NOTHING, claim(h).getWork());
    h.pass(Duration.ofSeconds(8));
    assertEquals(id, claim(h).getContainer().getId());
  }

  @Test
  void littleFilledOnesAreEmptiedTogetherOnly() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    FinishRepackRequest little =
        ALL_LIVES.toBuilder()
            .setLiveBytes(3 << 20)
            .setStoredBytes(5 << 20)
            .setNeededBytes(5 << 20)
            .build();
    Set<Long> ids = new HashSet<>();
    for (int i = 0; i < 7; i++) {
      ids.add(sealed(h));
    }
    ripen(h);
    surveyAll(h, 7, little);
    assertEquals(
        RepackWork.REPACK_NOTHING, claim(h).getWork(), "seven would become one, and so on");
    ids.add(sealed(h));
    ripen(h);
    surveyAll(h, 1, little);
    assertEquals(8, status(h).getToEmpty());
    for (int i = 0; i < 8; i++) {
      ClaimContainerReply claim = claim(h);
      assertEquals(RepackWork.REPACK_EMPTY, claim.getWork());
      assertTrue(ids.remove(claim.getContainer().getId()));
    }
  }

  private static void surveyAll(ScmHarness h, int count, FinishRepackRequest found)
      throws StoreException {
    for (int i = 0; i < count; i++) {
      ByteString holder = WriteId.random();
      ClaimContainerReply claim = claim(h, holder, 0);
      assertEquals(RepackWork.REPACK_SURVEY, claim.getWork());
      finish(h, claim.getContainer().getId(), holder, found);
    }
    h.pass(A_SCAN);
  }

  @Test
  void whatWasBegunComesBeforeWhatIsWorthMost() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    long small = sealed(h);
    long large = sealed(h);
    ripen(h);
    for (int i = 0; i < 2; i++) {
      ByteString holder = WriteId.random();
      long id = claim(h, holder, 0).getContainer().getId();
      finish(
          h,
          id,
          holder,
          ALL_LIVES.toBuilder().setNeededBytes(id == large ? 1 << 20 : 20 << 20).build());
    }
    h.pass(A_SCAN);
    assertEquals(large, claim(h).getContainer().getId(), "most is freed by it");
    ByteString holder = WriteId.random();
    assertEquals(small, claim(h, holder, 0).getContainer().getId());
    finish(h, small, holder, RepackOutcome.REPACK_UNDONE);
    long third = sealed(h);
    ripen(h);
    assertAllClaimsLapsed(h);
    assertNotEquals(third, claim(h).getContainer().getId());
    assertNotEquals(third, claim(h).getContainer().getId());
    assertEquals(third, claim(h).getContainer().getId());
  }

  private static void assertAllClaimsLapsed(ScmHarness h) throws StoreException {
    assertEquals(0, status(h).getClaimsCount());
    assertEquals(2, status(h).getToEmpty());
    assertEquals(1, status(h).getToSurvey());
  }

  @Test
  void whatAnObjectManagerCommittedLateIsJudgedAgain() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    long open = h.written(8192).getContainer().getId();
    long sealed = sealed(h);
    long begun = sealed(h);
    long gone = sealed(h);
    ripen(h);
    ByteString first = WriteId.random();
    claim(h, first, begun);
    ByteString holder = WriteId.random();
    claim(h, holder, gone);
    finish(h, gone, holder, RepackOutcome.REPACK_EMPTIED);
    List<Long> kept =
        h.scm
            .keepContainers(
                KeepContainersRequest.newBuilder()
                    .addAllIds(List.of(open, sealed, begun, gone, 12345L))
                    .build())
            .getKeptList();
    assertEquals(Set.of(open, sealed, begun), new HashSet<>(kept));
    // Whoever judged before the commit may not call it empty; he does not know yet.
    assertRefused(
        ErrorCode.LEASE_LOST, () -> finish(h, begun, first, RepackOutcome.REPACK_EMPTIED));
    assertEquals(ContainerState.REPACKING, h.container(begun).getState());
    assertNotEquals(first, h.store.read(begun).info().getRepackHolder());
    h.pass(ScmHarness.CLAIM.plus(A_SCAN));
    ByteString second = WriteId.random();
    assertEquals(begun, claim(h, second, begun).getContainer().getId());
    assertEquals(ContainerState.DELETED, finish(h, begun, second, RepackOutcome.REPACK_EMPTIED));
  }

  @Test
  void keepingLooksAtTheTableAndNotAtAMemory() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    long id = sealed(h);
    ripen(h);
    // Another leads, and has the container emptied; this one does not know of either yet.
    StorageContainerManager other = h.newScm();
    other.follow();
    StorageContainerManager before = h.scm;
    other.won();
    h.scm = other;
    h.heartbeats();
    h.heartbeats();
    ByteString holder = WriteId.random();
    claim(h, holder, id);
    // Its row is of a higher epoch: the old leader finds out, and says that it cannot answer.
    assertRefused(
        ErrorCode.NOT_LEADER,
        () -> before.keepContainers(KeepContainersRequest.newBuilder().addIds(id).build()));
    assertEquals(holder, h.store.read(id).info().getRepackHolder());
    finish(h, id, holder, RepackOutcome.REPACK_EMPTIED);
    assertEquals(
        List.of(),
        other.keepContainers(KeepContainersRequest.newBuilder().addIds(id).build()).getKeptList());
  }

  @Test
  void aContainerCanBeSurveyedAgain() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    long id = sealed(h);
    ripen(h);
    survey(h, id, ALL_LIVES);
    assertEquals(RepackWork.REPACK_NOTHING, claim(h).getWork());
    h.scm.resurveyContainers(
        ResurveyContainersRequest.newBuilder().addContainers(id).addContainers(12345).build());
    h.pass(A_SCAN);
    survey(h, id, ALL_LIVES.toBuilder().setLiveBytes(0).setNeededBytes(0).build());
    assertEquals(RepackWork.REPACK_EMPTY, claim(h).getWork(), "nothing in it lives");
  }
}

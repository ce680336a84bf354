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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.expiry.LifecycleRules;
import io.stowage.common.expiry.Retention;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.common.proto.DeleteBucketRequest;
import io.stowage.common.proto.DeleteObjectsRequest;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.ExtentReplacement;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.LegalHold;
import io.stowage.common.proto.LifecycleRule;
import io.stowage.common.proto.LifecycleRuleSet;
import io.stowage.common.proto.LockMode;
import io.stowage.common.proto.ObjectLock;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectToDelete;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.ReplaceExtentsReply;
import io.stowage.common.proto.ReplaceExtentsRequest;
import io.stowage.common.proto.SetObjectMetadataRequest;
import io.stowage.common.proto.UpdateBucketRequest;
import io.stowage.common.proto.Versioning;
import io.stowage.common.time.Pause;
import io.stowage.om.table.HookedRowStore;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.RowChange;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A version that is locked stays, whichever way somebody tries to be rid of it. */
class ObjectLockTest {
  private static final String BUCKET = "locked";

  private final AtomicLong jumped = new AtomicLong();
  private final TestOm.Tables tables = TestOm.Tables.inMemory();
  private final HookedRowStore hooked = new HookedRowStore(tables.objects());
  private TestOm om;

  @BeforeEach
  void start() throws Exception {
    Pause pause = duration -> jumped.addAndGet(duration.toNanos() + 1_000);
    om =
        new TestOm(
            TestOm.CONFIG,
            tables.withObjects(hooked),
            new FakeContainers(),
            new JumpingClock(jumped, Duration.ZERO),
            pause);
    om.om.createBucket(
        CreateBucketRequest.newBuilder()
            .setName(BUCKET)
            .setOwner("owner")
            .setWriteId(WriteId.random())
            .setVersioning(Versioning.ENABLED)
            .putSettings(Retention.SETTING, ByteString.copyFromUtf8("<on/>"))
            .build());
  }

  private void pass(int days) {
    jumped.addAndGet(Duration.ofDays(days).toNanos());
  }

  private ObjectLock.Builder until(LockMode mode, int days) {
    return ObjectLock.newBuilder()
        .setMode(mode)
        .setRetainUntilMicros(om.clock.wallMicros() + Duration.ofDays(days).toNanos() / 1_000);
  }

  private ObjectVersion put(String key, ObjectLock.Builder lock) throws StoreException {
    return om.om
        .putObject(
            om.putRequest(BUCKET, key, "content")
                .setMetadata(ObjectMetadata.newBuilder().setLock(lock))
                .build())
        .getVersion();
  }

  /** Error of deleting a version; 0 if it is gone. */
  private int delete(ObjectVersion version, boolean bypass) throws StoreException {
    return om.om
        .deleteObjects(
            DeleteObjectsRequest.newBuilder()
                .setBucket(BUCKET)
                .addObjects(
                    ObjectToDelete.newBuilder()
                        .setKey(version.getKey())
                        .setVersionId(version.getVersionId())
                        .setBypassGovernance(bypass)
                        .setWriteId(WriteId.random()))
                .build())
        .getObjects(0)
        .getErrorCode();
  }

  private ObjectVersion read(ObjectVersion version) throws StoreException {
    return om.om
        .getObject(
            GetObjectRequest.newBuilder()
                .setBucket(BUCKET)
                .setKey(version.getKey())
                .setVersionId(version.getVersionId())
                .build())
        .getVersion();
  }

  private void lock(ObjectVersion version, ObjectLock.Builder lock, boolean bypass)
      throws StoreException {
    ObjectVersion seen = read(version);
    om.om.setObjectMetadata(
        SetObjectMetadataRequest.newBuilder()
            .setBucket(BUCKET)
            .setKey(version.getKey())
            .setVersionId(version.getVersionId())
            .setStamp(seen.getStamp())
            .setMetadata(seen.getMetadata().toBuilder().setLock(lock))
            .setBypassGovernance(bypass)
            .build());
  }

  private interface Call {
    void run() throws Exception;
  }

  private static void denied(Call call) {
    StoreException e = assertThrows(StoreException.class, call::run);
    assertEquals(ErrorCode.ACCESS_DENIED, e.code(), e.getMessage());
  }

  private static final int DENIED = ErrorCode.ACCESS_DENIED.number();

  @Test
  void complianceHoldsUntilItsDateWhoeverAsks() throws Exception {
    ObjectVersion version = put("k", until(LockMode.COMPLIANCE, 2));
    assertEquals(DENIED, delete(version, true));
    denied(() -> lock(version, until(LockMode.COMPLIANCE, 1), true));
    denied(() -> lock(version, until(LockMode.GOVERNANCE, 9), true));
    denied(() -> lock(version, ObjectLock.newBuilder(), true));
    lock(version, until(LockMode.COMPLIANCE, 4), false);
    om.delete(BUCKET, "k"); // a delete marker may be put over it
    assertEquals(DENIED, delete(version, true));
    pass(3);
    assertEquals(DENIED, delete(version, true));
    pass(2);
    assertEquals(0, delete(version, false));
  }

  @Test
  void governanceYieldsToWhoMayBypassIt() throws Exception {
    ObjectVersion version = put("k", until(LockMode.GOVERNANCE, 2));
    assertEquals(DENIED, delete(version, false));
    denied(() -> lock(version, until(LockMode.GOVERNANCE, 1), false));
    denied(() -> lock(version, until(LockMode.COMPLIANCE, 3), false));
    denied(() -> lock(version, ObjectLock.newBuilder(), false));
    lock(version, until(LockMode.GOVERNANCE, 3), false);
    lock(version, until(LockMode.GOVERNANCE, 1), true);
    assertEquals(0, delete(version, true));
  }

  @Test
  void aLegalHoldHoldsUntilItIsTakenOff() throws Exception {
    ObjectVersion version = put("k", ObjectLock.newBuilder().setLegalHold(LegalHold.HOLD_ON));
    pass(1_000);
    assertEquals(DENIED, delete(version, true));
    lock(version, ObjectLock.newBuilder().setLegalHold(LegalHold.HOLD_OFF), false);
    assertEquals(0, delete(version, false));
  }

  @Test
  void holdsWhereMetadataAreInChunksToo() throws Exception {
    ObjectVersion version =
        om.om
            .putObject(
                om.putRequest(BUCKET, "k", "content")
                    .setMetadata(
                        ObjectMetadata.newBuilder()
                            .putUser("long", "x".repeat(1_500))
                            .setLock(until(LockMode.COMPLIANCE, 1)))
                    .build())
            .getVersion();
    assertTrue(om.chunks(ObjectRowLayout.row(om.bucketId(BUCKET), "k")) > 0);
    assertEquals(DENIED, delete(version, true));
    om.put(BUCKET, "k", "newer");
    assertEquals(DENIED, delete(version, true));
    assertEquals(1_500, read(version).getMetadata().getUserOrThrow("long").length());
    pass(2);
    assertEquals(0, delete(version, false));
  }

  @Test
  void aLockThatComesBeforeTheDeletionsMutationHolds() throws Exception {
    ObjectVersion version = put("k", ObjectLock.newBuilder());
    ByteString row = ObjectRowLayout.row(om.bucketId(BUCKET), "k");
    hooked.before(
        new HookedRowStore.Hook() {
          @Override
          public boolean matches(ByteString changed, RowChange change) {
            return changed.equals(row);
          }

          @Override
          public void act() throws IOException {
            try {
              lock(version, until(LockMode.COMPLIANCE, 1), false);
            } catch (StoreException e) {
              throw new IOException(e);
            }
          }
        });
    assertEquals(DENIED, delete(version, false));
    assertTrue(hooked.isDone());
    assertEquals(LockMode.COMPLIANCE, read(version).getMetadata().getLock().getMode());
  }

  @Test
  void isNotRenamedNorDeletedWithItsBucket() throws Exception {
    ObjectVersion version = put("k", until(LockMode.GOVERNANCE, 1));
    denied(() -> om.rename(BUCKET, "k", "elsewhere", true));
    om.put(BUCKET, "other", "x");
    om.rename(BUCKET, "other", "k", true); // a version above it
    assertNotNull(read(version));
    StoreException refused =
        assertThrows(
            StoreException.class,
            () ->
                om.om.deleteBucket(
                    DeleteBucketRequest.newBuilder()
                        .setName(BUCKET)
                        .setWriteId(WriteId.random())
                        .build()));
    assertEquals(ErrorCode.BUCKET_NOT_EMPTY, refused.code());
  }

  @Test
  void rulesOfLifecycleLeaveItAlone() throws Exception {
    ObjectVersion locked = put("k", until(LockMode.COMPLIANCE, 10));
    ObjectVersion free = put("k", ObjectLock.newBuilder());
    om.put(BUCKET, "k", "current");
    update(
        UpdateBucketRequest.newBuilder()
            .putPut(
                LifecycleRules.SETTING,
                LifecycleRuleSet.newBuilder()
                    .setFormat(1)
                    .addRules(LifecycleRule.newBuilder().setEnabled(true).setNoncurrentDays(1))
                    .build()
                    .toByteString()));
    pass(3);
    var tally = om.om.expirer(tables.regions(), record -> {}).round();
    assertEquals(1, tally.noncurrent());
    assertEquals(1, tally.kept());
    assertNotNull(read(locked));
    assertThrows(StoreException.class, () -> read(free));
    pass(10);
    assertEquals(1, om.om.expirer(tables.regions(), record -> {}).round().noncurrent());
  }

  private void update(UpdateBucketRequest.Builder request) throws StoreException {
    om.om.updateBucket(request.setName(BUCKET).setWriteId(WriteId.random()).build());
  }

  @Test
  void newVersionsAreLockedByTheBucketsDefault() throws Exception {
    update(
        UpdateBucketRequest.newBuilder()
            .putPut(Retention.DEFAULT_SETTING, Retention.defaultOf(LockMode.GOVERNANCE, 3)));
    ObjectVersion version = om.put(BUCKET, "k", "x");
    assertEquals(LockMode.GOVERNANCE, read(version).getMetadata().getLock().getMode());
    assertEquals(DENIED, delete(version, false));
    ObjectVersion own = put("own", until(LockMode.COMPLIANCE, 1));
    assertEquals(LockMode.COMPLIANCE, read(own).getMetadata().getLock().getMode());
    pass(4);
    assertEquals(0, delete(version, false));
  }

  @Test
  void versioningStaysAndSoDoesTheConfiguration() {
    for (UpdateBucketRequest.Builder change :
        new UpdateBucketRequest.Builder[] {
          UpdateBucketRequest.newBuilder().setVersioning(Versioning.SUSPENDED),
          UpdateBucketRequest.newBuilder().addRemove(Retention.SETTING)
        }) {
      StoreException e = assertThrows(StoreException.class, () -> update(change));
      assertEquals(ErrorCode.BUCKET_LOCKED, e.code());
    }
  }

  @Test
  void repackMovesALockedVersionAndItStaysLocked() throws Exception {
    ObjectVersion locked = put("k", until(LockMode.COMPLIANCE, 5));
    put("k", ObjectLock.newBuilder()); // it is no current one any more
    GetObjectRequest asked =
        GetObjectRequest.newBuilder()
            .setBucket(BUCKET)
            .setKey("k")
            .setVersionId(locked.getVersionId())
            .setWantManifest(true)
            .build();
    Extent extent = om.om.getObject(asked).getVersion().getManifest().getExtents(0);
    Extent elsewhere = TestOm.manifest("content".length(), 1).getExtents(0);
    assertEquals(
        ReplaceExtentsReply.Outcome.REPLACED,
        om.om
            .replaceExtents(
                ReplaceExtentsRequest.newBuilder()
                    .setRow(ObjectRowLayout.row(om.bucketId(BUCKET), "k"))
                    .setVersionId(locked.getVersionId())
                    .addReplacements(
                        ExtentReplacement.newBuilder().setFrom(extent).addTo(elsewhere))
                    .addGrants(om.grant())
                    .build())
            .getOutcome());
    ObjectVersion moved = om.om.getObject(asked).getVersion();
    assertEquals(elsewhere, moved.getManifest().getExtents(0));
    assertEquals(locked.getMetadata().getLock(), moved.getMetadata().getLock());
    assertEquals(ErrorCode.ACCESS_DENIED.number(), delete(moved, true));
    pass(6);
    assertEquals(0, delete(moved, false));
  }
}

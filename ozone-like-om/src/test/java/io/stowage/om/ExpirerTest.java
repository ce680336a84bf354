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
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.StoreException;
import io.stowage.common.event.EventRules;
import io.stowage.common.expiry.DayLength;
import io.stowage.common.expiry.LifecycleRules;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.EventRule;
import io.stowage.common.proto.EventRuleSet;
import io.stowage.common.proto.EventTarget;
import io.stowage.common.proto.Fact;
import io.stowage.common.proto.LifecycleRule;
import io.stowage.common.proto.LifecycleRuleSet;
import io.stowage.common.proto.LifecycleStatusReply;
import io.stowage.common.proto.LifecycleStatusRequest;
import io.stowage.common.proto.ListUploadsRequest;
import io.stowage.common.proto.ListVersionsRequest;
import io.stowage.common.proto.ListedVersion;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.RecordNeedle;
import io.stowage.common.proto.ScanEventsRequest;
import io.stowage.common.proto.UpdateBucketRequest;
import io.stowage.common.proto.Versioning;
import io.stowage.common.time.Pause;
import io.stowage.om.expiry.Expirer;
import io.stowage.om.expiry.Expirer.Tally;
import io.stowage.om.table.Column;
import io.stowage.om.table.HookedRowStore;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.RowChange;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Rules of lifecycle, applied over days that pass at once, by one object manager or two. */
class ExpirerTest {
  private static final String BUCKET = "expiring";

  private final AtomicLong jumped = new AtomicLong();
  private final TestOm.Tables tables = TestOm.Tables.inMemory();
  private final HookedRowStore hooked = new HookedRowStore(tables.objects());
  private TestOm om;
  private Expirer expirer;

  @BeforeEach
  void start() throws Exception {
    om = another();
    expirer = om.om.expirer(tables.regions(), record -> {});
    om.createBucket(BUCKET);
  }

  @AfterEach
  void disarm() {
    CrashPoint.disarmAll();
  }

  private TestOm another() {
    Pause pause = duration -> jumped.addAndGet(duration.toNanos() + 1_000);
    return new TestOm(
        TestOm.CONFIG,
        tables.withObjects(hooked),
        new FakeContainers(),
        new JumpingClock(jumped, Duration.ZERO),
        pause);
  }

  private void pass(int days) {
    jumped.addAndGet(Duration.ofDays(days).toNanos());
  }

  private void rules(LifecycleRule.Builder... rules) throws StoreException {
    LifecycleRuleSet.Builder set = LifecycleRuleSet.newBuilder().setFormat(1);
    for (LifecycleRule.Builder rule : rules) {
      set.addRules(rule.setEnabled(true).setId("rule " + set.getRulesCount()));
    }
    update(
        UpdateBucketRequest.newBuilder()
            .putPut(LifecycleRules.SETTING, set.build().toByteString()));
  }

  private void versioning(Versioning versioning) throws StoreException {
    update(UpdateBucketRequest.newBuilder().setVersioning(versioning));
  }

  private void update(UpdateBucketRequest.Builder request) throws StoreException {
    om.om.updateBucket(request.setName(BUCKET).setWriteId(WriteId.random()).build());
  }

  private static LifecycleRule.Builder rule(String prefix) {
    return LifecycleRule.newBuilder().setPrefix(prefix);
  }

  private void put(String key, ObjectMetadata metadata) throws StoreException {
    om.om.putObject(om.putRequest(BUCKET, key, "content").setMetadata(metadata).build());
  }

  /** What is there: keys, with what they hold where there are versions. */
  private List<String> listed() throws StoreException {
    List<String> all = new ArrayList<>();
    for (ListedVersion listed :
        om.om
            .listVersions(ListVersionsRequest.newBuilder().setBucket(BUCKET).build())
            .getVersionsList()) {
      all.add(
          listed.getVersion().getKey()
              + (listed.getVersion().getDeleteMarker() ? " marker" : "")
              + (listed.getLatest() ? "" : " old"));
    }
    return all;
  }

  @Test
  void deletesWhatIsOldEnoughAndFitsAndNothingElse() throws Exception {
    rules(
        rule("logs/").setDays(3),
        rule("tagged/").setDays(1).putTags("temporary", "yes"),
        rule("large/").setDays(1).setLeastSize(8));
    om.put(BUCKET, "logs/a", "x");
    om.put(BUCKET, "other", "x");
    om.put(BUCKET, "large/no", "1234567");
    om.put(BUCKET, "large/yes", "12345678");
    put("tagged/yes", ObjectMetadata.newBuilder().putTags("temporary", "yes").build());
    put("tagged/no", ObjectMetadata.newBuilder().putTags("temporary", "no").build());
    put(
        "tagged/in chunks",
        ObjectMetadata.newBuilder()
            .putTags("temporary", "yes")
            .putUser("long", "x".repeat(1_500))
            .build());
    assertEquals(0, expirer.round().removed());
    pass(2);
    om.put(BUCKET, "logs/b", "x");
    assertEquals(3, expirer.round().current());
    assertEquals(List.of("large/no", "logs/a", "logs/b", "other", "tagged/no"), listed());
    assertEquals(0, expirer.round().regions(), "once a day");
    pass(2);
    assertEquals(1, expirer.round().current());
    assertEquals(List.of("large/no", "logs/b", "other", "tagged/no"), listed());
  }

  /** Name, key and version's kind of every event, in the order of keys. */
  private List<String> events() throws StoreException {
    return om.om.scanEvents(ScanEventsRequest.getDefaultInstance()).getEventsList().stream()
        .map(
            event ->
                event.getNote().getName()
                    + " "
                    + event.getRow().substring(8).toStringUtf8()
                    + (event.getVersion().getDeleteMarker() ? " marker" : "")
                    + (event.getVersion().getVersionId() == 0 ? "" : " named"))
        .sorted()
        .toList();
  }

  @Test
  void everyDeletionIsToldAndNothingElse() throws Exception {
    EventRuleSet told =
        EventRuleSet.newBuilder()
            .setFormat(EventRules.FORMAT)
            .addRules(
                EventRule.newBuilder()
                    .setTarget(EventTarget.newBuilder().setArn("arn:x"))
                    .setPrefix("told/")
                    .addEvents("s3:LifecycleExpiration:*"))
            .build();
    update(UpdateBucketRequest.newBuilder().putPut(EventRules.SETTING, told.toByteString()));
    rules(rule("").setDays(1).setNoncurrentDays(1), rule("").setExpiredDeleteMarker(true));
    om.put(BUCKET, "told/plain", "x");
    om.put(BUCKET, "silent", "x");
    om.put(BUCKET, "told/overwritten", "old");
    pass(3);
    beforeHead("told/overwritten", () -> om.put(BUCKET, "told/overwritten", "new"));
    assertEquals(2, expirer.round().current());
    assertEquals(List.of("LifecycleExpiration:Delete told/plain"), events());
    versioning(Versioning.ENABLED);
    pass(2);
    assertEquals(1, expirer.round().current());
    assertEquals(
        List.of(
            "LifecycleExpiration:Delete told/plain",
            "LifecycleExpiration:DeleteMarkerCreated told/overwritten marker named"),
        events());
    pass(3);
    expirer.round();
    pass(3);
    expirer.round();
    assertEquals(List.of(), listed());
    assertEquals(
        List.of(
            "LifecycleExpiration:Delete told/overwritten marker named",
            "LifecycleExpiration:Delete told/overwritten named",
            "LifecycleExpiration:Delete told/plain",
            "LifecycleExpiration:DeleteMarkerCreated told/overwritten marker named"),
        events());
  }

  /** Or a rebuild of the namespace would bring it back. */
  @Test
  void whatIsDeletedIsToldAsIfItsOwnerHadDoneIt() throws Exception {
    om.put(BUCKET, "plain", "x");
    List<RecordNeedle> told = Collections.synchronizedList(new ArrayList<>());
    Expirer telling = om.om.expirer(tables.regions(), told::add);
    rules(rule("").setDays(2).setNoncurrentDays(2));
    pass(4);
    assertEquals(1, telling.round().removed());
    assertEquals(1, told.size());
    assertEquals("plain", told.get(0).getRowKey().toStringUtf8());
    assertTrue(told.get(0).getFact().hasDeleted());
    assertEquals(0, told.get(0).getFact().getDeleted().getVersionId());

    told.clear();
    versioning(Versioning.ENABLED);
    long older = om.put(BUCKET, "k", "older").getVersionId();
    om.put(BUCKET, "k", "newer");
    pass(4);
    assertEquals(2, telling.round().removed());
    assertEquals(2, told.size());
    Fact marked = told.get(0).getFact();
    assertTrue(marked.getCommitted().getVersion().getDeleteMarker(), marked.toString());
    assertTrue(marked.getCommitted().getVersion().getVersioned());
    assertEquals(older, told.get(1).getFact().getDeleted().getVersionId());
    assertTrue(told.get(1).getStamp() > told.get(0).getStamp());
  }

  @Test
  void expiresAtADate() throws Exception {
    om.put(BUCKET, "k", "x");
    long tomorrow = om.clock.wallMicros() + Duration.ofDays(1).toNanos() / 1_000;
    rules(rule("").setDateMicros(tomorrow));
    assertEquals(0, expirer.round().removed());
    pass(2);
    assertEquals(1, expirer.round().current());
    assertNull(om.get(BUCKET, "k"));
  }

  @Test
  void whatIsOverwrittenOrRetaggedMeanwhileStays() throws Exception {
    rules(rule("").setDays(1));
    om.put(BUCKET, "overwritten", "old");
    pass(3);
    beforeHead("overwritten", () -> om.put(BUCKET, "overwritten", "new"));
    Tally tally = expirer.round();
    assertTrue(hooked.isDone());
    assertEquals(0, tally.current());
    assertEquals(1, tally.kept());
    assertEquals(TestOm.md5("new"), om.get(BUCKET, "overwritten").getMd5());
  }

  @Test
  void rulesThatAreTakenBackMeanwhileAreNotApplied() throws Exception {
    rules(rule("").setDays(1));
    for (int i = 0; i < 1_200; i++) {
      om.put(BUCKET, "key-%04d".formatted(i), "x");
    }
    pass(3);
    TestOm other = another();
    CrashPoint.named("om.expire.after-page")
        .arm(
            () -> {
              CrashPoint.disarmAll();
              try {
                other.om.updateBucket(
                    UpdateBucketRequest.newBuilder()
                        .setName(BUCKET)
                        .addRemove(LifecycleRules.SETTING)
                        .setWriteId(WriteId.random())
                        .build());
              } catch (StoreException e) {
                throw new IllegalStateException(e);
              }
            });
    assertEquals(500, expirer.round().current());
    assertNotNull(om.get(BUCKET, "key-0500"));
  }

  private interface Act {
    void run() throws Exception;
  }

  /** Does something right before the head of a key is written. */
  private void beforeHead(String key, Act act) throws StoreException {
    ByteString row = ObjectRowLayout.row(om.bucketId(BUCKET), key);
    Column head = ObjectRowLayout.HEAD;
    hooked.before(
        new HookedRowStore.Hook() {
          @Override
          public boolean matches(ByteString changed, RowChange change) {
            return changed.equals(row) && change.puts().containsKey(head);
          }

          @Override
          public void act() throws IOException {
            try {
              act.run();
            } catch (Exception e) {
              throw new IOException(e);
            }
          }
        });
  }

  @Test
  void versionsBecomeNoncurrentThenGoAndTheMarkerAfterThem() throws Exception {
    versioning(Versioning.ENABLED);
    rules(rule("").setDays(2).setNoncurrentDays(3), rule("").setExpiredDeleteMarker(true));
    om.put(BUCKET, "k", "one");
    pass(1);
    om.put(BUCKET, "k", "two");
    assertEquals(0, expirer.round().removed());
    pass(3);
    // "two" is over two days old; "one" was replaced three days ago, not four.
    assertEquals(1, expirer.round().current());
    assertEquals(List.of("k marker", "k old", "k old"), listed());
    pass(2);
    Tally tally = expirer.round();
    assertEquals(1, tally.noncurrent());
    assertEquals(0, tally.markers());
    assertEquals(List.of("k marker", "k old"), listed());
    pass(3);
    tally = expirer.round();
    assertEquals(1, tally.noncurrent());
    assertEquals(1, tally.markers());
    assertEquals(List.of(), listed());
  }

  @Test
  void keepsAsManyNoncurrentVersionsAsTheRuleSays() throws Exception {
    versioning(Versioning.ENABLED);
    rules(rule("").setNoncurrentDays(1).setNewerNoncurrent(5));
    for (int i = 0; i < 600; i++) {
      om.put(BUCKET, "k", "version " + i);
    }
    pass(3);
    assertEquals(594, expirer.round().noncurrent());
    assertEquals(6, listed().size());
    assertEquals(TestOm.md5("version 599"), om.get(BUCKET, "k").getMd5());
    pass(3);
    assertEquals(0, expirer.round().removed());
  }

  @Test
  void expiresIntoTheNullVersionWhereVersioningIsSuspended() throws Exception {
    om.put(BUCKET, "k", "null version");
    versioning(Versioning.SUSPENDED);
    rules(rule("").setDays(1));
    pass(3);
    assertEquals(1, expirer.round().current());
    assertEquals(List.of("k marker"), listed());
    pass(3);
    assertEquals(1, expirer.round().markers());
    assertEquals(List.of(), listed());
  }

  @Test
  void abortsUploadsThatNobodyCompleted() throws Exception {
    rules(rule("a/").setAbortDays(2));
    om.createUpload(BUCKET, "a/k");
    om.createUpload(BUCKET, "a/k");
    om.createUpload(BUCKET, "b/k");
    pass(1);
    om.createUpload(BUCKET, "a/new");
    pass(2);
    assertEquals(2, expirer.round().uploads());
    assertEquals(
        List.of("a/new", "b/k"),
        om
            .om
            .listUploads(ListUploadsRequest.newBuilder().setBucket(BUCKET).build())
            .getUploadsList()
            .stream()
            .map(upload -> upload.getKey())
            .toList());
  }

  @Test
  void whoeverTakesARunOverGoesOnWhereItWasLeft() throws Exception {
    rules(rule("").setDays(1));
    for (int i = 0; i < 1_700; i++) {
      om.put(BUCKET, "key-%04d".formatted(i), "x");
    }
    pass(3);
    AtomicLong pages = new AtomicLong();
    CrashPoint.named("om.expire.after-page")
        .arm(
            () -> {
              jumped.addAndGet(Duration.ofSeconds(61).toNanos()); // a sign of life is due
              if (pages.incrementAndGet() == 3) {
                throw new CrashPoint.Crash("page");
              }
            });
    assertThrows(CrashPoint.Crash.class, () -> expirer.round());
    CrashPoint.disarmAll();
    Expirer other = another().om.expirer(tables.regions(), record -> {});
    assertEquals(0, other.round().regions(), "claimed");
    jumped.addAndGet(Duration.ofMinutes(3).toNanos());
    Tally tally = other.round();
    assertEquals(1, tally.regions());
    assertEquals(200, tally.current());
    assertTrue(tally.looked() <= 1_000, tally.looked() + " looked at again");
    assertEquals(List.of(), listed());
    assertEquals(0, expirer.round().regions(), "done for today");
  }

  @Test
  void whatCannotBeReadHoldsUpNothingBehindIt() throws Exception {
    rules(rule("").setDays(1).setAbortDays(1));
    om.createBucket("a-bucket");
    om.om.updateBucket(
        UpdateBucketRequest.newBuilder()
            .setName("a-bucket")
            .setWriteId(WriteId.random())
            .putPut(LifecycleRules.SETTING, ByteString.copyFromUtf8("\1no rules"))
            .build());
    for (String key : List.of("a", "b", "c")) {
      om.put(BUCKET, key, "x");
      ByteString id = om.createUpload(BUCKET, key);
      if (key.equals("b")) {
        ByteString nonsense = ByteString.copyFromUtf8("\1nonsense");
        RowChange spoiled =
            new RowChange(om.get(BUCKET, key).getStamp() + 1_000_000)
                .put(ObjectRowLayout.HEAD, nonsense)
                .put(ObjectRowLayout.uploadHeader(id), nonsense);
        ByteString row = ObjectRowLayout.row(om.bucketId(BUCKET), key);
        tables.objects().mutate(row, spoiled, Duration.ofSeconds(10));
      }
    }
    pass(3);
    Tally tally = expirer.round();
    assertEquals(2, tally.current());
    assertEquals(2, tally.uploads());
    assertEquals(3, tally.failed(), "a key, an upload and the rules of a bucket");
    assertEquals(1, status().getRegionsDone());
    assertEquals(3, status().getPassedOver());
    assertEquals(0, expirer.round().regions(), "done for today");
  }

  private LifecycleStatusReply status() throws StoreException {
    return om.om.lifecycleStatus(LifecycleStatusRequest.getDefaultInstance());
  }

  @Test
  void howFarItIsIsToldByWhomeverIsAsked() throws Exception {
    assertEquals(0, status().getBuckets());
    assertEquals(0, status().getRegions());
    rules(rule("").setDays(1));
    assertEquals(1, status().getBuckets());
    assertEquals(1, expirer.round().regions());
    LifecycleStatusReply done = status();
    assertEquals(1, done.getRegions());
    assertEquals(1, done.getRegionsDone());
    assertEquals(0, done.getRegionsAtWork());
    assertTrue(done.getOldestDoneMicros() > 0);
    assertEquals(Duration.ofDays(1), Duration.ofNanos(done.getPeriodMicros() * 1_000));
    pass(1);
    assertEquals(0, status().getRegionsDone(), "another day");
    om.put(BUCKET, "key", "x");
    CrashPoint.named("om.expire.after-page")
        .arm(
            () -> {
              throw new CrashPoint.Crash("page");
            });
    pass(2);
    assertThrows(CrashPoint.Crash.class, () -> expirer.round());
    CrashPoint.disarmAll();
    assertEquals(1, status().getRegionsAtWork());
    assertEquals(0, status().getRegionsDone());
    jumped.addAndGet(Duration.ofMinutes(3).toNanos());
    assertEquals(0, status().getRegionsAtWork(), "the claim is over");
    assertEquals(1, expirer.round().regions());
    assertEquals(1, status().getRegionsDone());
    assertTrue(status().getOldestDoneMicros() > done.getOldestDoneMicros());
  }

  @Test
  void deletionsKeepToTheirRate() throws Exception {
    OmConfig usual = TestOm.CONFIG;
    OmConfig slow =
        new OmConfig(
            usual.namespace(),
            usual.defaultPolicy(),
            usual.commitWindow(),
            usual.clockBound(),
            usual.mutationDeadline(),
            usual.bucketCacheAge(),
            usual.collecting(),
            new OmConfig.Expiring(DayLength.REAL, 10));
    Pause pause = duration -> jumped.addAndGet(duration.toNanos() + 1_000);
    TestOm patient =
        new TestOm(
            slow,
            tables.withObjects(hooked),
            new FakeContainers(),
            new JumpingClock(jumped, Duration.ZERO),
            pause);
    rules(rule("").setDays(1));
    for (int i = 0; i < 50; i++) {
      om.put(BUCKET, "key-" + i, "x");
    }
    pass(3);
    long begin = jumped.get();
    assertEquals(50, patient.om.expirer(tables.regions(), record -> {}).round().current());
    Duration took = Duration.ofNanos(jumped.get() - begin);
    assertTrue(took.compareTo(Duration.ofSeconds(4)) > 0, took::toString);
  }
}

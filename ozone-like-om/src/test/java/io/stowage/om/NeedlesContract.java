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
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.ExtentReplacement;
import io.stowage.common.proto.JudgedNeedle;
import io.stowage.common.proto.NeedleHolder;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.PutPartRequest;
import io.stowage.common.proto.RenameObjectRequest;
import io.stowage.common.proto.ReplaceExtentsReply.Outcome;
import io.stowage.common.proto.ReplaceExtentsRequest;
import io.stowage.common.time.StoreClock;
import io.stowage.om.table.CountingRowStore;
import io.stowage.om.table.ObjectRowLayout;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Which needles are dead, and how manifests are pointed at copies; over any table. */
abstract class NeedlesContract {
  private TestOm.Tables tables;
  private TestOm om;
  private String bucket;
  private long bucketId;

  abstract TestOm.Tables tables() throws Exception;

  @BeforeEach
  void open() throws Exception {
    tables = tables();
    om = new TestOm(tables, new FakeContainers(), StoreClock.system());
    bucket = "needles" + System.nanoTime();
    om.createBucket(bucket);
    bucketId = om.bucketId(bucket);
  }

  @AfterEach
  void disarm() {
    CrashPoint.disarmAll();
  }

  private ByteString row(String key) {
    return ObjectRowLayout.row(bucketId, key);
  }

  private static List<ByteString> holders(JudgedNeedle judged) {
    return judged.getHoldersList().stream().map(NeedleHolder::getRow).toList();
  }

  private JudgedNeedle judge(String key, Extent extent) throws StoreException {
    return om.judge(row(key), extent);
  }

  private Extent extent(String key) throws StoreException {
    return om.get(bucket, key).getManifest().getExtents(0);
  }

  private static Extent copyOf(Extent extent) {
    return TestOm.manifest(extent.getLength() - extent.getHeaderLength(), 1).getExtents(0);
  }

  private Outcome replace(String key, Extent from, Extent... to) throws StoreException {
    return om.replace(row(key), from, to);
  }

  @Test
  void aNeedleLivesAsLongAsAHeadNamesItsAddress() throws Exception {
    om.put(bucket, "k", "one");
    Extent one = extent("k");
    JudgedNeedle judged = judge("k", one);
    assertEquals(List.of(row("k")), holders(judged));
    assertEquals(one, judged.getHolders(0).getExtent());
    assertTrue(judge("k", copyOf(one)).getDead());
    assertTrue(judge("other", one).getDead());
    assertTrue(judge("k", one.toBuilder().setFirstShard(1).build()).getDead());
    om.put(bucket, "k", "two");
    assertTrue(judge("k", one).getDead());
    om.delete(bucket, "k");
    assertTrue(judge("k", one).getDead());
  }

  @Test
  void aNeedleIsFoundWhereverItsKeyWasRenamedTo() throws Exception {
    om.put(bucket, "a", "x");
    Extent x = extent("a");
    for (String step : List.of("a b", "b c", "c b", "b d", "d a", "a e")) {
      om.rename(bucket, step.substring(0, 1), step.substring(2), true);
      assertEquals(List.of(row(step.substring(2))), holders(judge("a", x)), step);
    }
    om.delete(bucket, "e");
    assertTrue(judge("a", x).getDead());
  }

  @Test
  void aRenameUnderWayCountsForBothItsEnds() throws Exception {
    for (String point : List.of("om.rename.after-pending", "om.rename.after-moved")) {
      om.put(bucket, "s", "x");
      om.put(bucket, "t", "y");
      Extent x = extent("s");
      Extent y = extent("t");
      CrashPoint.named(point)
          .arm(
              () -> {
                throw new CrashPoint.Crash(point);
              });
      assertThrows(CrashPoint.Crash.class, () -> om.rename(bucket, "s", "t", true));
      CrashPoint.disarmAll();
      assertTrue(judge("s", x).getHoldersCount() > 0, point);
      assertEquals(List.of(row("t")), holders(judge("t", y)), point);
      om.delete(bucket, "t");
      om.delete(bucket, "s");
      assertTrue(judge("s", x).getDead(), point);
      assertTrue(judge("t", y).getDead(), point);
    }
  }

  @Test
  void partsOfManyUploadsAreReadInPieces() throws Exception {
    CountingRowStore counted = new CountingRowStore(tables.objects());
    TestOm counting =
        new TestOm(tables.withObjects(counted), new FakeContainers(), StoreClock.system());
    Extent last = null;
    ByteString upload = null;
    for (int i = 0; i < 3; i++) {
      upload = om.createUpload(bucket, "k");
      for (int number = 1; number <= 400; number++) {
        PutPartRequest part = om.partRequest(bucket, "k", upload, number, "part", 10).build();
        om.om.putPart(part);
        last = part.getPart().getManifest().getExtents(0);
      }
    }
    JudgedNeedle judged = counting.judge(row("k"), last);
    assertEquals(upload, judged.getHolders(0).getUploadId());
    assertEquals(400, judged.getHolders(0).getPartNumber());
    assertTrue(judged.getHolders(0).getStamp() > 0);
    assertTrue(counting.judge(row("k"), copyOf(last)).getDead());
    assertTrue(counted.largest() <= 1_000, "cells in one answer: " + counted.largest());
  }

  @Test
  void partsLiveAsLongAsTheirUploadAndThenInItsObject() throws Exception {
    ByteString upload = om.createUpload(bucket, "k");
    PutPartRequest first = om.partRequest(bucket, "k", upload, 1, "one", 10).build();
    PutPartRequest second = om.partRequest(bucket, "k", upload, 2, "two", 10).build();
    om.om.putPart(first);
    om.om.putPart(second);
    Extent one = first.getPart().getManifest().getExtents(0);
    Extent two = second.getPart().getManifest().getExtents(0);
    assertEquals(upload, judge("k", one).getHolders(0).getUploadId());
    assertEquals(2, judge("k", two).getHolders(0).getPartNumber());

    Extent copy = copyOf(one);
    assertEquals(Outcome.REPLACED, om.replacePart(row("k"), upload, 1, one, copy));
    assertEquals(Outcome.REPLACED, om.replacePart(row("k"), upload, 1, one, copy));
    assertEquals(Outcome.CHANGED, om.replacePart(row("k"), upload, 1, one, copyOf(one)));
    assertTrue(judge("k", one).getDead());

    om.om.completeUpload(
        TestOm.completeRequest(bucket, "k", upload, TestOm.named(1, "one")).build());
    assertEquals(copy, extent("k"));
    assertEquals(List.of(row("k")), holders(judge("k", copy)));
    assertTrue(judge("k", two).getDead(), "the part that was not named");
    assertEquals(Outcome.CHANGED, om.replacePart(row("k"), upload, 1, copy, copyOf(one)));
  }

  @Test
  void aFrozenUploadIsLeftAlone() throws Exception {
    ByteString upload = om.createUpload(bucket, "k");
    PutPartRequest part = om.partRequest(bucket, "k", upload, 1, "one", 10).build();
    om.om.putPart(part);
    Extent one = part.getPart().getManifest().getExtents(0);
    CrashPoint.named("om.complete.after-freeze")
        .arm(
            () -> {
              throw new CrashPoint.Crash("freeze");
            });
    var request = TestOm.completeRequest(bucket, "k", upload, TestOm.named(1, "one")).build();
    assertThrows(CrashPoint.Crash.class, () -> om.om.completeUpload(request));
    CrashPoint.disarmAll();
    assertEquals(1, judge("k", one).getHoldersCount());
    assertEquals(Outcome.CHANGED, om.replacePart(row("k"), upload, 1, one, copyOf(one)));
    om.om.completeUpload(request);
    assertEquals(one, extent("k"));
  }

  @Test
  void replacingChangesTheManifestAndTheStampAndNothingElse() throws Exception {
    ObjectVersion before = om.put(bucket, "k", "content");
    Extent from = extent("k");
    Extent to = copyOf(from);
    assertEquals(Outcome.REPLACED, replace("k", from, to));
    ObjectVersion after = om.get(bucket, "k");
    assertEquals(List.of(to), after.getManifest().getExtentsList());
    assertTrue(after.getStamp() > before.getStamp());
    assertEquals(
        before,
        after.toBuilder().setStamp(before.getStamp()).clearManifest().clearPartLengths().build());
    // Repeated, by one whose answer was lost; late, by one who copied in vain.
    assertEquals(Outcome.REPLACED, replace("k", from, to));
    assertEquals(after, om.get(bucket, "k"));
    assertEquals(Outcome.CHANGED, replace("k", from, copyOf(from)));
    assertEquals(Outcome.CHANGED, replace("nobody", from, to));
    om.delete(bucket, "k");
    assertEquals(Outcome.CHANGED, replace("k", to, copyOf(to)));
    assertNull(om.get(bucket, "k"));
  }

  @Test
  void aPutThatIsRepeatedAfterAReplacementFindsItself() throws Exception {
    PutObjectRequest request = om.putRequest(bucket, "k", "content").build();
    om.om.putObject(request);
    Extent to = copyOf(extent("k"));
    assertEquals(Outcome.REPLACED, replace("k", extent("k"), to));
    om.om.putObject(request);
    assertEquals(to, extent("k"));
  }

  @Test
  void aRenameBetweenIsFollowedByItsNewRow() throws Exception {
    om.put(bucket, "a", "x");
    Extent from = extent("a");
    ByteString id = WriteId.random();
    CrashPoint.named("om.rename.after-pending")
        .arm(
            () -> {
              CrashPoint.disarmAll();
              try {
                assertEquals(Outcome.REPLACED, replace("a", from, copyOf(from)));
              } catch (StoreException e) {
                throw new AssertionError(e);
              }
            });
    om.om.renameObject(
        RenameObjectRequest.newBuilder()
            .setBucket(bucket)
            .setSource("a")
            .setTarget("b")
            .setWriteId(id)
            .build());
    Extent there = extent("b");
    assertTrue(judge("a", from).getDead(), "the rename took the manifest as it was replaced");
    assertEquals(List.of(row("b")), holders(judge("a", there)));
    assertEquals(Outcome.CHANGED, replace("a", there, copyOf(there)));
    Extent again = copyOf(there);
    assertEquals(Outcome.REPLACED, replace("b", there, again));
    assertEquals(List.of(row("b")), holders(judge("a", again)), "needles keep their origin");
  }

  @Test
  void manifestsGrowIntoChunksAndShrinkOutOfThem() throws Exception {
    om.om.putObject(om.putRequest(bucket, "k", "0123456789").build());
    Extent whole = extent("k");
    Extent[] pieces = new Extent[10];
    for (int i = 0; i < pieces.length; i++) {
      pieces[i] = TestOm.manifest(1, 1).getExtents(0);
    }
    assertEquals(Outcome.REPLACED, replace("k", whole, pieces));
    assertEquals(List.of(pieces), om.get(bucket, "k").getManifest().getExtentsList());
    assertEquals(List.of(row("k")), holders(judge("k", pieces[9])));
    Extent other = copyOf(pieces[3]);
    assertEquals(Outcome.REPLACED, replace("k", pieces[3], other));
    assertEquals(other, om.get(bucket, "k").getManifest().getExtents(3));
    assertEquals(1, om.chunks(row("k")), "the chunks replaced are gone");

    CrashPoint.named("om.rewrite.after-chunks")
        .arm(
            () -> {
              throw new CrashPoint.Crash("chunks");
            });
    assertThrows(CrashPoint.Crash.class, () -> replace("k", pieces[4], copyOf(pieces[4])));
    CrashPoint.disarmAll();
    assertEquals(pieces[4], om.get(bucket, "k").getManifest().getExtents(4));

    List<ExtentReplacement> back =
        om.get(bucket, "k").getManifest().getExtentsList().stream()
            .skip(8)
            .map(
                extent ->
                    ExtentReplacement.newBuilder().setFrom(extent).addTo(copyOf(extent)).build())
            .toList();
    assertEquals(
        Outcome.REPLACED,
        om.om
            .replaceExtents(
                ReplaceExtentsRequest.newBuilder()
                    .setRow(row("k"))
                    .addAllReplacements(back)
                    .addGrants(om.grant())
                    .build())
            .getOutcome());
    assertEquals(back.get(1).getTo(0), om.get(bucket, "k").getManifest().getExtents(9));
  }

  @Test
  void whatIsNotTheSameBytesIsRefused() throws Exception {
    om.put(bucket, "k", "content");
    Extent from = extent("k");
    StoreException e =
        assertThrows(
            StoreException.class,
            () -> replace("k", from, from.toBuilder().setLength(from.getLength() + 1).build()));
    assertEquals(ErrorCode.INVALID_ARGUMENT, e.code());
    e =
        assertThrows(
            StoreException.class,
            () -> replace("k", from, copyOf(from).toBuilder().setEpoch(5).build()));
    assertEquals(ErrorCode.INVALID_ARGUMENT, e.code(), "no lease of it is named");
  }
}

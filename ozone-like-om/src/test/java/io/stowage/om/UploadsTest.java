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
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.AbortUploadRequest;
import io.stowage.common.proto.Checksum;
import io.stowage.common.proto.ChecksumAlgorithm;
import io.stowage.common.proto.CompletePart;
import io.stowage.common.proto.CompleteUploadReply;
import io.stowage.common.proto.CompleteUploadRequest;
import io.stowage.common.proto.Condition;
import io.stowage.common.proto.CreateUploadRequest;
import io.stowage.common.proto.ListPartsReply;
import io.stowage.common.proto.ListPartsRequest;
import io.stowage.common.proto.ListUploadsReply;
import io.stowage.common.proto.ListUploadsRequest;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.PutPartRequest;
import io.stowage.common.proto.UploadedPart;
import io.stowage.common.time.StoreClock;
import io.stowage.om.table.BatchingRowStore;
import io.stowage.om.table.HBaseFixture;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import java.util.zip.CRC32;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class UploadsTest {
  private static final long FULL = 5L << 20;
  private static final String BUCKET = "uploads";

  private TestOm om;

  @BeforeEach
  void createABucket() throws StoreException {
    om = TestOm.inMemory();
    om.createBucket(BUCKET);
  }

  @AfterEach
  void disarm() {
    CrashPoint.disarmAll();
  }

  private CompleteUploadRequest threeParts(ByteString id) throws StoreException {
    om.putPart(BUCKET, "k", id, 7, "seven", 100);
    om.putPart(BUCKET, "k", id, 2, "old two", FULL);
    om.putPart(BUCKET, "k", id, 2, "two", FULL + 1);
    om.putPart(BUCKET, "k", id, 5, "five", FULL);
    om.putPart(BUCKET, "k", id, 9, "unused", FULL);
    return TestOm.completeRequest(
            BUCKET,
            "k",
            id,
            TestOm.named(2, "two"),
            TestOm.named(5, "five"),
            TestOm.named(7, "seven"))
        .build();
  }

  @Test
  void completesOnceHoweverOftenItIsAsked() throws StoreException {
    ObjectMetadata metadata = ObjectMetadata.newBuilder().putUser("a", "b").build();
    ByteString id =
        om.om
            .createUpload(
                CreateUploadRequest.newBuilder()
                    .setBucket(BUCKET)
                    .setKey("k")
                    .setWriteId(WriteId.random())
                    .setMetadata(metadata)
                    .build())
            .getUploadId();
    CompleteUploadRequest request = threeParts(id);
    ObjectVersion done = om.om.completeUpload(request).getVersion();
    ObjectVersion got = om.get(BUCKET, "k");
    ByteString joined = TestOm.md5("two").concat(TestOm.md5("five")).concat(TestOm.md5("seven"));
    assertEquals(TestOm.md5(joined.toByteArray()), got.getMd5());
    assertEquals(3, got.getPartCount());
    assertEquals(2 * FULL + 101, got.getLength());
    assertEquals(2 * FULL + 101, got.getManifest().getLength());
    assertEquals(List.of(FULL + 1, FULL, 100L), got.getPartLengthsList());
    assertEquals(3, got.getManifest().getExtentsCount());
    assertEquals(metadata, got.getMetadata());

    assertEquals(done, om.om.completeUpload(request).getVersion());
    CompleteUploadRequest another = request.toBuilder().setWriteId(WriteId.random()).build();
    assertEquals(done, om.om.completeUpload(another).getVersion());
    om.put(BUCKET, "k", "later");
    assertEquals(done, om.om.completeUpload(request).getVersion());
    assertEquals(done, om.om.completeUpload(another).getVersion());
    assertEquals(TestOm.md5("later"), om.get(BUCKET, "k").getMd5());
    fails(ErrorCode.NO_SUCH_UPLOAD, () -> om.putPart(BUCKET, "k", id, 1, "x", 1));
    fails(ErrorCode.NO_SUCH_UPLOAD, () -> parts(id, 0, 10));
    assertEquals(0, uploads("", "", "", ByteString.EMPTY, 10).getUploadsCount());
  }

  @Test
  void refusesWhatS3Refuses() throws StoreException {
    ByteString id = om.createUpload(BUCKET, "k");
    CompleteUploadRequest good = threeParts(id);
    CompletePart two = TestOm.named(2, "two");
    CompletePart five = TestOm.named(5, "five");
    CompletePart seven = TestOm.named(7, "seven");
    refuses(ErrorCode.INVALID_PART_ORDER, id, five, two);
    refuses(ErrorCode.INVALID_PART_ORDER, id, two, two);
    refuses(ErrorCode.INVALID_PART, id, TestOm.named(2, "old two"));
    refuses(ErrorCode.INVALID_PART, id, TestOm.named(3, "two"));
    refuses(ErrorCode.PART_TOO_SMALL, id, seven, TestOm.named(9, "unused"));
    refuses(ErrorCode.INVALID_ARGUMENT, id);
    fails(
        ErrorCode.INVALID_ARGUMENT,
        () -> om.om.completeUpload(good.toBuilder().setLength(3).build()));
    fails(ErrorCode.INVALID_ARGUMENT, () -> om.putPart(BUCKET, "k", id, 0, "x", 1));
    fails(ErrorCode.INVALID_ARGUMENT, () -> om.putPart(BUCKET, "k", id, 10_001, "x", 1));
    fails(ErrorCode.NO_SUCH_UPLOAD, () -> om.putPart(BUCKET, "other", id, 1, "x", 1));
    om.put(BUCKET, "k", "there");
    CompleteUploadRequest onlyNew =
        good.toBuilder().setCondition(Condition.newBuilder().setMustBeAbsent(true)).build();
    fails(ErrorCode.PRECONDITION_FAILED, () -> om.om.completeUpload(onlyNew));
    om.putPart(BUCKET, "k", id, 3, "thawed", 1);
    om.delete(BUCKET, "k");
    om.om.completeUpload(onlyNew);
    assertEquals(3, om.get(BUCKET, "k").getPartCount());
  }

  private void refuses(ErrorCode code, ByteString id, CompletePart... parts) {
    fails(code, () -> om.om.completeUpload(TestOm.completeRequest(BUCKET, "k", id, parts).build()));
  }

  @Test
  void abortsForGood() throws StoreException {
    ByteString id = om.createUpload(BUCKET, "k");
    CompleteUploadRequest request = threeParts(id);
    AbortUploadRequest abort =
        AbortUploadRequest.newBuilder().setBucket(BUCKET).setKey("k").setUploadId(id).build();
    om.om.abortUpload(abort);
    om.om.abortUpload(abort);
    fails(ErrorCode.NO_SUCH_UPLOAD, () -> om.om.completeUpload(request));
    assertNull(om.get(BUCKET, "k"));
    AbortUploadRequest unknown = abort.toBuilder().setUploadId(WriteId.random()).build();
    fails(ErrorCode.NO_SUCH_UPLOAD, () -> om.om.abortUpload(unknown));
  }

  @Test
  void aPartSentTwiceIsStoredOnceAndAnOldOneDoesNotComeBack() throws StoreException {
    ByteString id = om.createUpload(BUCKET, "k");
    PutPartRequest first = om.partRequest(BUCKET, "k", id, 1, "one", 10).build();
    om.om.putPart(first);
    om.om.putPart(first);
    om.putPart(BUCKET, "k", id, 1, "two", 20);
    om.om.putPart(first);
    ListPartsReply reply = parts(id, 0, 10);
    assertEquals(1, reply.getPartsCount());
    assertEquals(20, reply.getParts(0).getLength());
    assertFalse(reply.getParts(0).hasManifest());
  }

  @Test
  void listsPartsAndUploadsByPages() throws StoreException {
    ByteString id = om.createUpload(BUCKET, "k");
    for (int i = 1; i <= 25; i++) {
      om.putPart(BUCKET, "k", id, i * 100, "p" + i, i);
    }
    List<Integer> numbers = new ArrayList<>();
    int after = 0;
    ListPartsReply page;
    do {
      page = parts(id, after, 10);
      page.getPartsList().forEach(part -> numbers.add(part.getNumber()));
      after = numbers.get(numbers.size() - 1);
    } while (page.getMore());
    assertEquals(25, numbers.size());
    assertEquals(2_500, numbers.get(24));
    assertEquals("k", page.getUpload().getKey());

    om.createUpload(BUCKET, "k");
    om.createUpload(BUCKET, "dir/a");
    om.createUpload(BUCKET, "dir/b");
    om.put(BUCKET, "k", "not an upload");
    List<String> found = new ArrayList<>();
    String key = "";
    ByteString upload = ByteString.EMPTY;
    while (true) {
      ListUploadsReply uploads = uploads("", "", key, upload, 1);
      uploads.getUploadsList().forEach(u -> found.add(u.getKey()));
      if (!uploads.getMore()) {
        break;
      }
      key = uploads.getUploads(0).getKey();
      upload = uploads.getUploads(0).getUploadId();
    }
    assertEquals(List.of("dir/a", "dir/b", "k", "k"), found);
    ListUploadsReply delimited = uploads("", "/", "", ByteString.EMPTY, 10);
    assertEquals(List.of("dir/"), delimited.getCommonPrefixesList());
    assertEquals(2, delimited.getUploadsCount());
    assertEquals(2, uploads("dir/", "/", "", ByteString.EMPTY, 10).getUploadsCount());
  }

  /** Uploads, replaces and lists parts at random, beside another upload of the same key. */
  @Test
  void listsPartsAsAModelDoesWhateverTheMarkerAndThePage() throws StoreException {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    ByteString id = om.createUpload(BUCKET, "k");
    ByteString other = om.createUpload(BUCKET, "k");
    TreeMap<Integer, String> model = new TreeMap<>();
    for (int round = 0; round < 20; round++) {
      for (int i = random.nextInt(30); i >= 0; i--) {
        // The ends of the range, numbers next to one another, and any.
        int number =
            switch (random.nextInt(4)) {
              case 0 -> random.nextBoolean() ? 1 : 10_000;
              case 1 -> 250 + random.nextInt(20);
              default -> 1 + random.nextInt(10_000);
            };
        String content = "content " + random.nextInt();
        int length = 1 + random.nextInt(1_000);
        om.putPart(BUCKET, "k", id, number, content, length);
        model.put(number, number + " " + TestOm.md5(content).hashCode() + " " + length);
        om.putPart(BUCKET, "k", other, 1 + random.nextInt(10_000), "not of it", 1);
      }
      for (int i = 0; i < 20; i++) {
        int after = random.nextInt(3) == 0 ? 0 : random.nextInt(10_005);
        int limit = random.nextInt(10) == 0 ? 1_000 : 1 + random.nextInt(40);
        String what = "seed " + seed + ", after " + after + ", limit " + limit;
        List<String> listed = new ArrayList<>();
        int marker = after;
        while (true) {
          ListPartsReply page = parts(id, marker, limit);
          assertTrue(page.getPartsCount() <= limit, what);
          for (UploadedPart part : page.getPartsList()) {
            listed.add(part.getNumber() + " " + part.getMd5().hashCode() + " " + part.getLength());
            marker = part.getNumber();
          }
          if (!page.getMore()) {
            break;
          }
          assertEquals(limit, page.getPartsCount(), what);
        }
        assertEquals(List.copyOf(model.tailMap(after, false).values()), listed, what);
      }
    }
  }

  private ListPartsReply parts(ByteString id, int after, int limit) throws StoreException {
    return om.om.listParts(
        ListPartsRequest.newBuilder()
            .setBucket(BUCKET)
            .setKey("k")
            .setUploadId(id)
            .setAfter(after)
            .setLimit(limit)
            .build());
  }

  private ListUploadsReply uploads(
      String prefix, String delimiter, String key, ByteString upload, int limit)
      throws StoreException {
    return om.om.listUploads(
        ListUploadsRequest.newBuilder()
            .setBucket(BUCKET)
            .setPrefix(prefix)
            .setDelimiter(delimiter)
            .setKeyMarker(key)
            .setUploadIdMarker(upload)
            .setLimit(limit)
            .build());
  }

  @Test
  void checksumsOfTheWholeFollowFromThoseOfTheParts() throws StoreException {
    byte[] one = "one".repeat(2_000_000).getBytes(StandardCharsets.US_ASCII);
    byte[] two = "two".getBytes(StandardCharsets.US_ASCII);
    CRC32 whole = new CRC32();
    whole.update(one);
    whole.update(two);
    CRC32 composite = new CRC32();
    composite.update(crc(one).toByteArray());
    composite.update(crc(two).toByteArray());
    for (boolean full : new boolean[] {true, false}) {
      ByteString id =
          om.om
              .createUpload(
                  CreateUploadRequest.newBuilder()
                      .setBucket(BUCKET)
                      .setKey("k")
                      .setWriteId(WriteId.random())
                      .setChecksumAlgorithm(ChecksumAlgorithm.CRC32)
                      .setChecksumFullObject(full)
                      .build())
              .getUploadId();
      putChecked(id, 1, one);
      putChecked(id, 2, two);
      ByteString expected = bytes((full ? whole : composite).getValue());
      CompleteUploadRequest request =
          TestOm.completeRequest(
                  BUCKET,
                  "k",
                  id,
                  CompletePart.newBuilder().setNumber(1).setMd5(TestOm.md5(one)).build(),
                  CompletePart.newBuilder().setNumber(2).setMd5(TestOm.md5(two)).build())
              .build();
      fails(
          ErrorCode.BAD_CHECKSUM,
          () -> om.om.completeUpload(request.toBuilder().addChecksums(checksum(bytes(1))).build()));
      fails(
          ErrorCode.INVALID_PART,
          () ->
              om.om.completeUpload(
                  request.toBuilder()
                      .setParts(0, request.getParts(0).toBuilder().addChecksums(checksum(bytes(1))))
                      .build()));
      om.om.completeUpload(request.toBuilder().addChecksums(checksum(expected)).build());
      Checksum stored = om.get(BUCKET, "k").getChecksums(0);
      assertEquals(expected, stored.getValue());
      assertEquals(!full, stored.getComposite());
      assertEquals(
          full ? ByteString.EMPTY : crc(one).concat(crc(two)),
          om.get(BUCKET, "k").getPartChecksums());
    }
  }

  private void putChecked(ByteString id, int number, byte[] content) throws StoreException {
    PutPartRequest.Builder request = om.partRequest(BUCKET, "k", id, number, "", content.length);
    request.getPartBuilder().setMd5(TestOm.md5(content)).addChecksums(checksum(crc(content)));
    om.om.putPart(request.build());
  }

  private static Checksum checksum(ByteString value) {
    return Checksum.newBuilder().setAlgorithm(ChecksumAlgorithm.CRC32).setValue(value).build();
  }

  private static ByteString crc(byte[] content) {
    CRC32 crc = new CRC32();
    crc.update(content);
    return bytes(crc.getValue());
  }

  private static ByteString bytes(long crc) {
    return ByteString.copyFrom(ByteBuffer.allocate(4).putInt((int) crc).array());
  }

  @Test
  void aCompletionThatDiedIsTakenOverOrAborted() throws StoreException {
    for (boolean abort : new boolean[] {false, true}) {
      ByteString id = om.createUpload(BUCKET, "k");
      CompleteUploadRequest request = threeParts(id);
      crashAt("om.complete.after-freeze", () -> om.om.completeUpload(request));
      assertNull(om.get(BUCKET, "k"));
      fails(ErrorCode.CONFLICT, () -> om.putPart(BUCKET, "k", id, 1, "x", 1));
      if (abort) {
        om.om.abortUpload(
            AbortUploadRequest.newBuilder().setBucket(BUCKET).setKey("k").setUploadId(id).build());
        fails(ErrorCode.NO_SUCH_UPLOAD, () -> om.om.completeUpload(request));
      } else {
        CompleteUploadRequest other = request.toBuilder().setWriteId(WriteId.random()).build();
        om.om.completeUpload(other);
        assertEquals(3, om.get(BUCKET, "k").getPartCount());
        om.om.completeUpload(request);
        om.delete(BUCKET, "k");
      }
    }
  }

  @Test
  void aCompletionThatDiedAfterItsCommitIsFound() throws StoreException {
    ByteString id = om.createUpload(BUCKET, "k");
    CompleteUploadRequest request = threeParts(id);
    crashAt("om.complete.after-commit", () -> om.om.completeUpload(request));
    assertEquals(
        om.get(BUCKET, "k").getStamp(), om.om.completeUpload(request).getVersion().getStamp());
  }

  /** Over S3 all completions of an upload have its id as their write id. */
  @Test
  void whoNamesOtherPartsIsNotToldOfSuccess() throws StoreException {
    ByteString id = om.createUpload(BUCKET, "k");
    CompleteUploadRequest all = threeParts(id).toBuilder().setWriteId(id).build();
    CompleteUploadRequest two = all.toBuilder().removeParts(2).build();
    ObjectVersion done = om.om.completeUpload(all).getVersion();
    fails(ErrorCode.NO_SUCH_UPLOAD, () -> om.om.completeUpload(two));
    CompleteUploadRequest another = two.toBuilder().setWriteId(WriteId.random()).build();
    fails(ErrorCode.NO_SUCH_UPLOAD, () -> om.om.completeUpload(another));
    assertEquals(done, om.om.completeUpload(all).getVersion());
  }

  @Test
  void ofRacingCompletionsWithOtherPartsOneSucceedsAndLeavesARecord() throws StoreException {
    ByteString id = om.createUpload(BUCKET, "k");
    CompleteUploadRequest all = threeParts(id).toBuilder().setWriteId(id).build();
    CompleteUploadRequest two = all.toBuilder().removeParts(2).build();
    CompleteUploadReply won = whileFrozen(all, two, ErrorCode.NO_SUCH_UPLOAD);
    assertEquals(2, won.getVersion().getPartCount());
    assertEquals(1, won.getRecordsCount());
    assertEquals(2, om.get(BUCKET, "k").getPartCount());
    assertEquals(
        won, om.om.completeUpload(two).toBuilder().addAllRecords(won.getRecordsList()).build());
  }

  @Test
  void aCompletionOfEqualPartsSucceedsButDoesNotRecordItsOwn() throws StoreException {
    ByteString id = om.createUpload(BUCKET, "k");
    om.putPart(BUCKET, "k", id, 1, "equal", FULL);
    om.putPart(BUCKET, "k", id, 2, "equal", FULL);
    CompleteUploadRequest one =
        TestOm.completeRequest(BUCKET, "k", id, TestOm.named(1, "equal")).setWriteId(id).build();
    CompleteUploadRequest other = one.toBuilder().setParts(0, TestOm.named(2, "equal")).build();
    whileFrozen(one, other, null);
    assertEquals(1, om.get(BUCKET, "k").getPartCount());
  }

  /**
   * Completes by the second while the first has frozen the parts.
   *
   * @param code the first's answer; null: success without a record
   */
  private CompleteUploadReply whileFrozen(
      CompleteUploadRequest first, CompleteUploadRequest second, ErrorCode code)
      throws StoreException {
    CompleteUploadReply[] won = new CompleteUploadReply[1];
    CrashPoint.named("om.complete.after-freeze")
        .arm(
            () -> {
              CrashPoint.disarmAll();
              try {
                won[0] = om.om.completeUpload(second);
              } catch (StoreException e) {
                throw new AssertionError(e);
              }
            });
    if (code == null) {
      assertEquals(0, om.om.completeUpload(first).getRecordsCount());
    } else {
      fails(code, () -> om.om.completeUpload(first));
    }
    return won[0];
  }

  @Test
  void tenThousandPartsFitIntoOneMutation() throws StoreException {
    ByteString id = om.createUpload(BUCKET, "k");
    putTenThousandParts(om, BUCKET, id);
    completesTenThousandParts(om, BUCKET, id);
  }

  /** The parts come by the thousand: completing them is what is on trial. */
  @Test
  void tenThousandPartsFitIntoOneMutationOfHBase() throws Exception {
    TestOm.Tables tables = TestOm.onHBase();
    TestOm onHBase = new TestOm(tables, new FakeContainers(), StoreClock.system());
    String bucket = "parts" + System.nanoTime();
    onHBase.createBucket(bucket);
    ByteString id = onHBase.createUpload(bucket, "k");
    try (BatchingRowStore batching =
        new BatchingRowStore(tables.objects(), HBaseFixture.configuration(), TestOm.NAMESPACE)) {
      putTenThousandParts(
          new TestOm(tables.withObjects(batching), new FakeContainers(), StoreClock.system()),
          bucket,
          id);
    }
    completesTenThousandParts(onHBase, bucket, id);
  }

  private static void putTenThousandParts(TestOm om, String bucket, ByteString id)
      throws StoreException {
    for (int i = 1; i <= 10_000; i++) {
      om.putPart(bucket, "k", id, i, "p" + i, FULL);
    }
  }

  private static void completesTenThousandParts(TestOm om, String bucket, ByteString id)
      throws StoreException {
    CompleteUploadRequest.Builder request = TestOm.completeRequest(bucket, "k", id);
    for (int i = 1; i <= 10_000; i++) {
      request.addParts(TestOm.named(i, "p" + i));
    }
    om.om.completeUpload(request.build());
    ObjectVersion got = om.get(bucket, "k");
    assertEquals(10_000, got.getManifest().getExtentsCount());
    assertEquals(10_000, got.getPartLengthsCount());
    assertTrue(om.list(bucket, "", "", "", 0).getObjects(0).getPartLengthsList().isEmpty());
  }

  static void crashAt(String point, org.junit.jupiter.api.function.Executable call) {
    CrashPoint.named(point)
        .arm(
            () -> {
              CrashPoint.disarmAll();
              throw new CrashPoint.Crash(point);
            });
    assertThrows(CrashPoint.Crash.class, call);
  }
}

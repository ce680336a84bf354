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
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.FileLease;
import io.stowage.common.proto.NamedExtents;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.OpenFileReply;
import io.stowage.common.proto.OpenFileRequest;
import io.stowage.common.proto.PutObjectReply;
import io.stowage.common.proto.RecoverFileRequest;
import io.stowage.common.proto.ReplaceExtentsReply.Outcome;
import io.stowage.common.proto.ScanNamespaceRequest;
import io.stowage.common.proto.SetObjectMetadataRequest;
import io.stowage.common.proto.SyncFileReply;
import io.stowage.common.proto.SyncFileRequest;
import io.stowage.common.proto.UploadedPart;
import io.stowage.om.garbage.Collector;
import io.stowage.om.table.Cell;
import io.stowage.om.table.ObjectRowLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Files that their writers keep open, over any table. */
abstract class OpenFilesContract {
  private static final long LEASE = Duration.ofSeconds(60).toNanos() / 1_000;

  private final AtomicLong jumped = new AtomicLong();
  private TestOm.Tables tables;
  private TestOm om;
  private String bucket;
  private long bucketId;

  abstract TestOm.Tables tables() throws Exception;

  @BeforeEach
  void open() throws Exception {
    tables = tables();
    om = new TestOm(tables, new FakeContainers(), new JumpingClock(jumped, Duration.ZERO));
    bucket = "files" + System.nanoTime();
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

  /** A packed needle of so many bytes of payload, somewhere. */
  private static Extent needle(long length) {
    Extent any = TestOm.manifest(length, 1).getExtents(0);
    return any.toBuilder().setPacked(true).setCellLength((int) any.getLength()).build();
  }

  /** What a writer knows of the file that it keeps open. */
  private final class Writer {
    final String key;
    final ByteString holder = WriteId.random();
    final List<Extent> extents = new ArrayList<>();
    FileLease lease;
    long length;

    Writer(String key) {
      this.key = key;
    }

    Writer create(String content) throws StoreException {
      PutObjectReply reply =
          om.om.putObject(
              om.putRequest(bucket, key, content)
                  .setWriteId(holder)
                  .setLeaseMicros(LEASE)
                  .setPieceWriteId(WriteId.ofPiece(holder, 0, false))
                  .build());
      lease = reply.getLease();
      length = content.length();
      return this;
    }

    Writer append() throws StoreException {
      OpenFileReply reply = om.om.openFile(request());
      lease = reply.getLease();
      length = reply.getVersion().getLength();
      return this;
    }

    OpenFileRequest request() {
      return OpenFileRequest.newBuilder()
          .setBucket(bucket)
          .setKey(key)
          .setHolder(holder)
          .setLeaseMicros(LEASE)
          .build();
    }

    SyncFileRequest.Builder adding(long from, Extent... piece) {
      return SyncFileRequest.newBuilder()
          .setBucket(bucket)
          .setKey(key)
          .setEpoch(lease.getEpoch())
          .setLength(length)
          .setFrom(from)
          .addAllExtents(List.of(piece))
          .addGrants(om.grant())
          .setPieceWriteId(WriteId.ofPiece(holder, from, from != length))
          .setLeaseMicros(LEASE)
          .setCursor(lease.getCursor());
    }

    SyncFileReply send(SyncFileRequest request) throws StoreException {
      SyncFileReply reply = om.om.syncFile(request);
      lease = reply.getLease();
      if (request.getExtentsCount() > 0) {
        length = request.getFrom();
        for (Extent extent : request.getExtentsList()) {
          length += extent.getLength() - extent.getHeaderLength();
        }
      }
      return reply;
    }

    Writer sync(long bytes) throws StoreException {
      Extent needle = needle(bytes);
      extents.add(needle);
      send(adding(length, needle).build());
      return this;
    }

    SyncFileReply close() throws StoreException {
      return send(adding(length).setClose(true).build());
    }

    void assertFenced() {
      StoreException refused = assertThrows(StoreException.class, () -> sync(10));
      assertEquals(ErrorCode.LEASE_LOST, refused.code(), refused.getMessage());
      refused = assertThrows(StoreException.class, this::close);
      assertEquals(ErrorCode.LEASE_LOST, refused.code(), refused.getMessage());
    }
  }

  private List<Extent> manifest(String key) throws StoreException {
    return om.get(bucket, key).getManifest().getExtentsList();
  }

  private void assertHolds(String key, long length) throws StoreException {
    ObjectVersion version = om.get(bucket, key);
    assertEquals(length, version.getLength());
    assertEquals(length, version.getManifest().getLength());
    long payload = 0;
    for (Extent extent : version.getManifest().getExtentsList()) {
      payload += extent.getLength() - extent.getHeaderLength();
    }
    assertEquals(length, payload);
    ObjectVersion listed = om.list(bucket, key, "", "", 1).getObjects(0);
    assertEquals(length, listed.getLength());
    assertEquals(version.getMd5(), listed.getMd5());
    assertEquals(version.getPartCount(), listed.getPartCount());
    assertEquals(version.getOpenEpoch(), listed.getOpenEpoch());
  }

  private List<Cell> leaseCells(String key) throws Exception {
    return om.objects.getFamilies(row(key), "x").cells().stream()
        .filter(cell -> ObjectRowLayout.isOfTail(cell.column()))
        .toList();
  }

  private void assertClosed(String key, long length) throws Exception {
    assertHolds(key, length);
    assertEquals(0, om.get(bucket, key).getOpenEpoch());
    assertEquals(List.of(), leaseCells(key));
  }

  private void expect(ErrorCode code, Failing call) {
    StoreException refused = assertThrows(StoreException.class, call::run);
    assertEquals(code, refused.code(), refused.getMessage());
  }

  private interface Failing {
    void run() throws Exception;
  }

  @Test
  void aRenameThatIsRefusedTakesNoFileFromItsWriter() throws Exception {
    om.put(bucket, "closed", "closed");
    Writer writer = new Writer("open").create("hello");
    expect(ErrorCode.KEY_EXISTS, () -> om.rename(bucket, "closed", "open", false));
    writer.sync(10);
    expect(ErrorCode.KEY_EXISTS, () -> om.rename(bucket, "open", "closed", false));
    writer.sync(10);
    assertEquals(25, om.rename(bucket, "open", "open", false).getLength());
    writer.sync(10);
    om.rename(bucket, "closed", "open", true);
    writer.assertFenced();
    assertClosed("open", 6);
    writer = new Writer("other").create("hello").sync(10);
    om.rename(bucket, "other", "elsewhere", false);
    writer.assertFenced();
    assertClosed("elsewhere", 15);
  }

  @Test
  void whatIsSyncedIsThereForEverybody() throws Exception {
    Writer writer = new Writer("k").create("hello");
    assertHolds("k", 5);
    assertNotEquals(0, om.get(bucket, "k").getOpenEpoch());
    Extent first = manifest("k").get(0);
    List<String> etags = new ArrayList<>();
    for (int i = 1; i <= 40; i++) {
      writer.sync(i);
      assertHolds("k", 5 + i * (i + 1) / 2);
      ObjectVersion version = om.get(bucket, "k");
      etags.add(version.getMd5() + "-" + version.getPartCount());
      assertEquals(writer.holder, version.getWriteId());
    }
    assertEquals(40, etags.stream().distinct().count());
    List<Extent> all = new ArrayList<>(List.of(first));
    all.addAll(writer.extents);
    assertEquals(all, manifest("k"));
    for (Extent extent : all) {
      assertEquals(1, om.judge(row("k"), extent).getHoldersCount());
    }
    assertTrue(om.judge(row("k"), needle(5)).getDead());
    List<NamedExtents> named =
        om
            .om
            .scanNamespace(
                ScanNamespaceRequest.newBuilder()
                    .setAfterRow(ObjectRowLayout.row(bucketId, ""))
                    .build())
            .getNamedList()
            .stream()
            .filter(one -> one.getRow().equals(row("k")))
            .toList();
    assertEquals(1, named.size());
    assertEquals(all, named.get(0).getManifest().getExtentsList());

    ObjectVersion closed = writer.close().getVersion();
    assertEquals(825, closed.getLength());
    assertClosed("k", 825);
    assertEquals(all, manifest("k"));
    writer.assertFenced();
    assertEquals(41, om.get(bucket, "k").getPartLengthsCount());
    assertEquals(41 * 16, om.get(bucket, "k").getPartWriteIds().size());
  }

  @Test
  void aFileThatIsClosedAsItWasPutKeepsItsChecksum() throws Exception {
    Writer writer = new Writer("k").create("hello");
    writer.close();
    assertClosed("k", 5);
    assertEquals(TestOm.md5("hello"), om.get(bucket, "k").getMd5());
    Writer empty = new Writer("e").create("");
    assertHolds("e", 0);
    empty.close();
    assertClosed("e", 0);
    assertEquals(0, om.get(bucket, "e").getPartCount());
  }

  @Test
  void shortPiecesAreReplacedByWholeOnes() throws Exception {
    Writer writer = new Writer("k").create("hello");
    Extent first = manifest("k").get(0);
    for (int i = 0; i < 30; i++) {
      writer.sync(100);
    }
    Extent whole = needle(3_100);
    SyncFileReply folded = writer.send(writer.adding(5, whole).build());
    assertEquals(1, folded.getRecordsCount());
    assertHolds("k", 3_105);
    assertEquals(List.of(first, whole), manifest("k"));
    for (Extent gone : writer.extents) {
      assertTrue(om.judge(row("k"), gone).getDead());
    }
    long dead = 0;
    for (Cell cell : om.objects.getFamilies(row("k"), "g").cells()) {
      if (ObjectRowLayout.garbageKind(cell.column()) == 's') {
        for (Extent extent : UploadedPart.parseFrom(cell.value()).getManifest().getExtentsList()) {
          dead += extent.getLength();
        }
      }
    }
    assertEquals(30 * 164, dead);
    writer.sync(7).sync(8);
    assertHolds("k", 3_120);
    Extent last = needle(15);
    writer.send(writer.adding(3_105, last).setClose(true).build());
    assertClosed("k", 3_120);
    assertEquals(List.of(first, whole, last), manifest("k"));
    assertEquals(List.of(5L, 3_100L, 15L), om.get(bucket, "k").getPartLengthsList());
    assertEquals(3, om.get(bucket, "k").getPartCount());
  }

  private void setModified(String key, long millis) throws StoreException {
    ObjectVersion seen = om.get(bucket, key);
    ObjectMetadata.Builder metadata = seen.getMetadata().toBuilder();
    metadata.getFileBuilder().setModifiedMillisPlusOne(millis + 1);
    var unused =
        om.om.setObjectMetadata(
            SetObjectMetadataRequest.newBuilder()
                .setBucket(bucket)
                .setKey(key)
                .setStamp(seen.getStamp())
                .setMetadata(metadata)
                .build());
  }

  /** 0: none was set. */
  private long modifiedPlusOne(String key) throws StoreException {
    long told = om.get(bucket, key).getMetadata().getFile().getModifiedMillisPlusOne();
    ObjectVersion listed = om.list(bucket, key, "", "", 1).getObjects(0);
    assertEquals(told, listed.getMetadata().getFile().getModifiedMillisPlusOne());
    return told;
  }

  @Test
  void aTimeOfModificationThatWasSetHoldsUntilTheNextByte() throws Exception {
    om.put(bucket, "k", "hello");
    setModified("k", 7);
    new Writer("k").append().close();
    assertEquals(8, modifiedPlusOne("k"));
    Writer writer = new Writer("k").append();
    assertEquals(8, modifiedPlusOne("k"));
    writer.sync(10);
    assertEquals(0, modifiedPlusOne("k"));
    setModified("k", 9); // of an open file
    writer.send(writer.adding(writer.length).build()); // renews his lease
    assertEquals(10, modifiedPlusOne("k"));
    writer.send(writer.adding(5, needle(10)).build()); // the same bytes, written again
    assertEquals(10, modifiedPlusOne("k"));
    writer.close();
    assertEquals(10, modifiedPlusOne("k"));

    writer = new Writer("k").append();
    writer.send(writer.adding(15, needle(5)).setClose(true).build()); // all at once
    assertEquals(0, modifiedPlusOne("k"));
    assertClosed("k", 20);
  }

  @Test
  void filesOfWritersWhoAreDeadAreClosedInTime() throws Exception {
    Writer dead = new Writer("dead").create("hello").sync(100).sync(50);
    Writer lives = new Writer("lives").create("hello").sync(10);
    Collector collector = om.om.collector(tables.regions());
    for (int minute = 0; minute < 50; minute += 10) {
      jumped.addAndGet(Duration.ofMinutes(10).toNanos());
      lives.send(lives.adding(lives.length).build()); // renews his lease
      collector.round();
      assertNotEquals(0, om.get(bucket, "dead").getOpenEpoch(), "after " + minute + " minutes");
    }
    for (int i = 0; i < 2; i++) {
      jumped.addAndGet(Duration.ofMinutes(8).toNanos());
      lives.sync(5);
      collector.round();
    }
    assertClosed("dead", 155);
    expect(ErrorCode.LEASE_LOST, () -> dead.sync(10));
    assertHolds("lives", 25);
    assertNotEquals(0, om.get(bucket, "lives").getOpenEpoch());
    lives.sync(1);
    new Writer("dead").append().sync(7).close();
    assertClosed("dead", 162);

    jumped.addAndGet(Duration.ofHours(25).toNanos()); // nobody collected: it is a full run
    collector.round();
    assertClosed("lives", 26);
    expect(ErrorCode.LEASE_LOST, () -> lives.sync(10));
  }

  @Test
  void aPieceOfManyExtentsAndAPositionWithinAPieceAreTakenOrRefused() throws Exception {
    Writer writer = new Writer("k").create("hello");
    Extent[] many = new Extent[20];
    for (int i = 0; i < many.length; i++) {
      many[i] = needle(1_000);
    }
    writer.send(writer.adding(5, many).build());
    assertHolds("k", 20_005);
    expect(
        ErrorCode.INVALID_ARGUMENT, () -> om.om.syncFile(writer.adding(6, needle(30_000)).build()));
    expect(ErrorCode.INVALID_ARGUMENT, () -> om.om.syncFile(writer.adding(5, needle(10)).build()));
    assertHolds("k", 20_005);
    writer.sync(1);
    writer.close();
    assertClosed("k", 20_006);
  }

  @Test
  void aCallWhoseAnswerWasLostIsKnownAgain() throws Exception {
    Writer writer = new Writer("k").create("hello");
    for (int i = 0; i < 30; i++) {
      SyncFileRequest request = writer.adding(writer.length, needle(10)).build();
      om.om.syncFile(request);
      writer.send(request);
      assertHolds("k", 15 + 10 * i);
    }
    SyncFileRequest fold = writer.adding(5, needle(300)).build();
    om.om.syncFile(fold);
    writer.send(fold);
    assertHolds("k", 305);
    SyncFileRequest close = writer.adding(5, needle(400)).setClose(true).build();
    ObjectVersion closed = om.om.syncFile(close).getVersion();
    assertEquals(closed, om.om.syncFile(close).getVersion());
    assertClosed("k", 405);

    Writer appender = new Writer("k").append();
    assertEquals(
        appender.lease.getEpoch(), om.om.openFile(appender.request()).getLease().getEpoch());
    appender.sync(5);
    assertHolds("k", 410);
  }

  /** Who may write somewhere is else told of what he did not write, as of his own. */
  @Test
  void whatWasNeverOpenNobodyCloses() throws Exception {
    om.om.putObject(om.putRequest(bucket, "k", "hello").build());
    SyncFileRequest close =
        SyncFileRequest.newBuilder()
            .setBucket(bucket)
            .setKey("k")
            .setLength(5)
            .setClose(true)
            .addGrants(om.grant())
            .build();
    NamespaceContract.fails(ErrorCode.LEASE_LOST, () -> om.om.syncFile(close));
  }

  @Test
  void whoeverChangesTheKeyFencesItsWriter() throws Exception {
    Writer writer = new Writer("k").create("hello").sync(10);
    om.put(bucket, "k", "other");
    writer.assertFenced();
    assertEquals(TestOm.md5("other"), om.get(bucket, "k").getMd5());

    writer = new Writer("d").create("hello").sync(10);
    om.delete(bucket, "d");
    writer.assertFenced();
    assertEquals(null, om.get(bucket, "d"));

    writer = new Writer("s").create("hello").sync(10);
    List<Extent> extents = manifest("s");
    om.rename(bucket, "s", "t", false);
    writer.assertFenced();
    assertClosed("t", 15);
    assertEquals(extents, manifest("t"));

    writer = new Writer("u").create("hello").sync(10);
    om.rename(bucket, "t", "u", true);
    writer.assertFenced();
    assertClosed("u", 15);
    assertEquals(extents, manifest("u"));
  }

  @Test
  void aPutThatMustNotReplaceDoesNotFence() throws Exception {
    Writer writer = new Writer("k").create("hello").sync(10);
    expect(ErrorCode.PRECONDITION_FAILED, () -> om.putIfAbsent(bucket, "k", "other"));
    writer.sync(10).close();
    assertClosed("k", 25);
  }

  @Test
  void appendersTakeTurns() throws Exception {
    om.put(bucket, "k", "hello");
    Writer first = new Writer("k").append().sync(10);
    expect(ErrorCode.CONFLICT, () -> new Writer("k").append());
    first.close();
    Writer second = new Writer("k").append();
    assertTrue(second.lease.getEpoch() > first.lease.getEpoch());
    assertEquals(15, second.length);
    first.assertFenced();
    second.sync(1).close();
    assertClosed("k", 16);
    expect(ErrorCode.NO_SUCH_KEY, () -> new Writer("nothing").append());
  }

  @Test
  void aLapsedLeaseIsTakenOverAndItsWriterFenced() throws Exception {
    Writer paused = new Writer("k").create("hello").sync(10);
    expect(ErrorCode.CONFLICT, () -> new Writer("k").append());
    jumped.addAndGet(Duration.ofSeconds(62).toNanos());
    paused.sync(10); // nobody came: it goes on
    expect(ErrorCode.CONFLICT, () -> new Writer("k").append());
    jumped.addAndGet(Duration.ofSeconds(62).toNanos());
    Writer next = new Writer("k").append();
    assertEquals(25, next.length);
    paused.assertFenced();
    next.sync(1);
    paused.assertFenced();
    next.close();
    assertClosed("k", 26);
  }

  @Test
  void recoveryClosesAtWhatWasSynced() throws Exception {
    Writer writer = new Writer("k").create("hello");
    for (int i = 0; i < 30; i++) {
      writer.sync(10);
    }
    RecoverFileRequest request =
        RecoverFileRequest.newBuilder().setBucket(bucket).setKey("k").build();
    assertEquals(305, om.om.recoverFile(request).getVersion().getLength());
    assertEquals(305, om.om.recoverFile(request).getVersion().getLength());
    assertClosed("k", 305);
    StoreException refused = assertThrows(StoreException.class, () -> writer.sync(1));
    assertEquals(ErrorCode.LEASE_LOST, refused.code());
    for (Extent extent : manifest("k")) {
      assertEquals(1, om.judge(row("k"), extent).getHoldersCount());
    }
  }

  @Test
  void copiesAndMetadataDoNotDisturbTheWriter() throws Exception {
    Writer writer = new Writer("k").create("hello");
    for (int i = 0; i < 15; i++) {
      writer.sync(10);
    }
    Extent moved = writer.extents.get(3);
    Extent copy = needle(10);
    assertEquals(Outcome.REPLACED, om.replace(row("k"), moved, copy));
    assertTrue(om.judge(row("k"), moved).getDead());
    assertEquals(1, om.judge(row("k"), copy).getHoldersCount());
    writer.sync(10);
    assertHolds("k", 165);
    assertEquals(copy, manifest("k").get(4));
    om.om.setObjectMetadata(
        SetObjectMetadataRequest.newBuilder()
            .setBucket(bucket)
            .setKey("k")
            .setStamp(om.get(bucket, "k").getStamp())
            .setMetadata(ObjectMetadata.newBuilder().putUser("a", "b"))
            .build());
    writer.sync(10);
    assertEquals(Map.of("a", "b"), om.get(bucket, "k").getMetadata().getUserMap());
    writer.send(writer.adding(5, needle(170)).setClose(true).build());
    assertClosed("k", 175);
    assertEquals(Map.of("a", "b"), om.get(bucket, "k").getMetadata().getUserMap());
  }

  @Test
  void whatIsAppendedToARenamedFileIsFoundAfterItIsRenamedAgain() throws Exception {
    om.put(bucket, "a", "hello");
    om.rename(bucket, "a", "b", false);
    Writer writer = new Writer("b");
    OpenFileReply opened = om.om.openFile(writer.request());
    assertEquals(ByteString.copyFromUtf8("a"), opened.getNeedleRowKey());
    writer.lease = opened.getLease();
    writer.length = 5;
    writer.sync(10).close();
    om.rename(bucket, "b", "c", false);
    assertEquals(1, om.judge(row("a"), writer.extents.get(0)).getHoldersCount());
    assertClosed("c", 15);
  }

  @Test
  void bytesWrittenUnderAnOldLeaseOfTheirContainerAreRefused() throws Exception {
    Writer writer = new Writer("k").create("hello");
    SyncFileRequest request = writer.adding(5, needle(10)).build();
    jumped.addAndGet(Duration.ofMinutes(16).toNanos());
    expect(ErrorCode.COMMIT_TOO_LATE, () -> om.om.syncFile(request));
    expect(
        ErrorCode.INVALID_ARGUMENT,
        () -> om.om.syncFile(writer.adding(5, needle(10)).clearGrants().build()));
    writer.sync(1);
    assertHolds("k", 6);
  }

  @Test
  void anObjectManagerThatDiesInAFoldLeavesTheFileAsItWas() throws Exception {
    Writer writer = new Writer("k").create("hello");
    for (int i = 0; i < 20; i++) {
      writer.sync(10);
    }
    Extent[] many = new Extent[20];
    for (int i = 0; i < many.length; i++) {
      many[i] = needle(10);
    }
    SyncFileRequest fold = writer.adding(5, many).build();
    for (String point : List.of("om.file.after-chunks", "om.file.after-sync")) {
      CrashPoint.named(point)
          .arm(
              () -> {
                throw new CrashPoint.Crash(point);
              });
      assertThrows(CrashPoint.Crash.class, () -> om.om.syncFile(fold));
      CrashPoint.disarmAll();
      assertHolds("k", 205);
      assertEquals(point.equals("om.file.after-sync"), manifest("k").contains(many[7]), point);
    }
    writer.send(fold);
    writer.close();
    assertClosed("k", 205);
  }

  /** As a file of 4.4 KiB an hsync, whose stripes have 3 MiB. */
  final void syncLikeALog(String key, int syncs) throws Exception {
    Writer writer = new Writer(key).create("hello");
    SplittableRandom random = new SplittableRandom(1);
    long address = 1 << 20;
    long pieceStart = 5;
    for (int i = 0; i < syncs; i++) {
      int bytes = 2_000 + random.nextInt(5_000);
      if (writer.length - pieceStart > 3 << 20) {
        Extent whole =
            needle(writer.length + bytes - pieceStart).toBuilder().setPacked(false).build();
        writer.send(writer.adding(pieceStart, whole).build());
        pieceStart = writer.length;
        continue;
      }
      // As a packer places it: in a stripe of its own, now and then behind other people's.
      Extent extent =
          Extent.newBuilder()
              .setContainer(7)
              .setEpoch(1)
              .setOffset(address + (i % 3 == 0 ? 8 * random.nextInt(500) : 0))
              .setLength(bytes + 190)
              .setHeaderLength(190)
              .setCellLength(8_192)
              .setWidth(1)
              .setFirstShard(i % 3)
              .setPacked(true)
              .build();
      address += (bytes + 190 + 4_095) / 4_096 * 4_096 + (i % 5 == 0 ? 12_288 : 0);
      writer.send(writer.adding(writer.length, extent).build());
    }
    assertHolds(key, writer.length);
  }

  @Test
  void writersReadersAndThievesRace() throws Exception {
    om.put(bucket, "k", "hello");
    int writers = 3;
    AtomicLong acknowledged = new AtomicLong(5);
    ExecutorService threads = Executors.newFixedThreadPool(writers + 1);
    CyclicBarrier start = new CyclicBarrier(writers + 1);
    List<Future<?>> all = new ArrayList<>();
    for (int w = 0; w < writers; w++) {
      all.add(
          threads.submit(
              () -> {
                start.await();
                for (int turn = 0; turn < 6; turn++) {
                  try {
                    Writer writer = new Writer("k").append();
                    for (int i = 0; i < 15; i++) {
                      writer.sync(3);
                      long length = writer.length;
                      acknowledged.accumulateAndGet(length, Math::max);
                    }
                    writer.close();
                  } catch (StoreException e) {
                    boolean expected =
                        e.code() == ErrorCode.CONFLICT || e.code() == ErrorCode.LEASE_LOST;
                    assertTrue(expected, e.toString());
                    if (turn % 2 == 0) {
                      om.om.recoverFile(
                          RecoverFileRequest.newBuilder().setBucket(bucket).setKey("k").build());
                    }
                  }
                }
                return null;
              }));
    }
    all.add(
        threads.submit(
            () -> {
              start.await();
              long last = 0;
              for (int i = 0; i < 60; i++) {
                long least = acknowledged.get();
                ObjectVersion version = om.get(bucket, "k");
                assertTrue(version.getLength() >= Math.max(least, last), version.toString());
                last = version.getLength();
                long payload = 0;
                for (Extent extent : version.getManifest().getExtentsList()) {
                  payload += extent.getLength() - extent.getHeaderLength();
                }
                assertEquals(last, payload);
                assertFalse(om.judge(row("k"), version.getManifest().getExtents(0)).getDead());
              }
              return null;
            }));
    for (Future<?> one : all) {
      one.get();
    }
    threads.shutdown();
    om.om.recoverFile(RecoverFileRequest.newBuilder().setBucket(bucket).setKey("k").build());
    assertTrue(om.get(bucket, "k").getLength() >= acknowledged.get());
    assertClosed("k", om.get(bucket, "k").getLength());
  }
}

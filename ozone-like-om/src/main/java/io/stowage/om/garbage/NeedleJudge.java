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
package io.stowage.om.garbage;

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.HeadRecord;
import io.stowage.common.proto.JudgedNeedle;
import io.stowage.common.proto.NeedleHolder;
import io.stowage.common.proto.NeedleRef;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.UploadedPart;
import io.stowage.common.time.StoreClock;
import io.stowage.om.object.ObjectRows;
import io.stowage.om.object.SeenRow;
import io.stowage.om.object.Snapshots;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.table.Cell;
import io.stowage.om.table.Column;
import io.stowage.om.table.Head;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;

/**
 * Says of needles whether a manifest names them. Thread-safe; changes nothing.
 *
 * <p>A needle names its origin, the row O that it was written for. Only these can name the needle:
 * O's head and its older versions, a part of an upload in O, and the same of the rows that O lists
 * in {@code x:r} (renames put a row there before their commit point, and it is taken out only after
 * it was seen to hold nothing of O's). A PENDING head counts for both what it was and what it may
 * become. A superseded head or part in {@code g} does not: its readers have until the container's
 * bytes are removed, which is a day after this judgement.
 *
 * <p><b>Dead</b> takes two passes over O and all rows R in its {@code x:r}, with every stamp as it
 * was. Why that is enough: let the needle be alive throughout, held by H(t) in {O} + r(t), and let
 * pass one read O at a, pass two read O at b. Since O's cells are the same at a and b, with their
 * stamps, r(a) = r(b) = R; so H(b) is in {O} + R. H(b) was read before b and again after it, with
 * equal stamps, and stamps only rise: it held the needle when pass one read it, which would have
 * seen that. So the needle was dead at b; and dead it stays, since every mutation that names an
 * address compares itself with a head or generation that names it already, except commits of new
 * bytes, which are what the commit fence is for ({@link io.stowage.om.row.CommitFence}).
 *
 * <p>A row of many parts and names is read in pieces. Each cell that both passes saw alike was so
 * from its reading in pass one to that in pass two, and so at b, the beginning of pass two. One
 * that came and went between is no name in {@code x:r}, which stays for minutes, and no part: a
 * part is new bytes, or takes the place of a part.
 *
 * <p>Older versions need no marks of their own, and are read in the first pass only: nothing comes
 * to {@code v}, leaves it or changes there without the head's stamp rising, so between two equal
 * heads they were what the first pass saw, read after the first of them.
 *
 * <p>What an open file's writer has synced ({@code x:f}, {@code x:t}) counts as its head's
 * manifest, and needs no marks either: while the head stands, a tail gains only new bytes, and
 * loses nothing.
 *
 * <p>What a <b>snapshot</b> sees is alive, too. It is in {@code g:d} of O or of a row of r, where
 * it came from a head, and where nobody but a swap of extents changes it: so it is enough to look
 * there once after the second pass, and at the bucket's snapshots after that ({@link Snapshots}
 * says why one that is written later sees nothing of it).
 *
 * <p>"No head" has no stamp: between two passes a head might be written, deleted and collected.
 * That takes minutes, and passes that took long are thrown away.
 */
public final class NeedleJudge {
  /** Far below what passes before an ABSENT head is collected. */
  private static final Duration LONGEST = Duration.ofSeconds(30);

  /**
   * Cells of O read at a time: an upload has up to 10,000 parts, and a key any number of uploads.
   */
  private static final int PIECE = 1_000;

  /** Rivals on these keys; each lost attempt means that one of them changed something. */
  private static final int MOST_ATTEMPTS = 20;

  private final ObjectRows rows;
  private final RowCommitter committer;
  private final StoreClock clock;
  private final Snapshots snapshots;

  public NeedleJudge(ObjectRows rows, Snapshots snapshots, StoreClock clock) {
    this.rows = rows;
    this.snapshots = snapshots;
    this.committer = rows.committer();
    this.clock = clock;
  }

  private record Named(NeedleHolder holder, Extent extent) {}

  /** What one pass saw. */
  private static final class Pass {
    private final long container;
    private final boolean wantOlder;
    private final Set<ByteString> rows = new LinkedHashSet<>(); // O, then those of x:r
    private final MessageDigest marks = sha256();
    private final List<Named> named = new ArrayList<>();
    private final Map<ByteString, Long> generations = new HashMap<>(); // of uploads in O

    /**
     * A look at rows.
     *
     * @param wantOlder false: marks are all that is wanted
     */
    Pass(long container, boolean wantOlder) {
      this.container = container;
      this.wantOlder = wantOlder;
    }

    private static MessageDigest sha256() {
      try {
        return MessageDigest.getInstance("SHA-256");
      } catch (NoSuchAlgorithmException e) {
        throw new IllegalStateException("every Java has SHA-256", e);
      }
    }

    /** Takes in a cell that the pass goes by: what identifies its value. */
    void mark(ByteString row, ByteString column, long stamp, ByteString value) {
      rows.add(row);
      for (ByteString part : List.of(row, column, value)) {
        marks.update(ByteBuffer.allocate(Integer.BYTES).putInt(0, part.size()));
        marks.update(part.asReadOnlyByteBuffer());
      }
      marks.update(ByteBuffer.allocate(Long.BYTES).putLong(0, stamp));
    }

    /** Of one container only: a key may have a million versions. */
    void name(NeedleHolder holder, Extent extent) {
      if (extent.getContainer() == container) {
        named.add(new Named(holder, extent));
      }
    }
  }

  /** Judges needles of one container whose headers name the same row; in their order. */
  public List<JudgedNeedle> judge(long container, ByteString origin, List<NeedleRef> needles)
      throws StoreException {
    List<JudgedNeedle> undecided = null;
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      long begin = clock.monotonicNanos();
      Pass first = pass(container, origin, true);
      if (first == null) {
        committer.pause().backOff(attempt);
        continue;
      }
      List<JudgedNeedle> verdicts = verdicts(container, needles, first, false);
      if (verdicts.stream().allMatch(verdict -> verdict.getHoldersCount() > 0)) {
        return verdicts;
      }
      undecided = verdicts;
      Pass second = pass(container, origin, false);
      boolean same = second != null && Arrays.equals(first.marks.digest(), second.marks.digest());
      boolean quick = clock.monotonicNanos() - begin < LONGEST.toNanos();
      if (same && quick) {
        List<JudgedNeedle> certain = verdicts(container, needles, first, true);
        boolean some = certain.stream().anyMatch(JudgedNeedle::getDead);
        if (!some) {
          return certain;
        }
        if (addSeenBySnapshots(first)) {
          return verdicts(container, needles, first, true);
        }
      }
      committer.pause().backOff(attempt);
    }
    return undecided == null
        ? verdicts(container, needles, new Pass(container, false), false)
        : undecided;
  }

  private static List<JudgedNeedle> verdicts(
      long container, List<NeedleRef> needles, Pass pass, boolean certain) {
    List<JudgedNeedle> verdicts = new ArrayList<>(needles.size());
    for (NeedleRef needle : needles) {
      JudgedNeedle.Builder verdict = JudgedNeedle.newBuilder();
      for (Named named : pass.named) {
        if (isOf(container, needle, named.extent())) {
          verdict.addHolders(named.holder().toBuilder().setExtent(named.extent()));
        }
      }
      verdicts.add(verdict.setDead(certain && verdict.getHoldersCount() == 0).build());
    }
    return verdicts;
  }

  private static boolean isOf(long container, NeedleRef needle, Extent extent) {
    return extent.getContainer() == container
        && extent.getOffset() == needle.getOffset()
        && extent.getFirstShard() == needle.getShard()
        && (needle.getEpoch() == 0 || needle.getEpoch() == extent.getEpoch());
  }

  /** Null if a manifest was superseded and collected while we read it. */
  private Pass pass(long container, ByteString origin, boolean wantOlder) throws StoreException {
    Pass pass = new Pass(container, wantOlder);
    Set<ByteString> others = new LinkedHashSet<>();
    Row own = committer.getFamilies(origin, "cx", PIECE);
    Row piece = own;
    while (true) {
      int ofX = 0;
      Column last = null;
      for (Cell cell : piece.cells()) {
        takeIn(pass, origin, cell, others);
        if (cell.column().family() == 'x') {
          ofX++;
          last = cell.column();
        }
      }
      if (ofX < PIECE) {
        break;
      }
      piece =
          committer.getRange(
              origin,
              'x',
              ObjectRowLayout.behind(last.qualifier()),
              ObjectRowLayout.behindKind(ByteString.EMPTY),
              PIECE);
    }
    if (!addHead(pass, own)) {
      return null;
    }
    for (ByteString row : others) {
      if (!addHead(pass, committer.get(row, List.of(ObjectRowLayout.HEAD)))) {
        return null;
      }
    }
    return pass;
  }

  private static void takeIn(Pass pass, ByteString origin, Cell cell, Set<ByteString> others)
      throws StoreException {
    ByteString to = ObjectRowLayout.forwardedTo(cell.column());
    if (to != null && !to.equals(origin)) {
      others.add(to);
    }
    ByteString begun = ObjectRowLayout.uploadOfGeneration(cell.column());
    if (begun != null) {
      pass.generations.put(begun, cell.stamp()); // before its parts: they are behind it
    }
    if (!cell.column().equals(ObjectRowLayout.HEAD) && !ObjectRowLayout.isOfTail(cell.column())) {
      pass.mark(origin, cell.column().qualifier(), cell.stamp(), ByteString.EMPTY);
    }
    addPart(pass, origin, cell);
  }

  /** Names what snapshots see in the rows of a pass; false if some of it changed meanwhile. */
  private boolean addSeenBySnapshots(Pass pass) throws StoreException {
    long bucketId = ObjectRowLayout.bucketId(pass.rows.iterator().next());
    if (!snapshots.hasAny(bucketId)) {
      return true;
    }
    List<Superseded> found = new ArrayList<>();
    for (ByteString row : pass.rows) {
      rows.forEachSuperseded(row, cell -> found.add(new Superseded(row, cell)));
    }
    Snapshots.Seen seen = snapshots.seen(bucketId); // after the cells
    for (Superseded one : found) {
      if (seen.holds(one.cell())) {
        Head head = ObjectRowLayout.supersededHead(one.cell().value());
        if (head.isLive() && !addVersion(pass, one.row(), head, head.record())) {
          return false;
        }
      }
    }
    return true;
  }

  private record Superseded(ByteString row, Cell cell) {}

  private boolean addHead(Pass pass, Row row) throws StoreException {
    ByteString cell = row.value(ObjectRowLayout.HEAD);
    if (cell == null) {
      pass.mark(row.key(), ObjectRowLayout.HEAD.qualifier(), 0, ByteString.EMPTY);
      return true;
    }
    Head head = Head.parse(cell);
    pass.mark(row.key(), ObjectRowLayout.HEAD.qualifier(), head.stamp(), head.writeId());
    for (HeadRecord record : ObjectRows.meanings(head)) {
      if (!addVersion(pass, row.key(), head, record)) {
        return false;
      }
    }
    return !pass.wantOlder
        || rows.forEachOlder(
            new SeenRow(row.key(), head, null),
            older -> !older.isLive() || addVersion(pass, row.key(), head, older.record()));
  }

  /** False if its manifest is gone. */
  private boolean addVersion(Pass pass, ByteString row, Head head, HeadRecord record)
      throws StoreException {
    ObjectVersion version = rows.details(row, record);
    if (version == null) {
      return false;
    }
    NeedleHolder holder =
        NeedleHolder.newBuilder()
            .setRow(row)
            .setStamp(head.stamp())
            .setVersionId(version.getVersionId())
            .build();
    version.getManifest().getExtentsList().forEach(extent -> pass.name(holder, extent));
    return true;
  }

  private static void addPart(Pass pass, ByteString origin, Cell cell) throws StoreException {
    ByteString uploadId = ObjectRowLayout.uploadOfPart(cell.column());
    if (uploadId == null) {
      return;
    }
    UploadedPart part;
    try {
      part = UploadedPart.parseFrom(cell.value());
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException("Cannot read an upload's part: " + e.getMessage());
    }
    NeedleHolder holder =
        NeedleHolder.newBuilder()
            .setRow(origin)
            .setUploadId(uploadId)
            .setPartNumber(part.getNumber())
            .setStamp(pass.generations.getOrDefault(uploadId, 0L))
            .build();
    part.getManifest().getExtentsList().forEach(extent -> pass.name(holder, extent));
  }
}

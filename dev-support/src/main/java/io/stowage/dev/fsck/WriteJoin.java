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
package io.stowage.dev.fsck;

import io.stowage.common.id.WriteId;
import io.stowage.common.needle.NeedleFacts;
import io.stowage.common.needle.NeedleHeader;
import io.stowage.common.proto.CommittedFact;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.RecordNeedle;
import io.stowage.common.proto.RestoredRow;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Puts needles and records together by the writes that made them. Filled first, in any order, then
 * joined, once. Confined to one thread.
 *
 * <ol>
 *   <li>By committing write: of its records those that count ({@link NewestRecords}) go on, and
 *       each part that they name is told who took it.
 *   <li>By write: its needles are put together. Bytes of which a record tells go on beside it,
 *       sorted by the write that committed them. A write without a record is an event by itself.
 *   <li>By committing write: each record that counts, with its bytes, is an event.
 * </ol>
 *
 * <p>Memory: of the sorters, two of which are filled at once. Beside them all needles of one write,
 * of which there are as many as it has extents, or all parts of one committing write: of a file
 * that was synced all pieces that its newest record names, whichever number of records was written
 * while it grew. Disk: each record at most twice, each needle and each part of a record that
 * counts.
 */
final class WriteJoin implements AutoCloseable {
  private static final byte NEEDLE = 'N';
  private static final byte FINISHED = 'F';
  private static final byte ABANDONED = 'A';
  private static final byte COMMITTED = 'C';
  private static final byte PART_OF = 'P';
  private static final byte BYTES = 'B';

  private static final long UNKNOWN = -1;

  /** In place of a part's write id: the bytes are the whole. */
  private static final byte[] NO_PART = {};

  /** What comes of the join. */
  interface Outcome {
    /** A record, with its bytes or without. */
    void committed(RowEvents.Kind kind, RestoredRow event) throws IOException;

    /**
     * A write of which no record tells.
     *
     * @param manifest null if the needles are not all of an object
     */
    void unrecorded(List<FoundNeedle> needles, Manifest manifest) throws IOException;

    /** A write that was given up, and left needles. */
    void abandoned();

    /**
     * Needles of a part, or of a piece of a file.
     *
     * @param takenBy the committing writes whose records that count name it
     */
    void part(List<FoundNeedle> needles, List<ByteString> takenBy) throws IOException;

    /** Asked of bytes that lie in several places. */
    boolean isReadable(Extent extent);
  }

  private final SpillSorter records; // by committing write
  private final SpillSorter byWrite;
  private final SpillSorter byCommit;
  private final Progress progress;

  WriteJoin(Path directory, long sorterBytes, Progress progress) {
    this.records = new SpillSorter(directory, "records", sorterBytes);
    this.byWrite = new SpillSorter(directory, "writes", sorterBytes);
    this.byCommit = new SpillSorter(directory, "commits", sorterBytes);
    this.progress = progress;
  }

  void addNeedle(FoundNeedle needle) throws IOException {
    byWrite.add(
        needle.header().writeId().toByteArray(), SpillSorter.tagged(NEEDLE, needle.encode()));
  }

  void addFinished(ByteString writeId, long length) throws IOException {
    byWrite.add(writeId.toByteArray(), SpillSorter.tagged(FINISHED, bytesOf(length)));
  }

  void addAbandoned(ByteString writeId) throws IOException {
    byWrite.add(writeId.toByteArray(), new byte[] {ABANDONED});
  }

  /** A record that something was committed; throws before anything of it is taken. */
  void addCommitted(RecordNeedle record) throws IOException {
    CommittedFact fact = record.getFact().getCommitted();
    List<ByteString> unused = NeedleFacts.partWriteIds(fact);
    records.add(fact.getVersion().getWriteId().toByteArray(), record.toByteArray());
  }

  /** How many entries were sorted, in all. */
  long entries() {
    return records.count() + byWrite.count() + byCommit.count();
  }

  void join(Outcome outcome) throws IOException {
    sift();
    records.close();
    joinWrites(outcome);
    byWrite.close();
    joinCommits(outcome);
    byCommit.close();
  }

  private void sift() throws IOException {
    try (SpillSorter.Groups first = records.groups();
        SpillSorter.Groups again = records.groups()) {
      for (byte[] creator = first.nextKey(); creator != null; creator = first.nextKey()) {
        NewestRecords newest = new NewestRecords();
        for (byte[] one = first.nextValue(); one != null; one = first.nextValue()) {
          newest.look(RecordNeedle.parseFrom(one));
        }
        again.nextKey();
        long length = UNKNOWN;
        for (byte[] one = again.nextValue(); one != null; one = again.nextValue()) {
          RecordNeedle record = RecordNeedle.parseFrom(one);
          if (newest.keep(record)) {
            byCommit.add(creator, SpillSorter.tagged(COMMITTED, one));
            addParts(creator, record.getFact().getCommitted());
            length = length < 0 ? lengthOfWhole(record) : length;
          }
        }
        byWrite.add(creator, SpillSorter.tagged(COMMITTED, bytesOf(length)));
      }
    }
  }

  private void addParts(byte[] creator, CommittedFact fact) throws IOException {
    ObjectVersion version = fact.getVersion();
    List<ByteString> parts = NeedleFacts.partWriteIds(fact);
    for (int i = 0; i < parts.size(); i++) {
      ByteBuffer reference = ByteBuffer.allocate(1 + WriteId.BYTES + Long.BYTES);
      reference.put(PART_OF).put(creator);
      reference.putLong(JoinedCommit.storedLength(version, version.getPartLengths(i)));
      byWrite.add(parts.get(i).toByteArray(), reference.array());
    }
  }

  private static long lengthOfWhole(RecordNeedle record) {
    CommittedFact fact = record.getFact().getCommitted();
    return fact.getPartWriteIds().isEmpty()
        ? JoinedCommit.storedLength(fact.getVersion(), fact.getVersion().getLength())
        : UNKNOWN;
  }

  private void joinWrites(Outcome outcome) throws IOException {
    try (SpillSorter.Groups writes = byWrite.groups()) {
      long done = 0;
      for (byte[] id = writes.nextKey(); id != null; id = writes.nextKey()) {
        done += joinWrite(id, writes, outcome);
        progress.at("needles and records joined", done, byWrite.count());
      }
    }
  }

  /** Returns how many entries there were. */
  private int joinWrite(byte[] writeId, SpillSorter.Groups values, Outcome outcome)
      throws IOException {
    List<FoundNeedle> needles = new ArrayList<>();
    List<ByteBuffer> references = new ArrayList<>();
    long length = UNKNOWN;
    long committedLength = UNKNOWN;
    boolean committed = false;
    boolean abandoned = false;
    boolean part = false;
    int count = 0;
    for (byte[] value = values.nextValue(); value != null; value = values.nextValue()) {
      count++;
      ByteBuffer rest = ByteBuffer.wrap(value, 1, value.length - 1);
      switch (value[0]) {
        case NEEDLE -> {
          FoundNeedle needle = FoundNeedle.decode(rest);
          needles.add(needle);
          part |= needle.isPart();
        }
        case FINISHED -> length = rest.getLong();
        case ABANDONED -> abandoned = true;
        case COMMITTED -> {
          committed = true;
          committedLength = rest.getLong();
        }
        case PART_OF -> references.add(rest);
        default -> throw new IllegalStateException("entry " + value[0]);
      }
    }
    List<ByteString> takenBy = new ArrayList<>();
    for (ByteBuffer reference : references) {
      byte[] complete = new byte[WriteId.BYTES];
      reference.get(complete);
      takenBy.add(ByteString.copyFrom(complete));
      addBytes(complete, writeId, assemble(needles, reference.getLong(), outcome));
    }
    if (needles.isEmpty()) {
      return count;
    }
    length = length < 0 ? committedLength : length;
    if (part) {
      outcome.part(needles, takenBy);
    } else if (committed) {
      addBytes(writeId, NO_PART, assemble(needles, length, outcome));
    } else if (abandoned) {
      outcome.abandoned();
    } else {
      outcome.unrecorded(needles, assemble(needles, length, outcome));
    }
    return count;
  }

  /** Null without needles, or if they do not fit. */
  private static Manifest assemble(List<FoundNeedle> needles, long length, Outcome outcome) {
    if (needles.isEmpty()) {
      return null;
    }
    Manifest manifest = Assembly.of(needles, length, outcome::isReadable);
    NeedleHeader header = needles.get(0).header();
    return manifest == null
        ? null
        : manifest.toBuilder()
            .setOriginRow(TreeScan.rowOf(header.bucketId(), header.rowKey()))
            .build();
  }

  private void addBytes(byte[] commit, byte[] partWriteId, Manifest manifest) throws IOException {
    if (manifest != null) {
      byte[] value = manifest.toByteArray();
      ByteBuffer found =
          ByteBuffer.allocate(2 + partWriteId.length + value.length)
              .put(BYTES)
              .put((byte) partWriteId.length)
              .put(partWriteId)
              .put(value);
      byCommit.add(commit, found.array());
    }
  }

  private void joinCommits(Outcome outcome) throws IOException {
    try (SpillSorter.Groups commits = byCommit.groups()) {
      while (commits.nextKey() != null) {
        JoinedCommit joined = new JoinedCommit();
        for (byte[] value = commits.nextValue(); value != null; value = commits.nextValue()) {
          ByteBuffer rest = ByteBuffer.wrap(value, 1, value.length - 1);
          if (value[0] == BYTES) {
            byte[] partWriteId = new byte[rest.get()];
            rest.get(partWriteId);
            joined.addBytes(ByteString.copyFrom(partWriteId), Manifest.parseFrom(rest));
          } else {
            joined.addRecord(RecordNeedle.parseFrom(rest));
          }
        }
        for (JoinedCommit.Event event : joined.events()) {
          outcome.committed(event.kind(), event.row());
        }
      }
    }
  }

  private static byte[] bytesOf(long value) {
    return ByteBuffer.allocate(Long.BYTES).putLong(value).array();
  }

  @Override
  public void close() throws IOException {
    records.close();
    byWrite.close();
    byCommit.close();
  }
}

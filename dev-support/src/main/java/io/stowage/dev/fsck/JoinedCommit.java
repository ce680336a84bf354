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

import io.stowage.client.crypt.PacketLayout;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.CommittedFact;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.RecordNeedle;
import io.stowage.common.proto.RestoredRow;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * The records of one committing write beside the bytes that were found for it: what each record
 * makes its row hold. Confined to one thread.
 *
 * <p>A version is believed only with as many bytes as it says it has. Its record may name other
 * parts than it is made of: the loser of two completions of one upload was once told of the
 * winner's version beside its own list. And one record's list serves another, since that of a
 * rename has none.
 */
final class JoinedCommit {
  record Event(RowEvents.Kind kind, RestoredRow row) {}

  /** Bytes that lie under one write id, so many; without an id: the whole, under the commit's. */
  private record Part(ByteString writeId, long stored) {}

  /** What one record says that the bytes are put together from. */
  record PartList(List<Long> lengths, ByteString ids) {
    long sum() {
      long sum = 0;
      for (long length : lengths) {
        sum += length;
      }
      return sum;
    }
  }

  private final List<RecordNeedle> commits = new ArrayList<>();
  private final Map<Long, List<PartList>> listsBySum = new HashMap<>();
  private final Map<Part, Manifest> bytes = new HashMap<>();

  void addRecord(RecordNeedle commit) {
    commits.add(commit);
    PartList list = listOf(commit);
    if (list != null) {
      listsBySum.computeIfAbsent(list.sum(), sum -> new ArrayList<>()).add(list);
    }
  }

  /**
   * @param partWriteId empty: of the whole
   */
  void addBytes(ByteString partWriteId, Manifest manifest) {
    bytes.put(new Part(partWriteId, manifest.getLength()), manifest);
  }

  List<Event> events() {
    List<Event> events = new ArrayList<>();
    for (RecordNeedle commit : commits) {
      RestoredRow.Builder row =
          RestoredRow.newBuilder()
              .setBucketId(commit.getBucketId())
              .setRowKey(commit.getRowKey())
              .setVersionId(versionId(commit))
              .setStamp(commit.getStamp())
              .setWriteId(commit.getWriteId());
      ObjectVersion version = withBytes(commit);
      if (version == null) {
        events.add(new Event(RowEvents.Kind.WITHOUT_BYTES, row.build()));
      } else {
        events.add(new Event(RowEvents.Kind.CERTAIN, row.setVersion(version).build()));
      }
    }
    return events;
  }

  /** Which of its row's versions it tells of; 0: the null version. */
  static long versionId(RecordNeedle commit) {
    ObjectVersion version = commit.getFact().getCommitted().getVersion();
    return version.getVersioned() ? version.getVersionId() : 0;
  }

  /** Null without a list of its own. */
  static PartList listOf(RecordNeedle commit) {
    CommittedFact fact = commit.getFact().getCommitted();
    return fact.getPartWriteIds().isEmpty()
        ? null
        : new PartList(fact.getVersion().getPartLengthsList(), fact.getPartWriteIds());
  }

  private ObjectVersion withBytes(RecordNeedle commit) {
    ObjectVersion version = commit.getFact().getCommitted().getVersion();
    List<PartList> candidates = new ArrayList<>();
    PartList own = listOf(commit);
    if (own != null && own.sum() == version.getLength()) {
      candidates.add(own); // of lists of equal length this is the one
    }
    candidates.addAll(listsBySum.getOrDefault(version.getLength(), List.of()));
    for (PartList list : candidates) {
      Manifest joined = join(version, list);
      if (joined != null) {
        boolean isEncrypted = version.getMetadata().hasEncryption();
        return with(version, joined, list.lengths, isEncrypted ? list.ids : ByteString.EMPTY);
      }
    }
    Manifest whole =
        version.getLength() == 0
            ? Manifest.getDefaultInstance()
            : bytes.get(new Part(ByteString.EMPTY, storedLength(version, version.getLength())));
    if (whole == null) {
      return null;
    }
    return version.getPartCount() == 1 // a put whose bytes were not hashed
        ? with(version, whole, List.of(version.getLength()), version.getWriteId())
        : with(version, whole, List.of(), ByteString.EMPTY);
  }

  private static ObjectVersion with(
      ObjectVersion version, Manifest manifest, List<Long> partLengths, ByteString partWriteIds) {
    return version.toBuilder()
        .setManifest(manifest)
        .clearPartLengths()
        .addAllPartLengths(partLengths)
        .setPartWriteIds(partWriteIds)
        .build();
  }

  /** Null if a part was not found. */
  private Manifest join(ObjectVersion version, PartList list) {
    Manifest.Builder whole = Manifest.newBuilder();
    for (int i = 0; i < list.lengths.size(); i++) {
      ByteString id = list.ids.substring(WriteId.BYTES * i, WriteId.BYTES * (i + 1));
      long stored = storedLength(version, list.lengths.get(i));
      if (stored == 0) {
        continue; // of an empty part there is no needle
      }
      Manifest part = bytes.get(new Part(id, stored));
      if (part == null) {
        return null;
      }
      whole
          .setLength(whole.getLength() + stored)
          .addAllExtents(part.getExtentsList())
          .setOriginRow(part.getOriginRow());
    }
    return whole.build();
  }

  /** Payload bytes of an object, or of one part of it, in its needles. */
  static long storedLength(ObjectVersion version, long length) {
    return version.getMetadata().hasEncryption() ? PacketLayout.cipherLength(length) : length;
  }
}

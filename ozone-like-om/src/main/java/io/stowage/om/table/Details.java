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
package io.stowage.om.table;

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.DetailRecord;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.ExtentRun;
import io.stowage.common.proto.HeadRecord;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;

/**
 * Splits a version between the head and, where it is too large for that, chunks of family {@code
 * m}; and puts it together again. Extents are run-length encoded there: those that follow one
 * another at equal distances, as the stripes and parts of one large object do, take one entry.
 */
public final class Details {
  private static final int FORMAT = 1;

  private Details() {}

  /** A version as it is stored: the head's record, and the chunks in order (none if it fits). */
  public record Split(HeadRecord record, List<ByteString> chunks) {}

  /**
   * Splits a version.
   *
   * @param owner write id that would qualify the chunks
   */
  public static Split split(ObjectVersion version, ByteString owner) {
    ObjectVersion bare = version.toBuilder().clearKey().clearStamp().build();
    if (bare.getManifest().getExtentsCount() <= ObjectRowLayout.MAX_INLINE_EXTENTS) {
      HeadRecord inline = HeadRecord.newBuilder().setVersion(bare).build();
      if (Head.FIXED_BYTES + inline.getSerializedSize() <= ObjectRowLayout.MAX_HEAD_BYTES) {
        return new Split(inline, List.of());
      }
    }
    DetailRecord detail =
        DetailRecord.newBuilder()
            .setFormat(FORMAT)
            .setMetadata(bare.getMetadata())
            .setManifestLength(bare.getManifest().getLength())
            .setOriginRow(bare.getManifest().getOriginRow())
            .addAllRuns(runs(bare.getManifest().getExtentsList()))
            .addAllPartLengths(bare.getPartLengthsList())
            .setPartWriteIds(bare.getPartWriteIds())
            .setPartChecksums(bare.getPartChecksums())
            .build();
    ByteString all = detail.toByteString();
    List<ByteString> chunks = new ArrayList<>();
    for (int from = 0; from < all.size(); from += ObjectRowLayout.MAX_CHUNK_BYTES) {
      chunks.add(all.substring(from, Math.min(all.size(), from + ObjectRowLayout.MAX_CHUNK_BYTES)));
    }
    return new Split(
        HeadRecord.newBuilder()
            .setVersion(
                bare.toBuilder()
                    .setMetadata(headOf(bare))
                    .clearManifest()
                    .clearPartLengths()
                    .clearPartWriteIds()
                    .clearPartChecksums())
            .setChunkCount(chunks.size())
            .setChunkOwner(owner)
            .setChunkCrc32C(crc(all))
            .build(),
        chunks);
  }

  /**
   * What the head has to say even of metadata in chunks: whether the version may be removed, and
   * what a listing of files shows.
   */
  private static ObjectMetadata headOf(ObjectVersion version) {
    ObjectMetadata metadata = version.getMetadata();
    ObjectMetadata.Builder kept = ObjectMetadata.newBuilder();
    if (metadata.hasLock()) {
      kept.setLock(metadata.getLock());
    }
    if (metadata.hasFile()) {
      kept.setFile(metadata.getFile()).setOwner(metadata.getOwner());
    }
    return kept.build();
  }

  /** Columns of a record's chunks. */
  public static List<Column> chunkColumns(HeadRecord record) {
    List<Column> columns = new ArrayList<>(record.getChunkCount());
    for (int i = 0; i < record.getChunkCount(); i++) {
      columns.add(ObjectRowLayout.chunk(record.getChunkOwner(), i));
    }
    return columns;
  }

  /**
   * The version of a live head's record, with what the chunks in this row add.
   *
   * @return null if a chunk is missing: the head is no longer the row's
   */
  public static ObjectVersion join(HeadRecord record, Row row) throws StoreException {
    if (record.getChunkCount() == 0) {
      return record.getVersion();
    }
    ByteString all = ByteString.EMPTY;
    for (Column column : chunkColumns(record)) {
      ByteString chunk = row.value(column);
      if (chunk == null) {
        return null;
      }
      all = all.concat(chunk);
    }
    if (crc(all) != record.getChunkCrc32C()) {
      throw new CorruptDataException("Cannot read a manifest: its chunks do not match their CRC");
    }
    DetailRecord detail;
    try {
      detail = DetailRecord.parseFrom(all);
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException("Cannot read a manifest: " + e.getMessage());
    }
    if (detail.getFormat() > FORMAT) {
      throw new StoreException(
          ErrorCode.FORMAT_TOO_NEW, "Cannot read a manifest of format " + detail.getFormat());
    }
    return record.getVersion().toBuilder()
        .setMetadata(detail.getMetadata())
        .setManifest(
            Manifest.newBuilder()
                .setLength(detail.getManifestLength())
                .setOriginRow(detail.getOriginRow())
                .addAllExtents(extents(detail.getRunsList())))
        .addAllPartLengths(detail.getPartLengthsList())
        .setPartWriteIds(detail.getPartWriteIds())
        .setPartChecksums(detail.getPartChecksums())
        .build();
  }

  private static int crc(ByteString bytes) {
    CRC32C crc = new CRC32C();
    bytes.asReadOnlyByteBufferList().forEach(crc::update);
    return (int) crc.getValue();
  }

  static List<ExtentRun> runs(List<Extent> extents) {
    List<ExtentRun> runs = new ArrayList<>();
    int i = 0;
    while (i < extents.size()) {
      Extent first = extents.get(i);
      int count = 1;
      long step = 0;
      while (i + count < extents.size()) {
        Extent next = extents.get(i + count);
        long distance = next.getOffset() - extents.get(i + count - 1).getOffset();
        boolean alike = next.toBuilder().setOffset(first.getOffset()).build().equals(first);
        if (!alike || (count > 1 && distance != step) || distance < 0) {
          break;
        }
        step = distance;
        count++;
      }
      runs.add(ExtentRun.newBuilder().setFirst(first).setCount(count).setStep(step).build());
      i += count;
    }
    return runs;
  }

  static List<Extent> extents(List<ExtentRun> runs) {
    List<Extent> extents = new ArrayList<>();
    for (ExtentRun run : runs) {
      for (int i = 0; i < run.getCount(); i++) {
        extents.add(
            run.getFirst().toBuilder()
                .setOffset(run.getFirst().getOffset() + i * run.getStep())
                .build());
      }
    }
    return extents;
  }
}

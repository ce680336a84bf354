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
package io.stowage.om.object;

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.NamedExtents;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.ScanNamespaceReply;
import io.stowage.common.proto.ScanNamespaceRequest;
import io.stowage.common.proto.UploadedPart;
import io.stowage.om.table.Cell;
import io.stowage.om.table.Head;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;

/**
 * Goes through the object table for fsck, over all buckets: every extent that a head or a part of
 * an upload names. Thread-safe.
 *
 * <p>A page covers a range of rows, found by a scan of heads and one of parts; both see each row at
 * a moment of their own. What changes meanwhile may be missed or told as it was: fsck asks again
 * before it believes anything that it does not like.
 */
public final class NamespaceScan {
  private static final int MOST_ROWS = 1_000;

  /**
   * An answer is ended early at about this size: an object of terabytes has a manifest of
   * megabytes.
   */
  private static final int MOST_BYTES = 4 << 20;

  private static final ByteString FIRST = ByteString.copyFrom(new byte[] {0});

  /**
   * Behind every row: no bucket id is all ones and followed by a byte 0xFF, which UTF-8 has not.
   */
  private static final ByteString LAST =
      ByteString.copyFrom(new byte[] {-1, -1, -1, -1, -1, -1, -1, -1, -1});

  private static final ByteString PARTS = ByteString.copyFromUtf8("p");

  private final ObjectRows rows;

  public NamespaceScan(ObjectRows rows) {
    this.rows = rows;
  }

  public ScanNamespaceReply page(ScanNamespaceRequest request) throws StoreException {
    int limit = request.getLimit() == 0 ? MOST_ROWS : Math.min(MOST_ROWS, request.getLimit());
    if (request.getAfterVersionId() != 0) {
      return older(request, limit);
    }
    ByteString from =
        request.getAfterRow().isEmpty() ? FIRST : ObjectRowLayout.behind(request.getAfterRow());
    List<Row> heads =
        rows.committer().scan(from, LAST, 'c', ObjectRowLayout.HEAD.qualifier(), limit);
    ByteString end =
        heads.size() < limit ? LAST : ObjectRowLayout.behind(heads.get(heads.size() - 1).key());
    ScanNamespaceReply.Builder reply = ScanNamespaceReply.newBuilder();
    int bytes = 0;
    for (Row row : heads) {
      NamedExtents named = head(row, request.getWantAll());
      reply.setRows(reply.getRows() + 1).setLastRow(row.key());
      if (named != null) {
        reply.addNamed(named);
        bytes += named.getSerializedSize();
      }
      if (hasOlder(row)) {
        reply.setLastVersionId(Long.MAX_VALUE); // they come next, whatever else there is
      }
      if (bytes > MOST_BYTES || reply.getLastVersionId() != 0) {
        end = ObjectRowLayout.behind(row.key());
        break;
      }
    }
    boolean more = !end.equals(LAST) || reply.getLastVersionId() != 0;
    // An upload's row need not have a head; parts of one row come whole, and few rows have any.
    while (true) {
      List<Row> uploads = rows.committer().scan(from, end, 'x', PARTS, 1);
      if (uploads.isEmpty()) {
        break;
      }
      Row row = uploads.get(0);
      for (Cell cell : row.cells()) {
        NamedExtents named = part(row.key(), cell);
        reply.addNamed(named);
        bytes += named.getSerializedSize();
      }
      from = ObjectRowLayout.behind(row.key());
      if (bytes > 4 * MOST_BYTES) {
        if (!row.key().equals(reply.getLastRow())) { // of which older versions may come next
          // The heads behind are told again with the next page, which does no harm.
          reply.setLastRow(row.key()).clearLastVersionId();
        }
        return reply.setMore(true).build();
      }
    }
    if (more && reply.getLastRow().isEmpty()) {
      return reply.setMore(false).build();
    }
    return reply.setMore(more).build();
  }

  private static boolean hasOlder(Row row) throws StoreException {
    try {
      Head head = Head.parseOrNull(row.value(ObjectRowLayout.HEAD));
      return head != null && head.record().getOlderCount() > 0;
    } catch (CorruptDataException e) {
      return false;
    }
  }

  /** Versions of one row, below an id. */
  private ScanNamespaceReply older(ScanNamespaceRequest request, int limit) throws StoreException {
    ByteString row = request.getAfterRow();
    ScanNamespaceReply.Builder reply = ScanNamespaceReply.newBuilder().setLastRow(row);
    List<Cell> cells =
        rows.committer()
            .getRange(
                row,
                'v',
                ObjectRowLayout.olderFrom(request.getAfterVersionId() - 1),
                ObjectRowLayout.BEHIND_OLDER,
                limit)
            .cells();
    int bytes = 0;
    int seen = 0;
    for (Cell cell : cells) {
      seen++;
      long id = ObjectRowLayout.olderId(cell.column());
      reply.setLastVersionId(id);
      NamedExtents.Builder named =
          NamedExtents.newBuilder().setRow(row).setStamp(cell.stamp()).setVersionId(id);
      try {
        ObjectVersion version = rows.findVersion(row, id);
        if (version == null || version.getManifest().getExtentsCount() == 0) {
          continue;
        }
        named.setWriteId(version.getWriteId()).setManifest(version.getManifest());
      } catch (CorruptDataException e) {
        named.setProblem(e.getMessage());
      }
      reply.addNamed(named);
      bytes += named.build().getSerializedSize();
      if (bytes > MOST_BYTES) {
        break;
      }
    }
    if (cells.size() < limit && seen == cells.size()) {
      reply.clearLastVersionId();
    }
    return reply.setMore(true).build();
  }

  /** Null if the row names no bytes; if all are wanted, only if it holds nothing. */
  private NamedExtents head(Row row, boolean wantAll) throws StoreException {
    NamedExtents.Builder named = NamedExtents.newBuilder().setRow(row.key());
    try {
      Head head = Head.parseOrNull(row.value(ObjectRowLayout.HEAD));
      if (head == null) {
        return null;
      }
      named.setStamp(head.stamp());
      boolean whole =
          head.isLive() && head.record().getChunkCount() == 0 && head.record().getOpenEpoch() == 0;
      ObjectVersion version = whole ? SeenRow.version(row.key(), head) : rows.find(row.key(), true);
      if (version == null || (!wantAll && version.getManifest().getExtentsCount() == 0)) {
        return null;
      }
      return named
          .setWriteId(version.getWriteId())
          .setManifest(version.getManifest())
          .setDirectoryId(version.getDirectoryId())
          .build();
    } catch (CorruptDataException e) {
      return named.setProblem(e.getMessage()).build();
    }
  }

  private static NamedExtents part(ByteString row, Cell cell) {
    NamedExtents.Builder named = NamedExtents.newBuilder().setRow(row).setStamp(cell.stamp());
    try {
      UploadedPart part = UploadedPart.parseFrom(cell.value());
      return named
          .setWriteId(part.getWriteId())
          .setPartNumber(part.getNumber())
          .setManifest(part.getManifest())
          .build();
    } catch (InvalidProtocolBufferException e) {
      return named.setProblem("Cannot read a part of an upload: " + e.getMessage()).build();
    }
  }
}

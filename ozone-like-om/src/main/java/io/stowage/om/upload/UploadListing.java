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
package io.stowage.om.upload;

import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ListUploadsReply;
import io.stowage.common.proto.ListUploadsRequest;
import io.stowage.om.object.Grouping;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.table.Cell;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** Lists a bucket's uploads by key, those of one key by their id: scans headers. Thread-safe. */
public final class UploadListing {
  private static final int MOST_RESULTS = 1_000;

  /** Rows of one scan call, as for keys: small where the next seek may skip the rest. */
  private static final int SMALL_PAGE = 16;

  /** A row has all uploads of its key. */
  private static final int LARGE_PAGE = 200;

  private final RowCommitter rows;

  public UploadListing(RowCommitter rows) {
    this.rows = rows;
  }

  public ListUploadsReply list(long bucketId, ListUploadsRequest request) throws StoreException {
    int limit = request.getLimit() == 0 ? MOST_RESULTS : Math.min(MOST_RESULTS, request.getLimit());
    Grouping grouping = new Grouping(request.getPrefix(), request.getDelimiter());
    ByteString end =
        ObjectRowLayout.behindPrefix(ObjectRowLayout.row(bucketId, request.getPrefix()));
    ByteString marker = ObjectRowLayout.row(bucketId, request.getKeyMarker());
    ByteString idMarker = request.getUploadIdMarker();
    ByteString from = grouping.firstRow(bucketId, request.getKeyMarker());
    if (!idMarker.isEmpty() && from.equals(ObjectRowLayout.behind(marker))) {
      from = marker; // further uploads of the same key
    }
    ListUploadsReply.Builder reply = ListUploadsReply.newBuilder();
    int found = 0;
    int page = request.getDelimiter().isEmpty() ? Math.min(LARGE_PAGE, limit + 1) : SMALL_PAGE;
    while (compare(from, end) < 0) {
      List<Row> scanned = rows.scan(from, end, 'x', ObjectRowLayout.UPLOAD_HEADERS, page);
      boolean sought = false;
      for (Row row : scanned) {
        if (compare(row.key(), from) < 0) {
          continue;
        }
        from = ObjectRowLayout.behind(row.key());
        String key = ObjectRowLayout.key(row.key());
        String common = grouping.commonPrefix(key);
        if (common != null) {
          if (found++ == limit) {
            return reply.setMore(true).build();
          }
          reply.addCommonPrefixes(common);
          from = ObjectRowLayout.behindPrefix(ObjectRowLayout.row(bucketId, common));
          sought = true;
          continue;
        }
        for (Cell cell : row.cells()) {
          ByteString uploadId = cell.column().qualifier().substring(1);
          if (row.key().equals(marker) && compare(uploadId, idMarker) <= 0) {
            continue;
          }
          if (found++ == limit) {
            return reply.setMore(true).build();
          }
          reply.addUploads(Uploads.info(cell.value(), key, uploadId));
        }
      }
      if (scanned.size() < page) {
        return reply.build();
      }
      page = sought ? SMALL_PAGE : Math.min(LARGE_PAGE, 4 * page);
    }
    return reply.build();
  }

  private static int compare(ByteString a, ByteString b) {
    return ByteString.unsignedLexicographicalComparator().compare(a, b);
  }
}

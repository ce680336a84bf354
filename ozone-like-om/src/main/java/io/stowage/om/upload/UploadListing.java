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
import io.stowage.om.row.RowCommitter;
import io.stowage.om.table.Cell;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** Lists a bucket's uploads by key, those of one key by their id: scans headers. Thread-safe. */
public final class UploadListing {
  private static final int MOST_RESULTS = 1_000;
  private static final int PAGE = 200;

  private final RowCommitter rows;

  public UploadListing(RowCommitter rows) {
    this.rows = rows;
  }

  public ListUploadsReply list(long bucketId, ListUploadsRequest request) throws StoreException {
    int limit = request.getLimit() == 0 ? MOST_RESULTS : Math.min(MOST_RESULTS, request.getLimit());
    String prefix = request.getPrefix();
    String delimiter = request.getDelimiter();
    ByteString from = ObjectRowLayout.row(bucketId, prefix);
    ByteString end = ObjectRowLayout.behindPrefix(from);
    ByteString marker = ObjectRowLayout.row(bucketId, request.getKeyMarker());
    ByteString idMarker = request.getUploadIdMarker();
    if (!request.getKeyMarker().isEmpty()) {
      boolean commonPrefix =
          !delimiter.isEmpty()
              && request.getKeyMarker().startsWith(prefix)
              && request.getKeyMarker().endsWith(delimiter)
              && idMarker.isEmpty();
      ByteString behind =
          commonPrefix
              ? ObjectRowLayout.behindPrefix(marker)
              : idMarker.isEmpty() ? ObjectRowLayout.behind(marker) : marker;
      from = compare(behind, from) > 0 ? behind : from;
    }
    ListUploadsReply.Builder reply = ListUploadsReply.newBuilder();
    int found = 0;
    while (true) {
      List<Row> page = rows.scan(from, end, 'x', ObjectRowLayout.UPLOAD_HEADERS, PAGE);
      for (Row row : page) {
        if (compare(row.key(), from) < 0) {
          continue;
        }
        from = ObjectRowLayout.behind(row.key());
        String key = ObjectRowLayout.key(row.key());
        int cut = delimiter.isEmpty() ? -1 : key.indexOf(delimiter, prefix.length());
        if (cut >= 0) {
          if (found++ == limit) {
            return reply.setMore(true).build();
          }
          String common = key.substring(0, cut + delimiter.length());
          reply.addCommonPrefixes(common);
          from = ObjectRowLayout.behindPrefix(ObjectRowLayout.row(bucketId, common));
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
      if (page.size() < PAGE) {
        return reply.build();
      }
    }
  }

  private static int compare(ByteString a, ByteString b) {
    return ByteString.unsignedLexicographicalComparator().compare(a, b);
  }
}

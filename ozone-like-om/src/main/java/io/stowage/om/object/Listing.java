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

import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ListObjectsReply;
import io.stowage.common.proto.ListObjectsRequest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Lists keys: scans heads alone, in pages, and seeks behind a common prefix once it was met.
 * Thread-safe.
 *
 * <p>Each row is listed as of a moment within the call. A page is not atomic: a key that is renamed
 * during the call, from ahead of the scan to behind it, can be missed, or met twice.
 */
public final class Listing {
  private static final int MOST_RESULTS = 1_000;

  /** Rows of one scan call; small at first, since the next seek may skip the rest. */
  private static final int SMALL_PAGE = 16;

  /** Where each common prefix covers more rows than that: its first, and a look behind it. */
  private static final int LEAST_PAGE = 2;

  private final ObjectRows rows;

  public Listing(ObjectRows rows) {
    this.rows = rows;
  }

  public ListObjectsReply list(long bucketId, ListObjectsRequest request) throws StoreException {
    return list(bucketId, request, Look.now(rows));
  }

  /** The same as of a look. */
  public ListObjectsReply list(long bucketId, ListObjectsRequest request, Look look)
      throws StoreException {
    int limit = request.getLimit() == 0 ? MOST_RESULTS : Math.min(MOST_RESULTS, request.getLimit());
    Grouping grouping = new Grouping(request.getPrefix(), request.getDelimiter());
    ByteString end =
        ObjectRowLayout.behindPrefix(ObjectRowLayout.row(bucketId, request.getPrefix()));
    ByteString from = grouping.firstRow(bucketId, request.getStartAfter());

    ListObjectsReply.Builder reply = ListObjectsReply.newBuilder();
    int found = 0;
    int page = request.getDelimiter().isEmpty() ? limit + 1 : SMALL_PAGE;
    while (compare(from, end) < 0) {
      List<Row> scanned = look.scan(from, end, page);
      boolean sought = false;
      int used = 0;
      int before = found;
      for (Row row : scanned) {
        if (compare(row.key(), from) < 0) {
          continue; // under the common prefix just listed
        }
        used++;
        from = ObjectRowLayout.behind(row.key());
        ObjectVersion version = look.scanned(row);
        if (version == null) {
          continue;
        }
        if (found == limit) {
          return reply.setMore(true).build();
        }
        String key = version.getKey();
        String common = grouping.commonPrefix(key);
        if (common == null) {
          reply.addObjects(SeenRow.withoutManifest(version)).setLast(key);
        } else {
          reply.addCommonPrefixes(common).setLast(common);
          if (request.getWantMarkers() && key.equals(common)) { // it sorts before all below it
            reply.addMarkers(SeenRow.withoutManifest(version));
          }
          from = ObjectRowLayout.behindPrefix(ObjectRowLayout.row(bucketId, common));
          sought = true;
        }
        found++;
      }
      if (scanned.size() < page) {
        return reply.build();
      }
      // Where prefixes are met, what lies behind a seek is fetched in vain: stay small; where one
      // prefix filled the whole scan, the smallest. (Reading through a few rows is cheaper than one
      // more call, which costs as much as some hundred.) Elsewhere no more than what is wanted, and
      // one to know whether there are more; but where rows hold nothing, as after many deletions,
      // more and more.
      int more = found == before ? MOST_RESULTS + 1 : Math.max(SMALL_PAGE, limit - found + 1);
      int small = used == 1 ? LEAST_PAGE : SMALL_PAGE;
      page = sought ? small : Math.min(more, 4 * page);
    }
    return reply.build();
  }

  /** A version as listings tell it. */
  public static ObjectVersion told(ObjectVersion version) {
    return SeenRow.withoutManifest(version);
  }

  private static int compare(ByteString a, ByteString b) {
    return ByteString.unsignedLexicographicalComparator().compare(a, b);
  }
}

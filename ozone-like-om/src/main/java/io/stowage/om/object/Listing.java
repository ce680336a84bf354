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

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ListObjectsReply;
import io.stowage.common.proto.ListObjectsRequest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.om.table.Head;
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

  private static final int LARGE_PAGE = 1_000;

  private final ObjectRows rows;

  public Listing(ObjectRows rows) {
    this.rows = rows;
  }

  public ListObjectsReply list(long bucketId, ListObjectsRequest request) throws StoreException {
    int limit = request.getLimit() == 0 ? MOST_RESULTS : Math.min(MOST_RESULTS, request.getLimit());
    String prefix = request.getPrefix();
    String delimiter = request.getDelimiter();
    ByteString prefixRow = ObjectRowLayout.row(bucketId, prefix);
    ByteString end = ObjectRowLayout.behindPrefix(prefixRow);
    ByteString from = start(bucketId, request, prefixRow);

    ListObjectsReply.Builder reply = ListObjectsReply.newBuilder();
    int found = 0;
    int page = delimiter.isEmpty() ? Math.min(LARGE_PAGE, limit + 1) : SMALL_PAGE;
    while (compare(from, end) < 0) {
      List<Row> scanned =
          rows.committer().scan(from, end, 'c', ObjectRowLayout.HEAD.qualifier(), page);
      boolean sought = false;
      for (Row row : scanned) {
        if (compare(row.key(), from) < 0) {
          continue; // under the common prefix just listed
        }
        from = ObjectRowLayout.behind(row.key());
        ObjectVersion version = version(row);
        if (version == null) {
          continue;
        }
        if (found == limit) {
          return reply.setMore(true).build();
        }
        String key = version.getKey();
        int cut = delimiter.isEmpty() ? -1 : key.indexOf(delimiter, prefix.length());
        if (cut < 0) {
          reply.addObjects(SeenRow.withoutManifest(version)).setLast(key);
        } else {
          String common = key.substring(0, cut + delimiter.length());
          reply.addCommonPrefixes(common).setLast(common);
          from = ObjectRowLayout.behindPrefix(ObjectRowLayout.row(bucketId, common));
          sought = true;
        }
        found++;
      }
      if (scanned.size() < page) {
        return reply.build();
      }
      // Where prefixes are met, what lies behind a seek is fetched in vain: stay small.
      page = sought ? SMALL_PAGE : Math.min(LARGE_PAGE, 4 * page);
    }
    return reply.build();
  }

  private static ByteString start(long bucketId, ListObjectsRequest request, ByteString prefixRow)
      throws StoreException {
    String after = request.getStartAfter();
    if (after.isEmpty()) {
      return prefixRow;
    }
    if (after.length() > ObjectRowLayout.MAX_KEY_BYTES) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT, "Cannot list after a key of " + after.length() + " letters");
    }
    ByteString afterRow = ObjectRowLayout.row(bucketId, after);
    boolean isCommonPrefix =
        !request.getDelimiter().isEmpty()
            && after.startsWith(request.getPrefix())
            && after.endsWith(request.getDelimiter())
            && after.indexOf(request.getDelimiter(), request.getPrefix().length())
                == after.length() - request.getDelimiter().length();
    ByteString behind =
        isCommonPrefix ? ObjectRowLayout.behindPrefix(afterRow) : ObjectRowLayout.behind(afterRow);
    return compare(behind, prefixRow) > 0 ? behind : prefixRow;
  }

  /** What a scanned row holds, or null; a rename under way costs reads. */
  private ObjectVersion version(Row row) throws StoreException {
    Head head = Head.parseOrNull(row.value(ObjectRowLayout.HEAD));
    if (head == null) {
      return null;
    }
    return switch (head.state()) {
      case LIVE -> SeenRow.version(row.key(), head);
      case PENDING -> rows.find(row.key(), false);
      case ABSENT, MOVED, DELETING -> null;
    };
  }

  private static int compare(ByteString a, ByteString b) {
    return ByteString.unsignedLexicographicalComparator().compare(a, b);
  }
}

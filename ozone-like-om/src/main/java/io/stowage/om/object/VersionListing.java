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
import io.stowage.common.proto.ListVersionsReply;
import io.stowage.common.proto.ListVersionsRequest;
import io.stowage.common.proto.ListedVersion;
import io.stowage.om.table.Cell;
import io.stowage.om.table.Head;
import io.stowage.om.table.HeadState;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Lists versions and delete markers: keys in order, each with its versions newest first.
 * Thread-safe.
 *
 * <p>A scan brings of each row the head and the first few older versions, as of one moment; only a
 * key with more is read by pages of its own. Such a page is believed if the head that was read
 * before it still stands after it: no version comes to {@code v} or leaves it without the head's
 * stamp rising. Where rivals keep changing a key, what was seen of it counts: a version that was
 * there all the time was then seen unless it became current and an older one again between two of
 * our reads.
 */
public final class VersionListing {
  private static final int MOST_RESULTS = 1_000;

  /** Older versions that come with a row; few keys have more. */
  private static final int WITH_ROW = 8;

  /** Rows of a scan: with what comes with them, about 2 MB at most. */
  private static final int LARGE_PAGE = 250;

  private static final int SMALL_PAGE = 16;

  /** Reads of one key's page against rivals. */
  private static final int MOST_READS = 20;

  private final ObjectRows rows;

  public VersionListing(ObjectRows rows) {
    this.rows = rows;
  }

  public ListVersionsReply list(long bucketId, ListVersionsRequest request) throws StoreException {
    int limit = request.getLimit() == 0 ? MOST_RESULTS : Math.min(MOST_RESULTS, request.getLimit());
    Grouping grouping = new Grouping(request.getPrefix(), request.getDelimiter());
    Page page = new Page(limit);
    ByteString prefixRow = ObjectRowLayout.row(bucketId, request.getPrefix());
    ByteString end = ObjectRowLayout.behindPrefix(prefixRow);
    ByteString from = grouping.firstRow(bucketId, request.getKeyMarker());
    if (request.getVersionIdMarker() != 0 && !request.getKeyMarker().isEmpty()) {
      ByteString row = ObjectRows.row(bucketId, request.getKeyMarker());
      boolean listed =
          compare(row, prefixRow) >= 0 && grouping.commonPrefix(request.getKeyMarker()) == null;
      if (listed && compare(row, end) < 0 && !page.addFrom(row, request.getVersionIdMarker())) {
        return page.full();
      }
    }
    int scan = Math.min(LARGE_PAGE, limit + 1);
    while (compare(from, end) < 0) {
      List<Row> scanned =
          rows.committer().scanHeads(from, end, Set.of(HeadState.ABSENT), "cv", WITH_ROW, scan);
      boolean sought = false;
      for (Row row : scanned) {
        if (compare(row.key(), from) < 0) {
          continue; // under the common prefix just listed
        }
        from = ObjectRowLayout.behind(row.key());
        SeenRow seen = settled(row);
        if (seen.head() == null || !seen.head().isVersion()) {
          continue;
        }
        String common = grouping.commonPrefix(ObjectRowLayout.key(row.key()));
        if (common == null) {
          if (!page.addAll(seen)) {
            return page.full();
          }
        } else {
          if (!page.addCommon(common)) {
            return page.full();
          }
          from = ObjectRowLayout.behindPrefix(ObjectRowLayout.row(bucketId, common));
          sought = true;
        }
      }
      if (scanned.size() < scan) {
        break;
      }
      scan = sought ? SMALL_PAGE : Math.min(LARGE_PAGE, 4 * scan);
    }
    return page.reply.build();
  }

  private static int compare(ByteString a, ByteString b) {
    return ByteString.unsignedLexicographicalComparator().compare(a, b);
  }

  /** A scanned row, read again if a rename of it is under way. */
  private SeenRow settled(Row row) throws StoreException {
    Head head = Head.parseOrNull(row.value(ObjectRowLayout.HEAD));
    boolean renaming =
        head != null
            && (head.state() == HeadState.PENDING
                || (head.state() == HeadState.MOVED && head.record().hasVersion()));
    return renaming ? rows.readSettled(row.key(), List.of()) : new SeenRow(row.key(), head, row);
  }

  /** One answer. Confined to the call. */
  private final class Page {
    private final ListVersionsReply.Builder reply = ListVersionsReply.newBuilder();
    private final int limit;
    private int found;

    Page(int limit) {
      this.limit = limit;
    }

    ListVersionsReply full() {
      return reply.setMore(true).build();
    }

    /** False if there was no room. */
    boolean addCommon(String common) {
      if (found == limit) {
        return false;
      }
      reply.addCommonPrefixes(common).setNextKey(common).clearNextVersionId();
      found++;
      return true;
    }

    private boolean add(ByteString row, Head version, boolean latest) throws StoreException {
      if (found == limit) {
        return false;
      }
      reply
          .addVersions(
              ListedVersion.newBuilder()
                  .setVersion(SeenRow.withoutManifest(rows.told(row, version)))
                  .setLatest(latest))
          .setNextKey(ObjectRowLayout.key(row))
          .setNextVersionId(version.isNullVersion() ? Head.NULL_VERSION : version.versionId());
      found++;
      return true;
    }

    /** All versions of a key; false if there was no room. */
    boolean addAll(SeenRow seen) throws StoreException {
      if (!add(seen.key(), seen.head(), true)) {
        return false;
      }
      long olderCount = seen.head().record().getOlderCount();
      if (olderCount == 0) {
        return true;
      }
      List<Head> first = older(seen.cells() == null ? List.of() : seen.cells().cells());
      long last = seen.head().versionId();
      for (Head older : first) {
        if (!add(seen.key(), older, false)) {
          return false;
        }
        last = older.versionId();
      }
      return first.size() >= olderCount || addBehind(seen.key(), last);
    }

    /** The versions behind the one that a caller was given last. */
    boolean addFrom(ByteString row, long marker) throws StoreException {
      if (marker != Head.NULL_VERSION) {
        return addBehind(row, marker);
      }
      ObjectRows.Lookup lookup = rows.locate(row, marker, List.of());
      if (lookup.located() != null) {
        return addBehind(row, lookup.located().version().versionId());
      }
      // It was deleted since: better told twice than not at all.
      Head head = lookup.row().head();
      return head == null || !head.isVersion() || addBehind(row, Long.MAX_VALUE);
    }

    /** The versions with lower ids. */
    private boolean addBehind(ByteString row, long id) throws StoreException {
      long last = id;
      while (true) {
        int wanted = limit - found + 1;
        List<Listed> listed = read(row, last, wanted);
        for (Listed one : listed) {
          if (!add(row, one.version(), one.latest())) {
            return false;
          }
          last = one.version().versionId();
        }
        if (listed.size() < wanted) {
          return true;
        }
      }
    }
  }

  private record Listed(Head version, boolean latest) {}

  /** The newest versions with lower ids, at most so many. */
  private List<Listed> read(ByteString row, long id, int limit) throws StoreException {
    List<Listed> listed = new ArrayList<>();
    for (int attempt = 0; ; attempt++) {
      listed.clear();
      Head head = rows.readLeavingOpen(row, List.of()).head();
      if (head == null || !head.isVersion()) {
        return listed;
      }
      boolean headToo = head.versionId() < id;
      if (headToo) {
        listed.add(new Listed(head, true));
      }
      long begin = Math.min(id - 1, head.record().getNewestOlder());
      long most = Math.min(limit - listed.size(), head.record().getOlderCount());
      if (most > 0) {
        Row page =
            rows.committer()
                .getRange(
                    row,
                    'v',
                    ObjectRowLayout.olderFrom(begin),
                    ObjectRowLayout.BEHIND_OLDER,
                    (int) most);
        older(page.cells()).forEach(older -> listed.add(new Listed(older, false)));
        Head now = rows.readLeavingOpen(row, List.of()).head();
        boolean changed = now == null || !now.cell().equals(head.cell());
        if (changed && attempt < MOST_READS) {
          continue;
        }
      }
      return listed;
    }
  }

  private static List<Head> older(List<Cell> cells) throws StoreException {
    List<Head> older = new ArrayList<>();
    for (Cell cell : cells) {
      if (cell.column().family() == 'v') {
        older.add(Head.parse(cell.value()));
      }
    }
    return older;
  }
}

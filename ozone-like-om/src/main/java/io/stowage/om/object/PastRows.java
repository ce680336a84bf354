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
import io.stowage.common.proto.ObjectVersion;
import io.stowage.om.table.Cell;
import io.stowage.om.table.Head;
import io.stowage.om.table.HeadState;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Rows as they were at a stamp that a snapshot keeps. Thread-safe.
 *
 * <p>What a row has held is in its head, in {@code v} and in {@code g:d}: of those that had arrived
 * by then and were not superseded yet, the last one to arrive is what it held. The head is read
 * first, since what leaves it goes to the others, and {@code v} before {@code g}, since that is the
 * way of what leaves {@code v}. A cell of {@code g:d} whose version is in {@code v} as well ({@link
 * ObjectRowLayout.Fate#KEPT}) counts for nothing: it is the version as it was then, and its
 * manifest's chunks go when the version gets others; when the version leaves {@code v}, the same
 * cell is written anew.
 *
 * <p>One way leads back: when the head is deleted by its id, the newest in {@code v} becomes the
 * head, and who read the head before and {@code v} after has missed it; so it is with a version
 * that comes to {@code v} late ({@link LateChanges}). Both write the head. So where versions were
 * in {@code v}, or are by what {@code g:d} says, the head is read once more behind all, and if it
 * is another, all is read again.
 */
final class PastRows implements Look {
  /** Cells of each family that come with a row of a scan. */
  private static final int WITH_ROW = 8;

  /** A version that was renamed here arrived that long after its id at most. */
  private static final long LONGEST_RENAME_MICROS = 600_000_000;

  private final ObjectRows rows;
  private final long stamp;

  PastRows(ObjectRows rows, long stamp) {
    this.rows = rows;
    this.stamp = stamp;
  }

  /** The last of those that were there then. Confined to a look at one row. */
  private final class Last {
    private Head last;
    private boolean kept; // one that came is in v

    void add(Head head, long superseded) {
      if (head.isVersion()
          && head.arrived() <= stamp
          && stamp < superseded
          && (last == null || head.arrived() >= last.arrived())) {
        last = head;
      }
    }

    void addAll(List<Cell> cells) throws StoreException {
      for (Cell cell : cells) {
        if (cell.column().family() == 'v') {
          add(Head.parse(cell.value()), Long.MAX_VALUE);
        } else if (ObjectRowLayout.isOfPast(cell)) {
          add(ObjectRowLayout.supersededHead(cell.value()), ObjectRowLayout.supersededAt(cell));
        } else {
          kept |= ObjectRowLayout.isSupersededHead(cell.column());
        }
      }
    }

    Head live() {
      return last != null && last.isLive() ? last : null;
    }
  }

  /** What a row held, with all details; null if nothing. */
  @Override
  public ObjectVersion find(ByteString row) throws StoreException {
    for (int attempt = 0; attempt < ObjectRows.MOST_ATTEMPTS; attempt++) {
      Head head = head(row);
      if (head == null) {
        return null;
      }
      ObjectVersion version = rows.details(row, head.record());
      if (version != null) {
        return SeenRow.named(row, head, version);
      }
      rows.committer().pause().backOff(attempt); // it left the head meanwhile
    }
    throw ObjectRows.contended(row);
  }

  private Head head(ByteString row) throws StoreException {
    for (int attempt = 0; attempt < ObjectRows.MOST_ATTEMPTS; attempt++) {
      Last last = new Last();
      Head now = rows.readLeavingOpen(row, List.of()).head(); // ends renames under way first
      if (now != null) {
        last.add(now, Long.MAX_VALUE);
      }
      addOlder(last, row);
      List<Cell> superseded = new ArrayList<>();
      rows.forEachSuperseded(row, superseded::add);
      last.addAll(superseded);
      boolean versions = last.kept || (now != null && now.record().getOlderCount() > 0);
      if (!versions || isStill(row, now)) {
        return last.live();
      }
      rows.committer().pause().backOff(attempt);
    }
    throw ObjectRows.contended(row);
  }

  private boolean isStill(ByteString row, Head seen) throws StoreException {
    Head now = rows.read(row, List.of()).head();
    return (now == null || seen == null) ? now == seen : now.cell().equals(seen.cell());
  }

  /** Newest first, so the first that had arrived is the last that did. */
  private void addOlder(Last last, ByteString row) throws StoreException {
    ByteString from = ObjectRowLayout.olderFrom(stamp + LONGEST_RENAME_MICROS);
    while (true) {
      List<Cell> page =
          rows.committer().getRange(row, 'v', from, ObjectRowLayout.BEHIND_OLDER, WITH_ROW).cells();
      for (Cell cell : page) {
        Head older = Head.parse(cell.value());
        last.add(older, Long.MAX_VALUE);
        if (older.arrived() <= stamp) {
          return;
        }
      }
      if (page.size() < WITH_ROW) {
        return;
      }
      from = ObjectRowLayout.behind(page.get(page.size() - 1).column().qualifier());
    }
  }

  /** Rows of a range that hold anything or have held it lately. */
  @Override
  public List<Row> scan(ByteString from, ByteString to, int limit) throws StoreException {
    return rows.committer().scanFirst(from, to, "cvg", WITH_ROW, limit);
  }

  /** What a scanned row held, without details; null if nothing. */
  @Override
  public ObjectVersion scanned(Row row) throws StoreException {
    Head now = Head.parseOrNull(row.value(ObjectRowLayout.HEAD));
    int older = 0;
    int garbage = 0;
    for (Cell cell : row.cells()) {
      older += cell.column().family() == 'v' ? 1 : 0;
      garbage += cell.column().family() == 'g' ? 1 : 0;
    }
    boolean whole =
        older < WITH_ROW
            && garbage < WITH_ROW
            && (now == null || now.state() == HeadState.LIVE || now.state() == HeadState.ABSENT);
    Head held;
    if (whole) {
      Last last = new Last();
      if (now != null) {
        last.add(now, Long.MAX_VALUE);
      }
      last.addAll(row.cells());
      held = last.live();
    } else {
      held = head(row.key());
    }
    if (held == null) {
      return null;
    }
    return held.record().getOpenEpoch() == 0
        ? SeenRow.version(row.key(), held)
        : rows.told(row.key(), held);
  }
}

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

import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * The in-memory twin of a table of HBase, with its way with timestamps: a put below the stamp of
 * what is there, or not above a delete marker, is taken and never seen. Thread-safe.
 */
public final class MemoryRowStore implements RowStore {
  private static final Comparator<ByteString> BYTES =
      ByteString.unsignedLexicographicalComparator();
  private static final Comparator<Column> COLUMNS =
      Comparator.comparing(Column::family).thenComparing(Column::qualifier, BYTES);

  private static final class Slot {
    private long putStamp = Long.MIN_VALUE;
    private long deleteStamp = Long.MIN_VALUE;
    private ByteString value;

    private ByteString visible() {
      return putStamp > deleteStamp ? value : null;
    }
  }

  private final TreeMap<ByteString, TreeMap<Column, Slot>> rows = new TreeMap<>(BYTES);

  /** The table as it is now, as a restored snapshot of it would be. */
  public synchronized MemoryRowStore copy() {
    MemoryRowStore copy = new MemoryRowStore();
    rows.forEach(
        (row, slots) -> {
          TreeMap<Column, Slot> copied = new TreeMap<>(COLUMNS);
          slots.forEach(
              (column, slot) -> {
                Slot other = new Slot();
                other.putStamp = slot.putStamp;
                other.deleteStamp = slot.deleteStamp;
                other.value = slot.value;
                copied.put(column, other);
              });
          copy.rows.put(row, copied);
        });
    return copy;
  }

  @Override
  public synchronized Row get(ByteString row, List<Column> columns) {
    TreeMap<Column, Slot> slots = rows.getOrDefault(row, new TreeMap<>(COLUMNS));
    List<Cell> cells = new ArrayList<>();
    for (Column column : columns) {
      add(cells, column, slots.get(column));
    }
    return new Row(row, cells);
  }

  private static void add(List<Cell> cells, Column column, Slot slot) {
    if (slot != null && slot.visible() != null) {
      cells.add(new Cell(column, slot.putStamp, slot.value));
    }
  }

  @Override
  public synchronized Row getRange(
      ByteString row, char family, ByteString from, ByteString to, int limit) {
    List<Cell> cells = new ArrayList<>();
    for (Map.Entry<Column, Slot> entry :
        rows.getOrDefault(row, new TreeMap<>(COLUMNS))
            .subMap(new Column(family, from), new Column(family, to))
            .entrySet()) {
      if (cells.size() < limit) {
        add(cells, entry.getKey(), entry.getValue());
      }
    }
    return new Row(row, cells);
  }

  @Override
  public synchronized Row getFamilies(ByteString row, String families, int perFamily) {
    List<Cell> cells = new ArrayList<>();
    int[] left = new int[Character.MAX_VALUE];
    families.chars().forEach(family -> left[family] = perFamily);
    rows.getOrDefault(row, new TreeMap<>(COLUMNS))
        .forEach(
            (column, slot) -> {
              int before = cells.size();
              if (left[column.family()] > 0) {
                add(cells, column, slot);
              }
              left[column.family()] -= cells.size() - before;
            });
    return new Row(row, cells);
  }

  @Override
  public synchronized boolean checkAndMutate(
      ByteString row, Check check, RowChange change, Duration timeout) {
    if (!check.holds(get(row, List.of(check.column())))) {
      return false;
    }
    mutate(row, change, timeout);
    return true;
  }

  @Override
  public synchronized void mutate(ByteString row, RowChange change, Duration timeout) {
    TreeMap<Column, Slot> slots = rows.computeIfAbsent(row, r -> new TreeMap<>(COLUMNS));
    for (Map.Entry<Column, ByteString> put : change.puts().entrySet()) {
      Slot slot = slots.computeIfAbsent(put.getKey(), c -> new Slot());
      if (change.stamp() >= slot.putStamp) {
        slot.putStamp = change.stamp();
        slot.value = put.getValue();
      }
    }
    for (Column column : change.deletes()) {
      Slot slot = slots.computeIfAbsent(column, c -> new Slot());
      slot.deleteStamp = Math.max(slot.deleteStamp, change.stamp());
    }
  }

  @Override
  public synchronized List<Row> scanFirst(
      ByteString from, ByteString to, String families, int perFamily, int limit) {
    List<Row> found = new ArrayList<>();
    for (ByteString row : rows.subMap(from, to).keySet()) {
      if (found.size() == limit) {
        break;
      }
      Row first = first(row, families, perFamily);
      if (!first.cells().isEmpty()) {
        found.add(first);
      }
    }
    return found;
  }

  private Row first(ByteString row, String families, int perFamily) {
    return getFamilies(row, families, perFamily);
  }

  @Override
  public synchronized List<Row> scanHeads(
      ByteString from,
      ByteString to,
      Set<HeadState> unwanted,
      String families,
      int perFamily,
      int limit) {
    List<Row> found = new ArrayList<>();
    for (ByteString key : rows.subMap(from, to).keySet()) {
      if (found.size() == limit) {
        break;
      }
      ByteString head = get(key, List.of(ObjectRowLayout.HEAD)).value(ObjectRowLayout.HEAD);
      if (head != null && !unwanted.contains(HeadState.of(head.byteAt(Head.STATE_OFFSET)))) {
        found.add(first(key, families, perFamily));
      }
    }
    return found;
  }

  @Override
  public synchronized List<Row> scanWritten(
      ByteString from,
      ByteString to,
      char family,
      ByteString qualifierPrefix,
      long fromStamp,
      long toStamp,
      int perRow,
      int limit) {
    List<Row> found = new ArrayList<>();
    for (Row row : scan(from, to, family, qualifierPrefix, Integer.MAX_VALUE)) {
      List<Cell> cells =
          row.cells().stream()
              .filter(cell -> cell.stamp() >= fromStamp && cell.stamp() < toStamp)
              .limit(perRow)
              .toList();
      if (!cells.isEmpty() && found.size() < limit) {
        found.add(new Row(row.key(), cells));
      }
    }
    return found;
  }

  /**
   * What a major compaction does: delete markers go, and what they hid goes with them; from then on
   * a put below them is seen.
   */
  public synchronized void compact() {
    for (TreeMap<Column, Slot> slots : rows.values()) {
      slots.values().removeIf(slot -> slot.visible() == null);
      slots.values().forEach(slot -> slot.deleteStamp = Long.MIN_VALUE);
    }
    rows.values().removeIf(TreeMap::isEmpty);
  }

  /** Cells that can be seen. */
  public synchronized int cells() {
    int cells = 0;
    for (TreeMap<Column, Slot> slots : rows.values()) {
      cells += (int) slots.values().stream().filter(slot -> slot.visible() != null).count();
    }
    return cells;
  }

  @Override
  public synchronized List<Row> scan(
      ByteString from, ByteString to, char family, ByteString qualifierPrefix, int limit) {
    List<Row> found = new ArrayList<>();
    for (Map.Entry<ByteString, TreeMap<Column, Slot>> entry : rows.subMap(from, to).entrySet()) {
      if (found.size() == limit) {
        break;
      }
      List<Cell> cells = new ArrayList<>();
      entry
          .getValue()
          .forEach(
              (column, slot) -> {
                if (column.family() == family && column.qualifier().startsWith(qualifierPrefix)) {
                  add(cells, column, slot);
                }
              });
      if (!cells.isEmpty()) {
        found.add(new Row(entry.getKey(), cells));
      }
    }
    return found;
  }
}

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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.proto.HeadRecord;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What a table does, held of HBase and of its twin alike. */
abstract class RowStoreContract {
  private static final Duration TIMEOUT = Duration.ofSeconds(10);
  private static final Column HEAD = ObjectRowLayout.HEAD;

  abstract RowStore store();

  /** Has what was written go to files, where there are any. */
  void flush() throws IOException {}

  private ByteString row;

  @BeforeEach
  void takeANewRow() {
    row = bytes("row" + System.nanoTime());
  }

  private boolean swap(String from, String to, long stamp) throws IOException {
    return store()
        .checkAndMutate(
            row,
            Check.of(HEAD, from == null ? null : bytes(from)),
            new RowChange(stamp).put(HEAD, bytes(to)),
            TIMEOUT);
  }

  private String head() throws IOException {
    ByteString value = store().get(row, List.of(HEAD)).value(HEAD);
    return value == null ? null : value.toStringUtf8();
  }

  @Test
  void putsIfAbsentOnce() throws IOException {
    assertTrue(swap(null, "a", 1_000));
    assertFalse(swap(null, "b", 2_000));
    assertEquals("a", head());
  }

  @Test
  void swapsWhatIsThereOnly() throws IOException {
    swap(null, "a", 1_000);
    assertFalse(swap("x", "b", 2_000));
    assertFalse(swap("a longer", "b", 2_000));
    assertTrue(swap("a", "b", 2_000));
    assertFalse(swap("a", "c", 3_000), "an older version still satisfies the check");
    assertEquals("b", head());
  }

  @Test
  void takesAPutBelowTheStampThatIsThereAndNeverShowsIt() throws IOException {
    swap(null, "a", 2_000);
    assertTrue(swap("a", "b", 1_000));
    assertEquals("a", head());
  }

  @Test
  void hidesAPutThatIsNotAboveADeletion() throws IOException {
    Column part = new Column('x', bytes("p"));
    store().mutate(row, new RowChange(1_000).put(part, bytes("1")), TIMEOUT);
    store().mutate(row, new RowChange(2_000).delete(part), TIMEOUT);
    assertNull(store().get(row, List.of(part)).value(part));
    store().mutate(row, new RowChange(2_000).put(part, bytes("2")), TIMEOUT);
    assertNull(store().get(row, List.of(part)).value(part));
    store().mutate(row, new RowChange(2_001).put(part, bytes("3")), TIMEOUT);
    assertEquals(bytes("3"), store().get(row, List.of(part)).value(part));
  }

  @Test
  void aDeletionUncoversNothingOlder() throws IOException {
    Column part = new Column('x', bytes("p"));
    store().mutate(row, new RowChange(1_000).put(part, bytes("1")), TIMEOUT);
    store().mutate(row, new RowChange(2_000).put(part, bytes("2")), TIMEOUT);
    store().mutate(row, new RowChange(2_000).delete(part), TIMEOUT);
    assertNull(store().get(row, List.of(part)).value(part));
  }

  @Test
  void changesSeveralFamiliesAtOnceAndTellsTheStamp() throws IOException {
    Column garbage = new Column('g', bytes("d1"));
    Column upload = new Column('x', bytes("p1"));
    store().mutate(row, new RowChange(900).put(upload, bytes("u")), TIMEOUT);
    assertTrue(
        store()
            .checkAndMutate(
                row,
                new Check.Absent(HEAD),
                new RowChange(1_000).put(HEAD, bytes("a")).put(garbage, bytes("g")).delete(upload),
                TIMEOUT));
    Row read = store().get(row, List.of(HEAD, garbage, upload));
    assertEquals(2, read.cells().size());
    assertEquals(1_000, read.cell(garbage).stamp());
    assertNull(read.value(upload));
  }

  @Test
  void checksOneColumnWhileOthersAreThere() throws IOException {
    Column upload = new Column('x', bytes("g1"));
    swap(null, "a", 1_000);
    assertTrue(
        store()
            .checkAndMutate(
                row,
                new Check.Absent(upload),
                new RowChange(1_000).put(upload, bytes("open")),
                TIMEOUT));
    assertTrue(
        store()
            .checkAndMutate(
                row,
                new Check.Equal(upload, bytes("open")),
                new RowChange(1_001).put(upload, bytes("shut")),
                TIMEOUT));
    assertEquals("a", head());
  }

  @Test
  void readsARangeOfColumnsInOrder() throws IOException {
    RowChange change = new RowChange(1_000);
    for (String qualifier : List.of("p3", "p1", "q", "p2", "o")) {
      change.put(new Column('x', bytes(qualifier)), bytes(qualifier));
    }
    store().mutate(row, change, TIMEOUT);
    List<String> found =
        store().getRange(row, 'x', bytes("p1"), bytes("q"), 2).cells().stream()
            .map(cell -> cell.value().toStringUtf8())
            .toList();
    assertEquals(List.of("p1", "p2"), found);
    assertEquals(3, store().getRange(row, 'x', bytes("p"), bytes("q"), 10).cells().size());
  }

  @Test
  void scansRowsThatHoldTheColumn() throws IOException {
    for (int i = 0; i < 5; i++) {
      store()
          .mutate(
              row.concat(bytes("/" + i)),
              new RowChange(1_000)
                  .put(i == 2 ? new Column('x', bytes("h1")) : HEAD, bytes("v" + i)),
              TIMEOUT);
    }
    List<Row> rows =
        store().scan(row.concat(bytes("/1")), row.concat(bytes("/9")), 'c', HEAD.qualifier(), 2);
    assertEquals(
        List.of(row.concat(bytes("/1")), row.concat(bytes("/3"))),
        rows.stream().map(Row::key).toList());
    assertEquals(bytes("v3"), rows.get(1).value(HEAD));
    assertEquals(
        List.of(row.concat(bytes("/2"))),
        store().scan(row, row.concat(bytes("/9")), 'x', bytes("h"), 10).stream()
            .map(Row::key)
            .toList());
  }

  private static List<String> values(Row read) {
    return read.cells().stream().map(cell -> cell.value().toStringUtf8()).toList();
  }

  @Test
  void readsWholeFamiliesAtOneMoment() throws IOException {
    RowChange change = new RowChange(1_000).put(HEAD, bytes("head"));
    for (String qualifier : List.of("2", "1", "3")) {
      change.put(new Column('x', bytes("r" + qualifier)), bytes("x" + qualifier));
    }
    change.put(new Column('g', bytes("d")), bytes("garbage"));
    store().mutate(row, change, TIMEOUT);
    store().mutate(row, new RowChange(2_000).delete(new Column('x', bytes("r2"))), TIMEOUT);
    assertEquals(List.of("x1", "x3"), values(store().getFamilies(row, "x")));
    assertEquals(Set.of("head", "x1", "x3"), Set.copyOf(values(store().getFamilies(row, "cx"))));
    assertEquals(4, store().getFamilies(row, "cgx").cells().size());
    assertEquals(1_000, store().getFamilies(row, "c").cell(HEAD).stamp());
    assertEquals(List.of(), store().getFamilies(row, "v").cells());
    Row cut = store().getFamilies(row, "cgx", 1);
    assertEquals(Set.of("head", "garbage", "x1"), Set.copyOf(values(cut)));
    assertEquals(List.of(), store().getFamilies(row.concat(bytes("none")), "cx").cells());
  }

  private ByteString under(int number) {
    return row.concat(bytes("/" + number));
  }

  private List<Row> written(String prefix, long fromStamp, long toStamp, int limit)
      throws IOException {
    return store()
        .scanWritten(
            row.concat(bytes("/")),
            row.concat(bytes("0")), // behind all of them
            'g',
            bytes(prefix),
            fromStamp,
            toStamp,
            100,
            limit);
  }

  @Test
  void scansWhatWasWrittenInATime() throws IOException {
    for (int i = 0; i < 5; i++) {
      store()
          .mutate(
              under(i),
              new RowChange(1_000 + i)
                  .put(new Column('g', bytes("d" + i)), bytes("v" + i))
                  .put(HEAD, bytes("not of the family")),
              TIMEOUT);
    }
    store()
        .mutate(
            under(2), new RowChange(1_001).put(new Column('g', bytes("e")), bytes("e")), TIMEOUT);
    List<Row> rows = written("d", 1_001, 1_004, 10);
    assertEquals(List.of(under(1), under(2), under(3)), rows.stream().map(Row::key).toList());
    assertEquals(List.of("v2"), values(rows.get(1)), "cells of the prefix only");
    assertEquals(1_002, rows.get(1).cells().get(0).stamp());
    assertEquals(
        List.of(List.of("v1"), List.of("v2", "e"), List.of("v3")),
        written("", 1_001, 1_004, 10).stream().map(RowStoreContract::values).toList());
    assertEquals(
        List.of(under(1), under(2)), written("d", 1_001, 1_004, 2).stream().map(Row::key).toList());
    assertEquals(List.of(), written("d", 1_005, Long.MAX_VALUE, 10), "the end is not of the time");
  }

  @Test
  void scansTheFirstOfManyCellsOfARow() throws IOException {
    for (int i = 0; i < 5; i++) {
      store()
          .mutate(
              under(i % 2),
              new RowChange(1_000 + i).put(new Column('g', bytes("d" + i)), bytes("v" + i)),
              TIMEOUT);
    }
    List<Row> rows =
        store()
            .scanWritten(
                row.concat(bytes("/")),
                row.concat(bytes("0")),
                'g',
                bytes("d"),
                1_001,
                1_005,
                2,
                9);
    assertEquals(
        List.of(List.of("v2", "v4"), List.of("v1", "v3")),
        rows.stream().map(RowStoreContract::values).toList());
    List<Row> shorter =
        store()
            .scanWritten(
                row.concat(bytes("/")), row.concat(bytes("0")), 'g', bytes(""), 0, 1_005, 2, 9);
    assertEquals(
        List.of(List.of("v0", "v2"), List.of("v1", "v3")),
        shorter.stream().map(RowStoreContract::values).toList());
  }

  @Test
  void doesNotScanWhatWasDeletedSince() throws IOException {
    Column noted = new Column('g', bytes("d"));
    store().mutate(under(1), new RowChange(1_000).put(noted, bytes("1")), TIMEOUT);
    store().mutate(under(2), new RowChange(1_000).put(noted, bytes("2")), TIMEOUT);
    store().mutate(under(1), new RowChange(1_000).delete(noted), TIMEOUT);
    assertEquals(List.of(under(2)), written("d", 1_000, 1_001, 10).stream().map(Row::key).toList());
    store().mutate(under(1), new RowChange(1_001).put(noted, bytes("3")), TIMEOUT);
    assertEquals(List.of("3"), values(written("d", 1_000, 1_002, 10).get(0)));
  }

  @Test
  void goesOnBehindARowThatWasSeen() throws IOException {
    for (int i = 0; i < 3; i++) {
      store()
          .mutate(
              under(i), new RowChange(1_000).put(new Column('g', bytes("d")), bytes("v")), TIMEOUT);
    }
    ByteString behindFirst = under(0).concat(ByteString.copyFrom(new byte[1]));
    assertEquals(
        List.of(under(1), under(2)),
        store()
            .scanWritten(
                behindFirst, row.concat(bytes("0")), 'g', bytes("d"), 0, Long.MAX_VALUE, 100, 10)
            .stream()
            .map(Row::key)
            .toList());
    assertEquals(
        List.of(under(1)),
        store()
            .scanWritten(behindFirst, under(2), 'g', bytes("d"), 0, Long.MAX_VALUE, 100, 10)
            .stream()
            .map(Row::key)
            .toList());
  }

  private void writeHead(int number, HeadState state, long stamp) throws IOException {
    Head head =
        Head.of(stamp, ByteString.copyFrom(new byte[16]), state, HeadRecord.getDefaultInstance());
    store()
        .mutate(
            under(number),
            new RowChange(stamp)
                .put(HEAD, head.cell())
                .put(new Column('v', bytes(state + "1")), bytes("one"))
                .put(new Column('v', bytes(state + "2")), bytes("two"))
                .put(new Column('v', bytes(state + "3")), bytes("three")),
            TIMEOUT);
  }

  private List<Integer> heads(Set<HeadState> unwanted, int limit) throws IOException {
    return store()
        .scanHeads(row.concat(bytes("/")), row.concat(bytes("0")), unwanted, "c", 1, limit)
        .stream()
        .map(found -> found.key().byteAt(found.key().size() - 1) - '0')
        .toList();
  }

  @Test
  void passesHeadsThatAreNotWanted() throws IOException {
    HeadState[] states = {
      HeadState.ABSENT, HeadState.LIVE, HeadState.MOVED, HeadState.PENDING, HeadState.MARKER
    };
    for (int i = 0; i < states.length; i++) {
      writeHead(i, states[i], 1_000);
    }
    writeHead(7, HeadState.LIVE, 1_000);
    store().mutate(under(6), new RowChange(1_000).put(new Column('v', bytes("1")), row), TIMEOUT);
    for (boolean inFiles : new boolean[] {false, true}) {
      if (inFiles) {
        flush();
      }
      assertEquals(List.of(1, 3, 7), heads(HeadState.NOTHING_TO_LIST, 10));
      assertEquals(List.of(1, 3), heads(HeadState.NOTHING_TO_LIST, 2), "of what is wanted");
      assertEquals(List.of(1, 2, 3, 4, 7), heads(Set.of(HeadState.ABSENT), 10));
      Row first =
          store().scanHeads(under(0), under(9), Set.of(HeadState.ABSENT), "cv", 2, 10).get(0);
      assertEquals(under(1), first.key());
      assertEquals(HeadState.LIVE, Head.parse(first.value(HEAD)).state());
      assertEquals(List.of("one", "two"), values(first).subList(1, 3), "the first of each family");
      assertEquals(3, first.cells().size());
    }
  }

  /** HBase keeps what was written over until it compacts; a filter must not be asked of that. */
  @Test
  void showsNothingOlderWhereAHeadIsPassed() throws IOException {
    for (boolean inFiles : new boolean[] {false, true}) {
      long stamp = inFiles ? 10_000 : 1_000;
      writeHead(1, HeadState.LIVE, stamp);
      writeHead(2, HeadState.ABSENT, stamp);
      writeHead(3, HeadState.LIVE, stamp);
      if (inFiles) {
        flush();
      }
      writeHead(1, HeadState.ABSENT, stamp + 1);
      writeHead(2, HeadState.LIVE, stamp + 1);
      store().mutate(under(3), new RowChange(stamp).delete(HEAD), TIMEOUT);
      assertEquals(List.of(2), heads(HeadState.NOTHING_TO_LIST, 10));
      if (inFiles) {
        flush();
        assertEquals(List.of(2), heads(HeadState.NOTHING_TO_LIST, 10));
      }
    }
  }

  static ByteString bytes(String text) {
    return ByteString.copyFromUtf8(text);
  }
}

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
package io.stowage.dev.fsck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.RestoredRow;
import io.stowage.dev.fsck.RowEvents.Kind;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** What a row holds by its events, whatever the order in which they are found. */
class RowEventsTest {
  private record Event(Kind kind, RestoredRow row) {}

  private static Event put(long stamp) {
    return new Event(
        Kind.CERTAIN,
        RestoredRow.newBuilder()
            .setStamp(stamp)
            .setVersion(ObjectVersion.newBuilder().setVersionId(stamp))
            .build());
  }

  private static Event delete(long stamp) {
    return new Event(Kind.CERTAIN, RestoredRow.newBuilder().setStamp(stamp).build());
  }

  private static Event conditional(long stamp) {
    return new Event(Kind.IF_NOTHING_ELSE, put(stamp).row());
  }

  private static Event withoutBytes(long stamp) {
    return new Event(Kind.WITHOUT_BYTES, delete(stamp).row());
  }

  private static Event version(long id, long stamp) {
    return new Event(
        Kind.CERTAIN,
        RestoredRow.newBuilder()
            .setStamp(stamp)
            .setVersionId(id)
            .setVersion(ObjectVersion.newBuilder().setVersionId(id).setVersioned(true))
            .build());
  }

  private static Event marker(long id) {
    RestoredRow.Builder marker = version(id, id).row().toBuilder();
    marker.getVersionBuilder().setDeleteMarker(true);
    return new Event(Kind.CERTAIN, marker.build());
  }

  private static Event gone(long id, long stamp) {
    return new Event(
        Kind.CERTAIN, RestoredRow.newBuilder().setStamp(stamp).setVersionId(id).build());
  }

  /**
   * The stamps of what the row's slots hold, in order: negative where one holds nothing from there
   * on.
   */
  private static List<Long> results(Event... events) {
    List<Event> all = new ArrayList<>(List.of(events));
    List<Long> expected = null;
    for (int order = 0; order < 20; order++) {
      Collections.shuffle(all, new Random(order));
      RowEvents row = new RowEvents();
      all.forEach(event -> row.add(event.kind(), event.row()));
      List<Long> stamps = new ArrayList<>();
      for (RestoredRow one : row.result()) {
        stamps.add(one.hasVersion() ? one.getStamp() : -one.getStamp());
      }
      assertTrue(expected == null || expected.equals(stamps), "depends on the order: " + all);
      expected = stamps;
    }
    return expected;
  }

  /** The same of a row with one slot; 0: nothing is known. */
  private static long result(Event... events) {
    List<Long> results = results(events);
    assertTrue(results.size() <= 1, results.toString());
    return results.isEmpty() ? 0 : results.get(0);
  }

  @Test
  void theHighestStampIsWhatTheRowHolds() {
    assertEquals(0, result());
    assertEquals(3, result(put(1), delete(2), put(3)));
    assertEquals(-4, result(put(1), delete(4), put(3)));
  }

  @Test
  void aConditionalPutWithoutARecordReplacesNothing() {
    assertEquals(1, result(put(1), conditional(5)));
    assertEquals(5, result(conditional(5)));
    assertEquals(5, result(put(1), delete(2), conditional(5)));
    assertEquals(-7, result(conditional(5), delete(7)), "it may have been there, and is deleted");
    assertEquals(6, result(conditional(5), conditional(6)));
  }

  @Test
  void aVersionWhoseBytesAreGoneIsLostAndUncoversNothing() {
    RowEvents row = new RowEvents();
    row.add(Kind.CERTAIN, put(1).row());
    row.add(Kind.WITHOUT_BYTES, withoutBytes(2).row());
    assertEquals(List.of(), row.result());
    assertEquals(List.of(withoutBytes(2).row()), row.lost());
    row.add(Kind.CERTAIN, put(3).row());
    assertEquals(List.of(), row.lost(), "overwritten since");
    assertEquals(1, row.result().size());
    assertEquals(2, result(put(1), withoutBytes(2), put(2)), "told twice, once with bytes");
  }

  @Test
  void eachVersionIsASlotOfItsOwn() {
    assertEquals(List.of(1L, 2L, 3L), results(put(1), version(2, 2), version(3, 3)));
    assertEquals(List.of(1L, 3L, -4L), results(put(1), version(2, 2), version(3, 3), gone(2, 4)));
    assertEquals(List.of(2L, -4L), results(put(1), version(2, 2), delete(4)), "of the null one");
    assertEquals(List.of(3L, 9L), results(version(2, 2), version(3, 3), version(2, 9)), "retagged");
    assertEquals(List.of(1L, 2L, 3L), results(put(1), version(2, 2), marker(3)));
  }

  @Test
  void aConditionalPutWithoutARecordReplacesNoVersionEither() {
    assertEquals(List.of(2L), results(version(2, 2), conditional(5)));
    assertEquals(List.of(2L, 3L, 5L), results(version(2, 2), marker(3), conditional(5)));
    assertEquals(
        List.of(1L, 3L), results(put(1), marker(3), conditional(5)), "the null one is below");
    assertEquals(List.of(-4L, 5L), results(version(2, 2), gone(2, 4), conditional(5)));
    assertEquals(List.of(-6L), results(version(2, 2), gone(2, 6), conditional(5)));
  }
}

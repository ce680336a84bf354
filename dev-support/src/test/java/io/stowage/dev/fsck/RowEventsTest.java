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
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
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

  /**
   * The stamp of what the row holds: 0 nothing is known, negative it holds nothing from there on.
   */
  private static long result(Event... events) {
    List<Event> all = new ArrayList<>(List.of(events));
    Long expected = null;
    for (int order = 0; order < 20; order++) {
      Collections.shuffle(all, new Random(order));
      RowEvents row = new RowEvents();
      all.forEach(event -> row.add(event.kind(), event.row()));
      RestoredRow result = row.result();
      long stamp =
          result == null ? 0 : result.hasVersion() ? result.getStamp() : -result.getStamp();
      assertTrue(expected == null || expected == stamp, "depends on the order: " + all);
      expected = stamp;
    }
    return expected;
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
    assertTrue(row.isLost());
    row.add(Kind.CERTAIN, put(3).row());
    assertFalse(row.isLost(), "overwritten since");
    assertNull(new RowEvents().result());
    assertEquals(2, result(put(1), withoutBytes(2), put(2)), "told twice, once with bytes");
  }
}

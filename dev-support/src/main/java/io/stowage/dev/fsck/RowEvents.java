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

import io.stowage.common.proto.RestoredRow;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Decides what one row holds by its events, in any order: the rule of docs/format/needle.md,
 * Replay. Each event is of one slot of the row: of a version by its id, or of the null version,
 * which is all there is in a bucket without versioning. Confined to one thread.
 */
final class RowEvents {
  /** How far an event is to be believed. */
  enum Kind {
    /** Happened. */
    CERTAIN('c'),
    /** Happened, and the bytes that it speaks of were not found. */
    WITHOUT_BYTES('w'),
    /** A conditional put of which no record tells that it was committed. */
    IF_NOTHING_ELSE('i');

    final byte letter;

    Kind(char letter) {
      this.letter = (byte) letter;
    }

    static Kind of(byte letter) {
      for (Kind kind : values()) {
        if (kind.letter == letter) {
          return kind;
        }
      }
      throw new IllegalArgumentException("event " + letter);
    }
  }

  /** The last that is known of a version, or of the null version. */
  private static final class Slot {
    private RestoredRow last;
    private Kind kind;

    void add(Kind of, RestoredRow event) {
      boolean better =
          last == null
              || isAbove(event, last)
              // The same event, told twice: by a record, and by one whose bytes are there.
              || (event.getStamp() == last.getStamp() && kind == Kind.WITHOUT_BYTES);
      if (better) {
        last = event;
        kind = of;
      }
    }

    boolean isLost() {
      return kind == Kind.WITHOUT_BYTES;
    }

    boolean holdsSomething() {
      return isLost() || last.hasVersion();
    }

    boolean isMarker() {
      return last.getVersion().getDeleteMarker();
    }

    /** By which versions of a row are ordered. */
    long versionId() {
      return last.hasVersion() ? last.getVersion().getVersionId() : last.getStamp();
    }
  }

  private final Map<Long, Slot> slots = new HashMap<>();
  private RestoredRow otherwise; // the last of those that hold only where nothing else does

  void add(Kind kind, RestoredRow event) {
    if (kind != Kind.IF_NOTHING_ELSE) {
      slots.computeIfAbsent(event.getVersionId(), id -> new Slot()).add(kind, event);
    } else if (otherwise == null || isAbove(event, otherwise)) {
      otherwise = event;
    }
  }

  private static boolean isAbove(RestoredRow a, RestoredRow b) {
    return Long.compareUnsigned(a.getStamp(), b.getStamp()) > 0;
  }

  /** What each slot holds, in the order of stamps; nothing of those that are lost. */
  List<RestoredRow> result() {
    List<RestoredRow> result = new ArrayList<>();
    boolean replaces = comesIntoForce();
    for (Slot slot : slots.values()) {
      boolean replaced = replaces && slot.last.getVersionId() == otherwise.getVersionId();
      if (!slot.isLost() && !replaced) {
        result.add(slot.last);
      }
    }
    if (replaces) {
      result.add(otherwise);
    }
    result.sort(Comparator.comparing(RestoredRow::getStamp, Long::compareUnsigned));
    return result;
  }

  /** What slots should hold whose bytes were not found. */
  List<RestoredRow> lost() {
    List<RestoredRow> lost = new ArrayList<>();
    for (Slot slot : slots.values()) {
      if (slot.isLost()) {
        lost.add(slot.last);
      }
    }
    return lost;
  }

  /** Whether the row would hold nothing else, and not because of something later. */
  private boolean comesIntoForce() {
    if (otherwise == null) {
      return false;
    }
    Slot current = null;
    for (Slot slot : slots.values()) {
      if (!isAbove(otherwise, slot.last)) {
        return false;
      }
      boolean holds = slot.holdsSomething();
      if (holds && slot.last.getVersionId() == otherwise.getVersionId()) {
        return false;
      }
      if (holds
          && (current == null || Long.compareUnsigned(slot.versionId(), current.versionId()) > 0)) {
        current = slot;
      }
    }
    return current == null || (!current.isLost() && current.isMarker());
  }
}

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

/**
 * Decides what one row holds by its events, in any order: the rule of docs/format/needle.md,
 * Replay. Confined to one thread.
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

  private RestoredRow last;
  private Kind lastKind;
  private RestoredRow otherwise; // the last of those that hold only where nothing else does

  void add(Kind kind, RestoredRow event) {
    if (kind == Kind.IF_NOTHING_ELSE) {
      if (otherwise == null || isAbove(event, otherwise)) {
        otherwise = event;
      }
      return;
    }
    boolean better =
        last == null
            || isAbove(event, last)
            // The same event, told twice: by a record, and by one whose bytes are there.
            || (event.getStamp() == last.getStamp() && lastKind == Kind.WITHOUT_BYTES);
    if (better) {
      last = event;
      lastKind = kind;
    }
  }

  private static boolean isAbove(RestoredRow a, RestoredRow b) {
    return Long.compareUnsigned(a.getStamp(), b.getStamp()) > 0;
  }

  /** What the row holds; null if nothing is known of it. */
  RestoredRow result() {
    return isOtherwise() ? otherwise : last;
  }

  private boolean isOtherwise() {
    boolean holdsNothing = last == null || !(last.hasVersion() || lastKind == Kind.WITHOUT_BYTES);
    return otherwise != null && holdsNothing && (last == null || isAbove(otherwise, last));
  }

  /** Whether the row should hold a version whose bytes were not found. */
  boolean isLost() {
    return !isOtherwise() && last != null && lastKind == Kind.WITHOUT_BYTES;
  }
}

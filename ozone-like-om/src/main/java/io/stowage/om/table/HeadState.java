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

import java.util.Set;

/** What a head says of its key; the number is the byte in the cell. */
public enum HeadState {
  /** There is a version. */
  LIVE(1),
  /** There is none; written where HBase would delete, so that stamps never go back. */
  ABSENT(2),
  /** The version was renamed away; there is none. */
  MOVED(3),
  /** The target of a rename: what is there depends on what the source's head says. */
  PENDING(4),
  /** Of buckets: being deleted, if it proves to be empty. */
  DELETING(5),
  /**
   * The current version is a delete marker: nothing for who asks for the key, a version to list.
   */
  MARKER(6);

  /** Heads by which a key holds nothing for who lists keys. */
  public static final Set<HeadState> NOTHING_TO_LIST = Set.of(ABSENT, MOVED, MARKER);

  private final byte number;

  HeadState(int number) {
    this.number = (byte) number;
  }

  byte number() {
    return number;
  }

  static HeadState of(byte number) {
    for (HeadState state : values()) {
      if (state.number == number) {
        return state;
      }
    }
    throw new IllegalArgumentException("no head has state " + number);
  }
}

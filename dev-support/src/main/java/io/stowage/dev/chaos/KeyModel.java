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
package io.stowage.dev.chaos;

import io.stowage.dev.content.GeneratedContent;
import java.util.ArrayList;
import java.util.List;

/**
 * What one key may hold, known from what its only user was told.
 *
 * <ul>
 *   <li>An acknowledged write: that, and nothing else.
 *   <li>A refused one (4xx): what was before.
 *   <li>Anything else (5xx, a lost connection): what was before, or the write, and for a while no
 *       one can say: a server that is paused may commit it later. The key rests for so long as a
 *       mutation may be on its way; until then it is read, and must be one or the other. Then one
 *       read decides.
 * </ul>
 *
 * Confined to the thread that uses the key.
 */
final class KeyModel {
  /**
   * A row mutation is not sent again later than a minute after its stamp, and was stamped at most a
   * client's timeout after it was asked for.
   */
  static final long REST_NANOS = 75_000_000_000L;

  /** The content of a key at a time; no name is an absent key. */
  record Content(String name, long lengthBytes, String etag) {
    static final Content ABSENT = new Content("", 0, "");

    boolean isAbsent() {
      return name.isEmpty();
    }

    GeneratedContent bytes() {
      return GeneratedContent.of(name, lengthBytes);
    }

    @Override
    public String toString() {
      return isAbsent() ? "absent" : name + " of " + lengthBytes + " bytes";
    }
  }

  private final String key;
  private List<Content> possible = List.of(Content.ABSENT);
  private long restsUntil = Long.MIN_VALUE;

  KeyModel(String key) {
    this.key = key;
  }

  String key() {
    return key;
  }

  List<Content> possible() {
    return possible;
  }

  boolean isCertain() {
    return possible.size() == 1;
  }

  /** What it holds, if that is certain. */
  Content certain() {
    return possible.get(0);
  }

  boolean isResting(long nowNanos) {
    return !isCertain() && nowNanos < restsUntil;
  }

  void acknowledged(Content content) {
    possible = List.of(content);
  }

  void untold(Content content, long nowNanos) {
    List<Content> more = new ArrayList<>(possible);
    more.add(content);
    possible = List.copyOf(more);
    restsUntil = nowNanos + REST_NANOS;
  }

  /** A read that began after the rest says which it is. */
  void decided(Content content) {
    possible = List.of(content);
  }
}

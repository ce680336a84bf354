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
package io.stowage.s3.payload;

import io.netty.buffer.ByteBuf;
import java.util.EnumMap;
import java.util.Map;
import java.util.Set;

/**
 * Several hashes of one body in one pass. CRCs are computed where the bytes pass, being as fast as
 * memory; MD5 and the SHAs of large bodies each on a lane of their own. Confined to one thread.
 */
final class BodyDigests implements AutoCloseable {
  private final Map<HashKind, HashKind.Hasher> inPlace = new EnumMap<>(HashKind.class);
  private final Map<HashKind, HashLane> lanes = new EnumMap<>(HashKind.class);

  /**
   * @param threads for the lanes; null: everything in place
   */
  BodyDigests(Set<HashKind> kinds, HashThreads threads) {
    for (HashKind kind : kinds) {
      if (threads == null || kind.isCrc()) {
        inPlace.put(kind, kind.newHasher());
      } else {
        lanes.put(kind, new HashLane(kind.newHasher(), threads));
      }
    }
  }

  void update(ByteBuf piece) {
    for (HashLane lane : lanes.values()) {
      lane.update(piece);
    }
    for (HashKind.Hasher hasher : inPlace.values()) {
      hasher.update(piece);
    }
  }

  /** All values; once, at the end. */
  Map<HashKind, byte[]> digest() {
    Map<HashKind, byte[]> values = new EnumMap<>(HashKind.class);
    inPlace.forEach((kind, hasher) -> values.put(kind, hasher.digest()));
    lanes.forEach((kind, lane) -> values.put(kind, lane.digest()));
    return values;
  }

  @Override
  public void close() {
    lanes.values().forEach(HashLane::close);
  }
}

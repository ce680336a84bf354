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

import io.stowage.common.needle.NeedleHeader;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.Manifest;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Predicate;

/**
 * Puts the needles of one write together. Stateless.
 *
 * <p>A needle says where in the object its payload begins and how far it was planned to go. A run
 * that a failure cut short ends where another begins, and whatever was written again, by a writer
 * whose stripe failed or by repack, perhaps in other pieces, holds the same bytes. So at each
 * position any needle serves that begins there, up to where the next one begins, wherever that is:
 * a needle that was cut short before that has a successor at the cut.
 */
final class Assembly {
  private Assembly() {}

  /**
   * The manifest; null if the bytes are not all there.
   *
   * @param length payload bytes in all; -1 if only the needles can tell
   * @param isReadable whether the bytes of an extent can be read; asked only where there is a
   *     choice
   */
  static Manifest of(List<FoundNeedle> needles, long length, Predicate<Extent> isReadable) {
    TreeMap<Long, List<FoundNeedle>> byOffset = new TreeMap<>();
    for (FoundNeedle needle : needles) {
      byOffset
          .computeIfAbsent(needle.header().payloadOffset(), offset -> new ArrayList<>())
          .add(needle);
    }
    Manifest.Builder manifest = Manifest.newBuilder();
    long at = 0;
    while (true) {
      List<FoundNeedle> here = byOffset.get(at);
      if (here == null) {
        return null;
      }
      Map.Entry<Long, List<FoundNeedle>> next = byOffset.higherEntry(at);
      long end = next == null ? endOf(here, length) : next.getKey();
      Extent extent = end <= at ? null : choose(here, at, end, isReadable);
      if (extent == null) {
        return null;
      }
      manifest.addExtents(extent);
      at = end;
      if (next == null) {
        return length >= 0 && at != length ? null : manifest.setLength(at).build();
      }
    }
  }

  /** Where the last needles end; -1 if nothing tells. */
  private static long endOf(List<FoundNeedle> last, long length) {
    if (length >= 0) {
      return length;
    }
    for (FoundNeedle needle : last) {
      if (needle.header().kind() != NeedleHeader.Kind.STREAMED) {
        return needle.header().payloadOffset() + needle.header().payloadLength();
      }
    }
    return -1;
  }

  private static Extent choose(
      List<FoundNeedle> here, long at, long end, Predicate<Extent> isReadable) {
    List<Extent> able = new ArrayList<>();
    for (FoundNeedle needle : here) {
      long planned = needle.header().payloadLength();
      boolean reaches =
          planned == NeedleHeader.UNKNOWN_LENGTH
              || (needle.isPacked() ? end - at == planned : end - at <= planned);
      if (reaches) {
        able.add(needle.extent(end - at));
      }
    }
    if (able.size() == 1) {
      return able.get(0);
    }
    for (Extent extent : able) {
      if (isReadable.test(extent)) {
        return extent;
      }
    }
    return null;
  }
}

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
package io.stowage.om.garbage;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.ExtentReplacement;
import io.stowage.common.proto.Manifest;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Extents to be put in the place of others, checked: equal payload for each. Immutable.
 *
 * @param changes what each extent is replaced by
 */
public record Replacements(Map<Extent, List<Extent>> changes) {
  public Replacements {
    changes = Map.copyOf(changes);
  }

  public static Replacements of(List<ExtentReplacement> asked) throws StoreException {
    if (asked.isEmpty()) {
      throw refused("none are named");
    }
    Map<Extent, List<Extent>> changes = new HashMap<>();
    for (ExtentReplacement one : asked) {
      long payload = payload(one.getFrom());
      for (Extent extent : one.getToList()) {
        payload -= payload(extent);
      }
      if (payload != 0) {
        throw refused("a replacement is shorter or longer by " + payload + " bytes");
      }
      if (changes.put(one.getFrom(), one.getToList()) != null) {
        throw refused("one is named twice");
      }
    }
    return new Replacements(changes);
  }

  private static long payload(Extent extent) throws StoreException {
    long payload = extent.getLength() - extent.getHeaderLength();
    if (extent.getLength() <= 0 || payload < 0) {
      throw refused("one has " + extent.getLength() + " bytes");
    }
    return payload;
  }

  private static StoreException refused(String why) {
    return new StoreException(ErrorCode.INVALID_ARGUMENT, "Cannot replace extents: " + why);
  }

  /** All new extents, as if they were one manifest. */
  public Manifest added() {
    Manifest.Builder added = Manifest.newBuilder();
    changes.values().forEach(added::addAllExtents);
    return added.build();
  }

  /** The manifest with the extents replaced; null if it does not name all of those to go. */
  public Manifest in(Manifest manifest) {
    Manifest.Builder changed = manifest.toBuilder().clearExtents();
    Set<Extent> found = new HashSet<>();
    for (Extent extent : manifest.getExtentsList()) {
      List<Extent> to = changes.get(extent);
      if (to == null) {
        changed.addExtents(extent);
      } else {
        changed.addAllExtents(to);
        found.add(extent);
      }
    }
    return found.size() == changes.size() ? changed.build() : null;
  }

  /** Whether a manifest names the new extents, all of them. */
  public boolean areIn(Manifest manifest) {
    Set<Extent> named = new HashSet<>(manifest.getExtentsList());
    return changes.values().stream().allMatch(named::containsAll);
  }
}

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
package io.stowage.om.object;

import io.stowage.common.error.StoreException;
import io.stowage.om.table.Column;
import io.stowage.om.table.Head;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.ObjectRowLayout.Fate;
import io.stowage.om.table.RowChange;
import java.util.Map;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * By how much a mutation of a row changes what its bucket holds, told by the mutation itself and
 * the head that it replaces. All versions count, the current one and those in {@code v}; delete
 * markers, and files' bytes that were synced and not folded yet, do not. Stateless.
 */
final class RowChanges {
  private RowChanges() {}

  /** What a version adds to its bucket. */
  record Held(long objects, long bytes) {
    static final Held NOTHING = new Held(0, 0);

    Held plus(Held other) {
      return new Held(objects + other.objects, bytes + other.bytes);
    }

    Held minus(Held other) {
      return new Held(objects - other.objects, bytes - other.bytes);
    }
  }

  /** Of a head, whose older versions are not looked at; a PENDING one counts as what was there. */
  static Held held(Head head) throws StoreException {
    if (head == null) {
      return Held.NOTHING;
    }
    return switch (head.state()) {
      case LIVE -> new Held(1, head.record().getVersion().getLength());
      case PENDING -> {
        ByteString old = head.record().getPending().getOldHead();
        yield old.isEmpty() ? Held.NOTHING : held(Head.parse(old));
      }
      case ABSENT, MOVED, MARKER, DELETING -> Held.NOTHING;
    };
  }

  /** What a mutation adds; negative where it takes away. */
  static Held of(Head before, RowChange change) throws StoreException {
    Held delta = Held.NOTHING;
    ByteString cell = change.puts().get(ObjectRowLayout.HEAD);
    Head after = cell == null ? null : Head.parse(cell);
    if (after != null) {
      delta = held(after).minus(held(before));
    }
    for (Map.Entry<Column, ByteString> put : change.puts().entrySet()) {
      boolean superseded =
          put.getKey().family() == 'g' && ObjectRowLayout.garbageKind(put.getKey()) == 'd';
      if (superseded && ObjectRowLayout.fate(put.getValue()) == Fate.KEPT) {
        // It comes to v by this mutation; what is put there without such a word was there.
        delta = delta.plus(held(ObjectRowLayout.supersededHead(put.getValue())));
      }
    }
    for (Column column : change.deletes()) {
      if (column.family() == 'v') {
        delta = delta.minus(leaving(ObjectRowLayout.olderId(column), after, change));
      }
    }
    return delta;
  }

  /** What a version that leaves {@code v} held: it is current from now on, or gone. */
  private static Held leaving(long versionId, Head after, RowChange change) throws StoreException {
    if (after != null && after.versionId() == versionId) {
      return held(after);
    }
    for (Map.Entry<Column, ByteString> put : change.puts().entrySet()) {
      if (put.getKey().family() == 'g' && ObjectRowLayout.garbageKind(put.getKey()) == 'd') {
        Head gone = ObjectRowLayout.supersededHead(put.getValue());
        if (gone.versionId() == versionId && ObjectRowLayout.fate(put.getValue()) != Fate.KEPT) {
          return held(gone);
        }
      }
    }
    return Held.NOTHING; // it stays in v under another id
  }

  /** What a row holds with all its versions. */
  static Held all(ObjectRows rows, SeenRow seen) throws StoreException {
    Held[] sum = {held(seen.head())};
    rows.forEachOlder(
        seen,
        older -> {
          sum[0] = sum[0].plus(held(older));
          return true;
        });
    return sum[0];
  }
}

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
import io.stowage.common.proto.HeadRecord;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.om.table.Check;
import io.stowage.om.table.Head;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * A key's row as it was at one moment: its head, or null, and the other cells that were asked for.
 * Immutable.
 */
public record SeenRow(ByteString key, Head head, Row cells) {
  /** A row of which nothing was read, taken for empty; a compare-and-set will tell. */
  public static SeenRow unread(ByteString key) {
    return new SeenRow(key, null, null);
  }

  /** Whether there is a version. */
  public boolean isLive() {
    return head != null && head.isLive();
  }

  /** Whether a writer has the file open: then what was synced since is not in the head. */
  public boolean isOpen() {
    return isLive() && head.record().getOpenEpoch() != 0;
  }

  public long stamp() {
    return head == null ? 0 : head.stamp();
  }

  /** That the head is still the one that was seen. */
  public Check unchanged() {
    if (isOpen()) {
      throw new IllegalStateException("an open head is changed by comparing its lease");
    }
    return Check.of(ObjectRowLayout.HEAD, head == null ? null : head.cell());
  }

  /** The head that a request superseded long since wrote, or null. */
  public Head supersededBy(ByteString writeId) throws StoreException {
    ByteString value = cells.value(ObjectRowLayout.superseded(writeId));
    return value == null ? null : ObjectRowLayout.supersededHead(value);
  }

  /**
   * The head that a request wrote, if it ever wrote one here, be it superseded or not; else null.
   * Its cell must have been among those read.
   */
  public Head writtenBy(ByteString writeId) throws StoreException {
    if (head != null && head.writeId().equals(writeId)) {
      return head;
    }
    return supersededBy(writeId);
  }

  /** A live head's version as callers see it; without manifest if that is in chunks. */
  static ObjectVersion version(ByteString row, Head head) {
    return version(row, head, head.record());
  }

  static ObjectVersion version(ByteString row, Head head, HeadRecord record) {
    return named(row, head, record.getVersion());
  }

  static ObjectVersion named(ByteString row, Head head, ObjectVersion stored) {
    ObjectVersion.Builder version =
        stored.toBuilder()
            .setKey(ObjectRowLayout.key(row))
            .setStamp(head.stamp())
            .clearArrivedStamp();
    if (version.getWriteId().isEmpty()) {
      version.setWriteId(head.writeId());
    }
    return version.build();
  }

  /** Leaves out what only a reader of the bytes needs. */
  static ObjectVersion withoutManifest(ObjectVersion version) {
    return version.toBuilder()
        .clearManifest()
        .clearPartLengths()
        .clearPartWriteIds()
        .clearPartChecksums()
        .build();
  }
}

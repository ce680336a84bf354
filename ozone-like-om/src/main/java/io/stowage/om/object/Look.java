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
import io.stowage.common.proto.ObjectVersion;
import io.stowage.om.table.HeadState;
import io.stowage.om.table.Row;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** How listings and walks look at rows: as they are, or as a snapshot keeps them. Thread-safe. */
public interface Look {
  /** What a row holds, without what only a reader of its bytes needs; null if nothing. */
  ObjectVersion find(ByteString row) throws StoreException;

  /** What a scanned row holds; null if nothing. */
  ObjectVersion scanned(Row row) throws StoreException;

  /** Rows of a range that may hold something, at most so many; fewer only if there are no more. */
  List<Row> scan(ByteString from, ByteString to, int limit) throws StoreException;

  /** Rows as they are. */
  static Look now(ObjectRows rows) {
    return new Look() {
      @Override
      public ObjectVersion find(ByteString row) throws StoreException {
        return rows.find(row, false);
      }

      @Override
      public ObjectVersion scanned(Row row) throws StoreException {
        return rows.scanned(row);
      }

      @Override
      public List<Row> scan(ByteString from, ByteString to, int limit) throws StoreException {
        return rows.committer().scanHeads(from, to, HeadState.NOTHING_TO_LIST, "c", 1, limit);
      }
    };
  }

  /** Rows as they were at the stamp of a snapshot. */
  static Look past(ObjectRows rows, long stamp) {
    return new PastRows(rows, stamp);
  }
}

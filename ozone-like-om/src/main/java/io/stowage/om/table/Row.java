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

import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** The cells of one row that a read asked for, as of one moment. Immutable. */
public record Row(ByteString key, List<Cell> cells) {
  /** The value of a column, or null where there is none. */
  public ByteString value(Column column) {
    Cell cell = cell(column);
    return cell == null ? null : cell.value();
  }

  /** The cell of a column, or null where there is none. */
  public Cell cell(Column column) {
    for (Cell cell : cells) {
      if (cell.column().equals(column)) {
        return cell;
      }
    }
    return null;
  }
}

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

import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * What must hold of one column for a mutation to happen. Immutable.
 *
 * <p>Equality is that of the whole value, which for a head is that of its prefix, stamp and write
 * id, since whoever changes anything behind it changes the stamp. HBase takes a prefix only as a
 * filter, and a filter is asked of the whole row, chunks of all its families included; equality is
 * asked of one column.
 */
public sealed interface Check {
  Column column();

  /** The column must not be there. */
  record Absent(Column column) implements Check {}

  /** The column must hold exactly this. */
  record Equal(Column column, ByteString value) implements Check {}

  /** {@link Absent} for null, else {@link Equal}. */
  static Check of(Column column, ByteString valueOrNull) {
    return valueOrNull == null ? new Absent(column) : new Equal(column, valueOrNull);
  }

  /** Whether it holds of a row that was read with this column. */
  default boolean holds(Row row) {
    ByteString value = row.value(column());
    if (this instanceof Equal equal) {
      return equal.value().equals(value);
    }
    return value == null;
  }
}

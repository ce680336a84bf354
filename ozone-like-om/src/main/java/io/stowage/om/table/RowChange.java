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

import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * An atomic change of one row, all of it at one stamp: columns put, and columns deleted in all
 * their versions up to the stamp. A column is never both put and deleted in one change: HBase's
 * delete marker would hide the put, having the same stamp. Confined to the thread that builds it,
 * then read-only.
 */
public final class RowChange {
  private final long stamp;
  private final Map<Column, ByteString> puts = new LinkedHashMap<>();
  private final Set<Column> deletes = new LinkedHashSet<>();

  public RowChange(long stamp) {
    this.stamp = stamp;
  }

  public RowChange put(Column column, ByteString value) {
    if (deletes.contains(column) || puts.put(column, value) != null) {
      throw new IllegalStateException("column changed twice in one mutation: " + column);
    }
    return this;
  }

  public RowChange delete(Column column) {
    if (puts.containsKey(column)) {
      throw new IllegalStateException("column put and deleted in one mutation: " + column);
    }
    deletes.add(column);
    return this;
  }

  public RowChange deleteAll(Collection<Column> columns) {
    columns.forEach(this::delete);
    return this;
  }

  public long stamp() {
    return stamp;
  }

  public Map<Column, ByteString> puts() {
    return puts;
  }

  public Set<Column> deletes() {
    return deletes;
  }
}

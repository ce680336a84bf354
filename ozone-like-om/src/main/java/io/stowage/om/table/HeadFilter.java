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

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.apache.hadoop.hbase.CompareOperator;
import org.apache.hadoop.hbase.filter.BinaryComponentComparator;
import org.apache.hadoop.hbase.filter.Filter;
import org.apache.hadoop.hbase.filter.FilterList;
import org.apache.hadoop.hbase.filter.SingleColumnValueFilter;

/**
 * Says to the region server which rows are not worth sending, by the byte of the head that is its
 * state. Made of filters that every HBase has, so nothing of ours is installed there.
 *
 * <p>Only the newest version of a head is asked: HBase leaves older ones, which stay until files
 * are compacted, out before it asks a filter (HBASE-17125). The contract of {@link RowStore} has a
 * test of that, since a filter that was asked first would show what was deleted.
 */
final class HeadFilter {
  private HeadFilter() {}

  /**
   * Passes rows that have a head, in none of these states. The states are asked for in their order,
   * of which ABSENT is the first that is ever unwanted: a list of filters ends with the first that
   * says no, so one comparison passes a deleted key.
   */
  static Filter without(Set<HeadState> unwanted) {
    List<Filter> all = new ArrayList<>(unwanted.size());
    for (HeadState state : EnumSet.copyOf(unwanted)) {
      SingleColumnValueFilter other =
          new SingleColumnValueFilter(
              HBaseRowStore.family(ObjectRowLayout.HEAD.family()),
              ObjectRowLayout.HEAD.qualifier().toByteArray(),
              CompareOperator.NOT_EQUAL,
              new BinaryComponentComparator(new byte[] {state.number()}, Head.STATE_OFFSET));
      other.setFilterIfMissing(true);
      all.add(other);
    }
    return all.size() == 1 ? all.get(0) : new FilterList(FilterList.Operator.MUST_PASS_ALL, all);
  }
}

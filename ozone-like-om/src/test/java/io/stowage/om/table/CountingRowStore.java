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

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** Counts calls: each is a round trip to HBase. Thread-safe. */
public final class CountingRowStore extends ForwardingRowStore {
  private final AtomicLong reads = new AtomicLong();
  private final AtomicLong mutations = new AtomicLong();
  private final AtomicInteger largest = new AtomicInteger();

  public CountingRowStore(RowStore inner) {
    super(inner);
  }

  public long reads() {
    return reads.get();
  }

  /** Each has its own part in forcing the log. */
  public long mutations() {
    return mutations.get();
  }

  /** Cells in the largest answer. */
  public int largest() {
    return largest.get();
  }

  private Row answer(Row row) {
    return answer(List.of(row)).get(0);
  }

  private List<Row> answer(List<Row> rows) {
    reads.incrementAndGet();
    int cells = rows.stream().mapToInt(row -> row.cells().size()).sum();
    largest.accumulateAndGet(cells, Math::max);
    return rows;
  }

  @Override
  public boolean checkAndMutate(ByteString row, Check check, RowChange change, Duration timeout)
      throws IOException {
    mutations.incrementAndGet();
    return super.checkAndMutate(row, check, change, timeout);
  }

  @Override
  public void mutate(ByteString row, RowChange change, Duration timeout) throws IOException {
    mutations.incrementAndGet();
    super.mutate(row, change, timeout);
  }

  @Override
  public Row get(ByteString row, List<Column> columns) throws IOException {
    return answer(super.get(row, columns));
  }

  @Override
  public List<Row> getAll(List<ByteString> rows, List<Column> columns) throws IOException {
    return answer(inner.getAll(rows, columns));
  }

  @Override
  public Row getRange(ByteString row, char family, ByteString from, ByteString to, int limit)
      throws IOException {
    return answer(super.getRange(row, family, from, to, limit));
  }

  @Override
  public Row getFamilies(ByteString row, String families, int perFamily) throws IOException {
    return answer(super.getFamilies(row, families, perFamily));
  }

  @Override
  public List<Row> scanFirst(
      ByteString from, ByteString to, String families, int perFamily, int limit)
      throws IOException {
    return answer(super.scanFirst(from, to, families, perFamily, limit));
  }

  @Override
  public List<Row> scanHeads(
      ByteString from,
      ByteString to,
      Set<HeadState> unwanted,
      String families,
      int perFamily,
      int limit)
      throws IOException {
    return answer(super.scanHeads(from, to, unwanted, families, perFamily, limit));
  }

  @Override
  public List<Row> scanWritten(
      ByteString from,
      ByteString to,
      char family,
      ByteString qualifierPrefix,
      long fromStamp,
      long toStamp,
      int perRow,
      int limit)
      throws IOException {
    return answer(
        super.scanWritten(from, to, family, qualifierPrefix, fromStamp, toStamp, perRow, limit));
  }

  @Override
  public List<Row> scan(
      ByteString from, ByteString to, char family, ByteString qualifierPrefix, int limit)
      throws IOException {
    return answer(super.scan(from, to, family, qualifierPrefix, limit));
  }
}

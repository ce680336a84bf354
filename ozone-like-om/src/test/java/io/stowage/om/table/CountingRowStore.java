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
import java.util.concurrent.atomic.AtomicLong;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** Counts calls: each is a round trip to HBase. Thread-safe. */
public final class CountingRowStore extends ForwardingRowStore {
  private final AtomicLong reads = new AtomicLong();
  private final AtomicLong mutations = new AtomicLong();

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
    reads.incrementAndGet();
    return super.get(row, columns);
  }

  @Override
  public List<Row> getAll(List<ByteString> rows, List<Column> columns) throws IOException {
    reads.incrementAndGet();
    return inner.getAll(rows, columns);
  }

  @Override
  public Row getRange(ByteString row, char family, ByteString from, ByteString to, int limit)
      throws IOException {
    reads.incrementAndGet();
    return super.getRange(row, family, from, to, limit);
  }

  @Override
  public Row getFamilies(ByteString row, String families) throws IOException {
    reads.incrementAndGet();
    return super.getFamilies(row, families);
  }

  @Override
  public List<Row> scanFirst(
      ByteString from, ByteString to, String families, int perFamily, int limit)
      throws IOException {
    reads.incrementAndGet();
    return super.scanFirst(from, to, families, perFamily, limit);
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
    reads.incrementAndGet();
    return super.scanHeads(from, to, unwanted, families, perFamily, limit);
  }

  @Override
  public List<Row> scanWritten(
      ByteString from,
      ByteString to,
      char family,
      ByteString qualifierPrefix,
      long fromStamp,
      long toStamp,
      int limit)
      throws IOException {
    reads.incrementAndGet();
    return super.scanWritten(from, to, family, qualifierPrefix, fromStamp, toStamp, limit);
  }

  @Override
  public List<Row> scan(
      ByteString from, ByteString to, char family, ByteString qualifierPrefix, int limit)
      throws IOException {
    reads.incrementAndGet();
    return super.scan(from, to, family, qualifierPrefix, limit);
  }
}

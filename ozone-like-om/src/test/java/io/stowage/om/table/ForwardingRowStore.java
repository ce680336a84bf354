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
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** Passes every call on, for tests that meddle with some. */
public abstract class ForwardingRowStore implements RowStore {
  protected final RowStore inner;

  protected ForwardingRowStore(RowStore inner) {
    this.inner = inner;
  }

  @Override
  public boolean checkAndMutate(ByteString row, Check check, RowChange change, Duration timeout)
      throws IOException {
    return inner.checkAndMutate(row, check, change, timeout);
  }

  @Override
  public void mutate(ByteString row, RowChange change, Duration timeout) throws IOException {
    inner.mutate(row, change, timeout);
  }

  @Override
  public Row get(ByteString row, List<Column> columns) throws IOException {
    return inner.get(row, columns);
  }

  @Override
  public Row getRange(ByteString row, char family, ByteString from, ByteString to, int limit)
      throws IOException {
    return inner.getRange(row, family, from, to, limit);
  }

  @Override
  public Row getFamilies(ByteString row, String families, int perFamily) throws IOException {
    return inner.getFamilies(row, families, perFamily);
  }

  @Override
  public List<Row> scanFirst(
      ByteString from, ByteString to, String families, int perFamily, int limit)
      throws IOException {
    return inner.scanFirst(from, to, families, perFamily, limit);
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
    return inner.scanHeads(from, to, unwanted, families, perFamily, limit);
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
    return inner.scanWritten(from, to, family, qualifierPrefix, fromStamp, toStamp, perRow, limit);
  }

  @Override
  public List<Row> scan(
      ByteString from, ByteString to, char family, ByteString qualifierPrefix, int limit)
      throws IOException {
    return inner.scan(from, to, family, qualifierPrefix, limit);
  }
}

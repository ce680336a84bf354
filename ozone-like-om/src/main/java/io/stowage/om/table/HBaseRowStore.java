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
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.hadoop.hbase.CellUtil;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.AdvancedScanResultConsumer;
import org.apache.hadoop.hbase.client.AsyncConnection;
import org.apache.hadoop.hbase.client.AsyncTable;
import org.apache.hadoop.hbase.client.CheckAndMutate;
import org.apache.hadoop.hbase.client.CheckAndMutateResult;
import org.apache.hadoop.hbase.client.Delete;
import org.apache.hadoop.hbase.client.Get;
import org.apache.hadoop.hbase.client.Put;
import org.apache.hadoop.hbase.client.Result;
import org.apache.hadoop.hbase.client.RowMutations;
import org.apache.hadoop.hbase.client.Scan;
import org.apache.hadoop.hbase.filter.ColumnPrefixFilter;
import org.apache.hadoop.hbase.filter.ColumnRangeFilter;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.UnsafeByteOperations;

/**
 * A table of HBase. Every call is one call of the asynchronous client, waited for: many callers'
 * calls share one connection and one forcing of the log, which a batch of conditional mutations
 * would not (the server works through it one by one). Thread-safe.
 */
final class HBaseRowStore implements RowStore {
  /** Added to a call's own timeout before we stop waiting for the client to keep it. */
  private static final long GRACE_MILLIS = 2_000;

  private final AsyncConnection connection;
  private final TableName name;
  private final AsyncTable<AdvancedScanResultConsumer> table;
  private final AsyncTable<AdvancedScanResultConsumer> mutations;
  private final Duration operationTimeout;
  private final Duration mutationTimeout;

  HBaseRowStore(AsyncConnection connection, TableName name, Duration operationTimeout) {
    this.connection = connection;
    this.name = name;
    this.operationTimeout = operationTimeout;
    this.mutationTimeout = operationTimeout.multipliedBy(4).dividedBy(5);
    this.table = withTimeout(operationTimeout);
    this.mutations = withTimeout(mutationTimeout);
  }

  private AsyncTable<AdvancedScanResultConsumer> withTimeout(Duration timeout) {
    long millis = Math.max(1, timeout.toMillis());
    return connection
        .getTableBuilder(name)
        .setOperationTimeout(millis, TimeUnit.MILLISECONDS)
        .setScanTimeout(millis, TimeUnit.MILLISECONDS)
        .setRetryPause(20, TimeUnit.MILLISECONDS)
        .build();
  }

  /** The client may send again until its own timeout, which has to end within the caller's. */
  private AsyncTable<AdvancedScanResultConsumer> forMutation(Duration timeout) {
    return timeout.compareTo(mutationTimeout) < 0 ? withTimeout(timeout) : mutations;
  }

  @Override
  public Row get(ByteString row, List<Column> columns) throws IOException {
    Get get = new Get(row.toByteArray());
    for (Column column : columns) {
      get.addColumn(family(column.family()), column.qualifier().toByteArray());
    }
    return row(row, await(table.get(get), operationTimeout));
  }

  @Override
  public List<Row> getAll(List<ByteString> rows, List<Column> columns) throws IOException {
    if (rows.size() == 1) {
      return List.of(get(rows.get(0), columns));
    }
    List<Get> gets = new ArrayList<>(rows.size());
    for (ByteString row : rows) {
      Get get = new Get(row.toByteArray());
      for (Column column : columns) {
        get.addColumn(family(column.family()), column.qualifier().toByteArray());
      }
      gets.add(get);
    }
    List<Result> results = await(table.getAll(gets), operationTimeout);
    List<Row> all = new ArrayList<>(rows.size());
    for (int i = 0; i < rows.size(); i++) {
      all.add(row(rows.get(i), results.get(i)));
    }
    return all;
  }

  @Override
  public Row getRange(ByteString row, char family, ByteString from, ByteString to, int limit)
      throws IOException {
    Get get =
        new Get(row.toByteArray())
            .addFamily(family(family))
            .setMaxResultsPerColumnFamily(limit)
            .setFilter(new ColumnRangeFilter(from.toByteArray(), true, to.toByteArray(), false));
    return row(row, await(table.get(get), operationTimeout));
  }

  @Override
  public Row getFamilies(ByteString row, String families, int perFamily) throws IOException {
    Get get = new Get(row.toByteArray()).setMaxResultsPerColumnFamily(perFamily);
    for (int i = 0; i < families.length(); i++) {
      get.addFamily(family(families.charAt(i)));
    }
    return row(row, await(table.get(get), operationTimeout));
  }

  @Override
  public boolean checkAndMutate(ByteString row, Check check, RowChange change, Duration timeout)
      throws IOException {
    byte[] key = row.toByteArray();
    byte[] family = family(check.column().family());
    byte[] qualifier = check.column().qualifier().toByteArray();
    CheckAndMutate.Builder builder = CheckAndMutate.newBuilder(key);
    if (check instanceof Check.Equal equal) {
      builder.ifEquals(family, qualifier, equal.value().toByteArray());
    } else {
      builder.ifNotExists(family, qualifier);
    }
    CheckAndMutate conditional;
    if (change.deletes().isEmpty()) {
      conditional = builder.build(put(key, change));
    } else {
      conditional = builder.build(mutations(key, change));
    }
    CompletableFuture<CheckAndMutateResult> result =
        forMutation(timeout).checkAndMutate(conditional);
    return await(result, timeout).isSuccess();
  }

  @Override
  public void mutate(ByteString row, RowChange change, Duration timeout) throws IOException {
    byte[] key = row.toByteArray();
    if (change.deletes().isEmpty()) {
      await(forMutation(timeout).put(put(key, change)), timeout);
    } else {
      await(forMutation(timeout).mutateRow(mutations(key, change)), timeout);
    }
  }

  @Override
  public List<Row> scan(
      ByteString from, ByteString to, char family, ByteString qualifierPrefix, int limit)
      throws IOException {
    Scan scan =
        new Scan()
            .withStartRow(from.toByteArray())
            .withStopRow(to.toByteArray())
            .addFamily(family(family))
            .setFilter(new ColumnPrefixFilter(qualifierPrefix.toByteArray()))
            .setLimit(limit)
            .setCaching(limit)
            .setReadType(Scan.ReadType.PREAD);
    List<Row> rows = new ArrayList<>();
    for (Result result : await(table.scanAll(scan), operationTimeout)) {
      rows.add(row(UnsafeByteOperations.unsafeWrap(result.getRow()), result));
    }
    return rows;
  }

  @Override
  public List<Row> scanFirst(
      ByteString from, ByteString to, String families, int perFamily, int limit)
      throws IOException {
    Scan scan =
        new Scan()
            .withStartRow(from.toByteArray())
            .withStopRow(to.toByteArray())
            .setMaxResultsPerColumnFamily(perFamily)
            .setLimit(limit)
            .setCaching(limit)
            .setReadType(Scan.ReadType.PREAD);
    for (int i = 0; i < families.length(); i++) {
      scan.addFamily(family(families.charAt(i)));
    }
    List<Row> rows = new ArrayList<>();
    for (Result result : await(table.scanAll(scan), operationTimeout)) {
      rows.add(row(UnsafeByteOperations.unsafeWrap(result.getRow()), result));
    }
    return rows;
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
    Scan scan =
        new Scan()
            .withStartRow(from.toByteArray())
            .withStopRow(to.toByteArray())
            .setMaxResultsPerColumnFamily(perFamily)
            .setFilter(HeadFilter.without(unwanted))
            .setLoadColumnFamiliesOnDemand(false) // else a row is not read at one moment
            .setLimit(limit)
            .setCaching(limit)
            .setReadType(Scan.ReadType.PREAD);
    for (int i = 0; i < families.length(); i++) {
      scan.addFamily(family(families.charAt(i)));
    }
    LongScan found = new LongScan();
    found.begin(table, scan);
    return found.await(operationTimeout.plusMillis(GRACE_MILLIS));
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
    Scan scan =
        new Scan()
            .withStartRow(from.toByteArray())
            .withStopRow(to.toByteArray())
            .addFamily(family(family))
            .setTimeRange(fromStamp, toStamp)
            .setMaxResultsPerColumnFamily(perRow)
            .setLimit(limit)
            .setCaching(limit)
            .setCacheBlocks(false)
            .setReadType(Scan.ReadType.PREAD);
    if (!qualifierPrefix.isEmpty()) {
      scan.setFilter(new ColumnPrefixFilter(qualifierPrefix.toByteArray()));
    }
    List<Row> rows = new ArrayList<>();
    for (Result result : await(table.scanAll(scan), operationTimeout)) {
      rows.add(row(UnsafeByteOperations.unsafeWrap(result.getRow()), result));
    }
    return rows;
  }

  private static Put put(byte[] key, RowChange change) {
    Put put = new Put(key, change.stamp());
    for (Map.Entry<Column, ByteString> entry : change.puts().entrySet()) {
      put.addColumn(
          family(entry.getKey().family()),
          entry.getKey().qualifier().toByteArray(),
          change.stamp(),
          entry.getValue().toByteArray());
    }
    return put;
  }

  /** Deletes are of all versions up to the stamp: deleting one version would uncover an older. */
  private static RowMutations mutations(byte[] key, RowChange change) throws IOException {
    Delete delete = new Delete(key, change.stamp());
    for (Column column : change.deletes()) {
      delete.addColumns(family(column.family()), column.qualifier().toByteArray(), change.stamp());
    }
    return change.puts().isEmpty()
        ? RowMutations.of(List.of(delete))
        : RowMutations.of(List.of(put(key, change), delete));
  }

  static byte[] family(char letter) {
    return new byte[] {(byte) letter};
  }

  static Row row(ByteString key, Result result) {
    org.apache.hadoop.hbase.Cell[] raw = result.rawCells();
    List<Cell> cells = new ArrayList<>(raw == null ? 0 : raw.length);
    if (raw != null) {
      for (org.apache.hadoop.hbase.Cell cell : raw) {
        cells.add(
            new Cell(
                new Column(
                    (char) cell.getFamilyArray()[cell.getFamilyOffset()],
                    UnsafeByteOperations.unsafeWrap(CellUtil.cloneQualifier(cell))),
                cell.getTimestamp(),
                UnsafeByteOperations.unsafeWrap(CellUtil.cloneValue(cell))));
      }
    }
    return new Row(key, cells);
  }

  static <T> T await(CompletableFuture<T> future, Duration timeout) throws IOException {
    try {
      return future.get(timeout.toMillis() + GRACE_MILLIS, TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      throw e.getCause() instanceof IOException io ? io : new IOException(e.getCause());
    } catch (TimeoutException e) {
      throw new IOException("HBase did not answer within " + timeout, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw (IOException) new InterruptedIOException("interrupted in a call of HBase").initCause(e);
    }
  }
}

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
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.AsyncConnection;
import org.apache.hadoop.hbase.client.AsyncTable;
import org.apache.hadoop.hbase.client.ConnectionFactory;
import org.apache.hadoop.hbase.client.Delete;
import org.apache.hadoop.hbase.client.Put;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * A table that is filled fast, for tests that want many rows: changes are sent by the thousand and
 * take effect some time before {@link #close}, and every check is taken to hold. Right only where
 * each row is changed by one thread, which does not read what it has changed before all was sent.
 * Reads go to the table. Thread-safe.
 */
public final class BatchingRowStore extends ForwardingRowStore implements AutoCloseable {
  private static final int BATCH = 2_000;

  private final AsyncConnection connection;
  private final AsyncTable<?> writes;
  private List<org.apache.hadoop.hbase.client.Row> batch = new ArrayList<>(); // guarded by this

  public BatchingRowStore(RowStore objects, Configuration conf, String namespace)
      throws IOException {
    super(objects);
    this.connection =
        HBaseRowStore.await(ConnectionFactory.createAsyncConnection(conf), Duration.ofMinutes(1));
    this.writes = connection.getTable(TableName.valueOf(namespace, ObjectRowLayout.TABLE));
  }

  @Override
  public boolean checkAndMutate(ByteString row, Check check, RowChange change, Duration timeout)
      throws IOException {
    mutate(row, change, timeout);
    return true;
  }

  @Override
  public void mutate(ByteString row, RowChange change, Duration timeout) throws IOException {
    List<org.apache.hadoop.hbase.client.Row> mutations = mutations(row.toByteArray(), change);
    List<org.apache.hadoop.hbase.client.Row> full = null;
    synchronized (this) {
      batch.addAll(mutations);
      if (batch.size() >= BATCH) {
        full = batch;
        batch = new ArrayList<>(BATCH);
      }
    }
    if (full != null) {
      send(full); // by the thread that filled it: others go on, and are slowed in their turn
    }
  }

  private void send(List<org.apache.hadoop.hbase.client.Row> changes) throws IOException {
    List<CompletableFuture<Object>> results = writes.batch(changes);
    for (CompletableFuture<Object> result : results) {
      HBaseRowStore.await(result, Duration.ofMinutes(2));
    }
  }

  /** Puts and deletes apart: the server takes a list of either at once, others one by one. */
  private static List<org.apache.hadoop.hbase.client.Row> mutations(byte[] key, RowChange change) {
    List<org.apache.hadoop.hbase.client.Row> mutations = new ArrayList<>();
    if (!change.puts().isEmpty()) {
      Put put = new Put(key, change.stamp());
      for (Map.Entry<Column, ByteString> entry : change.puts().entrySet()) {
        put.addColumn(
            HBaseRowStore.family(entry.getKey().family()),
            entry.getKey().qualifier().toByteArray(),
            change.stamp(),
            entry.getValue().toByteArray());
      }
      mutations.add(put);
    }
    if (!change.deletes().isEmpty()) {
      Delete delete = new Delete(key, change.stamp());
      for (Column column : change.deletes()) {
        delete.addColumns(
            HBaseRowStore.family(column.family()),
            column.qualifier().toByteArray(),
            change.stamp());
      }
      mutations.add(delete);
    }
    return mutations;
  }

  /** Sends what is left. */
  @Override
  public synchronized void close() throws IOException {
    send(batch);
    connection.close();
  }
}

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
package io.stowage.minicluster;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.AsyncConnection;
import org.apache.hadoop.hbase.client.AsyncTable;
import org.apache.hadoop.hbase.client.CheckAndMutate;
import org.apache.hadoop.hbase.client.ColumnFamilyDescriptorBuilder;
import org.apache.hadoop.hbase.client.ConnectionFactory;
import org.apache.hadoop.hbase.client.Delete;
import org.apache.hadoop.hbase.client.Durability;
import org.apache.hadoop.hbase.client.Get;
import org.apache.hadoop.hbase.client.Put;
import org.apache.hadoop.hbase.client.Result;
import org.apache.hadoop.hbase.client.RowMutations;
import org.apache.hadoop.hbase.client.Scan;
import org.apache.hadoop.hbase.client.TableDescriptorBuilder;
import org.apache.hadoop.hbase.regionserver.NoSuchColumnFamilyException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the stores of the object manager and of SCM call, without the network. */
class InProcessRpcClientIT {
  private static final TableName ROWS = TableName.valueOf("rows");
  private static final byte[] FAMILY = bytes("f");
  private static final byte[] OTHER = bytes("o");
  private static final byte[] COLUMN = bytes("q");

  @TempDir Path directory;
  private EmbeddedZooKeeper zooKeeper;
  private EmbeddedHBase hbase;
  private AsyncConnection connection;
  private AsyncTable<?> table;

  @BeforeEach
  void start() throws Exception {
    zooKeeper = EmbeddedZooKeeper.start(directory.resolve("zk"), 0);
    hbase = EmbeddedHBase.start(directory.resolve("hbase"), zooKeeper);
    connection =
        ConnectionFactory.createAsyncConnection(hbase.inProcessConfiguration())
            .get(60, TimeUnit.SECONDS);
    connection
        .getAdmin()
        .createTable(
            TableDescriptorBuilder.newBuilder(ROWS)
                .setDurability(Durability.FSYNC_WAL)
                .setColumnFamily(ColumnFamilyDescriptorBuilder.of(FAMILY))
                .setColumnFamily(ColumnFamilyDescriptorBuilder.of(OTHER))
                .build())
        .get(60, TimeUnit.SECONDS);
    table =
        connection
            .getTableBuilder(ROWS)
            .setOperationTimeout(20, TimeUnit.SECONDS)
            .setMaxAttempts(20)
            .build();
  }

  @AfterEach
  void stop() throws Exception {
    connection.close();
    hbase.close();
    zooKeeper.close();
  }

  @Test
  void callsAnswerAsOverTheNetwork() throws Exception {
    long before = InProcessRpcClient.callCount();
    for (int i = 0; i < 100; i++) {
      await(table.put(new Put(row(i)).addColumn(FAMILY, COLUMN, bytes("value" + i))));
    }
    assertArrayEquals(bytes("value7"), await(table.get(new Get(row(7)))).value());
    assertTrue(await(table.get(new Get(bytes("none")))).isEmpty());

    List<Result> page = await(table.scanAll(new Scan().withStartRow(row(10)).setCaching(9)));
    assertEquals(90, page.size());
    assertArrayEquals(bytes("value99"), page.get(89).value());

    assertFalse(swap("wrong", "x"));
    assertTrue(swap("value1", "x"));
    Result swapped = await(table.get(new Get(row(1))));
    assertArrayEquals(bytes("x"), swapped.getValue(OTHER, COLUMN));
    assertFalse(swapped.containsColumn(FAMILY, COLUMN));

    await(
        table.mutateRow(
            RowMutations.of(
                List.of(
                    new Put(row(2)).addColumn(OTHER, COLUMN, bytes("y")),
                    new Delete(row(2)).addColumns(FAMILY, COLUMN)))));
    assertArrayEquals(bytes("y"), await(table.get(new Get(row(2)))).value());

    ExecutionException refused =
        assertThrows(
            ExecutionException.class,
            () -> await(table.put(new Put(row(3)).addColumn(bytes("no"), COLUMN, COLUMN))));
    assertInstanceOf(NoSuchColumnFamilyException.class, refused.getCause());
    assertTrue(InProcessRpcClient.callCount() - before >= 106, "calls went over the network");
  }

  /** One column compared, one put in another family, the compared one deleted. */
  private boolean swap(String expected, String value) throws Exception {
    return await(
            table.checkAndMutate(
                CheckAndMutate.newBuilder(row(1))
                    .ifEquals(FAMILY, COLUMN, bytes(expected))
                    .build(
                        RowMutations.of(
                            List.of(
                                new Put(row(1)).addColumn(OTHER, COLUMN, bytes(value)),
                                new Delete(row(1)).addColumns(FAMILY, COLUMN))))))
        .isSuccess();
  }

  /** The regions that the client knew are gone: it has to look them up again, as ever. */
  @Test
  void followsRegionsThatSplit() throws Exception {
    for (int i = 0; i < 100; i++) {
      await(table.put(new Put(row(i)).addColumn(FAMILY, COLUMN, bytes("value" + i))));
    }
    connection.getAdmin().flush(ROWS).get(60, TimeUnit.SECONDS);
    connection.getAdmin().split(ROWS, row(50)).get(60, TimeUnit.SECONDS);
    for (int i = 0; i < 100; i++) {
      assertArrayEquals(bytes("value" + i), await(table.get(new Get(row(i)))).value());
      await(table.put(new Put(row(i)).addColumn(FAMILY, COLUMN, bytes("again" + i))));
    }
    assertEquals(100, await(table.scanAll(new Scan())).size());
  }

  @Test
  void goesOverTheNetworkToServersThatAreNotInThisProcess() throws Exception {
    await(table.put(new Put(row(0)).addColumn(FAMILY, COLUMN, bytes("value"))));
    hbase.serveByNetworkOnly();
    long before = InProcessRpcClient.callCount();
    assertArrayEquals(bytes("value"), await(table.get(new Get(row(0)))).value());
    await(table.put(new Put(row(1)).addColumn(FAMILY, COLUMN, bytes("value"))));
    assertEquals(before, InProcessRpcClient.callCount());
  }

  /** A thread that is interrupted while HBase reads for it must not close the file it reads. */
  @Test
  void interruptedCallersHarmNobody() throws Exception {
    for (int i = 0; i < 200; i++) {
      await(table.put(new Put(row(i)).addColumn(FAMILY, COLUMN, new byte[4096])));
    }
    connection.getAdmin().flush(ROWS).get(60, TimeUnit.SECONDS);
    AtomicInteger interrupted = new AtomicInteger();
    List<Thread> callers = new ArrayList<>();
    for (int i = 0; i < 50; i++) {
      int n = i;
      Thread caller =
          new Thread(
              () -> {
                try {
                  for (int j = 0; j < 1_000; j++) {
                    await(table.get(new Get(row((n + j) % 200)).setCacheBlocks(false)));
                  }
                } catch (InterruptedException e) {
                  interrupted.incrementAndGet();
                } catch (Exception e) {
                  throw new AssertionError(e);
                }
              });
      callers.add(caller);
      caller.start();
    }
    for (Thread caller : callers) {
      caller.interrupt();
      caller.join();
    }
    assertTrue(interrupted.get() > 0, "no caller was interrupted");
    for (int i = 0; i < 200; i++) {
      assertEquals(4096, await(table.get(new Get(row(i)).setCacheBlocks(false))).value().length);
    }
  }

  private static <T> T await(CompletableFuture<T> future) throws Exception {
    return future.get(30, TimeUnit.SECONDS);
  }

  private static byte[] row(int i) {
    return bytes(String.format("row%05d", i));
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}

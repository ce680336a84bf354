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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.ColumnFamilyDescriptorBuilder;
import org.apache.hadoop.hbase.client.Connection;
import org.apache.hadoop.hbase.client.ConnectionFactory;
import org.apache.hadoop.hbase.client.Get;
import org.apache.hadoop.hbase.client.Put;
import org.apache.hadoop.hbase.client.Table;
import org.apache.hadoop.hbase.client.TableDescriptorBuilder;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EmbeddedHBaseIT {
  private static final TableName ROWS = TableName.valueOf("rows");
  private static final byte[] FAMILY = bytes("f");

  @TempDir Path directory;

  @Test
  void startsFastAndKeepsRowsOverARestart() throws Exception {
    Instant begin = Instant.now();
    try (EmbeddedZooKeeper zooKeeper = EmbeddedZooKeeper.start(directory.resolve("zk"), 0);
        EmbeddedHBase hbase = EmbeddedHBase.start(directory.resolve("hbase"), zooKeeper)) {
      Duration start = Duration.between(begin, Instant.now());
      System.err.println("first start of ZooKeeper and HBase: " + start.toMillis() + " ms");
      try (Connection connection = ConnectionFactory.createConnection(hbase.configuration())) {
        connection
            .getAdmin()
            .createTable(
                TableDescriptorBuilder.newBuilder(ROWS)
                    .setColumnFamily(ColumnFamilyDescriptorBuilder.of(FAMILY))
                    .build());
        try (Table table = connection.getTable(ROWS)) {
          for (int i = 0; i < 100; i++) {
            table.put(new Put(bytes("row" + i)).addColumn(FAMILY, bytes("q"), bytes("value" + i)));
          }
        }
      }
      assertTrue(hbase.isAlive());
    }
    begin = Instant.now();
    try (EmbeddedZooKeeper zooKeeper = EmbeddedZooKeeper.start(directory.resolve("zk"), 0);
        EmbeddedHBase hbase = EmbeddedHBase.start(directory.resolve("hbase"), zooKeeper)) {
      Duration start = Duration.between(begin, Instant.now());
      System.err.println("second start of ZooKeeper and HBase: " + start.toMillis() + " ms");
      try (Connection connection = ConnectionFactory.createConnection(hbase.configuration());
          Table table = connection.getTable(ROWS)) {
        List<Get> gets = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
          gets.add(new Get(bytes("row" + i)));
        }
        var results = table.get(gets);
        for (int i = 0; i < 100; i++) {
          assertEquals("value" + i, new String(results[i].value(), StandardCharsets.UTF_8));
        }
      }
    }
    assertFalse(hasChecksumSideFiles(), "HBase has its own checksums");
  }

  /** As after kill -9: the session is never closed, the server is started again at once. */
  @Test
  void ephemeralNodesOfADeadProcessAreGoneAtTheStart() throws Exception {
    ZooKeeper abandoned;
    try (EmbeddedZooKeeper zooKeeper = EmbeddedZooKeeper.start(directory.resolve("zk"), 0)) {
      abandoned = connect(zooKeeper.quorum());
      abandoned.create("/leader", new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
      abandoned.create(
          "/leader/dead", new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
    }
    try (EmbeddedZooKeeper zooKeeper = EmbeddedZooKeeper.start(directory.resolve("zk"), 0);
        ZooKeeper client = connect(zooKeeper.quorum())) {
      assertEquals(List.of(), client.getChildren("/leader", false));
    } finally {
      abandoned.close();
    }
  }

  private boolean hasChecksumSideFiles() throws IOException {
    try (var files = Files.walk(directory.resolve("hbase"))) {
      return files.anyMatch(file -> file.getFileName().toString().endsWith(".crc"));
    }
  }

  private static ZooKeeper connect(String quorum) throws Exception {
    CountDownLatch connected = new CountDownLatch(1);
    ZooKeeper client =
        new ZooKeeper(
            quorum,
            600_000,
            event -> {
              if (event.getState() == Watcher.Event.KeeperState.SyncConnected) {
                connected.countDown();
              }
            });
    connected.await();
    return client;
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}

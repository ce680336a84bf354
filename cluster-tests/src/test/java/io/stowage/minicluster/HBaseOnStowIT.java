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
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.id.WriteId;
import io.stowage.common.proto.CreateBucketRequest;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.Admin;
import org.apache.hadoop.hbase.client.ColumnFamilyDescriptorBuilder;
import org.apache.hadoop.hbase.client.Connection;
import org.apache.hadoop.hbase.client.ConnectionFactory;
import org.apache.hadoop.hbase.client.Get;
import org.apache.hadoop.hbase.client.Put;
import org.apache.hadoop.hbase.client.Result;
import org.apache.hadoop.hbase.client.Scan;
import org.apache.hadoop.hbase.client.Table;
import org.apache.hadoop.hbase.client.TableDescriptorBuilder;
import org.apache.hadoop.hbase.util.Bytes;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/**
 * An HBase whose files and logs are in a bucket loses no row that it acknowledged: it is killed
 * (SIGKILL), started again, and recovers its logs. Takes a minute; {@code -Dstowage.it.hbase=true}.
 */
@EnabledIfSystemProperty(named = "stowage.it.hbase", matches = "true")
class HBaseOnStowIT {
  private static final TableName TABLE = TableName.valueOf("t");
  private static final byte[] FAMILY = Bytes.toBytes("f");
  private static final byte[] QUALIFIER = Bytes.toBytes("q");
  private static final int ROWS = Integer.getInteger("stowage.it.hbase-rows", 300);
  private static final int KILLS = 2;

  @TempDir Path directory;

  /** The process and how to reach what it serves. */
  private final class Serving implements AutoCloseable {
    final Process process;
    final Configuration client = HBaseConfiguration.create();

    Serving(Path site, int number) throws Exception {
      process =
          new ProcessBuilder(
                  Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                  "-Xmx640m",
                  "-Djava.net.preferIPv4Stack=true",
                  "-Dlog4j.configuration=" + System.getProperty("log4j.configuration"),
                  "-cp",
                  System.getProperty(
                      "surefire.test.class.path", System.getProperty("java.class.path")),
                  HBaseOnStowProcess.class.getName(),
                  site.toString(),
                  "stow://hbase/root",
                  directory.resolve("local").toString())
              .redirectError(directory.resolve("hbase" + number).toFile())
              .start();
      BufferedReader lines =
          new BufferedReader(
              new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
      String line = lines.readLine();
      while (line != null && !line.startsWith("serving ")) {
        line = lines.readLine();
      }
      if (line == null) {
        throw new IOException(Files.readString(directory.resolve("hbase" + number)));
      }
      client.set("hbase.zookeeper.quorum", "127.0.0.1");
      client.set("hbase.zookeeper.property.clientPort", line.substring(8));
      client.setInt("hbase.client.retries.number", 20);
    }

    void kill() {
      process.destroyForcibly().onExit().join();
    }

    @Override
    public void close() {
      kill();
    }
  }

  private static byte[] row(int number) {
    return Bytes.toBytes(String.format("%08d", number));
  }

  @Test
  void everyRowThatWasAcknowledgedIsThereAfterAKill() throws Exception {
    try (MiniStowageCluster cluster = MiniStowageCluster.builder().start()) {
      cluster
          .objectManager(0)
          .createBucket(
              CreateBucketRequest.newBuilder()
                  .setName("hbase")
                  .setWriteId(WriteId.random())
                  .build());
      Path site = directory.resolve("site.xml");
      Configuration settings = new Configuration(false);
      cluster.clientSettings().forEach(settings::set);
      settings.set("fs.stow.impl", "io.stowage.fs.StowageFileSystem");
      try (var out = Files.newOutputStream(site)) {
        settings.writeXml(out);
      }
      int rows = 0;
      for (int kill = 0; kill < KILLS; kill++) {
        long begin = System.nanoTime();
        try (Serving hbase = new Serving(site, kill);
            Connection connection = ConnectionFactory.createConnection(hbase.client);
            Admin admin = connection.getAdmin()) {
          if (kill == 0) {
            admin.createTable(
                TableDescriptorBuilder.newBuilder(TABLE)
                    .setColumnFamily(ColumnFamilyDescriptorBuilder.of(FAMILY))
                    .build());
          }
          System.err.printf(
              "HBase on stow:// serves after %d ms%n", (System.nanoTime() - begin) / 1_000_000);
          try (Table table = connection.getTable(TABLE)) {
            verify(table, rows);
            for (int i = 0; i < ROWS; i++, rows++) {
              table.put(
                  new Put(row(rows))
                      .addColumn(FAMILY, QUALIFIER, TestContent.of("row" + rows, 1_000)));
              if (i == ROWS / 2) {
                admin.flush(TABLE);
              }
            }
          }
          hbase.kill();
        }
      }
      try (Serving hbase = new Serving(site, KILLS);
          Connection connection = ConnectionFactory.createConnection(hbase.client);
          Table table = connection.getTable(TABLE)) {
        verify(table, rows);
      }
      try (FileSystem files = cluster.fileSystem("hbase")) {
        assertTrue(files.exists(new org.apache.hadoop.fs.Path("/root/hbase.version")));
      }
    }
  }

  private static void verify(Table table, int rows) throws IOException {
    int found = 0;
    try (var scanner = table.getScanner(new Scan())) {
      for (Result result : scanner) {
        assertArrayEquals(row(found), result.getRow());
        assertArrayEquals(TestContent.of("row" + found, 1_000), result.getValue(FAMILY, QUALIFIER));
        found++;
      }
    }
    assertEquals(rows, found, "rows after recovery");
    if (rows > 0) {
      assertTrue(table.exists(new Get(row(rows - 1))));
    }
  }
}

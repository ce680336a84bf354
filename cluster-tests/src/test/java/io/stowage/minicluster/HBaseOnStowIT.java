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

import static java.util.Map.entry;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.id.WriteId;
import io.stowage.common.proto.BucketLayout;
import io.stowage.common.proto.CreateBucketRequest;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
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
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * An HBase whose files and logs are in a bucket loses no row that it acknowledged: master and
 * region server are killed (SIGKILL), started again, and recover its logs. Both are HBase's own
 * programs, on a class path with our one jar and no other class of ours, and settings as users have
 * them. Takes minutes; {@code -Dstowage.it.hbase=true}.
 */
@EnabledIfSystemProperty(named = "stowage.it.hbase", matches = "true")
class HBaseOnStowIT {
  private static final TableName TABLE = TableName.valueOf("t");
  private static final byte[] FAMILY = Bytes.toBytes("f");
  private static final byte[] QUALIFIER = Bytes.toBytes("q");
  private static final int ROWS = Integer.getInteger("stowage.it.hbase-rows", 300);
  private static final int KILLS = 2;
  private static final String ROOT = "stow://hbase/root";
  private static final String LOGGING =
      """
      log4j.rootLogger=INFO,said
      log4j.logger.org.apache.hadoop.hbase.util.ServerCommandLine=WARN
      log4j.appender.said=org.apache.log4j.ConsoleAppender
      log4j.appender.said.layout=org.apache.log4j.PatternLayout
      log4j.appender.said.layout.ConversionPattern=%d %p %c{1} %m%n
      """;

  @TempDir Path directory;

  /** Both processes, and how to reach what they serve. */
  private final class Serving implements AutoCloseable {
    final EmbeddedZooKeeper zooKeeper;
    final List<Process> processes = new ArrayList<>();
    final Configuration client = HBaseConfiguration.create();
    private final int number;

    Serving(Map<String, String> store, String logs, int number) throws Exception {
      this.number = number;
      // What is left of the sessions of those who were killed goes with the start.
      zooKeeper = EmbeddedZooKeeper.start(directory.resolve("zookeeper"), 0);
      client.set("hbase.zookeeper.quorum", "127.0.0.1");
      client.setInt("hbase.zookeeper.property.clientPort", zooKeeper.port());
      client.setInt("hbase.client.retries.number", 20);
      Path conf = Files.createDirectories(directory.resolve("conf" + number));
      write(conf.resolve("stowage-site.xml"), store);
      write(conf.resolve("hbase-site.xml"), site(logs));
      Files.writeString(conf.resolve("log4j.properties"), LOGGING);
      try {
        start(conf, "org.apache.hadoop.hbase.master.HMaster");
        start(conf, "org.apache.hadoop.hbase.regionserver.HRegionServer");
      } catch (IOException e) {
        close();
        throw e;
      }
    }

    private Map<String, String> site(String logs) {
      return Map.ofEntries(
          entry("hbase.rootdir", ROOT),
          entry("hbase.cluster.distributed", "true"),
          entry("hbase.wal.provider", logs),
          entry("hbase.tmp.dir", directory.resolve("tmp").toString()),
          entry("hbase.zookeeper.quorum", "127.0.0.1"),
          entry("hbase.zookeeper.property.clientPort", Integer.toString(zooKeeper.port())),
          entry("hbase.master.hostname", "localhost"),
          entry("hbase.unsafe.regionserver.hostname", "localhost"),
          entry("hbase.master.ipc.address", "127.0.0.1"),
          entry("hbase.regionserver.ipc.address", "127.0.0.1"),
          entry("hbase.master.port", "0"),
          entry("hbase.regionserver.port", "0"),
          entry("hbase.master.info.port", "-1"),
          entry("hbase.regionserver.info.port", "-1"),
          entry("hbase.master.wait.on.regionservers.timeout", "100"),
          entry("hbase.master.wait.on.regionservers.interval", "50"),
          entry("hbase.regionserver.msginterval", "500"));
    }

    private void start(Path conf, String main) throws IOException {
      processes.add(
          new ProcessBuilder(
                  Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                  "-Xmx384m",
                  "-XX:TieredStopAtLevel=1",
                  "-Djava.net.preferIPv4Stack=true",
                  "-cp",
                  conf + File.pathSeparator + OneJar.classPath(),
                  main,
                  "start")
              .redirectErrorStream(true)
              .redirectOutput(said(main).toFile())
              .start());
    }

    private Path said(String main) {
      return directory.resolve(main.substring(main.lastIndexOf('.') + 1) + number + ".out");
    }

    /** Until tables can be made; or a process has ended, and said why. */
    void await(Admin admin) throws Exception {
      List<CompletableFuture<?>> events = new ArrayList<>();
      processes.forEach(process -> events.add(process.onExit()));
      events.add(CompletableFuture.supplyAsync(() -> tables(admin)));
      CompletableFuture.anyOf(events.toArray(new CompletableFuture<?>[0])).get();
      if (!processes.stream().allMatch(Process::isAlive)) {
        throw new IOException(
            Files.readString(said("HMaster")) + Files.readString(said("HRegionServer")));
      }
    }

    private static TableName[] tables(Admin admin) {
      try {
        return admin.listTableNames(); // waits for a master
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    void kill() {
      for (Process process : processes) {
        process.destroyForcibly().onExit().join();
      }
    }

    @Override
    public void close() {
      kill();
      zooKeeper.close();
    }
  }

  private static void write(Path file, Map<String, String> settings) throws IOException {
    Configuration site = new Configuration(false);
    settings.forEach(site::set);
    try (OutputStream out = Files.newOutputStream(file)) {
      site.writeXml(out);
    }
  }

  private static byte[] row(int number) {
    return Bytes.toBytes(String.format("%08d", number));
  }

  @ParameterizedTest
  @CsvSource({"OBJECT, filesystem", "FILE_SYSTEM, asyncfs"})
  void everyRowThatWasAcknowledgedIsThereAfterAKill(BucketLayout layout, String logs)
      throws Exception {
    try (MiniStowageCluster cluster = MiniStowageCluster.builder().start()) {
      cluster
          .objectManager(0)
          .createBucket(
              CreateBucketRequest.newBuilder()
                  .setName("hbase")
                  .setLayout(layout)
                  .setWriteId(WriteId.random())
                  .build());
      Map<String, String> store = cluster.clientSettings();
      int rows = 0;
      for (int kill = 0; kill < KILLS; kill++) {
        long begin = System.nanoTime();
        try (Serving hbase = new Serving(store, logs, kill);
            Connection connection = ConnectionFactory.createConnection(hbase.client);
            Admin admin = connection.getAdmin()) {
          hbase.await(admin);
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
      try (Serving hbase = new Serving(store, logs, KILLS);
          Connection connection = ConnectionFactory.createConnection(hbase.client);
          Admin admin = connection.getAdmin();
          Table table = connection.getTable(TABLE)) {
        hbase.await(admin);
        verify(table, rows);
      }
      try (FileSystem files = cluster.fileSystem("hbase")) {
        assertTrue(files.exists(new org.apache.hadoop.fs.Path(ROOT + "/hbase.version")));
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

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
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.LocalHBaseCluster;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.master.HMaster;
import org.apache.hadoop.hbase.regionserver.HRegion;
import org.apache.hadoop.hbase.util.JVMClusterUtil.RegionServerThread;
import org.apache.hadoop.metrics2.lib.DefaultMetricsSystem;
import org.apache.zookeeper.server.embedded.ExitHandler;
import org.apache.zookeeper.server.embedded.ZooKeeperServerEmbedded;

/** One real HBase and ZooKeeper per test JVM, in a new directory, started by the first who asks. */
public final class HBaseFixture {
  private static HBaseFixture instance;

  private final LocalHBaseCluster cluster;
  private final Configuration configuration;

  private HBaseFixture(LocalHBaseCluster cluster) {
    this.cluster = cluster;
    this.configuration = new Configuration(cluster.getConfiguration());
  }

  /** What a client needs. */
  public static synchronized Configuration configuration() throws Exception {
    if (instance == null) {
      instance = start();
    }
    return new Configuration(instance.configuration);
  }

  /** Flushes a table: what was written since the last time becomes one more file of each family. */
  public static synchronized void flush(String table) throws IOException {
    for (RegionServerThread server : instance.cluster.getRegionServers()) {
      for (HRegion region : server.getRegionServer().getRegions(TableName.valueOf(table))) {
        region.flush(true);
      }
    }
  }

  /** Flushes and compacts a table, so that each family of a region is one file. */
  public static synchronized void compact(String table) throws IOException {
    for (RegionServerThread server : instance.cluster.getRegionServers()) {
      for (HRegion region : server.getRegionServer().getRegions(TableName.valueOf(table))) {
        region.flush(true);
        region.compact(true);
      }
    }
  }

  /**
   * Blocks of files that readers have asked for so far, be it in the cache or not: what a read
   * costs, whatever it answers.
   */
  public static synchronized long blocksRead() {
    long blocks = 0;
    for (RegionServerThread server : instance.cluster.getRegionServers()) {
      blocks +=
          server
              .getRegionServer()
              .getBlockCache()
              .map(cache -> cache.getStats().getRequestCount())
              .orElseThrow();
    }
    return blocks;
  }

  private static HBaseFixture start() throws Exception {
    Path parent = Files.createDirectories(Path.of(System.getProperty("java.io.tmpdir")));
    Path directory = Files.createTempDirectory(parent, "hbase");
    Properties zookeeper = new Properties();
    zookeeper.setProperty("dataDir", directory.resolve("zk/data").toString());
    zookeeper.setProperty("clientPort", "0");
    zookeeper.setProperty("clientPortAddress", "127.0.0.1");
    zookeeper.setProperty("tickTime", "2000");
    zookeeper.setProperty("admin.enableServer", "false");
    zookeeper.setProperty("preAllocSize", "1024");
    Files.createDirectories(directory.resolve("zk/data"));
    ZooKeeperServerEmbedded server =
        ZooKeeperServerEmbedded.builder()
            .baseDir(directory.resolve("zk"))
            .configuration(zookeeper)
            .exitHandler(ExitHandler.LOG_ONLY)
            .build();
    server.start(20_000);

    Configuration conf = HBaseConfiguration.create();
    conf.set("hbase.zookeeper.quorum", "127.0.0.1");
    conf.setInt("hbase.zookeeper.property.clientPort", server.getClientPort());
    conf.set("hbase.rootdir", directory.resolve("hbase").toUri().toString());
    conf.set("hbase.tmp.dir", directory.resolve("tmp").toString());
    conf.setBoolean("hbase.cluster.distributed", false);
    conf.setBoolean("hbase.unsafe.stream.capability.enforce", false);
    conf.set("hbase.master.hostname", "localhost");
    conf.set("hbase.unsafe.regionserver.hostname", "localhost");
    conf.set("hbase.master.ipc.address", "127.0.0.1");
    conf.set("hbase.regionserver.ipc.address", "127.0.0.1");
    conf.setInt("hbase.master.port", 0);
    conf.setInt("hbase.regionserver.port", 0);
    conf.setInt("hbase.master.info.port", -1);
    conf.setInt("hbase.regionserver.info.port", -1);
    conf.setInt("hbase.master.wait.on.regionservers.mintostart", 1);
    conf.setInt("hbase.master.wait.on.regionservers.maxtostart", 1);
    conf.setInt("hbase.master.wait.on.regionservers.timeout", 100);
    conf.setInt("hbase.master.wait.on.regionservers.interval", 50);
    conf.setInt("hbase.regionserver.msginterval", 500);
    conf.setInt("hbase.procedure.remote.dispatcher.delay.msec", 10);
    conf.setInt("hbase.assignment.dispatch.wait.msec", 10);
    conf.setInt("hbase.regionserver.handler.count", 16);
    conf.setInt("hbase.regionserver.metahandler.count", 4);
    conf.setInt("hbase.master.procedure.threads", 4);
    conf.setLong("hbase.hregion.memstore.flush.size", 64L << 20);
    conf.setFloat("hfile.block.cache.size", 0.25f);
    DefaultMetricsSystem.setMiniClusterMode(true);
    LocalHBaseCluster cluster = new LocalHBaseCluster(conf, 1, 1);
    cluster.startup();
    long deadline = System.nanoTime() + 60_000_000_000L;
    while (true) {
      HMaster master = cluster.getActiveMaster();
      if (master != null && master.isInitialized()) {
        break;
      }
      if (System.nanoTime() > deadline) {
        throw new IOException("HBase did not start within 60 s");
      }
      Thread.sleep(20);
    }
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  cluster.shutdown();
                  server.close();
                }));
    return new HBaseFixture(cluster);
  }
}

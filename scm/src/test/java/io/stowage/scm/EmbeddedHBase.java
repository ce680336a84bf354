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
package io.stowage.scm;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.LocalHBaseCluster;
import org.apache.zookeeper.data.Stat;
import org.apache.zookeeper.server.NIOServerCnxnFactory;
import org.apache.zookeeper.server.ZKDatabase;
import org.apache.zookeeper.server.ZooKeeperServer;

/**
 * A real ZooKeeper and a real HBase in this JVM, started once for all test classes and left to the
 * JVM's end. Tests keep apart by namespace and ZooKeeper root.
 */
public final class EmbeddedHBase {
  private static EmbeddedHBase instance;
  private static final AtomicInteger NAMES = new AtomicInteger();

  private final ZooKeeperServer zooKeeper;
  private final int zooKeeperPort;
  private final Configuration configuration;

  private EmbeddedHBase() throws Exception {
    Path directory =
        Files.createTempDirectory(Path.of(System.getProperty("java.io.tmpdir")), "hbase");
    System.setProperty("zookeeper.admin.enableServer", "false");
    System.setProperty("zookeeper.preAllocSize", "1024");
    zooKeeper =
        new ZooKeeperServer(
            directory.resolve("zk-snap").toFile(), directory.resolve("zk-log").toFile(), 500);
    // Twenty ticks else, for HBase's own sessions, too: a machine that pauses would lose HBase.
    zooKeeper.setMaxSessionTimeout(3_600_000);
    NIOServerCnxnFactory factory = new NIOServerCnxnFactory();
    factory.configure(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 200);
    factory.startup(zooKeeper);
    zooKeeperPort = factory.getLocalPort();
    configuration = configuration(directory, zooKeeperPort);
    LocalHBaseCluster cluster = new LocalHBaseCluster(configuration, 1, 1);
    cluster.startup();
    Await.until(
        "an HBase master that is initialized",
        Duration.ofSeconds(60),
        () -> cluster.getActiveMaster() != null && cluster.getActiveMaster().isInitialized());
  }

  /** The one of this JVM. */
  public static synchronized EmbeddedHBase get() {
    if (instance == null) {
      try {
        instance = new EmbeddedHBase();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      } catch (Exception e) {
        throw new IllegalStateException(e);
      }
    }
    return instance;
  }

  private static Configuration configuration(Path directory, int zooKeeperPort) {
    Configuration conf = HBaseConfiguration.create();
    conf.set("hbase.rootdir", directory.resolve("hbase").toUri().toString());
    conf.set("hbase.tmp.dir", directory.resolve("tmp").toString());
    conf.setBoolean("hbase.cluster.distributed", false);
    conf.setBoolean("hbase.unsafe.stream.capability.enforce", false);
    conf.set("hbase.zookeeper.quorum", "localhost");
    conf.setInt("hbase.zookeeper.property.clientPort", zooKeeperPort);
    conf.setInt("hbase.master.port", 0);
    conf.setInt("hbase.regionserver.port", 0);
    conf.setInt("hbase.master.info.port", -1);
    conf.setInt("hbase.regionserver.info.port", -1);
    conf.set("hbase.master.hostname", "localhost");
    conf.set("hbase.unsafe.regionserver.hostname", "localhost");
    conf.set("hbase.master.ipc.address", "127.0.0.1");
    conf.set("hbase.regionserver.ipc.address", "127.0.0.1");
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
    conf.setFloat("hfile.block.cache.size", 0.1f);
    return conf;
  }

  /** For clients; a copy. */
  public Configuration configuration() {
    return new Configuration(configuration);
  }

  public String zooKeeperQuorum() {
    return "127.0.0.1:" + zooKeeperPort;
  }

  /** A name that no other test of this JVM uses. */
  public static String freshName() {
    return "t" + NAMES.incrementAndGet();
  }

  /**
   * Ends the session that made an ephemeral node with this text in it, as ZooKeeper does with one
   * that was silent too long.
   */
  public void expireSession(String text) throws Exception {
    ZKDatabase database = zooKeeper.getZKDatabase();
    for (long session : List.copyOf(database.getSessions())) {
      for (String node : List.copyOf(database.getEphemerals(session))) {
        if (new String(database.getData(node, new Stat(), null), StandardCharsets.UTF_8)
            .equals(text)) {
          zooKeeper.closeSession(session);
          return;
        }
      }
    }
    throw new AssertionError("no session has a node that says " + text);
  }
}

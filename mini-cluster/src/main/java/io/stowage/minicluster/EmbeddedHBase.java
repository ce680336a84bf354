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

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.LocalHBaseCluster;
import org.apache.hadoop.hbase.NamespaceDescriptor;
import org.apache.hadoop.hbase.ServerName;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.Admin;
import org.apache.hadoop.hbase.client.Connection;
import org.apache.hadoop.hbase.client.ConnectionFactory;
import org.apache.hadoop.hbase.master.HMaster;
import org.apache.hadoop.hbase.security.access.Permission;
import org.apache.hadoop.hbase.security.access.UserPermission;
import org.apache.hadoop.metrics2.lib.DefaultMetricsSystem;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One HBase master and one region server in this JVM, on loopback, with their data in a local
 * directory or in HDFS. Owns their threads. Confined to the thread that starts and closes it.
 *
 * <p>An acknowledged mutation survives the death of the JVM always, and a loss of power when it
 * asked for a forced log ({@code hbase.wal.hsync}, on here): {@link DurableLocalFileSystem} says
 * what else that takes.
 */
public final class EmbeddedHBase implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(EmbeddedHBase.class);
  private static final Duration START_TIMEOUT = Duration.ofSeconds(60);
  private static final long POLL_MILLIS = 20;

  private final LocalHBaseCluster cluster;
  private final Configuration clientConfiguration;
  private final List<ServerName> inProcess = new ArrayList<>();

  private EmbeddedHBase(LocalHBaseCluster cluster, Configuration clientConfiguration) {
    this.cluster = cluster;
    this.clientConfiguration = clientConfiguration;
  }

  /** Starts HBase with its files in a directory and waits until tables can be made. */
  public static EmbeddedHBase start(Path directory, EmbeddedZooKeeper zooKeeper)
      throws IOException, InterruptedException {
    return start(directory, zooKeeper, null);
  }

  /**
   * The same.
   *
   * @param realm callers need tickets of it and permissions; null: no security
   */
  static EmbeddedHBase start(Path directory, EmbeddedZooKeeper zooKeeper, RealmKeys realm)
      throws IOException, InterruptedException {
    Configuration configuration = onLocalFiles(directory, zooKeeper);
    if (realm != null) {
      realm.secure(configuration);
    }
    return start(directory, configuration);
  }

  /**
   * The same for tests, which lose no power and would wait for slow disks: only mutations that ask
   * for it by themselves are forced.
   */
  static EmbeddedHBase startUnforced(Path directory, EmbeddedZooKeeper zooKeeper)
      throws IOException, InterruptedException {
    Configuration configuration = onLocalFiles(directory, zooKeeper);
    configuration.setBoolean("hbase.wal.hsync", false);
    configuration.setBoolean("hbase.hfile.hsync", false);
    return start(directory, configuration);
  }

  private static Configuration onLocalFiles(Path directory, EmbeddedZooKeeper zooKeeper)
      throws IOException {
    Files.createDirectories(directory);
    Configuration configuration = HBaseConfiguration.create();
    connectTo(configuration, zooKeeper);
    settle(configuration, directory.toUri(), directory.resolve("tmp"));
    configuration.setClass("fs.file.impl", DurableLocalFileSystem.class, FileSystem.class);
    // The default log, made for HDFS, forces a local file from one thread at a time, which costs
    // twice the CPU a row and lets few rows share a force.
    configuration.set("hbase.wal.provider", "filesystem");
    startFast(configuration);
    return configuration;
  }

  private static EmbeddedHBase start(Path directory, Configuration configuration)
      throws IOException, InterruptedException {
    FileSystem files = FileSystem.get(directory.toUri(), configuration);
    if (!(files instanceof DurableLocalFileSystem)) {
      // Hadoop hands out what this JVM opened first; only a test that did so comes here.
      LOG.warn("HBase writes through {}: a loss of power would lose rows", files.getClass());
    }
    return start(configuration);
  }

  /**
   * Starts HBase with its files in a running HDFS, as in a cluster.
   *
   * @param root directory in HDFS
   * @param hdfs configuration of a client of it
   * @param temporary local directory for what HBase puts aside
   */
  public static EmbeddedHBase startOverHdfs(
      URI root, Configuration hdfs, Path temporary, EmbeddedZooKeeper zooKeeper)
      throws IOException, InterruptedException {
    Configuration configuration = HBaseConfiguration.create(hdfs);
    connectTo(configuration, zooKeeper);
    settle(configuration, root, temporary);
    startFast(configuration);
    return start(configuration);
  }

  private static EmbeddedHBase start(Configuration configuration)
      throws IOException, InterruptedException {
    // Metrics of a server that was closed stay registered; a second one in this JVM must not trip.
    DefaultMetricsSystem.setMiniClusterMode(true);
    LocalHBaseCluster cluster = new LocalHBaseCluster(configuration, 1, 1);
    Configuration clients = new Configuration(cluster.getConfiguration());
    EmbeddedHBase hbase = new EmbeddedHBase(cluster, clients);
    try {
      cluster.startup();
      hbase.awaitInitialized();
      hbase.serveInProcess();
      return hbase;
    } catch (IOException | InterruptedException | RuntimeException e) {
      hbase.close();
      throw e;
    }
  }

  private static void connectTo(Configuration configuration, EmbeddedZooKeeper zooKeeper) {
    configuration.set("hbase.zookeeper.quorum", "127.0.0.1");
    configuration.setInt("hbase.zookeeper.property.clientPort", zooKeeper.port());
    configuration.setInt("zookeeper.session.timeout", EmbeddedZooKeeper.MAX_SESSION_MILLIS);
  }

  /** Where things are, and how safe. */
  private static void settle(Configuration configuration, URI root, Path temporary) {
    configuration.set("hbase.rootdir", root.toString());
    configuration.set("hbase.tmp.dir", temporary.toString());
    configuration.setBoolean("hbase.cluster.distributed", false);
    configuration.setBoolean("hbase.wal.hsync", true);
    configuration.setBoolean("hbase.hfile.hsync", true);
    configuration.set("hbase.master.hostname", "localhost");
    configuration.set("hbase.unsafe.regionserver.hostname", "localhost");
    configuration.set("hbase.master.ipc.address", "127.0.0.1");
    configuration.set("hbase.regionserver.ipc.address", "127.0.0.1");
    configuration.setInt("hbase.master.port", 0);
    configuration.setInt("hbase.regionserver.port", 0);
    configuration.setInt("hbase.master.info.port", -1);
    configuration.setInt("hbase.regionserver.info.port", -1);
    // The owner of the cluster stops it in its own order.
    configuration.setBoolean("hbase.shutdown.hook", false);
  }

  /** One server in one process: nobody else to wait for, and a heap to share. */
  private static void startFast(Configuration configuration) {
    configuration.setInt("hbase.master.wait.on.regionservers.mintostart", 1);
    configuration.setInt("hbase.master.wait.on.regionservers.maxtostart", 1);
    configuration.setInt("hbase.master.wait.on.regionservers.timeout", 100);
    configuration.setInt("hbase.master.wait.on.regionservers.interval", 50);
    configuration.setInt(
        "hbase.master.init.timeout.localHBaseCluster", (int) START_TIMEOUT.toMillis());
    configuration.setInt("hbase.regionserver.msginterval", 500);
    configuration.setInt("hbase.procedure.remote.dispatcher.delay.msec", 10);
    configuration.setInt("hbase.assignment.dispatch.wait.msec", 10);
    configuration.setInt("hbase.regionserver.handler.count", 16);
    configuration.setInt("hbase.master.handler.count", 8);
    configuration.setInt("hbase.regionserver.metahandler.count", 4);
    configuration.setInt("hbase.master.procedure.threads", 4);
    configuration.setLong("hbase.hregion.memstore.flush.size", 64L << 20);
    configuration.setFloat("hfile.block.cache.size", 0.25f);
    // HBase takes a whole chunk for the first cell of each store and counts only the cells against
    // its limit: at its 2 MiB, a hundred small tables fill a heap that looks empty.
    configuration.setInt("hbase.hregion.memstore.mslab.chunksize", 256 << 10);
    configuration.setInt("hbase.hregion.memstore.mslab.max.allocation", 64 << 10);
  }

  private void awaitInitialized() throws IOException, InterruptedException {
    long deadline = System.nanoTime() + START_TIMEOUT.toNanos();
    while (true) {
      HMaster master = cluster.getActiveMaster();
      if (master != null && master.isInitialized()) {
        return;
      }
      if (!isAlive()) {
        throw new IOException("Cannot start HBase: it stopped while starting; the log says why");
      }
      if (System.nanoTime() > deadline) {
        throw new IOException("Cannot start HBase: not ready within " + START_TIMEOUT);
      }
      Thread.sleep(POLL_MILLIS);
    }
  }

  private void serveInProcess() {
    for (var thread : cluster.getRegionServers()) {
      InProcessRpcClient.open(thread.getRegionServer());
      inProcess.add(thread.getRegionServer().getServerName());
    }
  }

  /** Calls that begin from now on go over the network. */
  void serveByNetworkOnly() {
    inProcess.forEach(InProcessRpcClient::close);
    inProcess.clear();
  }

  /** False once the master or the region server gave up. */
  public boolean isAlive() {
    return cluster.getMasters().stream().allMatch(t -> t.isAlive())
        && cluster.getRegionServers().stream().allMatch(t -> t.isAlive());
  }

  /** What a client of this HBase needs; a copy, the caller's own. */
  public Configuration configuration() {
    return new Configuration(clientConfiguration);
  }

  /** The same for a client in this process that leaves out the network. */
  public Configuration inProcessConfiguration() {
    Configuration configuration = configuration();
    InProcessRpcClient.use(configuration);
    return configuration;
  }

  /**
   * What HBase's administrator does before a secure Stowage starts: makes the namespace, and lets
   * users make their tables in it.
   */
  void makeNamespace(String namespace, Iterable<String> users) throws IOException {
    try (Connection connection = ConnectionFactory.createConnection(clientConfiguration);
        Admin admin = connection.getAdmin()) {
      admin.createNamespace(NamespaceDescriptor.create(namespace).build());
      for (String user : users) {
        admin.grant(
            new UserPermission(
                user,
                Permission.newBuilder(namespace).withActions(Permission.Action.CREATE).build()),
            false);
      }
    }
  }

  /** Loses a table, as an operator's mistake would. */
  void dropTable(String namespace, String table) throws IOException {
    TableName name = TableName.valueOf(namespace, table);
    try (Connection connection = ConnectionFactory.createConnection(clientConfiguration);
        Admin admin = connection.getAdmin()) {
      admin.disableTable(name);
      admin.deleteTable(name);
    }
  }

  /** Stops both servers and waits for their threads. */
  @Override
  public void close() {
    serveByNetworkOnly();
    cluster.shutdown();
    cluster.join();
  }

  /** Deletes a directory tree, for clusters that were only a test's. */
  static void deleteTree(Path root) throws IOException {
    if (!Files.exists(root)) {
      return;
    }
    try (Stream<Path> paths = Files.walk(root)) {
      paths
          .sorted(Comparator.reverseOrder())
          .forEach(
              path -> {
                try {
                  Files.deleteIfExists(path);
                } catch (IOException e) {
                  throw new UncheckedIOException(e);
                }
              });
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }
}

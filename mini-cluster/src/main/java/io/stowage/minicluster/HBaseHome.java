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
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hdfs.MiniDFSCluster;

/**
 * Where a mini-cluster's metadata lives: ZooKeeper and HBase, either its own, or those that all
 * mini-clusters of this JVM share, each in an HBase namespace and below a ZooKeeper node of its
 * own. Sharing saves each test class five seconds. The shared ones end with the JVM, survive no
 * loss of power, and force nothing that did not ask for it. Confined to the cluster's owner.
 */
final class HBaseHome implements AutoCloseable {
  private static final AtomicInteger CLUSTERS = new AtomicInteger();
  private static HBaseHome shared; // guarded by HBaseHome.class

  private final EmbeddedZooKeeper zooKeeper;
  private final EmbeddedHBase hbase;
  private final MiniDFSCluster hdfs; // null: HBase is on local files

  private HBaseHome(EmbeddedZooKeeper zooKeeper, EmbeddedHBase hbase, MiniDFSCluster hdfs) {
    this.zooKeeper = zooKeeper;
    this.hbase = hbase;
    this.hdfs = hdfs;
  }

  /** Starts both below two directories. */
  static HBaseHome start(Path zooKeeperDirectory, int zooKeeperPort, Path hbaseDirectory)
      throws IOException, InterruptedException {
    return start(zooKeeperDirectory, zooKeeperPort, hbaseDirectory, null);
  }

  /**
   * Starts both below two directories.
   *
   * @param realm with Kerberos; null: without security
   */
  static HBaseHome start(
      Path zooKeeperDirectory, int zooKeeperPort, Path hbaseDirectory, RealmKeys realm)
      throws IOException, InterruptedException {
    EmbeddedZooKeeper zooKeeper = EmbeddedZooKeeper.start(zooKeeperDirectory, zooKeeperPort, realm);
    try {
      return new HBaseHome(zooKeeper, EmbeddedHBase.start(hbaseDirectory, zooKeeper, realm), null);
    } catch (IOException | InterruptedException | RuntimeException e) {
      zooKeeper.close();
      throw e;
    }
  }

  /** Starts ZooKeeper, Hadoop's own mini-cluster of HDFS, and HBase on it, as in production. */
  static HBaseHome startOverHdfs(Path directory) throws IOException, InterruptedException {
    Path hdfsDirectory = Files.createDirectories(directory.resolve("hdfs"));
    EmbeddedZooKeeper zooKeeper = EmbeddedZooKeeper.start(directory.resolve("zookeeper"), 0);
    MiniDFSCluster hdfs = null;
    try {
      hdfs =
          new MiniDFSCluster.Builder(new Configuration(), hdfsDirectory.toFile())
              .numDataNodes(1)
              .build();
      hdfs.waitActive();
      EmbeddedHBase hbase =
          EmbeddedHBase.startOverHdfs(
              hdfs.getURI().resolve("/hbase"),
              hdfs.getConfiguration(0),
              directory.resolve("hbase-tmp"),
              zooKeeper);
      return new HBaseHome(zooKeeper, hbase, hdfs);
    } catch (IOException | InterruptedException | RuntimeException e) {
      if (hdfs != null) {
        hdfs.shutdown();
      }
      zooKeeper.close();
      throw e;
    }
  }

  /** The one of this JVM, started by the first who asks; never to be closed by them. */
  static synchronized HBaseHome shared() throws IOException, InterruptedException {
    if (shared == null) {
      Path directory = Files.createTempDirectory("stowage-hbase");
      EmbeddedZooKeeper zooKeeper = EmbeddedZooKeeper.start(directory.resolve("zookeeper"), 0);
      HBaseHome started;
      try {
        EmbeddedHBase hbase = EmbeddedHBase.startUnforced(directory.resolve("hbase"), zooKeeper);
        started = new HBaseHome(zooKeeper, hbase, null);
      } catch (IOException | InterruptedException | RuntimeException e) {
        zooKeeper.close();
        throw e;
      }
      Runtime.getRuntime()
          .addShutdownHook(
              new Thread(
                  () -> {
                    // Nobody will start on these files again: no time for a clean stop.
                    try {
                      EmbeddedHBase.deleteTree(directory);
                    } catch (IOException e) {
                      // it is written to while it is deleted; what stays is in the temporary files
                    }
                  },
                  "stowage-hbase-delete"));
      shared = started;
    }
    return shared;
  }

  /** A name that no other cluster of this JVM has. */
  static String newNamespace() {
    return "t" + CLUSTERS.incrementAndGet();
  }

  /** For tests of what goes on without it; whoever stops it starts it again. */
  EmbeddedZooKeeper zooKeeper() {
    return zooKeeper;
  }

  String zooKeeperQuorum() {
    return zooKeeper.quorum();
  }

  Configuration configuration() {
    return hbase.configuration();
  }

  Configuration inProcessConfiguration() {
    return hbase.inProcessConfiguration();
  }

  URI hdfsUri() {
    return hdfs.getURI();
  }

  void makeNamespace(String namespace, Iterable<String> users) throws IOException {
    hbase.makeNamespace(namespace, users);
  }

  void dropTable(String namespace, String table) throws IOException {
    hbase.dropTable(namespace, table);
  }

  boolean isAlive() {
    return hbase.isAlive();
  }

  @Override
  public void close() {
    hbase.close();
    if (hdfs != null) {
      hdfs.shutdown();
    }
    zooKeeper.close();
  }
}

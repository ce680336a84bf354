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
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.conf.Configuration;

/**
 * Where a mini-cluster's metadata lives: ZooKeeper and HBase, either its own, or those that all
 * mini-clusters of this JVM share, each in an HBase namespace and below a ZooKeeper node of its
 * own. Sharing saves each test class five seconds. The shared ones end with the JVM. Confined to
 * the cluster's owner.
 */
final class HBaseHome implements AutoCloseable {
  private static final AtomicInteger CLUSTERS = new AtomicInteger();
  private static HBaseHome shared; // guarded by HBaseHome.class

  private final EmbeddedZooKeeper zooKeeper;
  private final EmbeddedHBase hbase;

  private HBaseHome(EmbeddedZooKeeper zooKeeper, EmbeddedHBase hbase) {
    this.zooKeeper = zooKeeper;
    this.hbase = hbase;
  }

  /** Starts both below two directories. */
  static HBaseHome start(Path zooKeeperDirectory, int zooKeeperPort, Path hbaseDirectory)
      throws IOException, InterruptedException {
    EmbeddedZooKeeper zooKeeper = EmbeddedZooKeeper.start(zooKeeperDirectory, zooKeeperPort);
    try {
      return new HBaseHome(zooKeeper, EmbeddedHBase.start(hbaseDirectory, zooKeeper));
    } catch (IOException | InterruptedException | RuntimeException e) {
      zooKeeper.close();
      throw e;
    }
  }

  /** The one of this JVM, started by the first who asks; never to be closed by them. */
  static synchronized HBaseHome shared() throws IOException, InterruptedException {
    if (shared == null) {
      Path directory = Files.createTempDirectory("stowage-hbase");
      HBaseHome started = start(directory.resolve("zookeeper"), 0, directory.resolve("hbase"));
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

  String zooKeeperQuorum() {
    return zooKeeper.quorum();
  }

  Configuration configuration() {
    return hbase.configuration();
  }

  boolean isAlive() {
    return hbase.isAlive();
  }

  @Override
  public void close() {
    hbase.close();
    zooKeeper.close();
  }
}

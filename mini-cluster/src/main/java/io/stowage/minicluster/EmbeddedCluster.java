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

import io.stowage.common.conf.Exposure;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A Stowage for one machine: ZooKeeper, HBase, SCM, object manager, S3 gateway and one datanode
 * with five disks, all in this JVM on loopback, with everything in one directory that survives the
 * process. Owns the directory's lock. Confined to the thread that starts and closes it.
 *
 * <p>One datanode with five disks rather than five with one: on one machine the disk is what fails,
 * and there is one heartbeat, one open-file budget and one data port. The gateway calls it
 * directly; file systems and jobs in other processes reach it and the object manager through the
 * ports that {@code conf/} names.
 */
public final class EmbeddedCluster implements AutoCloseable {
  /** rs-3-2, with none to spare. */
  static final int DISKS = 5;

  private static final String POLICY = "rs-3-2";

  /** Of the console; another one if this is taken, which matters to nobody but bookmarks. */
  private static final int CONSOLE_PORT = 9879;

  /** Of metrics and health; another one if this is taken. */
  private static final int METRICS_PORT = 9880;

  private static final Duration DISKS_TIMEOUT = Duration.ofSeconds(10);
  private static final Logger LOG = LoggerFactory.getLogger(EmbeddedCluster.class);

  /**
   * Where the gateway and its console are served; all else is on loopback whatever this says.
   *
   * @param s3Port 0: any free one
   * @param insecure the user's word that the host may be another than loopback
   */
  record Edge(String host, int s3Port, boolean insecure) {
    static Edge onLoopback(int s3Port) {
      return new Edge("127.0.0.1", s3Port, false);
    }

    /** What other machines could reach; refused unless {@link #insecure}. */
    List<String> exposed() throws StoreException {
      return Exposure.check(
          StowageConfig.of(
              Map.of(
                  Keys.S3_BIND.name(),
                  host + ":" + s3Port,
                  Keys.INSECURE.name(),
                  Boolean.toString(insecure))));
    }
  }

  private final ClusterDirectory directory;
  private final MiniStowageCluster cluster;

  private EmbeddedCluster(ClusterDirectory directory, MiniStowageCluster cluster) {
    this.directory = directory;
    this.cluster = cluster;
  }

  /**
   * Starts, or starts again, the cluster of a directory that {@link ClusterDirectory#open} locked;
   * closing the cluster gives the lock back, a failed start too.
   */
  static EmbeddedCluster start(ClusterDirectory directory, Edge edge)
      throws IOException, InterruptedException {
    MiniStowageCluster cluster = null;
    int s3Port = edge.s3Port();
    try {
      if (s3Port != 0 && !ClusterDirectory.isFree(s3Port)) {
        throw new StoreException(
            ErrorCode.BAD_CONFIGURATION,
            "Cannot serve S3 on 127.0.0.1:" + s3Port + ": the port is in use");
      }
      boolean anyPort = s3Port == 0 || !ClusterDirectory.isFree(CONSOLE_PORT);
      boolean anyMetricsPort = s3Port == 0 || !ClusterDirectory.isFree(METRICS_PORT);
      cluster =
          MiniStowageCluster.builder()
              .datanodes(1)
              .disksPerDatanode(DISKS)
              .policy(POLICY)
              .set(Keys.CONTAINER_CAPACITY, "256m")
              .set(Keys.S3_CONSOLE_BIND, edge.host() + ":" + (anyPort ? 0 : CONSOLE_PORT))
              .set(Keys.METRICS_BIND, "127.0.0.1:" + (anyMetricsPort ? 0 : METRICS_PORT))
              .set(Keys.INSECURE, Boolean.toString(edge.insecure()))
              .set(Keys.DATANODE_RESERVED, "128m")
              .set(Keys.ZOOKEEPER_SESSION_TIMEOUT, "60s")
              .embeddedIn(directory, edge.host(), s3Port)
              .evenIfNotWritable()
              .start();
      directory.checkClusterId(cluster.status().getClusterId());
      awaitDisks(cluster);
      directory.writeConf("stowage-site.xml", cluster.clientSettings());
      directory.writeConf("core-site.xml", cluster.coreSite());
      return new EmbeddedCluster(directory, cluster);
    } catch (IOException | InterruptedException | RuntimeException e) {
      if (cluster != null) {
        cluster.close();
      }
      directory.close();
      throw e;
    }
  }

  /**
   * Opens the directory and starts its cluster, all of it on loopback.
   *
   * @param s3Port of the gateway; 0: any free one
   */
  public static EmbeddedCluster start(Path directory, int s3Port)
      throws IOException, InterruptedException {
    return start(ClusterDirectory.open(directory), Edge.onLoopback(s3Port));
  }

  /** A disk that does not come is no reason not to serve what the others hold. */
  private static void awaitDisks(MiniStowageCluster cluster)
      throws IOException, InterruptedException {
    try {
      cluster.awaitWritable(DISKS_TIMEOUT);
    } catch (StoreException e) {
      LOG.warn("starting without all disks: {}", cluster.missingForWrites(), e);
    }
  }

  public URI s3Endpoint() {
    return cluster.s3Endpoint();
  }

  /** The page for browsers. */
  public URI console() {
    return cluster.console();
  }

  /** Of metrics and health. */
  public URI metrics() {
    return cluster.metrics();
  }

  public String accessKey() {
    return cluster.accessKey();
  }

  public String secretKey() {
    return cluster.secretKey();
  }

  /** The directory that everything is in. */
  public Path root() {
    return directory.root();
  }

  /** Where clients in other processes find their configuration. */
  public Path conf() {
    return directory.conf();
  }

  /** An AWS shared credentials file. */
  public Path credentials() {
    return directory.credentials();
  }

  /** The parts, for tests. */
  MiniStowageCluster parts() {
    return cluster;
  }

  /** What the default policy lacks to be written; empty if nothing. */
  String missing() throws StoreException {
    return cluster.missingForWrites();
  }

  boolean isMetadataAlive() {
    return cluster.isMetadataAlive();
  }

  @Override
  public void close() {
    cluster.close();
    directory.close();
  }
}

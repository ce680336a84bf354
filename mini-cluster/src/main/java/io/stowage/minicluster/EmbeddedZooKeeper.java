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
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;
import org.apache.zookeeper.server.PurgeTxnLog;
import org.apache.zookeeper.server.embedded.ExitHandler;
import org.apache.zookeeper.server.embedded.ZooKeeperServerEmbedded;

/**
 * One ZooKeeper server in this JVM, on loopback, with its data in a directory. Owns the directory
 * and the server's threads. Confined to the thread that starts and closes it.
 *
 * <p>Whoever opens the directory is its only user (the owner of the cluster directory holds a file
 * lock), and every client of this server lives in the same JVM or is lost with it. Ephemeral nodes
 * found at the start therefore belong to processes that are gone, killed before they could close
 * their sessions. They are deleted at once: left to time out, a dead leader or region server would
 * hold up the next start for up to {@value #MAX_SESSION_MILLIS} ms.
 */
public final class EmbeddedZooKeeper implements AutoCloseable {
  /**
   * Sessions may be this long, so that a JVM that was suspended with the machine (a closed laptop)
   * does not find itself expelled from its own cluster when it wakes up.
   */
  static final int MAX_SESSION_MILLIS = 3_600_000;

  private static final long START_TIMEOUT_MILLIS = 20_000;
  private static final int KEPT_SNAPSHOTS = 3;

  private final Path directory;
  private final RealmKeys realm; // null: no security
  private final int port;
  private ZooKeeperServerEmbedded server;

  private EmbeddedZooKeeper(Path directory, RealmKeys realm, ZooKeeperServerEmbedded server)
      throws Exception {
    this.directory = directory;
    this.realm = realm;
    this.server = server;
    this.port = server.getClientPort();
  }

  /**
   * Starts a server.
   *
   * @param directory where its snapshots and logs are; made if absent
   * @param port of the client protocol; 0: any free one
   */
  public static EmbeddedZooKeeper start(Path directory, int port)
      throws IOException, InterruptedException {
    return start(directory, port, null);
  }

  /**
   * Starts a server.
   *
   * @param realm clients may log in by it, and ids are users without host and realm; null: no
   *     security
   */
  static EmbeddedZooKeeper start(Path directory, int port, RealmKeys realm)
      throws IOException, InterruptedException {
    purgeOldSnapshots(Files.createDirectories(directory.resolve("data")));
    ZooKeeperServerEmbedded server = serve(directory, port, realm);
    try {
      EmbeddedZooKeeper started = new EmbeddedZooKeeper(directory, realm, server);
      if (realm == null) { // else a test's, of which nobody was killed, and which shows us nothing
        started.dropEphemeralNodesOfTheDead();
      }
      return started;
    } catch (InterruptedException e) {
      server.close();
      throw e;
    } catch (Exception e) {
      server.close();
      throw cannotStart(directory, port, e);
    }
  }

  private static IOException cannotStart(Path directory, int port, Exception e) {
    return new IOException(
        "Cannot start ZooKeeper on 127.0.0.1:" + port + " in " + directory + ": " + e, e);
  }

  private static ZooKeeperServerEmbedded serve(Path directory, int port, RealmKeys realm)
      throws IOException, InterruptedException {
    Path data = directory.resolve("data");
    Properties settings = new Properties();
    settings.setProperty("dataDir", data.toString());
    settings.setProperty("clientPort", Integer.toString(port));
    settings.setProperty("clientPortAddress", "127.0.0.1");
    settings.setProperty("tickTime", "2000");
    settings.setProperty("minSessionTimeout", "1000");
    settings.setProperty("maxSessionTimeout", Integer.toString(MAX_SESSION_MILLIS));
    settings.setProperty("maxClientCnxns", "0");
    settings.setProperty("preAllocSize", "1024");
    settings.setProperty("admin.enableServer", "false");
    if (realm != null) {
      realm.letZooKeeperServe();
      settings.setProperty(
          "authProvider.1", "org.apache.zookeeper.server.auth.SASLAuthenticationProvider");
      settings.setProperty("kerberos.removeHostFromPrincipal", "true");
      settings.setProperty("kerberos.removeRealmFromPrincipal", "true");
    }
    ZooKeeperServerEmbedded server = null;
    try {
      server =
          ZooKeeperServerEmbedded.builder()
              .baseDir(directory)
              .configuration(settings)
              .exitHandler(ExitHandler.LOG_ONLY)
              .build();
      server.start(START_TIMEOUT_MILLIS);
      return server;
    } catch (InterruptedException e) {
      server.close();
      throw e;
    } catch (Exception e) {
      if (server != null) {
        server.close();
      }
      throw cannotStart(directory, port, e);
    }
  }

  /** Stops serving; sessions and nodes are on disk. */
  void stop() {
    server.close();
  }

  /** Serves again what was served before, to those whose sessions it was. */
  void startAgain() throws IOException, InterruptedException {
    server = serve(directory, port, realm);
  }

  private static void purgeOldSnapshots(Path data) throws IOException {
    if (Files.isDirectory(data.resolve("version-2"))) {
      PurgeTxnLog.purge(data.toFile(), data.toFile(), KEPT_SNAPSHOTS);
    }
  }

  private void dropEphemeralNodesOfTheDead()
      throws IOException, InterruptedException, KeeperException {
    CountDownLatch connected = new CountDownLatch(1);
    try (ZooKeeper client =
        new ZooKeeper(
            quorum(),
            30_000,
            event -> {
              if (event.getState() == Watcher.Event.KeeperState.SyncConnected) {
                connected.countDown();
              }
            })) {
      if (!connected.await(START_TIMEOUT_MILLIS, TimeUnit.MILLISECONDS)) {
        throw new IOException("no session within " + START_TIMEOUT_MILLIS + " ms");
      }
      dropEphemeralNodesBelow(client, "/");
    }
  }

  private static void dropEphemeralNodesBelow(ZooKeeper client, String path)
      throws InterruptedException, KeeperException {
    for (String child : client.getChildren(path, false)) {
      String node = path.equals("/") ? "/" + child : path + "/" + child;
      if (node.equals("/zookeeper")) {
        continue; // the server's own
      }
      Stat stat = client.exists(node, false);
      if (stat == null) {
        continue;
      }
      if (stat.getEphemeralOwner() != 0) {
        client.delete(node, stat.getVersion());
      } else {
        dropEphemeralNodesBelow(client, node);
      }
    }
  }

  public int port() {
    return port;
  }

  /** host:port, as clients want it. */
  public String quorum() {
    return "127.0.0.1:" + port;
  }

  @Override
  public void close() {
    server.close();
  }
}

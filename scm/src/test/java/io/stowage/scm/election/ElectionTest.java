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
package io.stowage.scm.election;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.scm.Await;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.server.NIOServerCnxnFactory;
import org.apache.zookeeper.server.ZooKeeperServer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Elections by a real ZooKeeper. */
class ElectionTest {
  private static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final String LATCH = "/stowage/scm/leader";

  private static final class Scm implements Election.Listener {
    private volatile boolean leads;

    @Override
    public void won() {
      leads = true;
    }

    @Override
    public void lost() {
      leads = false;
    }
  }

  @TempDir private Path directory;

  private NIOServerCnxnFactory server;
  private String quorum;

  @BeforeEach
  void start() throws Exception {
    System.setProperty("zookeeper.admin.enableServer", "false");
    server = new NIOServerCnxnFactory();
    server.configure(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 20);
    server.startup(
        new ZooKeeperServer(
            directory.resolve("snap").toFile(), directory.resolve("log").toFile(), 500));
    quorum = "127.0.0.1:" + server.getLocalPort();
  }

  @AfterEach
  void stop() {
    server.shutdown();
  }

  private Election join(String address, Scm scm) throws Exception {
    return Election.join(quorum, "/stowage", Duration.ofSeconds(5), null, address, scm);
  }

  private void awaitStanding(int standing) throws Exception {
    ZooKeeper onlooker = new ZooKeeper(quorum, 10_000, event -> {});
    try {
      Await.until("a session", PATIENCE, () -> onlooker.getState() == ZooKeeper.States.CONNECTED);
      Await.until(
          standing + " to stand",
          PATIENCE,
          () -> onlooker.getChildren(LATCH, false).size() == standing);
    } finally {
      onlooker.close();
    }
  }

  @Test
  void whoResignsStandsBehindTheOthers() throws Exception {
    Scm first = new Scm();
    Scm second = new Scm();
    try (Election a = join("a:1", first)) {
      Await.until("the first to lead", PATIENCE, () -> first.leads);
      try (Election b = join("b:1", second)) {
        // A latch stands in the background: who resigns before that is alone, and leads again.
        awaitStanding(2);
        a.look();
        assertEquals("a:1", a.leaderAddress());
        assertFalse(second.leads);
        first.lost();
        a.resign();
        Await.until("the second to lead", PATIENCE, () -> second.leads);
        b.look();
        assertEquals("b:1", b.leaderAddress());
      }
      Await.until("the first to lead again", PATIENCE, () -> first.leads);
    }
  }

  /** As a latch leaves one behind whose session expired while it was closed and made anew. */
  @Test
  void aNodeOfOursThatNobodyKnowsHoldsUpNobody() throws Exception {
    ZooKeeper lasting = new ZooKeeper(quorum, 10_000, event -> {});
    Scm scm = new Scm();
    try {
      Await.until("a session", PATIENCE, () -> lasting.getState() == ZooKeeper.States.CONNECTED);
      for (String node : new String[] {"/stowage", "/stowage/scm", LATCH}) {
        lasting.create(node, new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
      }
      String forgotten =
          lasting.create(
              LATCH + "/_c_5d0c5f0e-4d35-4d57-a2f4-9e4e4f6f2c11-latch-",
              "a:1".getBytes(StandardCharsets.UTF_8),
              ZooDefs.Ids.OPEN_ACL_UNSAFE,
              CreateMode.EPHEMERAL_SEQUENTIAL);
      try (Election a = join("a:1", scm)) {
        Await.until("its node", PATIENCE, () -> lasting.getChildren(LATCH, false).size() == 2);
        a.look();
        assertEquals("a:1", a.leaderAddress());
        assertFalse(scm.leads);
        assertTrue(lasting.exists(forgotten, false) != null, "it may be that it is told just now");
        a.look();
        Await.until("it to lead", PATIENCE, () -> scm.leads);
        assertEquals(1, lasting.getChildren(LATCH, false).size());
      }
    } finally {
      lasting.close();
    }
  }
}

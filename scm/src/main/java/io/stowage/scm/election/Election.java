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

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import javax.security.auth.login.Configuration;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.api.ACLProvider;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderLatchListener;
import org.apache.curator.retry.RetryForever;
import org.apache.hadoop.security.authentication.util.JaasConfiguration;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.client.ZKClientConfig;
import org.apache.zookeeper.data.ACL;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Elects the leader among the SCMs by Curator's latch below {@code ROOT/scm/leader}. The latch's
 * ephemeral nodes carry each participant's address, so they also are the registration of all SCMs.
 * Owns its ZooKeeper session and one thread, on which it tells of a victory; a defeat is told on
 * whatever thread notices it, so that it never waits behind the work of becoming leader.
 *
 * <p>A lost connection (SUSPENDED) ends leadership at once, not only an expired session: the others
 * may elect somebody as soon as ZooKeeper has missed us, and there is no way to know when that was.
 * A process that was paused learns of its defeat late, or in the middle of something; nothing
 * depends on that, since its row mutations and orders carry its old epoch.
 *
 * <p>Curator's latch can lose track of a node that it made while connections came and went, as seen
 * after a pause in which the session expired and a resignation at once: then everybody waits for a
 * leader who does not know that he is first. Who {@link #look looks} and finds himself first again
 * and again without leading puts that right.
 *
 * <p>With a {@link Login} the session is authenticated by SASL and all nodes belong to the SCMs'
 * principal alone: whoever else could delete the latch's nodes decided who leads, or that nobody
 * does. Nodes of before are taken over by the first leader.
 */
public final class Election implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Election.class);
  private static final int RETRY_MILLIS = 200;
  private static final int LOOKS_UNTIL_RESIGNED = 6;

  /** Told of victories and defeats; defeats may come without a victory, or twice. */
  public interface Listener {
    /** This SCM was elected. May block; called again and again while it throws. */
    void won() throws StoreException;

    /** This SCM does not lead, or no longer. Must not block. */
    void lost();
  }

  /** Section of the JAAS configuration, which has only what this process puts there. */
  private static final String JAAS_SECTION = "StowageScm";

  /** Who an SCM is to ZooKeeper. */
  public record Login(String principal, String keytab) {}

  private final CuratorFramework zooKeeper;
  private final boolean secure;
  private final String root;
  private final String path;
  private final String address;
  private final Listener listener;
  private final ExecutorService victories =
      Executors.newSingleThreadExecutor(
          work -> {
            Thread thread = new Thread(work, "scm-election");
            thread.setDaemon(true);
            return thread;
          });

  private LeaderLatch latch; // guarded by this
  private LeaderLatch passedOver; // first when last looked, and did not lead
  private int looksPassedOver; // one after the other
  private boolean closed; // guarded by this
  private volatile String leaderAddress = "";

  private Election(
      CuratorFramework zooKeeper, boolean secure, String root, String address, Listener listener) {
    this.zooKeeper = zooKeeper;
    this.secure = secure;
    this.root = root;
    this.path = root + "/scm/leader";
    this.address = address;
    this.listener = listener;
  }

  /**
   * Joins the election.
   *
   * @param login null: ZooKeeper is without security
   * @param address host:port of this SCM, told to whoever asks for the leader
   */
  public static Election join(
      String quorum,
      String root,
      Duration sessionTimeout,
      Login login,
      String address,
      Listener listener)
      throws StoreException {
    CuratorFrameworkFactory.Builder session =
        CuratorFrameworkFactory.builder()
            .connectString(quorum)
            .sessionTimeoutMs(Math.toIntExact(sessionTimeout.toMillis()))
            .connectionTimeoutMs(Math.toIntExact(sessionTimeout.toMillis()))
            .retryPolicy(new RetryForever(RETRY_MILLIS));
    if (login != null) {
      authenticate(session, login);
    }
    CuratorFramework zooKeeper = session.build();
    zooKeeper.start();
    Election election = new Election(zooKeeper, login != null, root, address, listener);
    try {
      election.contest();
    } catch (StoreException e) {
      election.close();
      throw e;
    }
    return election;
  }

  private static void authenticate(CuratorFrameworkFactory.Builder session, Login login) {
    // Beside whatever else this process has in its JAAS configuration, HBase's client for one.
    Configuration.setConfiguration(
        new JaasConfiguration(JAAS_SECTION, login.principal(), login.keytab()));
    ZKClientConfig client = new ZKClientConfig();
    client.setProperty(ZKClientConfig.ENABLE_CLIENT_SASL_KEY, "true");
    client.setProperty(ZKClientConfig.LOGIN_CONTEXT_NAME_KEY, JAAS_SECTION);
    session
        .zkClientConfig(client)
        .aclProvider(
            new ACLProvider() {
              @Override
              public List<ACL> getDefaultAcl() {
                return ZooDefs.Ids.CREATOR_ALL_ACL;
              }

              @Override
              public List<ACL> getAclForPath(String node) {
                return ZooDefs.Ids.CREATOR_ALL_ACL;
              }
            });
  }

  /** Takes for ourselves alone what was made while security was off. */
  private void takeOverNodes() throws StoreException {
    if (!secure) {
      return;
    }
    for (String node : List.of(root, root + "/scm", path)) {
      try {
        if (zooKeeper.getACL().forPath(node).stream()
            .anyMatch(acl -> acl.getId().equals(ZooDefs.Ids.ANYONE_ID_UNSAFE))) {
          zooKeeper.setACL().withACL(ZooDefs.Ids.CREATOR_ALL_ACL).forPath(node);
          LOG.info("ZooKeeper's node {} was everybody's and is the SCMs' now", node);
        }
      } catch (Exception e) {
        throw new StoreException(
            ErrorCode.UNAVAILABLE,
            "Cannot make ZooKeeper's node " + node + " the SCMs' alone: " + e,
            e);
      }
    }
  }

  private synchronized void contest() throws StoreException {
    if (closed) {
      return;
    }
    LeaderLatch next =
        new LeaderLatch(zooKeeper, path, address, LeaderLatch.CloseMode.NOTIFY_LEADER);
    next.addListener(
        new LeaderLatchListener() {
          @Override
          public void isLeader() {
            tellVictory(next);
          }

          @Override
          public void notLeader() {
            listener.lost();
          }
        },
        Runnable::run);
    try {
      next.start();
    } catch (Exception e) {
      throw new StoreException(
          ErrorCode.UNAVAILABLE, "Cannot join the election of the leading SCM: " + e, e);
    }
    latch = next;
  }

  private void tellVictory(LeaderLatch of) {
    try {
      victories.execute(
          () -> {
            while (of.hasLeadership() && !Thread.currentThread().isInterrupted()) {
              try {
                takeOverNodes();
                listener.won();
                return;
              } catch (StoreException | RuntimeException e) {
                LOG.warn("Elected, but cannot lead yet: {}", e.toString());
                pause();
              }
            }
          });
    } catch (RejectedExecutionException e) {
      LOG.debug("elected while stopping", e);
    }
  }

  private static void pause() {
    try {
      TimeUnit.MILLISECONDS.sleep(RETRY_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /**
   * Gives up a leadership that the caller already exercises no longer, and stands for the next
   * election behind all others. Does not block.
   */
  public void resign() {
    try {
      victories.execute(
          () -> {
            LeaderLatch old;
            synchronized (this) {
              old = latch;
              latch = null;
            }
            close(old);
            while (!Thread.currentThread().isInterrupted()) {
              try {
                contest();
                return;
              } catch (StoreException e) {
                LOG.warn("Cannot stand for election again yet: {}", e.toString());
                pause();
              }
            }
          });
    } catch (RejectedExecutionException e) {
      LOG.debug("resigned while stopping", e);
    }
  }

  /** Address of whoever led when {@link #look} was last called; empty if nobody is known to. */
  public String leaderAddress() {
    return leaderAddress;
  }

  /**
   * Asks ZooKeeper who leads. Called periodically, by one thread; may block while ZooKeeper is
   * away.
   */
  public void look() {
    LeaderLatch asked;
    synchronized (this) {
      asked = latch;
    }
    if (asked == null) {
      return;
    }
    try {
      leaderAddress = asked.getLeader().getId();
      if (!leaderAddress.equals(address) || asked.hasLeadership()) {
        passedOver = null;
      } else if (asked != passedOver) { // it may be told just now
        passedOver = asked;
        looksPassedOver = 1;
      } else if (++looksPassedOver >= LOOKS_UNTIL_RESIGNED) {
        LOG.warn("First to lead, and not told so: standing for election again");
        passedOver = null;
        resign();
      } else {
        removeForgotten(asked);
      }
    } catch (Exception e) {
      LOG.debug("cannot ask for the leader", e);
      leaderAddress = "";
    }
  }

  /**
   * ZooKeeper says that we lead, and the latch does not: a node of our address that the latch has
   * lost track of, or one of a process before this one, is before its own. All wait for that, and
   * its session may be this one, which does not end. Nobody else serves at our address, so such
   * nodes go.
   */
  private void removeForgotten(LeaderLatch standing) throws Exception {
    for (String child : zooKeeper.getChildren().forPath(path)) {
      String node = path + "/" + child;
      boolean ours =
          address.equals(new String(zooKeeper.getData().forPath(node), StandardCharsets.UTF_8));
      if (ours && !node.equals(standing.getOurPath())) {
        zooKeeper.delete().forPath(node);
        LOG.warn("ZooKeeper's node {} was ours and nobody's any more: removed", node);
      }
    }
  }

  @Override
  public void close() {
    LeaderLatch last;
    synchronized (this) {
      closed = true;
      last = latch;
      latch = null;
    }
    victories.shutdownNow();
    listener.lost();
    close(last);
    zooKeeper.close();
    try {
      if (!victories.awaitTermination(10, TimeUnit.SECONDS)) {
        LOG.warn("The election thread does not end");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static void close(LeaderLatch latch) {
    if (latch != null) {
      try {
        latch.close();
      } catch (IOException | IllegalStateException e) {
        LOG.debug("latch not closed; its session's end will remove it", e);
      }
    }
  }
}

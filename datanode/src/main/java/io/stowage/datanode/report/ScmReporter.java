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
package io.stowage.datanode.report;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.HeartbeatReply;
import io.stowage.common.proto.HeartbeatRequest;
import io.stowage.common.proto.Order;
import io.stowage.common.proto.OrderResult;
import io.stowage.common.proto.RegisterDatanodeReply;
import io.stowage.common.proto.RegisterDatanodeRequest;
import io.stowage.common.proto.ShardReport;
import io.stowage.common.scm.DatanodeReports;
import io.stowage.common.time.StoreClock;
import io.stowage.common.token.TokenKeyRing;
import io.stowage.datanode.shard.ShardId;
import io.stowage.datanode.store.ShardListener;
import io.stowage.datanode.store.ShardStore;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Heartbeats to one SCM. Knows what that SCM has not been told yet. {@link #beat} is confined to
 * one thread; changes are noted from any.
 *
 * <p>One beat: register if the SCM does not know the node; else a heartbeat with the shards that
 * changed (all of them after a registration or when asked) and the results of earlier orders; then
 * the leader epoch that the reply carries is noted durably, and its orders obeyed. What could not
 * be sent is sent with the next beat.
 */
public final class ScmReporter implements ShardListener {
  private static final Logger LOG = LoggerFactory.getLogger(ScmReporter.class);

  private record Place(String diskId, ShardId shard) {}

  private final String name;
  private final DatanodeReports scm;
  private final ShardStore store;
  private final Orders orders;
  private final TokenKeyRing keys;
  private final String host;
  private final int port;
  private final StoreClock clock;

  /** Shards that changed since they were last told. At most all there are. */
  private final Map<Place, Boolean> changed = new ConcurrentHashMap<>();

  /** Guarded by itself. As many as orders were sent. */
  private final List<OrderResult> results = new ArrayList<>();

  private volatile boolean answers;
  private boolean registered;
  private boolean fullReportDue;
  private boolean silent;

  /**
   * @param name for log lines
   * @param keys told to those who check tokens
   * @param host what clients are told to connect to
   * @param clock told to SCM, which goes by what most nodes say
   */
  public ScmReporter(
      String name,
      DatanodeReports scm,
      ShardStore store,
      Orders orders,
      TokenKeyRing keys,
      String host,
      int port,
      StoreClock clock) {
    this.name = name;
    this.keys = keys;
    this.scm = scm;
    this.store = store;
    this.orders = orders;
    this.host = host;
    this.port = port;
    this.clock = clock;
  }

  @Override
  public void shardChanged(String diskId, ShardId shard) {
    changed.put(new Place(diskId, shard), Boolean.TRUE);
  }

  /**
   * Disks came or went: tells everything anew. Called between beats, by the thread that runs them.
   */
  public void reportAll() {
    fullReportDue = true;
  }

  /**
   * Tells the SCM what is new and obeys it. Never throws; an SCM that cannot be reached is tried
   * again with the next beat.
   *
   * @return whether the SCM answered
   */
  public boolean beat() {
    answers = tell();
    return answers;
  }

  /** Whether the SCM took the last heartbeat: this node is registered there. Any thread. */
  boolean answers() {
    return answers;
  }

  private boolean tell() {
    try {
      if (!registered) {
        register();
      }
      heartbeat();
      if (silent) {
        LOG.info("{} answers again", name);
        silent = false;
      }
      return true;
    } catch (StoreException e) {
      if (e.code() == ErrorCode.WRONG_CLUSTER) {
        if (!silent) {
          LOG.error(
              "{} and this datanode's disks do not belong together: {}", name, e.getMessage());
        }
        silent = true;
        return false;
      }
      if (e.code() == ErrorCode.ACCESS_DENIED) {
        if (!silent) {
          LOG.error(
              "{} refuses this datanode, until it is told otherwise: {}", name, e.getMessage());
        }
        silent = true;
        return false;
      }
      if (!silent) {
        LOG.warn("{} does not answer: {}; trying again with every heartbeat", name, e.toString());
        silent = true;
      }
      return false;
    } catch (RuntimeException e) {
      LOG.error("Heartbeat to {} failed by a bug", name, e);
      return false;
    }
  }

  private void register() throws StoreException {
    RegisterDatanodeReply reply =
        scm.register(
            RegisterDatanodeRequest.newBuilder()
                .setNodeId(store.nodeId())
                .setHost(host)
                .setPort(port)
                .setClusterId(store.clusterId())
                .addAllDisks(store.diskInfos())
                .build());
    if (reply.getClusterId().isEmpty()) {
      throw new StoreException(
          ErrorCode.UNAVAILABLE, "Cannot register: the SCM knows no cluster id yet");
    }
    store.joinCluster(reply.getClusterId());
    store.hearLeaderEpoch(reply.getLeaderEpoch());
    registered = true;
    fullReportDue = true;
  }

  private void heartbeat() throws StoreException {
    HeartbeatRequest.Builder request =
        HeartbeatRequest.newBuilder()
            .setNodeId(store.nodeId())
            .setHeardLeaderEpoch(store.leaderEpoch()) // before: a disk told as good has noted it
            .addAllDisks(store.diskInfos())
            .setTokenKeysVersion(keys.version())
            .setWallMicros(clock.wallMicros())
            .addAllProgress(orders.progress())
            .addAllDamaged(store.damaged().list());
    int resultsTold;
    synchronized (results) {
      request.addAllResults(results);
      resultsTold = results.size();
    }
    boolean full = fullReportDue;
    // Forgotten before they are read, so that a change in between is told with the next beat.
    List<Place> told = new ArrayList<>(changed.keySet());
    told.forEach(changed::remove);
    HeartbeatReply reply;
    try {
      if (full) {
        request.setFullReport(true).addAllShards(store.reports());
      } else {
        for (Place place : told) {
          ShardReport report = store.report(place.diskId, place.shard);
          if (report != null) {
            request.addShards(report);
          }
        }
      }
      reply = scm.heartbeat(request.build());
    } catch (StoreException | RuntimeException e) {
      told.forEach(place -> changed.put(place, Boolean.TRUE));
      throw e;
    }
    synchronized (results) {
      results.subList(0, resultsTold).clear();
    }
    fullReportDue = full ? false : fullReportDue;
    if (reply.hasTokenKeys()) {
      keys.take(reply.getTokenKeys());
    }
    if (reply.getRegister()) {
      registered = false;
    }
    if (reply.getSendFullReport()) {
      fullReportDue = true;
    }
    store.hearLeaderEpoch(reply.getLeaderEpoch());
    for (Order order : reply.getOrdersList()) {
      orders.obey(order, this::answer);
    }
  }

  private void answer(OrderResult result) {
    synchronized (results) {
      results.add(result);
    }
  }
}

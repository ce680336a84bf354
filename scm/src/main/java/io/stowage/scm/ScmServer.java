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

import io.stowage.common.access.AuditLog;
import io.stowage.common.access.Origin;
import io.stowage.common.access.RefusedLogins;
import io.stowage.common.conf.Exposure;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.data.DatanodeDirectory;
import io.stowage.common.data.NetworkDatanodes;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.lifecycle.Lifecycle;
import io.stowage.common.metrics.HealthCheck;
import io.stowage.common.metrics.MetricSystem;
import io.stowage.common.metrics.RoleHealth;
import io.stowage.common.policy.Question;
import io.stowage.common.proto.GetTokenKeysRequest;
import io.stowage.common.rpc.CredentialSeal;
import io.stowage.common.rpc.RpcProtocol;
import io.stowage.common.rpc.RpcSecurity;
import io.stowage.common.rpc.RpcServer;
import io.stowage.common.scm.ContainerManager;
import io.stowage.common.scm.DatanodeReports;
import io.stowage.common.time.StoreClock;
import io.stowage.common.tls.ClientTls;
import io.stowage.common.token.Operation;
import io.stowage.common.token.ShardTokens;
import io.stowage.common.token.SigningDatanodes;
import io.stowage.common.token.TokenKeyRing;
import io.stowage.scm.cluster.ClusterClock;
import io.stowage.scm.cluster.ClusterMap;
import io.stowage.scm.cluster.DataPlaneProbe;
import io.stowage.scm.cluster.HadoopTopology;
import io.stowage.scm.cluster.RackResolver;
import io.stowage.scm.container.ContainerStore;
import io.stowage.scm.container.NodeHosts;
import io.stowage.scm.container.TokenKeyRolls;
import io.stowage.scm.election.Election;
import io.stowage.scm.table.HBaseContainerStore;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.CommonConfigurationKeysPublic;
import org.apache.hadoop.ipc.Server;
import org.apache.hadoop.net.CachedDNSToSwitchMapping;
import org.apache.hadoop.net.DNSToSwitchMapping;
import org.apache.hadoop.net.ScriptBasedMapping;
import org.apache.hadoop.net.TableMapping;
import org.apache.hadoop.security.SecurityUtil;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.util.ReflectionUtils;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A running storage container manager: its table, its RPC server, its part in the election, and
 * five threads: one looks at nodes and waits for nobody, one looks at leases and containers, one at
 * where shards are, one follows the table, one asks ZooKeeper who leads; these may wait for as long
 * as HBase or ZooKeeper are away. Thread-safe.
 */
public final class ScmServer implements AutoCloseable, HealthCheck {
  private static final Logger LOG = LoggerFactory.getLogger(ScmServer.class);

  /** Datanodes' heartbeats and object managers' leases wait on HBase, not on the processor. */
  private static final int RPC_HANDLERS = 64;

  /**
   * Of these, as many calls may wait on HBase: others are told to come again. A heartbeat that
   * found no handler for half a minute would make its node dead. Of registrations, which come in
   * beside heartbeats, {@link NodeHosts} lets as few wait as leaves these half of the rest.
   */
  private static final int MOST_WAITING = RPC_HANDLERS - 16;

  private static final long FOLLOW_MILLIS = 1_000;

  /**
   * A new key of tokens is known everywhere after this: a node is heard, or dead, in half of it.
   */
  private static final Duration KEY_SPREAD = Duration.ofMinutes(2);

  /** A node that a client had trouble with answers a probe within this, or stays suspect. */
  private static final Duration PROBE_TIMEOUT = Duration.ofSeconds(1);

  private final Lifecycle lifecycle = new Lifecycle("SCM");
  private final DatanodeDirectory datanodes; // for probes
  private final TokenKeyRing keys; // that its own probes are signed with
  private final ContainerStore store;
  private final StorageContainerManager manager;
  private final RpcServer rpc;
  private final AuditLog audit; // of whom RPC refuses, and what operators do
  private final RefusedLogins refused;
  private final String address;
  private final CrashPoint work;
  private final ScheduledExecutorService nodeLooker = thread("scm-nodes");
  private final ScheduledExecutorService ticker = thread("scm-ticker");
  private final ScheduledExecutorService placeLooker = thread("scm-places");
  private final ScheduledExecutorService follower = thread("scm-follower");
  private final ScheduledExecutorService looker = thread("scm-looker");
  private final MetricSystem.Registration metrics;
  private Election election;

  private ScmServer(
      DatanodeDirectory datanodes,
      TokenKeyRing keys,
      ContainerStore store,
      StorageContainerManager manager,
      RpcServer rpc,
      AuditLog audit,
      String address) {
    this.datanodes = datanodes;
    this.keys = keys;
    this.store = store;
    this.manager = manager;
    this.rpc = rpc;
    this.audit = audit;
    this.refused = RefusedLogins.into(audit);
    this.address = address;
    // Of this SCM alone, so that a test pauses one of two in a JVM: its own threads all come by.
    this.work = CrashPoint.named("scm.work@" + address);
    this.metrics = MetricSystem.register("Scm", new ScmMetrics(manager));
  }

  /**
   * Starts; returns when the table was read and the RPC server answers. Somebody leads a little
   * later.
   *
   * @param hadoopAndHBase where HBase is, RPC and topology settings
   * @param machine the clocks of this machine; datanodes' have a say, too
   */
  public static ScmServer start(
      StowageConfig config, Configuration hadoopAndHBase, StoreClock machine)
      throws StoreException {
    ScmConfig scm = ScmConfig.from(config);
    ClusterClock clock = new ClusterClock(machine, scm.clockBound(), scm.deadInterval());
    Exposure.check(config);
    boolean secure = config.get(Keys.SECURITY_ENABLED);
    TokenKeyRing keys = new TokenKeyRing();
    DatanodeDirectory datanodes = new NetworkDatanodes(ClientTls.from(config), PROBE_TIMEOUT);
    if (secure) {
      datanodes =
          new SigningDatanodes(
              datanodes, new ShardTokens(keys, clock), "scm", Operation.all(Operation.STAT));
    }
    ClusterMap cluster =
        new ClusterMap(
            clock,
            topology(hadoopAndHBase),
            scm.failureDomains(),
            scm.deadInterval(),
            scm.minFreeBytes(),
            new DataPlaneProbe(datanodes));
    ContainerStore store = null;
    ScmServer server = null;
    AuditLog audit = null;
    try {
      audit = audit(config, machine);
      store = HBaseContainerStore.open(hadoopAndHBase, scm.hbaseNamespace(), clock);
      StorageContainerManager manager =
          new StorageContainerManager(scm, store, cluster, clock, new SecureRandom());
      if (secure) {
        manager.secured(
            new TokenKeyRolls.Settings(
                config.get(Keys.TOKEN_KEY_INTERVAL), config.get(Keys.TOKEN_LIFE), KEY_SPREAD),
            CredentialSeal.of(config, hadoopAndHBase));
      }
      ContainerManager served = leavingHandlers(manager);
      RpcServer rpc =
          RpcServer.create(
                  hadoopAndHBase,
                  scm.bind(),
                  RPC_HANDLERS,
                  RpcProtocol.CONTAINER_MANAGER,
                  secure ? OperatorCalls.noted(served, audit, services(hadoopAndHBase)) : served)
              .add(
                  hadoopAndHBase,
                  RpcProtocol.DATANODE_REPORTS,
                  secure ? ownReports(config, manager, audit, machine) : manager)
              .start();
      server =
          new ScmServer(datanodes, keys, store, manager, rpc, audit, advertised(rpc.address()));
      server.run(scm, zooKeeperLogin(config));
      return server;
    } catch (StoreException | RuntimeException e) {
      if (server != null) {
        server.close();
      } else {
        datanodes.close();
        if (store != null) {
          store.close();
        }
        if (audit != null) {
          audit.close();
        }
      }
      throw e;
    }
  }

  /** Who asks for the keys of tokens every few seconds. */
  private static Set<String> services(Configuration hadoop) throws StoreException {
    return Set.copyOf(
        RpcSecurity.users(
            hadoop, List.of(Keys.SCM_PRINCIPAL, Keys.OM_PRINCIPAL, Keys.S3_PRINCIPAL)));
  }

  /** What datanodes may report of what. */
  private static DatanodeReports ownReports(
      StowageConfig config, StorageContainerManager manager, AuditLog audit, StoreClock clock)
      throws StoreException {
    String principal = config.get(Keys.DATANODE_PRINCIPAL);
    if (!principal.isEmpty() && !principal.contains(SecurityUtil.HOSTNAME_PATTERN)) {
      LOG.warn(
          "All datanodes are {}, so each is believed about every other: {} without {}",
          principal,
          Keys.DATANODE_PRINCIPAL.name(),
          SecurityUtil.HOSTNAME_PATTERN);
      return manager;
    }
    return new OwnReports(
        manager,
        manager.bound(RpcSecurity::canonicalHost),
        new RpcCaller(),
        (call, why) -> noteRefusal(audit, call, why),
        clock);
  }

  private static final class RpcCaller implements OwnReports.Caller {
    @Override
    public String principal() {
      return RpcSecurity.callersPrincipal();
    }

    @Override
    public String host() throws StoreException {
      return RpcSecurity.callersHost();
    }
  }

  private static void noteRefusal(AuditLog audit, String call, String why) {
    String name = Server.getRemoteUser().getUserName();
    audit.add(
        Origin.ofCaller(),
        new Question.Principal(name, name, false),
        "stowage:" + call,
        null,
        null,
        null,
        false,
        why);
  }

  /** Refuses calls while {@link #MOST_WAITING} are under way; clients try again after a pause. */
  private static ContainerManager leavingHandlers(ContainerManager manager) {
    Semaphore free = new Semaphore(MOST_WAITING);
    return (ContainerManager)
        Proxy.newProxyInstance(
            ContainerManager.class.getClassLoader(),
            new Class<?>[] {ContainerManager.class},
            (proxy, method, args) -> {
              if (!free.tryAcquire()) {
                throw new StoreException(
                    ErrorCode.UNAVAILABLE,
                    "Cannot " + method.getName() + ": " + MOST_WAITING + " calls are under way");
              }
              try {
                return method.invoke(manager, args);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              } finally {
                free.release();
              }
            });
  }

  /** With security off nobody is refused. */
  private static AuditLog audit(StowageConfig config, StoreClock clock) throws StoreException {
    return config.get(Keys.SECURITY_ENABLED)
        ? AuditLog.open(
            clock,
            Keys.SCM_AUDIT_FILE,
            config.get(Keys.SCM_AUDIT_FILE),
            config.get(Keys.OM_AUDIT_FILE_SIZE),
            config.get(Keys.OM_AUDIT_FILES),
            "logins")
        : AuditLog.none();
  }

  /** Who SCMs are to ZooKeeper; null: nobody. */
  private static Election.Login zooKeeperLogin(StowageConfig config) throws StoreException {
    if (!config.get(Keys.SECURITY_ENABLED) || !config.get(Keys.ZOOKEEPER_SASL)) {
      return null;
    }
    try {
      return new Election.Login(
          UserGroupInformation.getCurrentUser().getUserName(), config.get(Keys.SCM_KEYTAB));
    } catch (IOException e) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION, "Cannot tell which user we run as: " + e.getMessage(), e);
    }
  }

  private void run(ScmConfig config, Election.Login zooKeeperLogin) throws StoreException {
    lifecycle.moveTo(Lifecycle.State.STARTING);
    manager.named(address);
    long tickMillis = config.tickInterval().toMillis();
    // The jobs catch all that they throw: nothing is lost with the futures.
    ScheduledFuture<?> unusedNodeLooks =
        nodeLooker.scheduleWithFixedDelay(
            () -> guarded("look at nodes", manager::lookAtNodes),
            tickMillis,
            tickMillis,
            TimeUnit.MILLISECONDS);
    ScheduledFuture<?> unusedTicks =
        ticker.scheduleWithFixedDelay(
            () -> guarded("look at leases and containers", manager::tick),
            tickMillis,
            tickMillis,
            TimeUnit.MILLISECONDS);
    ScheduledFuture<?> unusedPlaceLooks =
        placeLooker.scheduleWithFixedDelay(
            () -> guarded("look at where shards are", manager::lookAtPlaces),
            tickMillis,
            tickMillis,
            TimeUnit.MILLISECONDS);
    election =
        Election.join(
            config.zooKeeperQuorum(),
            config.zooKeeperRoot(),
            config.sessionTimeout(),
            zooKeeperLogin,
            address,
            new PausableListener());
    manager.standFor(election);
    ScheduledFuture<?> unusedFollows =
        follower.scheduleWithFixedDelay(
            () -> {
              guarded("follow the container table", manager::follow);
              guarded("check the leader epoch", manager::checkEpoch);
              guarded("roll the keys of tokens", this::rollTokenKeys);
            },
            0,
            FOLLOW_MILLIS,
            TimeUnit.MILLISECONDS);
    ScheduledFuture<?> unusedLooks =
        looker.scheduleWithFixedDelay(
            () -> guarded("ask who leads", election::look),
            0,
            FOLLOW_MILLIS,
            TimeUnit.MILLISECONDS);
    lifecycle.moveTo(Lifecycle.State.RUNNING);
    LOG.info("SCM serves on {}", address);
  }

  private final class PausableListener implements Election.Listener {
    @Override
    public void won() throws StoreException {
      work.reach();
      manager.won();
    }

    @Override
    public void lost() {
      work.reach();
      manager.lost();
    }
  }

  private void rollTokenKeys() throws StoreException {
    manager.rollTokenKeys();
    GetTokenKeysRequest ask = GetTokenKeysRequest.newBuilder().setVersion(keys.version()).build();
    keys.take(manager.getTokenKeys(ask).getKeys());
  }

  private interface Job {
    void run() throws StoreException;
  }

  /** A periodic job that throws would never run again. */
  private void guarded(String what, Job job) {
    try {
      work.reach();
      job.run();
    } catch (StoreException e) {
      LOG.warn("Cannot {} now: {}", what, e.toString());
    } catch (RuntimeException e) {
      LOG.error("Cannot {}: a bug", what, e);
    }
  }

  /**
   * Who tells racks. Hadoop's default is a script, which puts all hosts into one rack if none is
   * named: where only a table is named, that is what was meant.
   */
  static HadoopTopology topology(Configuration hadoop) {
    Class<? extends DNSToSwitchMapping> how =
        hadoop.getClass(
            CommonConfigurationKeysPublic.NET_TOPOLOGY_NODE_SWITCH_MAPPING_IMPL_KEY,
            ScriptBasedMapping.class,
            DNSToSwitchMapping.class);
    String script =
        hadoop.getTrimmed(CommonConfigurationKeysPublic.NET_TOPOLOGY_SCRIPT_FILE_NAME_KEY, "");
    String table =
        hadoop.getTrimmed(CommonConfigurationKeysPublic.NET_TOPOLOGY_TABLE_MAPPING_FILE_KEY, "");
    if (how == ScriptBasedMapping.class && script.isEmpty() && !table.isEmpty()) {
      how = TableMapping.class;
    }
    if (how == ScriptBasedMapping.class && script.isEmpty()) {
      LOG.info("Nobody tells racks: all hosts are in {}", RackResolver.DEFAULT_RACK);
    } else {
      LOG.info("Racks are told by {}, script '{}', table '{}'", how.getSimpleName(), script, table);
    }
    DNSToSwitchMapping mapping = ReflectionUtils.newInstance(how, hadoop);
    return new HadoopTopology(
        mapping instanceof CachedDNSToSwitchMapping
            ? mapping
            : new CachedDNSToSwitchMapping(mapping));
  }

  /** A wildcard address is no use to others: the host's name instead. */
  private static String advertised(InetSocketAddress bound) {
    String host = bound.getHostString();
    if (bound.getAddress() != null && bound.getAddress().isAnyLocalAddress()) {
      try {
        host = InetAddress.getLocalHost().getCanonicalHostName();
      } catch (UnknownHostException e) {
        LOG.warn("This host does not know its own name; SCM is told to others as {}", host);
      }
    }
    return host + ":" + bound.getPort();
  }

  private static ScheduledExecutorService thread(String name) {
    return Executors.newSingleThreadScheduledExecutor(
        work -> {
          Thread thread = new Thread(work, name);
          thread.setDaemon(true);
          return thread;
        });
  }

  /** For object managers in this process; others come by RPC. */
  public ContainerManager containerManager() {
    return manager;
  }

  /** For datanodes in this process; others come by RPC. */
  public DatanodeReports datanodeReports() {
    return manager;
  }

  /** host:port that others reach this SCM at. */
  public String address() {
    return address;
  }

  public int port() {
    return rpc.address().getPort();
  }

  public boolean isLeader() {
    return manager.isLeader();
  }

  /** Ready while it leads, or knows who does. */
  @Override
  public RoleHealth health() {
    String state = "leader";
    if (!lifecycle.isRunning()) {
      state = lifecycle.state() == Lifecycle.State.STARTING ? "starting" : "stopping";
    } else if (!manager.isLeader()) {
      state = manager.leaderAddress().isEmpty() ? "no leader" : "follower";
    }
    return new RoleHealth("scm", state.equals("leader") || state.equals("follower"), state);
  }

  @Override
  public void close() {
    if (!lifecycle.beginStop()) {
      return;
    }
    metrics.close();
    if (election != null) {
      election.close(); // first, so that another SCM leads while this one ends
    }
    manager.lost();
    rpc.close();
    refused.close();
    audit.close();
    nodeLooker.shutdownNow();
    ticker.shutdownNow();
    placeLooker.shutdownNow();
    follower.shutdownNow();
    looker.shutdownNow();
    try {
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
      boolean ended = true; // each is asked, though one does not end
      for (ScheduledExecutorService thread :
          List.of(nodeLooker, ticker, follower, looker, placeLooker)) {
        ended &= thread.awaitTermination(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
      }
      if (!ended) {
        LOG.warn("SCM's threads do not end");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    datanodes.close();
    store.close();
    lifecycle.moveTo(Lifecycle.State.STOPPED);
  }
}

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
package io.stowage.om;

import io.stowage.common.access.AuditLog;
import io.stowage.common.access.Authorizer;
import io.stowage.common.access.RefusedLogins;
import io.stowage.common.conf.Exposure;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.data.DatanodeDirectory;
import io.stowage.common.delegation.DelegationTokens;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.expiry.DayLength;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.lifecycle.Lifecycle;
import io.stowage.common.metrics.HealthCheck;
import io.stowage.common.metrics.MetricSystem;
import io.stowage.common.metrics.RoleHealth;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.RecordNeedle;
import io.stowage.common.rpc.Administrators;
import io.stowage.common.rpc.CredentialSeal;
import io.stowage.common.rpc.RpcProtocol;
import io.stowage.common.rpc.RpcSecurity;
import io.stowage.common.rpc.RpcServer;
import io.stowage.common.scm.ContainerManager;
import io.stowage.common.secret.SecretSeal;
import io.stowage.common.time.Pause;
import io.stowage.common.time.StoreClock;
import io.stowage.om.delegation.DelegationSecrets;
import io.stowage.om.delegation.DelegationSettings;
import io.stowage.om.delegation.TokenDesk;
import io.stowage.om.door.Door;
import io.stowage.om.door.OwnSecrets;
import io.stowage.om.expiry.Expirer;
import io.stowage.om.garbage.Collector;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.row.Stamps;
import io.stowage.om.table.HBaseTables;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.ipc.Server;
import org.apache.hadoop.thirdparty.protobuf.Message;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An object manager with its connection to HBase: hosted by a gateway in its own process, or
 * serving Hadoop RPC. Owns the connection, the RPC server one thread that ends directory renames of
 * object managers that died, one that collects garbage, one that applies rules of lifecycle, one
 * that writes down what buckets hold, and with security on one that fetches keys. Thread-safe.
 */
public final class OmServer implements AutoCloseable, HealthCheck {
  private static final Logger LOG = LoggerFactory.getLogger(OmServer.class);

  /** Calls block on HBase for a millisecond or few; so many in one process keep two cores busy. */
  private static final int RPC_HANDLERS = 64;

  private static final int SWEEP_SECONDS = 60;

  /** Rows of tokens that ended a day ago are no burden. */
  private static final int TOKEN_SWEEP_SECONDS = 3_600;

  /** What buckets hold is written down so often: what a killed process forgets to have changed. */
  private static final int USAGE_SECONDS = 2;

  private final Lifecycle lifecycle = new Lifecycle("object manager");
  private final StowageConfig config;
  private final Configuration hadoop;
  private final HBaseTables tables;
  private final Namespace namespace;
  private final ScheduledExecutorService sweeper;
  private final ScheduledExecutorService collecting;
  private ScheduledFuture<?> sweeps;
  private ScheduledFuture<?> collections;
  private final ScheduledExecutorService expiring;
  private final ScheduledExecutorService counting;
  private volatile Collector.Tally collected = Collector.Tally.NOTHING; // by its thread alone
  private volatile Consumer<RecordNeedle> records = OmServer::nobody;
  private final ServiceTokens tokens; // null: security is off
  private final DelegationSecrets delegation; // null: security is off
  private final StoreClock clock;
  private Authorizer authorizer; // null: callers over RPC are not asked about
  private RefusedLogins refused; // with it
  private RpcServer rpc;
  private final TableCheck tableCheck;
  private final MetricSystem.Registration metrics;

  private OmServer(
      StowageConfig config,
      Configuration hadoop,
      HBaseTables tables,
      Namespace namespace,
      ServiceTokens tokens,
      DelegationSecrets delegation,
      StoreClock clock) {
    this.tokens = tokens;
    this.delegation = delegation;
    this.clock = clock;
    this.config = config;
    this.hadoop = hadoop;
    this.tables = tables;
    this.namespace = namespace;
    this.sweeper = thread("om-sweeper");
    this.collecting = thread("om-collector");
    this.expiring = thread("om-lifecycle");
    this.counting = thread("om-usage");
    this.tableCheck = new TableCheck(tables::check);
    this.metrics = MetricSystem.register("Om", new OmMetrics(namespace.tables(), () -> collected));
  }

  private static ScheduledExecutorService thread(String name) {
    return Executors.newSingleThreadScheduledExecutor(
        work -> {
          Thread thread = new Thread(work, name);
          thread.setDaemon(true);
          return thread;
        });
  }

  /**
   * Starts an object manager that serves callers in this process.
   *
   * @param hadoopAndHBase where HBase is
   * @param scm not closed with the object manager
   */
  public static OmServer start(
      StowageConfig config, Configuration hadoopAndHBase, ContainerManager scm, StoreClock clock)
      throws StoreException {
    OmConfig settings = OmConfig.from(config);
    HBaseTables tables =
        HBaseTables.open(
            hadoopAndHBase,
            settings.namespace(),
            RpcSecurity.users(hadoopAndHBase, List.of(Keys.OM_PRINCIPAL, Keys.S3_PRINCIPAL)),
            settings.mutationDeadline(),
            clock.wallMicros());
    Namespace namespace =
        new Namespace(
            settings,
            tables.buckets(),
            tables.objects(),
            tables.identities(),
            scm,
            clock,
            Pause.REAL);
    SecretSeal seal = CredentialSeal.of(config, hadoopAndHBase);
    namespace.sealSecretsWith(seal);
    ServiceTokens tokens =
        config.get(Keys.SECURITY_ENABLED)
            ? ServiceTokens.start(scm, clock, config.get(Keys.TOKEN_LIFE))
            : null;
    DelegationSecrets delegation =
        tokens == null
            ? null
            : new DelegationSecrets(
                new RowCommitter(
                    tables.identities(), clock, Pause.REAL, settings.mutationDeadline()),
                new Stamps(clock, settings.clockBound()),
                clock,
                seal,
                delegationSettings(config));
    OmServer server =
        new OmServer(config, hadoopAndHBase, tables, namespace, tokens, delegation, clock);
    server.lifecycle.moveTo(Lifecycle.State.STARTING);
    server.sweeps =
        server.sweeper.scheduleWithFixedDelay(
            server::sweep, SWEEP_SECONDS, SWEEP_SECONDS, TimeUnit.SECONDS);
    if (delegation != null) {
      ScheduledFuture<?> unused = // ends with its thread
          server.sweeper.scheduleWithFixedDelay(
              server::sweepTokens, SWEEP_SECONDS, TOKEN_SWEEP_SECONDS, TimeUnit.SECONDS);
    }
    Collector collector = namespace.collector(tables.regions());
    long pause = settings.collecting().interval().toMillis();
    server.collections =
        server.collecting.scheduleWithFixedDelay(
            () -> server.collect(collector), pause, pause, TimeUnit.MILLISECONDS);
    ScheduledFuture<?> unused =
        server.counting.scheduleWithFixedDelay(
            namespace::flushUsage, USAGE_SECONDS, USAGE_SECONDS, TimeUnit.SECONDS);
    server.lifecycle.moveTo(Lifecycle.State.RUNNING);
    return server;
  }

  /**
   * Has a writer of record needles beside it from now on: what this object manager does of itself,
   * not for a caller, is told to it. Rules of lifecycle are applied only while there is one, since
   * what they delete, and nothing told of, fsck --rebuild would bring back.
   *
   * @return to be closed before the writer is
   */
  public AutoCloseable recordTo(Consumer<RecordNeedle> writer) throws StoreException {
    DayLength day = OmConfig.from(config).expiring().day();
    Expirer expirer = namespace.expirer(tables.regions(), writer);
    long look = lifecyclePause(day).toMillis();
    records = writer;
    ScheduledFuture<?> expirations =
        expiring.scheduleWithFixedDelay(() -> expire(expirer), look, look, TimeUnit.MILLISECONDS);
    return () -> {
      expirations.cancel(true);
      records = OmServer::nobody;
    };
  }

  private static DelegationSettings delegationSettings(StowageConfig config) throws StoreException {
    try {
      return new DelegationSettings(
          config.get(Keys.DELEGATION_TOKEN_LIFE),
          config.get(Keys.DELEGATION_RENEW_INTERVAL),
          config.get(Keys.DELEGATION_KEY_INTERVAL),
          config.get(Keys.CLOCK_BOUND));
    } catch (IllegalArgumentException e) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION, "Cannot start an object manager: " + e.getMessage(), e);
    }
  }

  /** A day's work is looked for a hundred times a day and more. */
  private static Duration lifecyclePause(DayLength day) {
    return day.isReal() ? Duration.ofMinutes(10) : Duration.ofMillis(day.seconds() * 100);
  }

  private static void expire(Expirer expirer) {
    try {
      expirer.round();
    } catch (StoreException | RuntimeException e) {
      LOG.warn("Cannot apply rules of lifecycle; trying again later: {}", e.toString());
    }
  }

  private void sweep() {
    try {
      namespace.sweepPrefixRenames(record -> records.accept(record));
    } catch (StoreException | RuntimeException e) {
      LOG.warn("Cannot look for renames to take up; trying again later", e);
    }
  }

  private void sweepTokens() {
    try {
      delegation.sweep();
    } catch (StoreException | RuntimeException e) {
      LOG.warn("Cannot delete tokens that ended; trying again later: {}", e.toString());
    }
  }

  private void collect(Collector collector) {
    try {
      Collector.Tally round = collector.round();
      collected = collected.plus(round);
    } catch (StoreException | RuntimeException e) {
      LOG.warn("Cannot collect garbage; trying again later: {}", e.toString());
    } catch (CrashPoint.Crash e) {
      LOG.warn("Left a run of the collector for its next: {}", e.toString());
    }
  }

  /** Cells and heads that this object manager's collector has cleared since the start. */
  public long collected() {
    Collector.Tally now = collected;
    return now.cleared() + now.removed();
  }

  /** Of a process without a data path. */
  private static void nobody(RecordNeedle unused) {}

  /** The object manager itself, for callers in this process. */
  public ObjectManager objectManager() {
    return namespace;
  }

  /** Serves Hadoop RPC too, on the configured address; returns the address with the real port. */
  public synchronized InetSocketAddress serveRpc() throws StoreException {
    if (!lifecycle.isRunning() || rpc != null) {
      throw new IllegalStateException("serves RPC already, or no longer runs");
    }
    Exposure.check(config);
    if (tokens != null || config.get(Keys.PERMISSIONS_ENABLED)) {
      authorizer =
          new Authorizer(
              Authorizer.rules(config),
              AuditLog.open(
                  clock,
                  Keys.OM_AUDIT_FILE,
                  config.get(Keys.OM_AUDIT_FILE),
                  config.get(Keys.OM_AUDIT_FILE_SIZE),
                  config.get(Keys.OM_AUDIT_FILES),
                  "rpc"));
      refused = RefusedLogins.into(authorizer.audit());
    }
    Door door = authorizer == null ? null : door(namespace);
    Visitors visitors =
        new Visitors(
            Administrators.of(config),
            config.get(Keys.SUPERUSER_GROUP),
            tokens != null,
            tokens != null && RpcSecurity.isPrivate(hadoop));
    rpc =
        RpcServer.create(
            hadoop,
            config.get(Keys.OM_BIND),
            RPC_HANDLERS,
            RpcProtocol.OBJECT_MANAGER,
            guarded(namespace, door, visitors),
            delegation);
    if (delegation != null) {
      rpc.add(
          hadoop,
          RpcProtocol.DELEGATION_TOKENS,
          noted(
              new TokenDesk(delegation, () -> door.meterToken(visitors.ofThisCall())),
              door,
              visitors));
    }
    rpc.start();
    LOG.info("Object manager serves RPC on {}", rpc.address());
    return rpc.address();
  }

  /**
   * Keeps secrets, and what could lose data, from callers over RPC that are no administrators; with
   * security or permissions on, all else from those who may not.
   */
  private ObjectManager guarded(ObjectManager target, Door door, Visitors visitors) {
    return (ObjectManager)
        Proxy.newProxyInstance(
            ObjectManager.class.getClassLoader(),
            new Class<?>[] {ObjectManager.class},
            (proxy, method, arguments) -> {
              String name = method.getName();
              if (delegation != null) {
                checkToken(visitors);
              }
              if (door != null) {
                return door.pass(
                    name,
                    (Message) arguments[0],
                    visitors.ofThisCall(),
                    request -> invoke(target, method, request));
              }
              if (Door.isOfAdministrators(name)) {
                visitors.administrators().check(name);
              }
              if (OwnSecrets.isOne(arguments[0])) {
                Door.Visitor caller = visitors.ofThisCall();
                return invoke(
                    target,
                    method,
                    OwnSecrets.allowed(
                        (Message) arguments[0],
                        caller.user(),
                        caller.proof(),
                        caller.administrator()));
              }
              return invoke(target, method, arguments);
            });
  }

  private void checkToken(Visitors visitors) throws StoreException {
    try {
      delegation.check(Server.getRemoteUser());
    } catch (StoreException e) {
      authorizer.audit().refused(visitors.ofThisCall().origin(), "authenticate", e.getMessage());
      throw e;
    }
  }

  private Door door(ObjectManager target) throws StoreException {
    return new Door(
        target,
        authorizer,
        tokens == null ? null : tokens.grants(),
        OmConfig.from(config).commitWindow(),
        clock,
        new Door.Rates(
            config.get(Keys.LEASES_PER_MINUTE),
            config.get(Keys.DAMAGE_REPORTS_PER_MINUTE),
            config.get(Keys.TOKENS_PER_MINUTE)));
  }

  /** What the desk decides is written down as what the door does. */
  static DelegationTokens noted(DelegationTokens desk, Door door, Visitors visitors) {
    return (DelegationTokens)
        Proxy.newProxyInstance(
            DelegationTokens.class.getClassLoader(),
            new Class<?>[] {DelegationTokens.class},
            (proxy, method, arguments) ->
                door.note(
                    method.getName(),
                    visitors.ofThisCall(),
                    () -> invoke(desk, method, arguments)));
  }

  private static Object invoke(Object target, Method method, Object... arguments) throws Throwable {
    try {
      return method.invoke(target, arguments);
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }

  /**
   * Datanodes as the process that hosts this object manager reaches them: with security on, each
   * request gets a token of the service itself.
   */
  public DatanodeDirectory signing(DatanodeDirectory datanodes) {
    return tokens == null ? datanodes : tokens.signing(datanodes);
  }

  /** What was counted since the last time, unless HBase is gone: nobody waits for that. */
  private void countOnceMore() {
    Future<?> last = counting.submit(namespace::flushUsage);
    counting.shutdown();
    try {
      last.get(USAGE_SECONDS, TimeUnit.SECONDS);
    } catch (ExecutionException | TimeoutException e) {
      LOG.info("Cannot write down what buckets hold: {}", e.toString());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    counting.shutdownNow();
  }

  /** Ready while its tables answer; who asks waits two seconds for them at most. */
  @Override
  public RoleHealth health() {
    if (!lifecycle.isRunning()) {
      return new RoleHealth("om", false, "stopping");
    }
    boolean answers = tableCheck.answers();
    return new RoleHealth("om", answers, answers ? "serving" : "tables do not answer");
  }

  @Override
  public void close() throws StoreException {
    if (!lifecycle.beginStop()) {
      return;
    }
    metrics.close();
    tableCheck.close();
    sweeps.cancel(true);
    sweeper.shutdownNow();
    collections.cancel(true);
    collecting.shutdownNow();
    expiring.shutdownNow();
    if (tokens != null) {
      tokens.close();
    }
    synchronized (this) {
      if (rpc != null) {
        rpc.close();
      }
      if (authorizer != null) {
        refused.close();
        authorizer.close();
      }
    }
    countOnceMore();
    namespace.close();
    try {
      tables.close();
    } catch (IOException e) {
      throw new StoreException(
          ErrorCode.INTERNAL, "Cannot close the connection to HBase: " + e.getMessage(), e);
    } finally {
      lifecycle.moveTo(Lifecycle.State.STOPPED);
    }
  }
}

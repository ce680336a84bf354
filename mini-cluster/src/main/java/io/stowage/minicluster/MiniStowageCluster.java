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

import io.stowage.client.RecordingNamespace;
import io.stowage.client.StowageDataPath;
import io.stowage.client.crypt.KeyService;
import io.stowage.client.keys.HadoopKeys;
import io.stowage.client.repack.BucketConversion;
import io.stowage.client.repack.Repacker;
import io.stowage.common.conf.ConfigKey;
import io.stowage.common.conf.KeyStores;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.data.NetworkDatanodes;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.metrics.HealthCheck;
import io.stowage.common.metrics.MetricSystem;
import io.stowage.common.metrics.MetricsServer;
import io.stowage.common.metrics.ProcessHealth;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.ClusterStatusReply;
import io.stowage.common.proto.ClusterStatusRequest;
import io.stowage.common.proto.Identity;
import io.stowage.common.proto.PolicyStatus;
import io.stowage.common.proto.PutIdentityRequest;
import io.stowage.common.rpc.CredentialSeal;
import io.stowage.common.rpc.Credentials;
import io.stowage.common.rpc.KerberosLogin;
import io.stowage.common.rpc.RpcClient;
import io.stowage.common.rpc.RpcProtocol;
import io.stowage.common.scm.ContainerManager;
import io.stowage.common.scm.DatanodeReports;
import io.stowage.common.time.StoreClock;
import io.stowage.common.tls.ClientTls;
import io.stowage.datanode.DatanodeConfig;
import io.stowage.datanode.DatanodeServer;
import io.stowage.datanode.disk.DiskFiles;
import io.stowage.datanode.disk.LocalDiskFiles;
import io.stowage.om.OmServer;
import io.stowage.s3.S3GatewayServer;
import io.stowage.scm.ScmServer;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PrivilegedExceptionAction;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.UnaryOperator;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.security.alias.CredentialProvider;
import org.apache.hadoop.security.alias.CredentialProviderFactory;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A whole Stowage in this JVM, for tests: ZooKeeper, HBase, SCMs, object managers each with an S3
 * gateway, and datanodes, all on loopback with real sockets between them, on directories that are
 * deleted at the end.
 *
 * <pre>{@code
 * try (MiniStowageCluster cluster = MiniStowageCluster.builder().start()) {
 *   cluster.s3Endpoint();          // with cluster.accessKey() and cluster.secretKey()
 *   cluster.fileSystem("bucket");  // Hadoop's FileSystem
 *   cluster.stopDatanode(2);
 * }
 * }</pre>
 *
 * <p>Numbers of nodes and disks begin at 0. Methods that start and stop are confined to the owner's
 * thread; the rest may be called from any.
 */
public final class MiniStowageCluster implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(MiniStowageCluster.class);
  private static final Duration RPC_CALL_TIMEOUT = Duration.ofSeconds(5);
  private static final Duration RPC_DEADLINE = Duration.ofSeconds(30);
  private static final Duration WRITABLE_TIMEOUT = Duration.ofSeconds(30);
  private static final long POLL_MILLIS = 20;
  private static final String LOOPBACK = "127.0.0.1";

  /** Who makes tables, as auth_to_local calls those of {@code secureMetadata}. */
  private static final List<String> HBASE_USERS = List.of("om", "scm");

  /** What a cluster is to be like. Confined to one thread. */
  public static final class Builder {
    private int datanodes = 5;
    private int disksPerDatanode = 1;
    private int scms = 1;
    private int objectManagers = 1;
    private boolean gateway = true;
    private boolean ownHBase; // else shared
    private boolean hbaseOverHdfs; // else over local files
    private RealmKeys realm; // of ZooKeeper and HBase; null: they are without security
    private boolean directCalls;
    private boolean awaitWritable = true;
    private Path directory;
    private StoreClock clock = StoreClock.system();
    private final Map<Integer, StoreClock> objectManagerClocks = new HashMap<>();
    private final Map<Integer, StoreClock> scmClocks = new HashMap<>();
    private final Map<ConfigKey<?>, String> settings = new HashMap<>();
    private final Map<String, String> hadoop = new HashMap<>();
    private UnaryOperator<DiskFiles> disks = UnaryOperator.identity();
    private ClusterDirectory embedded;
    private List<String> externalScms = List.of();
    private String namespace;
    private String s3Host = LOOPBACK;
    private int s3Port;
    private ClusterDirectory.AccessKey accessKey =
        new ClusterDirectory.AccessKey("MINIACCESSKEY0000001", "mini/secret+of/a-test-cluster");

    private Builder() {
      set(Keys.DEFAULT_POLICY, "rs-3-2");
      set(Keys.FAILURE_DOMAIN, "disk");
      set(Keys.CONTAINER_CAPACITY, "64m");
      set(Keys.DATANODE_RESERVED, "0");
      set(Keys.HEARTBEAT_INTERVAL, "200ms");
      set(Keys.DEAD_INTERVAL, "3s");
      set(Keys.ZOOKEEPER_SESSION_TIMEOUT, "2s");
    }

    /** Datanodes; 5 if not said. */
    public Builder datanodes(int count) {
      this.datanodes = count;
      return this;
    }

    /** Disks of each datanode; 1 if not said. Each is a failure domain of its own. */
    public Builder disksPerDatanode(int count) {
      this.disksPerDatanode = count;
      return this;
    }

    /** Erasure policy of buckets that name none; rs-3-2 if not said. */
    public Builder policy(String name) {
      return set(Keys.DEFAULT_POLICY, name);
    }

    public Builder scms(int count) {
      this.scms = count;
      return this;
    }

    /** Object managers; each has an S3 gateway in front, unless there are none. */
    public Builder objectManagers(int count) {
      this.objectManagers = count;
      return this;
    }

    public Builder withoutGateway() {
      this.gateway = false;
      return this;
    }

    /** ZooKeeper and HBase of its own, instead of those that this JVM's mini-clusters share. */
    public Builder ownHBase() {
      this.ownHBase = true;
      return this;
    }

    /** ZooKeeper and HBase of its own, both with Kerberos; HBase asks for permissions. */
    public Builder secureMetadata(RealmKeys keys) {
      this.realm = keys;
      return ownHBase();
    }

    /** HBase of its own over Hadoop's mini-cluster of HDFS: production's shape, slower to start. */
    public Builder hbaseOverHdfs() {
      this.hbaseOverHdfs = true;
      return ownHBase();
    }

    /** Gateways call datanodes directly, not over their sockets. */
    public Builder directCalls() {
      this.directCalls = true;
      return this;
    }

    /** Starts though too few disks for the policy are there; writes then get 503. */
    public Builder evenIfNotWritable() {
      this.awaitWritable = false;
      return this;
    }

    /** Where disks are kept, and left; a temporary directory, deleted at the end, if not said. */
    public Builder directory(Path path) {
      this.directory = path;
      return this;
    }

    /** Time, for every role. */
    public Builder clock(StoreClock everywhere) {
      this.clock = everywhere;
      return this;
    }

    /** Time, for one object manager and its gateway. */
    public Builder objectManagerClock(int objectManager, StoreClock its) {
      objectManagerClocks.put(objectManager, its);
      return this;
    }

    /** What the clocks of one SCM's machine say. */
    public Builder scmClock(int scm, StoreClock its) {
      scmClocks.put(scm, its);
      return this;
    }

    /** Wraps what every datanode reads and writes its disks through, for faults. */
    public Builder disks(UnaryOperator<DiskFiles> wrapping) {
      this.disks = wrapping;
      return this;
    }

    /** A setting of Hadoop's, with security on. */
    public Builder setHadoop(String name, String value) {
      hadoop.put(name, value);
      return this;
    }

    public Builder set(ConfigKey<?> key, String value) {
      settings.put(key, value);
      return this;
    }

    /** SCMs of other processes, on the shared HBase in a namespace, instead of any of its own. */
    Builder externalScms(List<String> addresses, String namespace) {
      this.externalScms = List.copyOf(addresses);
      this.namespace = namespace;
      this.scms = 0;
      return this;
    }

    /** The shape that the quickstart runs: fixed directory and ports, own HBase. */
    Builder embeddedIn(ClusterDirectory owned, String host, int port) throws IOException {
      this.embedded = owned;
      this.s3Host = host;
      this.s3Port = port;
      this.accessKey = owned.accessKey();
      return ownHBase().directCalls();
    }

    public MiniStowageCluster start() throws IOException, InterruptedException {
      MiniStowageCluster cluster = new MiniStowageCluster(this);
      try {
        cluster.startAll();
        return cluster;
      } catch (IOException | InterruptedException | RuntimeException e) {
        cluster.close();
        throw e;
      }
    }
  }

  private static final class Scm {
    int port;
    ScmServer server;
  }

  private static final class Node {
    final List<Path> disks = new ArrayList<>();
    int port;
    String id;
    DatanodeServer server;
    final List<RpcClient<DatanodeReports>> reports = new ArrayList<>();
  }

  private static final class Manager {
    int port;
    int s3Port;
    OmServer server;
    DirectDatanodes datanodes;
    StowageDataPath dataPath;
    AutoCloseable dataPathMetrics;
    AutoCloseable records;
    Repacker repacker;
    KeyService keys;
    S3GatewayServer gateway;
  }

  private final Builder shape;
  private final RemovableDisks removable;
  private final List<Scm> scms = new ArrayList<>();
  private final List<Node> nodes = new ArrayList<>();
  private final List<Manager> managers = new ArrayList<>();
  private Path directory;
  private boolean deleteDirectory;
  private final Map<KerberosLogin.Role, KerberosLogin> logins = new HashMap<>();
  private HBaseHome hbase;
  private StowageConfig config;
  private RpcClient<ContainerManager> containerManager;
  private final List<HealthCheck> roles = new CopyOnWriteArrayList<>();
  private MetricsServer metrics; // null if there is none

  private MiniStowageCluster(Builder shape) {
    this.shape = shape;
    this.removable = new RemovableDisks(shape.disks.apply(LocalDiskFiles.INSTANCE));
  }

  public static Builder builder() {
    return new Builder();
  }

  // Starting, top to bottom.

  private void startAll() throws IOException, InterruptedException {
    long begin = System.nanoTime();
    chooseDirectory();
    startHBase();
    configure();
    if (shape.realm != null) {
      hbase.makeNamespace(config.get(Keys.HBASE_NAMESPACE), HBASE_USERS);
    }
    if (shape.embedded != null) {
      makeSecretKey();
    }
    for (int i = 0; i < shape.scms; i++) {
      scms.add(new Scm());
      scms.get(i).port = keptPort(i == 0 ? "scm" : "scm" + i);
      startScm(i);
    }
    config = config.with(Keys.SCM_ADDRESSES, String.join(",", scmAddresses()));
    containerManager = newContainerManager();
    for (int i = 0; i < shape.datanodes; i++) {
      addDatanode();
    }
    for (int i = 0; i < shape.objectManagers; i++) {
      managers.add(new Manager());
      managers.get(i).port = keptPort(i == 0 ? "om" : "om" + i);
      managers.get(i).s3Port = i == 0 ? shape.s3Port : 0;
      startObjectManager(i);
    }
    if (!managers.isEmpty()) {
      objectManager(0)
          .putIdentity(
              PutIdentityRequest.newBuilder()
                  .setIdentity(
                      Identity.newBuilder()
                          .setAccessKey(accessKey())
                          .setSecretKey(secretKey())
                          .setUser("stowage")
                          .setAdmin(true))
                  .build());
    }
    if (shape.awaitWritable) {
      awaitWritable(WRITABLE_TIMEOUT);
    }
    ProcessHealth health = new ProcessHealth("cluster");
    health.serves(roles);
    metrics =
        MetricsServer.start(
            config, () -> Credentials.read(roleConfiguration(), Credentials.METRICS_TOKEN), health);
    LOG.info("cluster up in {} ms", (System.nanoTime() - begin) / 1_000_000);
  }

  private void chooseDirectory() throws IOException {
    if (shape.embedded != null) {
      directory = shape.embedded.root();
    } else if (shape.directory != null) {
      directory = Files.createDirectories(shape.directory);
    } else {
      directory = Files.createTempDirectory("stowage-mini");
      deleteDirectory = true;
    }
  }

  /** In the embedded shape HBase is called directly; elsewhere over its RPC, as in a cluster. */
  private Configuration hbaseConfiguration() {
    return shape.embedded != null ? hbase.inProcessConfiguration() : hbase.configuration();
  }

  private void startHBase() throws IOException, InterruptedException {
    if (!shape.ownHBase) {
      hbase = HBaseHome.shared();
      return;
    }
    if (shape.hbaseOverHdfs) {
      hbase = HBaseHome.startOverHdfs(directory);
      return;
    }
    hbase =
        HBaseHome.start(
            directory.resolve("zookeeper"),
            keptPort("zookeeper"),
            directory.resolve("hbase"),
            shape.realm);
  }

  private void configure() throws StoreException {
    String namespace =
        shape.namespace != null
            ? shape.namespace
            : shape.ownHBase ? "stowage" : HBaseHome.newNamespace();
    Map<String, String> all = new TreeMap<>();
    shape.settings.forEach((key, value) -> all.put(key.name(), value));
    all.putIfAbsent(
        Keys.ENCRYPTION_KEY_PROVIDER.name(),
        "jceks://file" + directory.toAbsolutePath().resolve("keys").resolve("stowage.jceks"));
    all.put(Keys.HBASE_NAMESPACE.name(), namespace);
    all.put(Keys.ZOOKEEPER_QUORUM.name(), hbase.zooKeeperQuorum());
    all.put(Keys.ZOOKEEPER_ROOT.name(), "/" + namespace);
    if (shape.realm == null) {
      all.putIfAbsent(Keys.ZOOKEEPER_SASL.name(), "false");
    }
    config = StowageConfig.of(all);
  }

  private int keptPort(String role) throws IOException {
    return shape.embedded == null ? 0 : shape.embedded.port(role);
  }

  private static String loopback(int port) {
    return LOOPBACK + ":" + port;
  }

  // Who each role is.

  /** What the roles' mains read: with security on, our settings are in it. */
  private Configuration roleConfiguration() throws StoreException {
    if (!config.get(Keys.SECURITY_ENABLED)) {
      Configuration hadoop = hbaseConfiguration();
      if (shape.embedded != null) {
        hadoop.set(CredentialProviderFactory.CREDENTIAL_PROVIDER_PATH, credentialStore());
      }
      return hadoop;
    }
    Configuration hadoop = new Configuration(hbaseConfiguration());
    config.settings().forEach(hadoop::set);
    shape.hadoop.forEach(hadoop::set);
    return hadoop;
  }

  /** A keystore file beside the data: what is in HBase alone does not give secrets away. */
  private String credentialStore() {
    return "localjceks://file"
        + directory.toAbsolutePath().resolve("keys").resolve("credentials.jceks");
  }

  /** At the first start, a password that encrypts secrets of access keys. */
  private void makeSecretKey() throws IOException {
    Configuration hadoop = new Configuration(false);
    hadoop.set(CredentialProviderFactory.CREDENTIAL_PROVIDER_PATH, credentialStore());
    Files.createDirectories(directory.toAbsolutePath().resolve("keys"));
    KeyStores.letHadoopReadItsKeys();
    CredentialProvider provider = CredentialProviderFactory.getProviders(hadoop).get(0);
    if (provider.getCredentialEntry(CredentialSeal.ALIAS) == null) {
      byte[] random = new byte[32];
      new SecureRandom().nextBytes(random);
      provider.createCredentialEntry(
          CredentialSeal.ALIAS, HexFormat.of().formatHex(random).toCharArray());
      provider.flush();
    }
  }

  /** Does something as a role's principal; with security off, as whoever runs this JVM. */
  private <T> T as(KerberosLogin.Role role, PrivilegedExceptionAction<T> work)
      throws IOException, InterruptedException {
    KerberosLogin login = logins.get(role);
    if (login == null) {
      login = KerberosLogin.login(role, config, roleConfiguration());
      logins.put(role, login);
    }
    return login.user().doAs(work);
  }

  // SCMs.

  public void startScm(int scm) throws IOException, InterruptedException {
    Scm node = scms.get(scm);
    node.server =
        as(
            KerberosLogin.Role.SCM,
            () ->
                ScmServer.start(
                    config.with(Keys.SCM_BIND, loopback(node.port)),
                    roleConfiguration(),
                    shape.scmClocks.getOrDefault(scm, shape.clock)));
    node.port = node.server.port();
    roles.add(node.server);
  }

  public void stopScm(int scm) {
    Scm node = scms.get(scm);
    if (node.server != null) {
      roles.remove(node.server);
      node.server.close();
      node.server = null;
    }
  }

  /** The SCM's server, for what tests do to one that goes on running. */
  public ScmServer scm(int scm) {
    return scms.get(scm).server;
  }

  /** The SCM that leads; waits for one. */
  public int leadingScm() throws IOException, InterruptedException {
    int[] found = {-1};
    await(
        "an SCM to lead",
        WRITABLE_TIMEOUT,
        () -> {
          for (int i = 0; i < scms.size(); i++) {
            ScmServer server = scms.get(i).server;
            if (server != null && server.isLeader()) {
              found[0] = i;
              return true;
            }
          }
          return false;
        });
    return found[0];
  }

  public List<String> scmAddresses() {
    return shape.externalScms.isEmpty()
        ? scms.stream().map(scm -> loopback(scm.port)).toList()
        : shape.externalScms;
  }

  /** Over RPC, at whichever SCM leads. */
  public ContainerManager containerManager() {
    return containerManager.api();
  }

  private RpcClient<ContainerManager> newContainerManager()
      throws IOException, InterruptedException {
    return as(
        KerberosLogin.Role.OBJECT_MANAGER,
        () ->
            RpcClient.create(
                RpcProtocol.CONTAINER_MANAGER,
                roleConfiguration(),
                scmAddresses(),
                RPC_CALL_TIMEOUT,
                RPC_DEADLINE));
  }

  // Datanodes and disks.

  /** Starts one more datanode. */
  public int addDatanode() throws IOException {
    int number = nodes.size();
    Node node = new Node();
    if (shape.embedded != null) {
      node.disks.addAll(shape.embedded.disks(shape.disksPerDatanode));
    } else {
      for (int disk = 0; disk < shape.disksPerDatanode; disk++) {
        node.disks.add(
            Files.createDirectories(directory.resolve("datanode" + number + "/disk" + disk)));
      }
    }
    node.port = keptPort(number == 0 ? "datanode" : "datanode" + number);
    nodes.add(node);
    startDatanode(number);
    return number;
  }

  public void startDatanode(int datanode) throws IOException {
    Node node = nodes.get(datanode);
    for (String address : scmAddresses()) {
      node.reports.add(reports(address));
    }
    StowageConfig its =
        config
            .with(Keys.DATANODE_BIND, loopback(node.port))
            .with(
                Keys.DATANODE_DISKS,
                String.join(",", node.disks.stream().map(Path::toString).toList()));
    node.server =
        DatanodeServer.start(
            DatanodeConfig.from(its),
            node.reports.stream().map(RpcClient::api).toList(),
            shape.clock,
            removable);
    node.port = node.server.port();
    node.id = node.server.nodeId();
    roles.add(node.server);
    for (Manager manager : managers) {
      introduce(manager, node);
    }
  }

  private RpcClient<DatanodeReports> reports(String address) throws IOException {
    try {
      return as(
          KerberosLogin.Role.DATANODE,
          () ->
              RpcClient.create(
                  RpcProtocol.DATANODE_REPORTS,
                  roleConfiguration(),
                  List.of(address),
                  RPC_CALL_TIMEOUT,
                  Duration.ZERO));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  private void introduce(Manager manager, Node node) {
    if (shape.directCalls && manager.datanodes != null && node.server != null) {
      manager.datanodes.add(node.id, node.server.shardService());
    }
  }

  public void stopDatanode(int datanode) {
    Node node = nodes.get(datanode);
    if (node.server == null) {
      return;
    }
    for (Manager manager : managers) {
      if (manager.datanodes != null) {
        manager.datanodes.remove(node.id);
      }
    }
    roles.remove(node.server);
    node.server.close();
    node.server = null;
    node.reports.forEach(RpcClient::close);
    node.reports.clear();
  }

  public void restartDatanode(int datanode) throws IOException {
    stopDatanode(datanode);
    startDatanode(datanode);
  }

  public DatanodeServer datanode(int datanode) {
    return nodes.get(datanode).server;
  }

  /** Id of a datanode, also while it is stopped. */
  public String datanodeId(int datanode) {
    return nodes.get(datanode).id;
  }

  /** Directory of a disk. */
  public Path disk(int datanode, int disk) {
    return nodes.get(datanode).disks.get(disk);
  }

  /** Pulls a disk out of a running datanode: all that it asks of the disk fails from now on. */
  public void removeDisk(int datanode, int disk) {
    removable.remove(disk(datanode, disk));
  }

  /** Puts a removed disk back as it was. Its datanode takes it in again by itself, soon. */
  public void putBackDisk(int datanode, int disk) {
    removable.putBack(disk(datanode, disk));
  }

  /** Puts a removed disk back as it was, and restarts its datanode. */
  public void returnDisk(int datanode, int disk) throws IOException {
    putBackDisk(datanode, disk);
    restartDatanode(datanode);
  }

  // Object managers and gateways.

  public void startObjectManager(int objectManager) throws IOException, InterruptedException {
    Manager manager = managers.get(objectManager);
    StoreClock clock = shape.objectManagerClocks.getOrDefault(objectManager, shape.clock);
    manager.server =
        as(
            KerberosLogin.Role.OBJECT_MANAGER,
            () ->
                OmServer.start(
                    config.with(Keys.OM_BIND, loopback(manager.port)),
                    roleConfiguration(),
                    containerManager(),
                    clock));
    roles.add(manager.server);
    manager.port = as(KerberosLogin.Role.OBJECT_MANAGER, () -> manager.server.serveRpc().getPort());
    if (!shape.gateway) {
      return;
    }
    manager.datanodes =
        new DirectDatanodes(manager.server.signing(new NetworkDatanodes(ClientTls.from(config))));
    for (Node node : nodes) {
      introduce(manager, node);
    }
    ObjectManager hosted = manager.server.objectManager();
    manager.dataPath = StowageDataPath.create(config, hosted, manager.datanodes, clock);
    manager.dataPathMetrics = MetricSystem.register("Client", manager.dataPath.metrics());
    manager.records = manager.server.recordTo(RecordingNamespace.recordsTo(manager.dataPath));
    manager.repacker =
        Repacker.start(
            config,
            "gateway " + objectManager,
            containerManager(),
            hosted,
            manager.dataPath,
            config.get(Keys.REPACK_WORKERS));
    manager.keys = HadoopKeys.open(config, new Configuration());
    manager.gateway =
        S3GatewayServer.start(
            config.with(Keys.S3_BIND, shape.s3Host + ":" + manager.s3Port),
            hosted,
            manager.dataPath,
            manager.keys,
            clock);
    manager.s3Port = manager.gateway.port();
    roles.add(manager.gateway);
  }

  public void stopObjectManager(int objectManager) {
    Manager manager = managers.get(objectManager);
    roles.remove(manager.gateway);
    roles.remove(manager.server);
    closeIfThere(manager.gateway);
    manager.gateway = null;
    closeIfThere(manager.keys);
    manager.keys = null;
    closeIfThere(manager.repacker);
    manager.repacker = null;
    closeIfThere(manager.records);
    manager.records = null;
    closeIfThere(manager.dataPathMetrics);
    manager.dataPathMetrics = null;
    closeIfThere(manager.dataPath);
    manager.dataPath = null;
    closeIfThere(manager.datanodes);
    manager.datanodes = null;
    closeIfThere(manager.server);
    manager.server = null;
  }

  /**
   * Loses a table of HBase, as an operator's mistake would. Whoever uses it is stopped before; an
   * object manager that starts makes its tables anew, empty.
   */
  public void dropTable(String table) throws IOException {
    hbase.dropTable(config.get(Keys.HBASE_NAMESPACE), table);
  }

  /** An object manager of this JVM, called directly. */
  public ObjectManager objectManager(int objectManager) {
    return managers.get(objectManager).server.objectManager();
  }

  /** Cells and heads that an object manager's collector has cleared since it was started. */
  public long collected(int objectManager) {
    return managers.get(objectManager).server.collected();
  }

  /** What a gateway writes and reads bytes through. */
  public StowageDataPath dataPath(int objectManager) {
    return managers.get(objectManager).dataPath;
  }

  /** The repacker beside a gateway; its workers are as many as {@code stowage.repack.workers}. */
  public Repacker repacker(int objectManager) {
    return managers.get(objectManager).repacker;
  }

  /** A conversion of buckets by way of a gateway's data path. */
  public BucketConversion conversion(int objectManager) throws StoreException {
    return new BucketConversion(
        config,
        objectManager(objectManager),
        containerManager(),
        managers.get(objectManager).dataPath);
  }

  public List<String> objectManagerAddresses() {
    return managers.stream().map(manager -> loopback(manager.port)).toList();
  }

  // What users need.

  /** The first gateway's page for browsers; it has to be configured. */
  public URI console() {
    return URI.create(s3Scheme() + s3Name() + ":" + managers.get(0).gateway.consolePort() + "/");
  }

  /**
   * Where metrics and health of all roles are served; {@code stowage.metrics.bind} has to be set.
   */
  public URI metrics() {
    return URI.create(metrics.url());
  }

  /** Endpoint of the first gateway; path style, region us-east-1; TLS if it has a certificate. */
  public URI s3Endpoint() {
    return s3Endpoint(0);
  }

  public URI s3Endpoint(int objectManager) {
    return URI.create(s3Scheme() + s3Name() + ":" + managers.get(objectManager).s3Port);
  }

  private String s3Scheme() {
    String certificate = config.settings().getOrDefault(Keys.S3_TLS_CERTIFICATE.name(), "");
    return certificate.isEmpty() ? "http://" : "https://";
  }

  /** A host by which this machine reaches its gateways. */
  private String s3Name() {
    return shape.s3Host.equals("0.0.0.0") ? LOOPBACK : shape.s3Host;
  }

  public String accessKey() {
    return shape.accessKey.id();
  }

  public String secretKey() {
    return shape.accessKey.secret();
  }

  /** Settings of this cluster as roles and clients take them. */
  public StowageConfig config() throws StoreException {
    return config.with(Keys.OM_ADDRESSES, String.join(",", objectManagerAddresses()));
  }

  /** Where clients find this cluster; what goes into their stowage-site.xml. */
  public Map<String, String> clientSettings() {
    Map<String, String> settings = new TreeMap<>();
    settings.put(Keys.OM_ADDRESSES.name(), String.join(",", objectManagerAddresses()));
    settings.put(Keys.SCM_ADDRESSES.name(), String.join(",", scmAddresses()));
    for (ConfigKey<?> shared :
        List.of(
            Keys.SECURITY_ENABLED,
            Keys.OM_PRINCIPAL,
            Keys.SCM_PRINCIPAL,
            Keys.TLS_MODE,
            Keys.TLS_AUTHORITIES,
            Keys.ENCRYPTION_KEY_PROVIDER)) {
      String value = config.settings().get(shared.name());
      if (value != null) {
        settings.put(shared.name(), value);
      }
    }
    return settings;
  }

  /**
   * What goes into a client's core-site.xml: {@code stow://}, and {@code s3a://} at the gateway.
   */
  Map<String, String> coreSite() {
    Map<String, String> core = new TreeMap<>();
    if (shape.gateway) {
      core.put("fs.s3a.endpoint", s3Endpoint().toString());
      core.put("fs.s3a.endpoint.region", "us-east-1");
      core.put("fs.s3a.path.style.access", "true");
      core.put("fs.s3a.connection.ssl.enabled", Boolean.toString(s3Scheme().startsWith("https")));
      core.put("fs.s3a.access.key", accessKey());
      core.put("fs.s3a.secret.key", secretKey());
    }
    return core;
  }

  /** For Hadoop clients: {@code stow://} and {@code s3a://} of this cluster. */
  public Configuration hadoopConfiguration() {
    Configuration hadoop = new Configuration();
    clientSettings().forEach(hadoop::set);
    coreSite().forEach(hadoop::set);
    return hadoop;
  }

  /** For clients of this cluster's HBase; ZooKeeper's quorum is in it. */
  Configuration hbaseClientConfiguration() {
    return new Configuration(hbase.configuration());
  }

  /** The HDFS that HBase's files are in, of a cluster built with it. */
  URI hdfsUri() {
    return hbase.hdfsUri();
  }

  /** A file system of its own on a bucket; the caller closes it. */
  public FileSystem fileSystem(String bucket) throws IOException {
    return FileSystem.newInstance(URI.create("stow://" + bucket + "/"), hadoopConfiguration());
  }

  public ClusterStatusReply status() throws StoreException {
    return containerManager().clusterStatus(ClusterStatusRequest.getDefaultInstance());
  }

  /** Waits until the default policy can be written. */
  public void awaitWritable(Duration timeout) throws IOException, InterruptedException {
    await(
        "policy " + config.get(Keys.DEFAULT_POLICY) + " to be writable",
        timeout,
        () -> defaultPolicy().getWritable());
  }

  /** What the default policy lacks to be written, as writers are told; empty if nothing. */
  public String missingForWrites() throws StoreException {
    PolicyStatus status = defaultPolicy();
    return status.getWritable() ? "" : status.getMissing();
  }

  private PolicyStatus defaultPolicy() throws StoreException {
    String policy = config.get(Keys.DEFAULT_POLICY);
    for (PolicyStatus status : status().getPoliciesList()) {
      if (status.getPolicy().equals(policy)) {
        return status;
      }
    }
    throw new StoreException(
        ErrorCode.UNAVAILABLE, "Cannot tell whether " + policy + " can be written yet");
  }

  /** False once HBase gave up, which nothing here recovers from. */
  boolean isMetadataAlive() {
    return hbase.isAlive();
  }

  private interface Condition {
    boolean holds() throws IOException;
  }

  private static void await(String what, Duration timeout, Condition condition)
      throws IOException, InterruptedException {
    long deadline = System.nanoTime() + timeout.toNanos();
    StoreException last = null;
    do {
      try {
        if (condition.holds()) {
          return;
        }
      } catch (StoreException e) {
        last = e;
      }
      Thread.sleep(POLL_MILLIS);
    } while (System.nanoTime() < deadline);
    throw new StoreException(
        ErrorCode.TIMEOUT, "Cannot wait longer than " + timeout + " for " + what, last);
  }

  /** Stops everything, users first. */
  @Override
  public void close() {
    closeIfThere(metrics);
    for (int i = 0; i < managers.size(); i++) {
      stopObjectManager(i);
    }
    for (int i = 0; i < nodes.size(); i++) {
      stopDatanode(i);
    }
    closeIfThere(containerManager);
    for (int i = 0; i < scms.size(); i++) {
      stopScm(i);
    }
    logins.values().forEach(KerberosLogin::close);
    if (shape.ownHBase) {
      closeIfThere(hbase);
    }
    if (deleteDirectory) {
      try {
        EmbeddedHBase.deleteTree(directory);
      } catch (IOException e) {
        LOG.warn("cannot delete {}", directory, e);
      }
    }
  }

  private static void closeIfThere(AutoCloseable closeable) {
    if (closeable == null) {
      return;
    }
    try {
      closeable.close();
    } catch (Exception e) {
      LOG.warn("{} did not stop cleanly", closeable, e);
    }
  }
}

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
package io.stowage.common.rpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.access.AuditLog;
import io.stowage.common.access.RefusedLogins;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.TcpProxy;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.ClusterStatusReply;
import io.stowage.common.proto.ClusterStatusRequest;
import io.stowage.common.proto.GetBucketReply;
import io.stowage.common.proto.GetBucketRequest;
import io.stowage.common.proto.HeartbeatReply;
import io.stowage.common.proto.HeartbeatRequest;
import io.stowage.common.proto.RegisterDatanodeReply;
import io.stowage.common.proto.RegisterDatanodeRequest;
import io.stowage.common.scm.ContainerManager;
import io.stowage.common.scm.DatanodeReports;
import io.stowage.common.time.StoreClock;
import java.lang.reflect.Proxy;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PrivilegedExceptionAction;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.ipc.Server;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.thirdparty.protobuf.Message;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Who gets through to our services when security is on, with a KDC, real tickets and real sockets.
 * In a JVM of its own: Hadoop's security is a setting of the whole process.
 */
class SecureRpcTest {
  /** Life of tickets; {@code check-all} takes 60. */
  private static final int TICKET_SECONDS = Integer.getInteger("stowage.test.ticket-seconds", 8);

  private static final String REALM = "@" + TestKdc.REALM;

  @TempDir private static Path directory;
  private static TestKdc kdc;
  private static Configuration site;
  private static KerberosLogin om;
  private static KerberosLogin scm;
  private static KerberosLogin datanode;

  private final List<AutoCloseable> open = new ArrayList<>();

  @BeforeAll
  static void startRealm() throws Exception {
    kdc = TestKdc.start(directory, TICKET_SECONDS);
    site = new Configuration(false);
    site.set(Keys.SECURITY_ENABLED.name(), "true");
    for (String role : List.of("om", "scm", "datanode", "s3")) {
      site.set("stowage." + role + ".kerberos.principal", role + "/_HOST" + REALM);
      site.set("stowage." + role + ".kerberos.keytab", kdc.keytab(role + "/localhost").toString());
    }
    site.set(Keys.ADMINISTRATORS.name(), "root1,ann");
    site.set("hadoop.security.auth_to_local", "RULE:[2:$1](om)s/.*/namespace/\nDEFAULT");
    site.set("hadoop.proxyuser.s3.users", "alice");
    site.set("hadoop.proxyuser.s3.hosts", "*");
    om = KerberosLogin.login(KerberosLogin.Role.OBJECT_MANAGER, config(), site);
    scm = KerberosLogin.login(KerberosLogin.Role.SCM, config(), site);
    datanode = KerberosLogin.login(KerberosLogin.Role.DATANODE, config(), site);
  }

  @AfterAll
  static void stopRealm() {
    for (KerberosLogin login : List.of(om, scm, datanode)) {
      login.close();
    }
    kdc.close();
  }

  @AfterEach
  void closeAll() throws Exception {
    for (AutoCloseable closeable : open) {
      closeable.close();
    }
  }

  private static StowageConfig config() throws StoreException {
    return SiteConfiguration.stowage(site);
  }

  private static Configuration siteWith(String... settings) {
    Configuration conf = new Configuration(site);
    for (int i = 0; i < settings.length; i += 2) {
      conf.set(settings[i], settings[i + 1]);
    }
    return conf;
  }

  // What is served: each answer names the caller.

  private static <T> T answering(Class<T> api, Map<String, Message> replies) {
    return api.cast(
        Proxy.newProxyInstance(
            api.getClassLoader(),
            new Class<?>[] {api},
            (proxy, method, args) -> {
              if (method.getName().equals("getBucket")) {
                return GetBucketReply.newBuilder()
                    .setBucket(
                        BucketInfo.newBuilder()
                            .setName(((GetBucketRequest) args[0]).getName())
                            .setOwner(Server.getRemoteUser().getShortUserName()))
                    .build();
              }
              return replies.get(method.getName());
            }));
  }

  private String serveObjects(Configuration conf) throws Exception {
    return serve(
        om,
        () ->
            RpcServer.create(
                conf,
                "localhost:0",
                2,
                RpcProtocol.OBJECT_MANAGER,
                answering(ObjectManager.class, Map.of())));
  }

  private String serveContainers() throws Exception {
    return serveContainers(site);
  }

  private String serveContainers(Configuration conf) throws Exception {
    return serve(
        scm,
        () ->
            RpcServer.create(
                    conf,
                    "localhost:0",
                    2,
                    RpcProtocol.CONTAINER_MANAGER,
                    answering(
                        ContainerManager.class,
                        Map.of("clusterStatus", ClusterStatusReply.getDefaultInstance())))
                .add(
                    conf,
                    RpcProtocol.DATANODE_REPORTS,
                    answering(
                        DatanodeReports.class,
                        Map.of(
                            "heartbeat", HeartbeatReply.newBuilder().setLeaderEpoch(7).build()))));
  }

  private String serve(KerberosLogin as, PrivilegedExceptionAction<RpcServer> create)
      throws Exception {
    RpcServer server = as.user().doAs(create).start();
    open.add(server);
    return "localhost:" + server.address().getPort();
  }

  private <T, P> T client(
      UserGroupInformation user, Configuration conf, RpcProtocol<T, P> protocol, String address)
      throws Exception {
    RpcClient<T> client =
        user.doAs(
            (PrivilegedExceptionAction<RpcClient<T>>)
                () ->
                    RpcClient.create(
                        protocol, conf, List.of(address), Duration.ofSeconds(10), Duration.ZERO));
    open.add(client);
    return client.api();
  }

  private String callerSeen(UserGroupInformation user, String address) throws Exception {
    return client(user, site, RpcProtocol.OBJECT_MANAGER, address)
        .getBucket(GetBucketRequest.newBuilder().setName("b").build())
        .getBucket()
        .getOwner();
  }

  private static String refusal(Call call) {
    StoreException e = assertThrows(StoreException.class, call::run);
    assertEquals(ErrorCode.ACCESS_DENIED, e.code(), e.toString());
    return e.getMessage();
  }

  private interface Call {
    void run() throws Exception;
  }

  @Test
  void aTicketGetsThroughAndNamesItsUser() throws Exception {
    String address = serveObjects(site);
    assertEquals("alice", callerSeen(kdc.logIn("alice"), address));
    assertEquals("namespace", callerSeen(om.user(), address), "by auth_to_local");
  }

  @Test
  void withoutATicketNobodyGetsThrough() throws Exception {
    String address = serveObjects(site);
    String why =
        refusal(() -> callerSeen(UserGroupInformation.createRemoteUser("mallory"), address));
    assertTrue(why.contains("mallory") && why.contains("cannot authenticate"), why);
  }

  @Test
  void whoJustClaimsANameIsRefusedByTheServer() throws Exception {
    String address = serveObjects(site);
    try (Socket socket =
        new Socket("localhost", Integer.parseInt(address.substring(address.indexOf(':') + 1)))) {
      socket.setSoTimeout(10_000);
      socket.getOutputStream().write(new byte[] {'h', 'r', 'p', 'c', 9, 0, 0});
      socket.getOutputStream().flush();
      String answer =
          new String(socket.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
      assertTrue(answer.contains("SIMPLE authentication is not enabled"), answer);
    }
  }

  @Test
  void containersAreForServicesAndAdministrators() throws Exception {
    String address = serveContainers();
    ClusterStatusRequest ask = ClusterStatusRequest.getDefaultInstance();
    for (UserGroupInformation user : List.of(om.user(), scm.user(), kdc.logIn("ann"))) {
      assertEquals(
          ClusterStatusReply.getDefaultInstance(),
          client(user, site, RpcProtocol.CONTAINER_MANAGER, address).clusterStatus(ask));
    }
    Path file = directory.resolve("scm-audit.log");
    try (AuditLog audit = AuditLog.to(StoreClock.system(), file, 1 << 20, 1);
        RefusedLogins heard = RefusedLogins.into(audit)) {
      for (UserGroupInformation user : List.of(kdc.logIn("alice"), datanode.user())) {
        String why =
            refusal(
                () ->
                    client(user, site, RpcProtocol.CONTAINER_MANAGER, address).clusterStatus(ask));
        assertTrue(why.contains("not authorized for protocol"), why);
      }
    }
    List<String> lines = Files.readAllLines(file);
    assertEquals(2, lines.size(), lines::toString);
    assertTrue(lines.get(0).contains("\"user\":\"alice" + REALM + "\""), lines.get(0));
    assertTrue(lines.get(1).contains("\"user\":\"datanode/"), lines.get(1));
    for (String line : lines) {
      assertTrue(line.contains("\"authenticated\":\"KERBEROS\""), line);
      assertTrue(line.contains("\"action\":\"stowage:UseProtocol\",\"allowed\":false"), line);
      assertTrue(line.contains("ContainerManager"), line);
    }
  }

  @Test
  void heartbeatsAreForDatanodesOfTheirHosts() throws Exception {
    String address = serveContainers();
    HeartbeatRequest beat = HeartbeatRequest.getDefaultInstance();
    assertEquals(
        7,
        client(datanode.user(), site, RpcProtocol.DATANODE_REPORTS, address)
            .heartbeat(beat)
            .getLeaderEpoch());
    for (String other : List.of("alice", "datanode/elsewhere", "om/elsewhere")) {
      UserGroupInformation user = kdc.logIn(other);
      String why =
          refusal(() -> client(user, site, RpcProtocol.DATANODE_REPORTS, address).heartbeat(beat));
      assertTrue(why.contains("not authorized for protocol"), why);
      assertTrue(why.contains("datanode/localhost" + REALM), why);
    }
  }

  @Test
  void aDatanodesHostIsKnownAndNobodyLendsItsName() throws Exception {
    DatanodeReports answering =
        new DatanodeReports() {
          @Override
          public RegisterDatanodeReply register(RegisterDatanodeRequest request)
              throws StoreException {
            return RegisterDatanodeReply.newBuilder()
                .setClusterId(RpcSecurity.callersHost())
                .build();
          }

          @Override
          public HeartbeatReply heartbeat(HeartbeatRequest request) {
            return HeartbeatReply.getDefaultInstance();
          }
        };
    Configuration generous = siteWith("hadoop.proxyuser.s3.users", "*");
    String address =
        serve(
            scm,
            () ->
                RpcServer.create(
                    generous, "localhost:0", 2, RpcProtocol.DATANODE_REPORTS, answering));
    RegisterDatanodeRequest ask = RegisterDatanodeRequest.getDefaultInstance();
    String host =
        client(datanode.user(), site, RpcProtocol.DATANODE_REPORTS, address)
            .register(ask)
            .getClusterId();
    assertEquals(RpcSecurity.canonicalHost("127.0.0.1"), host);
    UserGroupInformation lent =
        UserGroupInformation.createProxyUser(
            datanode.user().getUserName(), kdc.logIn("s3/localhost"));
    String why =
        refusal(() -> client(lent, site, RpcProtocol.DATANODE_REPORTS, address).register(ask));
    assertTrue(why.contains("without a ticket of a principal that names one"), why);
  }

  @Test
  void aServerUnderAnotherNameIsNotBelieved() throws Exception {
    Configuration elsewhere =
        siteWith(
            Keys.OM_PRINCIPAL.name(),
            "om/elsewhere" + REALM,
            Keys.OM_KEYTAB.name(),
            kdc.keytab("om/elsewhere").toString());
    try (KerberosLogin ofAnotherHost =
        KerberosLogin.login(
            KerberosLogin.Role.OBJECT_MANAGER, SiteConfiguration.stowage(elsewhere), elsewhere)) {
      // Impostors with tickets at an object manager's address: another role, and another host.
      for (KerberosLogin impostor : List.of(datanode, ofAnotherHost)) {
        String address =
            serve(
                impostor,
                () ->
                    RpcServer.create(
                        site,
                        "localhost:0",
                        2,
                        RpcProtocol.OBJECT_MANAGER,
                        answering(ObjectManager.class, Map.of())));
        String why = refusal(() -> callerSeen(kdc.logIn("alice"), address));
        assertTrue(why.contains("om/localhost" + REALM) || why.contains("principal"), why);
      }
    }
  }

  @Test
  void administratorsSayWhoMayReachAService() throws Exception {
    String acl = RpcSecurity.OBJECT_MANAGER_ACL;
    String address = serveObjects(siteWith(acl, "ann"));
    assertEquals("ann", callerSeen(kdc.logIn("ann"), address));
    String why = refusal(() -> callerSeen(kdc.logIn("alice"), address));
    assertTrue(why.contains("not authorized for protocol"), why);
    Configuration containers = siteWith(RpcSecurity.CONTAINER_MANAGER_ACL, "alice");
    String scmAddress = serveContainers(containers);
    ClusterStatusRequest ask = ClusterStatusRequest.getDefaultInstance();
    assertEquals(
        ClusterStatusReply.getDefaultInstance(),
        client(kdc.logIn("alice"), site, RpcProtocol.CONTAINER_MANAGER, scmAddress)
            .clusterStatus(ask));
    refusal(
        () ->
            client(kdc.logIn("ann"), site, RpcProtocol.CONTAINER_MANAGER, scmAddress)
                .clusterStatus(ask));
  }

  @Test
  void ticketsAreRenewedForAsLongAsTheServiceRuns() throws Exception {
    String address = serveObjects(site);
    UserGroupInformation nobodyRenews = kdc.logIn("alice");
    assertEquals("alice", callerSeen(nobodyRenews, address));
    // Connections that are made anew, each with the ticket of the moment.
    Configuration fresh = siteWith("ipc.client.connection.maxidletime", "1");
    long end = System.nanoTime() + Duration.ofSeconds(2L * TICKET_SECONDS + 2).toNanos();
    int calls = 0;
    for (; System.nanoTime() < end; calls++) {
      String caller;
      try {
        caller = callerOnNewConnections(fresh);
      } catch (StoreException e) {
        // A pause of seconds, and the ticket was of no use for a moment; the next one is.
        caller = callerOnNewConnections(fresh);
      }
      assertEquals("scm", caller);
    }
    assertTrue(calls > 2, calls + " calls"); // each on connections of its own
    String again = serveObjects(site);
    String why = refusal(() -> callerSeen(nobodyRenews, again));
    assertTrue(why.contains("alice"), why);
    assertEquals("alice", callerSeen(kdc.logIn("alice"), again), "with a new ticket");
  }

  private String callerOnNewConnections(Configuration conf) throws Exception {
    try {
      return client(scm.user(), conf, RpcProtocol.OBJECT_MANAGER, serveObjects(site))
          .getBucket(GetBucketRequest.newBuilder().setName("b").build())
          .getBucket()
          .getOwner();
    } finally {
      closeAll();
      open.clear();
    }
  }

  @Test
  void privacyHidesWhatIsSaid() throws Exception {
    for (String protection : List.of("authentication", "privacy")) {
      Configuration conf = siteWith("hadoop.rpc.protection", protection);
      assertEquals(protection.equals("authentication"), isHeard(conf, serveObjects(conf)));
    }
  }

  /**
   * Whether somebody between alice, with this configuration, and a server can read what she says.
   */
  private boolean isHeard(Configuration conf, String address) throws Exception {
    String marker = "bucket-named-so-that-it-is-found";
    try (TcpProxy listener = TcpProxy.listeningTo(address)) {
      String there = "localhost:" + listener.port();
      assertEquals(
          "alice",
          client(kdc.logIn("alice"), conf, RpcProtocol.OBJECT_MANAGER, there)
              .getBucket(GetBucketRequest.newBuilder().setName(marker).build())
              .getBucket()
              .getOwner());
      return listener.heard().contains(marker);
    }
  }

  @Test
  void whereNobodySaysOtherwiseOthersCannotReadIt() throws Exception {
    Configuration defaults = new Configuration(); // with what Hadoop itself says of it
    site.forEach(setting -> defaults.set(setting.getKey(), setting.getValue()));
    for (Configuration conf : List.of(site, defaults)) {
      assertFalse(isHeard(conf, serveObjects(conf)), conf.toString());
      assertTrue(RpcSecurity.isPrivate(conf));
      assertEquals("", RpcSecurity.warning(conf));
    }
    assertEquals("authentication", defaults.get("hadoop.rpc.protection"), "to all others");
  }

  @Test
  void privacyIsNotNegotiatedAway() throws Exception {
    Configuration weak = siteWith("hadoop.rpc.protection", "authentication");
    assertFalse(isHeard(weak, serveObjects(siteWith("hadoop.rpc.protection", "privacy"))));
    assertFalse(isHeard(weak, serveObjects(site)));
    String address = serveObjects(weak);
    refusal(() -> callerSeen(kdc.logIn("alice"), address)); // who takes nothing less
  }

  @Test
  void whoLetsOthersReadIsToldAtTheStart() {
    for (String protection : List.of("authentication", "integrity", "privacy,authentication")) {
      Configuration weak = siteWith("hadoop.rpc.protection", protection);
      assertFalse(RpcSecurity.isPrivate(weak));
      assertTrue(RpcSecurity.warning(weak).contains("hadoop.rpc.protection = " + protection));
    }
    for (String protection : List.of("privacy", "Privacy, privacy")) {
      assertEquals("", RpcSecurity.warning(siteWith("hadoop.rpc.protection", protection)));
    }
    Configuration off = siteWith(Keys.SECURITY_ENABLED.name(), "false");
    assertEquals("", RpcSecurity.warning(off), "Exposure speaks of that");
  }

  @Test
  void gatewaysActForThoseTheyMay() throws Exception {
    String address = serveObjects(site);
    UserGroupInformation gateway = kdc.logIn("s3/localhost");
    assertEquals(
        "alice", callerSeen(UserGroupInformation.createProxyUser("alice", gateway), address));
    for (UserGroupInformation forged :
        List.of(
            UserGroupInformation.createProxyUser("ann", gateway),
            UserGroupInformation.createProxyUser("ann", kdc.logIn("alice")))) {
      String why = refusal(() -> callerSeen(forged, address));
      assertTrue(why.contains("not allowed to impersonate ann"), why);
    }
  }

  @Test
  void administratorsAreThoseNamedAndTheServiceItself() throws Exception {
    Administrators administrators =
        om.user()
            .doAs((PrivilegedExceptionAction<Administrators>) () -> Administrators.of(config()));
    assertTrue(administrators.include(kdc.logIn("ann")));
    assertTrue(administrators.include(om.user()));
    assertFalse(administrators.include(kdc.logIn("alice")));
    assertFalse(administrators.include(scm.user()));
  }

  @Test
  void aStartThatCannotLogInSaysWhy() throws Exception {
    Configuration conf = siteWith(Keys.OM_KEYTAB.name(), directory.resolve("none").toString());
    assertTrue(startRefusal(conf).contains("none cannot be read"));
    conf = siteWith(Keys.OM_PRINCIPAL.name(), "nobody/_HOST" + REALM);
    assertTrue(startRefusal(conf).contains("nobody/localhost"), () -> "names the principal");
    conf = siteWith(Keys.OM_PRINCIPAL.name(), "");
    assertTrue(startRefusal(conf).contains(Keys.OM_PRINCIPAL.name() + " is not set"));
  }

  private static String startRefusal(Configuration conf) {
    StoreException e =
        assertThrows(
            StoreException.class,
            () ->
                KerberosLogin.login(
                    KerberosLogin.Role.OBJECT_MANAGER, SiteConfiguration.stowage(conf), conf));
    assertEquals(ErrorCode.BAD_CONFIGURATION, e.code());
    return e.getMessage();
  }
}

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
package io.stowage.om.delegation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.stowage.common.access.AuditLog;
import io.stowage.common.access.Authorizer;
import io.stowage.common.access.RefusedLogins;
import io.stowage.common.access.StoreRules;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.delegation.DelegationTokenIdentifier;
import io.stowage.common.delegation.DelegationTokenSelector;
import io.stowage.common.delegation.DelegationTokens;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.CancelTokenRequest;
import io.stowage.common.proto.DelegationToken;
import io.stowage.common.proto.GetBucketReply;
import io.stowage.common.proto.GetBucketRequest;
import io.stowage.common.proto.GetIdentityReply;
import io.stowage.common.proto.GetIdentityRequest;
import io.stowage.common.proto.GetSecretReply;
import io.stowage.common.proto.GetSecretRequest;
import io.stowage.common.proto.IssueTokenRequest;
import io.stowage.common.proto.ListBucketsReply;
import io.stowage.common.proto.ListBucketsRequest;
import io.stowage.common.proto.RenewTokenRequest;
import io.stowage.common.rpc.KerberosLogin;
import io.stowage.common.rpc.RpcClient;
import io.stowage.common.rpc.RpcProtocol;
import io.stowage.common.rpc.RpcServer;
import io.stowage.common.rpc.SiteConfiguration;
import io.stowage.common.rpc.TestKdc;
import io.stowage.common.secret.SecretSeal;
import io.stowage.common.time.ManualClock;
import io.stowage.common.time.StoreClock;
import io.stowage.om.VisitorsOfCalls;
import io.stowage.om.door.Door;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.row.Stamps;
import io.stowage.om.table.Column;
import io.stowage.om.table.ForwardingRowStore;
import io.stowage.om.table.MemoryRowStore;
import io.stowage.om.table.Row;
import io.stowage.om.table.RowStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PrivilegedExceptionAction;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.ipc.Server;
import org.apache.hadoop.security.KerberosInfo;
import org.apache.hadoop.security.SecurityInfo;
import org.apache.hadoop.security.SecurityUtil;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.security.token.Token;
import org.apache.hadoop.security.token.TokenInfo;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.Message;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Two object managers' RPC servers that share a table, with a KDC, real tickets and real sockets:
 * what somebody can do who has a token and no ticket. In a JVM of its own.
 */
class SecureTokensTest {
  private static final String REALM = "@" + TestKdc.REALM;

  @TempDir private static Path directory;
  private static TestKdc kdc;
  private static Configuration site;
  private static KerberosLogin om;
  private static VisitorsOfCalls visitors;

  private final List<AutoCloseable> open = new ArrayList<>();
  private final ManualClock clock = new ManualClock(1_700_000_000_000_000L);
  private final MemoryRowStore table = new MemoryRowStore();
  private volatile boolean tableOfOneIsAway;
  private volatile AuditLog audit = AuditLog.none();
  private String one;
  private String other;

  @BeforeAll
  static void startRealm() throws Exception {
    kdc = TestKdc.start(directory, 3_600);
    site = new Configuration(false);
    site.set(Keys.SECURITY_ENABLED.name(), "true");
    site.set(Keys.OM_PRINCIPAL.name(), "om/_HOST" + REALM);
    site.set(Keys.OM_KEYTAB.name(), kdc.keytab("om/localhost").toString());
    site.set("hadoop.rpc.protection", "privacy");
    site.set("hadoop.proxyuser.oozie.users", "alice,root");
    site.set("hadoop.proxyuser.oozie.hosts", "*");
    site.set(Keys.ADMINISTRATORS.name(), "root");
    site.set("hadoop.user.group.static.mapping.overrides", "carol=supergroup;alice=staff");
    StowageConfig config = SiteConfiguration.stowage(site);
    om = KerberosLogin.login(KerberosLogin.Role.OBJECT_MANAGER, config, site);
    visitors =
        om.user()
            .doAs((PrivilegedExceptionAction<VisitorsOfCalls>) () -> VisitorsOfCalls.with(config));
  }

  @AfterAll
  static void stopRealm() {
    om.close();
    kdc.close();
  }

  @BeforeEach
  void serve() throws Exception {
    one =
        serving(
            new ForwardingRowStore(table) {
              @Override
              public Row get(ByteString row, List<Column> columns) throws IOException {
                if (tableOfOneIsAway) {
                  throw new IOException("no region server");
                }
                return super.get(row, columns);
              }
            });
    other = serving(table);
  }

  @AfterEach
  void closeAll() throws Exception {
    SecurityUtil.setSecurityInfoProviders();
    for (int i = open.size() - 1; i >= 0; i--) { // clients first
      open.get(i).close();
    }
  }

  private String serving(RowStore store) throws Exception {
    DelegationSecrets secrets =
        new DelegationSecrets(
            new RowCommitter(store, clock, duration -> {}, Duration.ofSeconds(60)),
            new Stamps(clock, Duration.ofSeconds(10)),
            clock,
            SecretSeal.NONE,
            new DelegationSettings(
                Duration.ofDays(7),
                Duration.ofDays(1),
                Duration.ofDays(1),
                Duration.ofSeconds(10)));
    RpcServer server =
        om.user()
            .doAs(
                (PrivilegedExceptionAction<RpcServer>)
                    () ->
                        RpcServer.create(
                                site,
                                "localhost:0",
                                2,
                                RpcProtocol.OBJECT_MANAGER,
                                naming(secrets),
                                secrets)
                            .add(
                                site,
                                RpcProtocol.DELEGATION_TOKENS,
                                visitors.noted(new TokenDesk(secrets, () -> {}), door()))
                            .start());
    open.add(server);
    return "localhost:" + server.address().getPort();
  }

  /** An object manager that answers with its caller's name, and all else as its door has it. */
  private ObjectManager naming(DelegationSecrets secrets) {
    return (ObjectManager)
        Proxy.newProxyInstance(
            ObjectManager.class.getClassLoader(),
            new Class<?>[] {ObjectManager.class},
            (proxy, method, args) -> {
              UserGroupInformation caller = Server.getRemoteUser();
              secrets.check(caller);
              if (!method.getName().equals("getBucket")) {
                return throughADoor(method.getName(), (Message) args[0]);
              }
              UserGroupInformation real = caller.getRealUser();
              return GetBucketReply.newBuilder()
                  .setBucket(
                      BucketInfo.newBuilder()
                          .setOwner(
                              caller.getShortUserName()
                                  + (real == null ? "" : " by " + real.getShortUserName())))
                  .build();
            });
  }

  /** Behind it each call is answered with nothing, and a listing of buckets with whose it shows. */
  private Object throughADoor(String name, Message request) throws Throwable {
    return door()
        .pass(
            name,
            request,
            visitors.get(),
            allowed ->
                allowed instanceof ListBucketsRequest list
                    ? ListBucketsReply.newBuilder()
                        .addBuckets(BucketInfo.newBuilder().setOwner(list.getOwner()))
                        .build()
                    : allowed instanceof GetSecretRequest
                        ? GetSecretReply.getDefaultInstance()
                        : GetIdentityReply.getDefaultInstance());
  }

  /** To an object manager that knows no users of S3. */
  private Door door() {
    ObjectManager noUsers =
        (ObjectManager)
            Proxy.newProxyInstance(
                ObjectManager.class.getClassLoader(),
                new Class<?>[] {ObjectManager.class},
                (proxy, method, args) -> {
                  throw new StoreException(ErrorCode.ACCESS_DENIED, "no such user");
                });
    return new Door(
        noUsers,
        new Authorizer(new StoreRules(), audit),
        null,
        Duration.ofMinutes(15),
        StoreClock.system(),
        new Door.Rates(0, 0, 0));
  }

  private <T, P> T client(UserGroupInformation user, RpcProtocol<T, P> protocol, String... at)
      throws Exception {
    RpcClient<T> client =
        user.doAs(
            (PrivilegedExceptionAction<RpcClient<T>>)
                () ->
                    RpcClient.create(
                        protocol,
                        site,
                        List.of(at),
                        Duration.ofSeconds(10),
                        at.length == 1 ? Duration.ZERO : Duration.ofSeconds(10)));
    open.add(client);
    return client.api();
  }

  private static String nameSeen(ObjectManager objectManager) throws StoreException {
    return objectManager
        .getBucket(GetBucketRequest.newBuilder().setName("b").build())
        .getBucket()
        .getOwner();
  }

  private DelegationToken issue(UserGroupInformation user, String renewer) throws Exception {
    return client(user, RpcProtocol.DELEGATION_TOKENS, one)
        .issueToken(IssueTokenRequest.newBuilder().setRenewer(renewer).build())
        .getToken();
  }

  /** A process on a worker: no ticket, some user of the machine, a token. */
  private UserGroupInformation worker(DelegationToken token, String... at) {
    UserGroupInformation user = UserGroupInformation.createRemoteUser("yarn");
    assertTrue(
        user.addToken(
            new Token<DelegationTokenIdentifier>(
                token.getIdentifier().toByteArray(),
                token.getPassword().toByteArray(),
                DelegationTokenIdentifier.KIND,
                DelegationTokenSelector.service(List.of(at)))));
    return user;
  }

  private UserGroupInformation worker(DelegationToken token) {
    return worker(token, one, other);
  }

  private interface Call {
    void run() throws Exception;
  }

  private static String denied(Call call) {
    StoreException e = assertThrows(StoreException.class, call::run);
    assertEquals(ErrorCode.ACCESS_DENIED, e.code(), e.toString());
    return e.getMessage();
  }

  private String seenBy(UserGroupInformation user, String at) throws Exception {
    return nameSeen(client(user, RpcProtocol.OBJECT_MANAGER, at));
  }

  @Test
  void withATokenAndNoTicketACallerIsItsOwnerAtEveryObjectManager() throws Exception {
    denied(() -> seenBy(UserGroupInformation.createRemoteUser("yarn"), one));
    DelegationToken token = issue(kdc.logIn("alice"), "rm");
    assertEquals("alice", seenBy(worker(token), one));
    assertEquals("alice", seenBy(worker(token), other));
  }

  @Test
  void aTokenSurvivesTheObjectManagerThatIssuedIt() throws Exception {
    UserGroupInformation alice = kdc.logIn("alice");
    DelegationToken token = issue(alice, "alice");
    ObjectManager both = client(worker(token), RpcProtocol.OBJECT_MANAGER, one, other);
    assertEquals("alice", nameSeen(both));
    open.get(0).close(); // one's server
    assertEquals("alice", nameSeen(both));
    var renewed =
        client(alice, RpcProtocol.DELEGATION_TOKENS, one, other)
            .renewToken(RenewTokenRequest.newBuilder().setToken(token).build());
    assertTrue(renewed.getExpiryMicros() > clock.wallMicros());
  }

  @Test
  void anObjectManagerWithoutItsTableSendsCallersToTheNext() throws Exception {
    DelegationToken token = issue(kdc.logIn("alice"), "rm");
    tableOfOneIsAway = true;
    StoreException e = assertThrows(StoreException.class, () -> seenBy(worker(token), one));
    assertEquals(ErrorCode.UNAVAILABLE, e.code(), e.toString());
    assertEquals("alice", nameSeen(client(worker(token), RpcProtocol.OBJECT_MANAGER, one, other)));
  }

  @Test
  void aTokenIsShownToItsClusterOnly() throws Exception {
    DelegationToken token = issue(kdc.logIn("alice"), "rm");
    String why = denied(() -> seenBy(worker(token, one), other));
    assertTrue(why.contains("yarn"), why);
  }

  /** Configurations of jobs that start later name it, tokens do not. */
  @Test
  void aTokenIsShownToAnObjectManagerThatCameLater() throws Exception {
    DelegationToken token = issue(kdc.logIn("alice"), "rm");
    UserGroupInformation job = worker(token, one); // all that there were
    ObjectManager both = client(job, RpcProtocol.OBJECT_MANAGER, one, other);
    open.get(0).close(); // one's server
    assertEquals("alice", nameSeen(both));
    assertEquals(
        List.of(DelegationTokenSelector.service(List.of(one))),
        job.getCredentials().getAllTokens().stream().map(Token::getService).toList(),
        "what the job's own jobs inherit");
  }

  /** Whoever runs a job for longer than a token lives gives it another, beside the first. */
  @Test
  void aConnectionInUseGoesOnWithATokenThatCameLater() throws Exception {
    UserGroupInformation alice = kdc.logIn("alice");
    UserGroupInformation job = worker(issue(alice, ""), one);
    ObjectManager inUse = client(job, RpcProtocol.OBJECT_MANAGER, one, other);
    assertEquals("alice", nameSeen(inUse));
    clock.advance(Duration.ofHours(25));
    assertTrue(denied(() -> nameSeen(inUse)).contains("expired"));
    DelegationToken next = issue(alice, "");
    assertTrue(
        job.addToken(
            new Token<DelegationTokenIdentifier>(
                next.getIdentifier().toByteArray(),
                next.getPassword().toByteArray(),
                DelegationTokenIdentifier.KIND,
                DelegationTokenSelector.service(List.of(one, other)))));
    assertEquals(2, job.getCredentials().numberOfTokens(), "the old one is there, too");
    assertEquals("alice", nameSeen(inUse));
    assertEquals("alice", seenBy(job, one));
    open.get(0).close(); // one's server
    assertEquals("alice", nameSeen(inUse));
  }

  /** No call of ours is reached, and still it is written down who came with what. */
  @Test
  void whoCannotShowWhoHeIsIsWrittenDown() throws Exception {
    Path file = directory.resolve("audit.log");
    UserGroupInformation alice = kdc.logIn("alice");
    DelegationToken token = issue(alice, "rm");
    var unused =
        client(alice, RpcProtocol.DELEGATION_TOKENS, one)
            .cancelToken(CancelTokenRequest.newBuilder().setToken(token).build());
    DelegationToken other = issue(alice, "rm");
    byte[] password = other.getPassword().toByteArray();
    password[0] ^= 1;
    DelegationToken forged = other.toBuilder().setPassword(ByteString.copyFrom(password)).build();
    try (AuditLog audit = AuditLog.to(StoreClock.system(), file, 1 << 20, 1);
        RefusedLogins heard = RefusedLogins.into(audit)) {
      denied(() -> seenBy(worker(token), one));
      denied(() -> seenBy(worker(forged), one));
    }
    List<String> lines = Files.readAllLines(file);
    assertEquals(2, lines.size(), lines::toString);
    for (String line : lines) {
      assertTrue(line.contains("\"from\":\"127.0.0.1\""), line);
      assertTrue(line.contains("\"action\":\"authenticate\",\"allowed\":false"), line);
    }
    assertTrue(lines.get(0).contains("it was cancelled"), lines.get(0));
  }

  @Test
  void howACallerHasShownWhoHeIsIsWrittenDown() throws Exception {
    Path file = directory.resolve("known.log");
    try (AuditLog log = AuditLog.to(StoreClock.system(), file, 1 << 20, 1)) {
      audit = log;
      one = serving(table);
      UserGroupInformation alice = kdc.logIn("alice");
      UserGroupInformation oozie = kdc.logIn("oozie");
      UserGroupInformation proxied = UserGroupInformation.createProxyUser("alice", oozie);
      DelegationToken hers = issue(alice, "rm");
      DelegationToken lent = issue(proxied, "rm");
      for (UserGroupInformation caller : List.of(alice, worker(hers), proxied, worker(lent))) {
        assertEquals("alice", bucketsSeenBy(caller));
      }
      CancelTokenRequest cancel = CancelTokenRequest.newBuilder().setToken(hers).build();
      denied(
          () -> client(kdc.logIn("bob"), RpcProtocol.DELEGATION_TOKENS, one).cancelToken(cancel));
    }
    assertEquals(
        List.of(
            "alice by KERBEROS: stowage:issueToken true",
            "alice by PROXY by oozie (KERBEROS): stowage:issueToken true",
            "alice by KERBEROS: s3:ListAllMyBuckets true",
            "alice by TOKEN: s3:ListAllMyBuckets true",
            "alice by PROXY by oozie (KERBEROS): s3:ListAllMyBuckets true",
            "alice by PROXY by oozie (TOKEN): s3:ListAllMyBuckets true",
            "bob by KERBEROS: stowage:cancelToken false"),
        Files.readAllLines(file).stream().map(SecureTokensTest::inShort).toList());
  }

  private static String inShort(String line) {
    try {
      JsonNode json = new ObjectMapper().readTree(line);
      assertEquals("127.0.0.1", json.get("from").asText());
      return json.get("user").asText()
          + " by "
          + json.get("authenticated").asText()
          + ": "
          + json.get("action").asText()
          + " "
          + json.get("allowed").asText();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void aForgedTokenIsRefused() throws Exception {
    DelegationToken token = issue(kdc.logIn("alice"), "rm");
    byte[] password = token.getPassword().toByteArray();
    password[0] ^= 1;
    denied(
        () ->
            seenBy(
                worker(token.toBuilder().setPassword(ByteString.copyFrom(password)).build()), one));
    byte[] identifier = token.getIdentifier().toByteArray();
    identifier[identifier.length - 1] ^= 1; // another's id
    denied(
        () ->
            seenBy(
                worker(token.toBuilder().setIdentifier(ByteString.copyFrom(identifier)).build()),
                one));
  }

  @Test
  void cancelledItOpensNothingAndOpenConnectionsEnd() throws Exception {
    UserGroupInformation alice = kdc.logIn("alice");
    DelegationToken token = issue(alice, "rm");
    ObjectManager inUse = client(worker(token), RpcProtocol.OBJECT_MANAGER, other);
    assertEquals("alice", nameSeen(inUse));
    CancelTokenRequest cancel = CancelTokenRequest.newBuilder().setToken(token).build();
    denied(() -> client(kdc.logIn("bob"), RpcProtocol.DELEGATION_TOKENS, one).cancelToken(cancel));
    assertEquals("alice", seenBy(worker(token), other));
    var unused = client(alice, RpcProtocol.DELEGATION_TOKENS, one).cancelToken(cancel);
    for (String at : List.of(one, other)) {
      String why = denied(() -> seenBy(worker(token), at));
      assertTrue(why.contains("cancelled"), why);
    }
    clock.advance(DelegationSecrets.LOOK);
    assertTrue(denied(() -> nameSeen(inUse)).contains("cancelled"));
  }

  @Test
  void theRenewerRenewsItAndNobodyElse() throws Exception {
    DelegationToken token = issue(kdc.logIn("alice"), "rm/host" + REALM); // known by its user
    RenewTokenRequest renew = RenewTokenRequest.newBuilder().setToken(token).build();
    clock.advance(Duration.ofHours(20));
    for (String wrong : List.of("bob", "alice")) {
      String why =
          denied(
              () ->
                  client(kdc.logIn(wrong), RpcProtocol.DELEGATION_TOKENS, other).renewToken(renew));
      assertTrue(why.contains("not its renewer"), why);
    }
    var unused =
        client(kdc.logIn("rm/host"), RpcProtocol.DELEGATION_TOKENS, other).renewToken(renew);
    clock.advance(Duration.ofHours(20));
    assertEquals("alice", seenBy(worker(token), one));
    clock.advance(Duration.ofHours(4));
    String why = denied(() -> seenBy(worker(token), one));
    assertTrue(why.contains("expired"), why);
  }

  @Test
  void aRolledKeyLeavesTokensOfBefore() throws Exception {
    UserGroupInformation alice = kdc.logIn("alice");
    DelegationToken before = issue(alice, "alice");
    clock.advance(Duration.ofHours(23));
    DelegationTokens desk = client(alice, RpcProtocol.DELEGATION_TOKENS, other);
    var renewed = desk.renewToken(RenewTokenRequest.newBuilder().setToken(before).build());
    assertTrue(renewed.getExpiryMicros() > clock.wallMicros());
    clock.advance(Duration.ofHours(2));
    DelegationToken after = desk.issueToken(IssueTokenRequest.getDefaultInstance()).getToken();
    assertTrue(
        read(before).getMasterKeyId() != read(after).getMasterKeyId(), "signed by another key");
    for (String at : List.of(one, other)) {
      assertEquals("alice", seenBy(worker(before), at));
      assertEquals("alice", seenBy(worker(after), at));
    }
  }

  private static DelegationTokenIdentifier read(DelegationToken token) throws IOException {
    return new Token<DelegationTokenIdentifier>(
            token.getIdentifier().toByteArray(),
            token.getPassword().toByteArray(),
            DelegationTokenIdentifier.KIND,
            DelegationTokenSelector.service(List.of("localhost:1")))
        .decodeIdentifier(); // by the service file
  }

  @Test
  void whoActsForAnotherGetsAndUsesATokenInHisName() throws Exception {
    UserGroupInformation oozie = kdc.logIn("oozie");
    DelegationToken token = issue(UserGroupInformation.createProxyUser("alice", oozie), "rm");
    assertEquals("alice by oozie", seenBy(worker(token), other));
    String why = denied(() -> issue(UserGroupInformation.createProxyUser("ann", oozie), "rm"));
    assertTrue(why.contains("not allowed to impersonate ann"), why);
  }

  @Test
  void whoCameWithATokenGetsNone() throws Exception {
    DelegationToken token = issue(kdc.logIn("alice"), "alice");
    denied(() -> issue(worker(token), "alice")); // a client of ours does not even show it
    SecurityUtil.setSecurityInfoProviders(new EverywhereTokens());
    DelegationTokens desk = client(worker(token), RpcProtocol.DELEGATION_TOKENS, one);
    for (Call call :
        List.<Call>of(
            () -> desk.issueToken(IssueTokenRequest.getDefaultInstance()),
            () -> desk.renewToken(RenewTokenRequest.newBuilder().setToken(token).build()),
            () -> desk.cancelToken(CancelTokenRequest.newBuilder().setToken(token).build()))) {
      String why = denied(call);
      assertTrue(why.contains("has no ticket (TOKEN)"), why);
    }
  }

  /** He could come by secrets and keys that outlive what was lent. */
  @Test
  void whoHasWhatAnAdministratorLentIsNone() throws Exception {
    UserGroupInformation root = kdc.logIn("root");
    GetIdentityRequest anybodys = GetIdentityRequest.newBuilder().setAccessKey("k").build();
    GetSecretRequest own = GetSecretRequest.getDefaultInstance();
    ObjectManager shown = client(root, RpcProtocol.OBJECT_MANAGER, one);
    assertEquals(GetIdentityReply.getDefaultInstance(), shown.getIdentity(anybodys));
    assertEquals(GetSecretReply.getDefaultInstance(), shown.getSecret(own));
    UserGroupInformation proxied = UserGroupInformation.createProxyUser("root", kdc.logIn("oozie"));
    for (UserGroupInformation lent :
        List.of(worker(issue(root, "rm")), proxied, worker(issue(proxied, "rm")))) {
      ObjectManager job = client(lent, RpcProtocol.OBJECT_MANAGER, other);
      assertTrue(nameSeen(job).startsWith("root"), lent::toString);
      for (Call call : List.<Call>of(() -> job.getIdentity(anybodys), () -> job.getSecret(own))) {
        String why = denied(call);
        assertTrue(why.contains("root") && why.contains("no Kerberos ticket"), why);
      }
    }
    ObjectManager user = client(kdc.logIn("alice"), RpcProtocol.OBJECT_MANAGER, one);
    assertTrue(denied(() -> user.getIdentity(anybodys)).contains("no administrator"));
    assertEquals(GetSecretReply.getDefaultInstance(), user.getSecret(own));
  }

  /** Whose buckets somebody is shown who asks for all there are. */
  private String bucketsSeenBy(UserGroupInformation user) throws Exception {
    return client(user, RpcProtocol.OBJECT_MANAGER, one)
        .listBuckets(ListBucketsRequest.getDefaultInstance())
        .getBuckets(0)
        .getOwner();
  }

  @Test
  void whoIsInTheSuperusersGroupIsOneAlsoByAToken() throws Exception {
    UserGroupInformation carol = kdc.logIn("carol");
    assertEquals("alice", bucketsSeenBy(kdc.logIn("alice")));
    assertEquals("", bucketsSeenBy(carol), "everybody's");
    assertEquals("", bucketsSeenBy(worker(issue(carol, "rm"))));
    ObjectManager hers = client(carol, RpcProtocol.OBJECT_MANAGER, one);
    String why = denied(() -> hers.getIdentity(GetIdentityRequest.getDefaultInstance()));
    assertTrue(why.contains("no administrator"), why);
  }

  @Test
  void whatIsNoTokenIsRefused() throws Exception {
    DelegationTokens desk = client(kdc.logIn("alice"), RpcProtocol.DELEGATION_TOKENS, one);
    StoreException e =
        assertThrows(
            StoreException.class,
            () ->
                desk.cancelToken(
                    CancelTokenRequest.newBuilder()
                        .setToken(
                            DelegationToken.newBuilder()
                                .setIdentifier(ByteString.copyFromUtf8("no token at all")))
                        .build()));
    assertEquals(ErrorCode.INVALID_ARGUMENT, e.code(), e.toString());
  }

  /** A client that shows its token whatever the protocol says. */
  private static final class EverywhereTokens extends SecurityInfo {
    @Override
    public KerberosInfo getKerberosInfo(Class<?> protocol, Configuration conf) {
      return protocol.getAnnotation(KerberosInfo.class);
    }

    @Override
    public TokenInfo getTokenInfo(Class<?> protocol, Configuration conf) {
      return RpcProtocol.ObjectManagerPb.class.getAnnotation(TokenInfo.class);
    }
  }
}

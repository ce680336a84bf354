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
package io.stowage.datanode.net;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.conf.ConfigKey;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.data.NetworkDatanodes;
import io.stowage.common.data.ShardService;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.TcpProxy;
import io.stowage.common.proto.ListShardsRequest;
import io.stowage.common.proto.ShardGrant;
import io.stowage.common.proto.TokenKey;
import io.stowage.common.proto.TokenKeys;
import io.stowage.common.time.StoreClock;
import io.stowage.common.tls.ClientTls;
import io.stowage.common.tls.ServerTls;
import io.stowage.common.tls.TestAuthority;
import io.stowage.common.tls.TestAuthority.Pem;
import io.stowage.common.token.Operation;
import io.stowage.common.token.ShardTokens;
import io.stowage.common.token.TokenChecks;
import io.stowage.common.token.TokenKeyRing;
import io.stowage.datanode.fault.SimulatedDisks;
import io.stowage.datanode.store.Shard;
import io.stowage.datanode.store.ShardStore;
import io.stowage.datanode.store.StoreSettings;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Who reaches whom on the data plane by which certificate, and what those hear who do not. */
class DataTlsTest {
  @TempDir private Path directory;
  private TestAuthority authority;
  private Path authorities;
  private Pem good;
  private ShardStore store;

  @BeforeEach
  void start() throws Exception {
    authority = new TestAuthority("authority");
    authorities = authority.write(directory.resolve("authorities.pem"));
    good = authority.issue(directory, "good", "127.0.0.1", "localhost");
    store =
        ShardStore.open(
            List.of(Path.of("/sim/d1")),
            new SimulatedDisks(),
            new StoreSettings(0, true, 64 << 20),
            StoreClock.system());
  }

  @AfterEach
  void stop() {
    store.close();
  }

  private static Map<ConfigKey<?>, String> settings(String mode, Pem own, Path authorities) {
    Map<ConfigKey<?>, String> settings = new HashMap<>();
    settings.put(Keys.TLS_MODE, mode);
    if (own != null) {
      settings.put(Keys.TLS_CERTIFICATE, own.certificate().toString());
      settings.put(Keys.TLS_KEY, own.key().toString());
    }
    if (authorities != null) {
      settings.put(Keys.TLS_AUTHORITIES, authorities.toString());
    }
    return settings;
  }

  private static StowageConfig config(Map<ConfigKey<?>, String> settings) throws Exception {
    Map<String, String> named = new HashMap<>();
    settings.forEach((key, value) -> named.put(key.name(), value));
    return StowageConfig.of(named);
  }

  private DataServer serve(Map<ConfigKey<?>, String> settings) throws Exception {
    return DataServer.start(
        new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
        ServerTls.from(config(settings)),
        new DataServer.Served(store, store),
        32 << 20);
  }

  /** One call by one client; null if it is answered. */
  private static StoreException call(
      DataServer server, String host, Map<ConfigKey<?>, String> client) throws Exception {
    try (NetworkDatanodes network =
        new NetworkDatanodes(ClientTls.from(config(client)), Duration.ofSeconds(15))) {
      return failureOf(network.datanode(host, server.port()), ByteString.EMPTY);
    }
  }

  private static StoreException failureOf(ShardService node, ByteString token) throws Exception {
    try {
      var unused = Shard.await(node.list(ListShardsRequest.newBuilder().setToken(token).build()));
      return null;
    } catch (StoreException e) {
      return e;
    }
  }

  private static void refused(StoreException failure, ErrorCode code, String why) {
    assertTrue(failure != null, "was served");
    assertEquals(code, failure.code(), failure.getMessage());
    assertTrue(failure.getMessage().contains(why), failure.getMessage());
  }

  private Map<ConfigKey<?>, String> client() {
    return settings("only", null, authorities);
  }

  @Test
  void aGoodCertificateIsBelievedUnderEachOfItsNames() throws Exception {
    try (DataServer server = serve(settings("only", good, authorities))) {
      assertEquals(null, call(server, "127.0.0.1", client()));
      assertEquals(null, call(server, "localhost", client()));
    }
  }

  @Test
  void whoListensHearsBytesAndTokensWithoutTlsAndNothingWithIt() throws Exception {
    byte[] sector = "what is written and read ".repeat(200).substring(0, 4_096).getBytes(US_ASCII);
    String token = "a token that allows to read it";
    for (boolean tls : List.of(false, true)) {
      Map<ConfigKey<?>, String> clear = settings("off", null, null);
      try (DataServer server = serve(tls ? settings("only", good, authorities) : clear);
          TcpProxy listener = TcpProxy.listeningTo("127.0.0.1:" + server.port());
          NetworkDatanodes network =
              new NetworkDatanodes(
                  ClientTls.from(config(tls ? client() : clear)), Duration.ofSeconds(15))) {
        ShardService node = network.datanode("127.0.0.1", listener.port());
        Shard shard = new Shard(node, store.diskInfos().get(0).getDiskId(), tls ? 1 : 2, 0);
        shard.open(1, 1);
        shard.write(1, 0, sector, 1);
        assertArrayEquals(sector, shard.read(1, 0, sector.length));
        assertNull(failureOf(node, ByteString.copyFromUtf8(token)));
        String heard = listener.heard();
        assertTrue(heard.length() > 2 * sector.length, heard.length() + " bytes");
        assertEquals(tls, !heard.contains("what is written and read"));
        assertEquals(tls, !heard.contains(token));
      }
    }
  }

  @Test
  void aCertificateOfNobodyKnownIsRefused() throws Exception {
    Pem foreign = new TestAuthority("authority").issue(directory, "foreign", "127.0.0.1");
    try (DataServer server = serve(settings("only", foreign, authorities))) {
      refused(
          call(server, "127.0.0.1", client()),
          ErrorCode.UNAVAILABLE,
          "nobody in stowage.tls.authorities vouches for its certificate");
      // nor by those whom the JDK trusts
      refused(
          call(server, "127.0.0.1", settings("only", null, null)),
          ErrorCode.UNAVAILABLE,
          "nobody in stowage.tls.authorities vouches for its certificate");
    }
  }

  @Test
  void anExpiredCertificateIsRefusedAndOneThatIsNotValidYet() throws Exception {
    Instant now = Instant.now();
    Duration day = Duration.ofDays(1);
    Pem old = authority.issue(directory, "old", now.minus(day), now.minusSeconds(60), "127.0.0.1");
    try (DataServer server = serve(settings("only", old, authorities))) {
      refused(
          call(server, "127.0.0.1", client()),
          ErrorCode.UNAVAILABLE,
          "its certificate has expired: NotAfter: ");
    }
    Pem early =
        authority.issue(directory, "early", now.plusSeconds(3600), now.plus(day), "127.0.0.1");
    try (DataServer server = serve(settings("only", early, authorities))) {
      refused(
          call(server, "127.0.0.1", client()),
          ErrorCode.UNAVAILABLE,
          "its certificate is not valid yet: NotBefore: ");
    }
  }

  @Test
  void aCertificateOfAnotherHostIsRefused() throws Exception {
    Pem other = authority.issue(directory, "other", "10.1.2.3", "datanode-7.example.com");
    try (DataServer server = serve(settings("only", other, authorities))) {
      refused(
          call(server, "127.0.0.1", client()),
          ErrorCode.UNAVAILABLE,
          "its certificate is for another host, or not good: No subject alternative names matching"
              + " IP address 127.0.0.1 found");
      refused(
          call(server, "localhost", client()),
          ErrorCode.UNAVAILABLE,
          "its certificate is for another host, or not good: No subject alternative DNS name"
              + " matching localhost found");
    }
  }

  @Test
  void plainTextAtATlsPortHearsSo() throws Exception {
    try (DataServer server = serve(settings("only", good, authorities))) {
      refused(
          call(server, "127.0.0.1", settings("off", null, null)),
          ErrorCode.ACCESS_DENIED,
          "this datanode speaks TLS only (stowage.tls.mode)");
    }
  }

  @Test
  void tlsAtAPlainTextPortHearsSo() throws Exception {
    try (DataServer server = serve(settings("off", null, null))) {
      refused(
          call(server, "127.0.0.1", client()),
          ErrorCode.UNAVAILABLE,
          "the connection ended in the TLS handshake; the other side may not speak TLS"
              + " (stowage.tls.mode)");
      assertEquals(null, call(server, "127.0.0.1", settings("off", null, null)));
    }
  }

  @Test
  void aClusterIsSwitchedStepByStep() throws Exception {
    List<String> modes = List.of("off", "accept", "speak", "only");
    for (int servers = 0; servers < modes.size(); servers++) {
      try (DataServer server = serve(settings(modes.get(servers), good, authorities))) {
        // those before and those behind by one step
        for (int clients = Math.max(0, servers - 1);
            clients <= Math.min(servers + 1, modes.size() - 1);
            clients++) {
          assertEquals(
              null,
              call(server, "127.0.0.1", settings(modes.get(clients), null, authorities)),
              modes.get(clients) + " at " + modes.get(servers));
        }
      }
    }
  }

  @Test
  void whoShowsNoCertificateOrAWrongOneIsRefusedWhereAllHaveTo() throws Exception {
    Map<ConfigKey<?>, String> settings = settings("only", good, authorities);
    settings.put(Keys.TLS_CLIENT_CERTIFICATES, "all");
    try (DataServer server = serve(settings)) {
      assertEquals(null, call(server, "127.0.0.1", settings("only", good, authorities)));
      refused(
          call(server, "127.0.0.1", client()),
          ErrorCode.UNAVAILABLE,
          "the other side wants a certificate that it believes");
      Pem foreign = new TestAuthority("another").issue(directory, "foreign", "127.0.0.1");
      refused(
          call(server, "127.0.0.1", settings("only", foreign, authorities)),
          ErrorCode.UNAVAILABLE,
          "the other side");
      Instant now = Instant.now();
      Pem old = authority.issue(directory, "old", now.minusSeconds(99), now.minusSeconds(9), "x");
      refused(
          call(server, "127.0.0.1", settings("only", old, authorities)),
          ErrorCode.UNAVAILABLE,
          "the other side");
      refused(
          call(server, "127.0.0.1", settings("off", null, null)),
          ErrorCode.ACCESS_DENIED,
          "TLS only");
    }
  }

  @Test
  void aServicesTokenNeedsACertificateAndAUsersDoesNot() throws Exception {
    TokenKeyRing keys = new TokenKeyRing();
    keys.take(
        TokenKeys.newBuilder()
            .setVersion(1)
            .addKeys(
                TokenKey.newBuilder()
                    .setId(7)
                    .setSecret(ByteString.copyFrom(new byte[32]))
                    .setUntilMicros(Long.MAX_VALUE))
            .build());
    ShardTokens tokens = new ShardTokens(keys, StoreClock.system());
    Map<ConfigKey<?>, String> settings = settings("only", good, authorities);
    settings.put(Keys.TLS_CLIENT_CERTIFICATES, "services");
    settings.put(Keys.SECURITY_ENABLED, "true");
    ServerTls tls = ServerTls.from(config(settings));
    assertTrue(tls.wantsCertificatesOfServices());
    ShardGrant.Builder grant =
        ShardGrant.newBuilder()
            .setUser("gateway")
            .setExpiryMicros(StoreClock.system().wallMicros() + 60_000_000)
            .setOperations(Operation.all(Operation.values()));
    ByteString service = tokens.sign(grant.setService(true).build());
    ByteString user = tokens.sign(grant.setService(false).setContainer(5).setUser("alice").build());
    try (DataServer server =
            DataServer.start(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                tls,
                new DataServer.Served(
                    new CheckedShards(store, new TokenChecks(tokens)),
                    new CheckedShards(store, TokenChecks.ofUsers(tokens))),
                32 << 20);
        NetworkDatanodes certified =
            new NetworkDatanodes(ClientTls.from(config(settings("only", good, authorities))));
        NetworkDatanodes job = new NetworkDatanodes(ClientTls.from(config(client())))) {
      ShardService toService = certified.datanode("127.0.0.1", server.port());
      ShardService toJob = job.datanode("127.0.0.1", server.port());
      assertEquals(null, failureOf(toService, service));
      refused(
          failureOf(toJob, service),
          ErrorCode.ACCESS_DENIED,
          "it is a service's, and the connection has shown no certificate");
      // A user's token is looked at as ever: it lists nothing, but may look at its container.
      refused(failureOf(toJob, user), ErrorCode.ACCESS_DENIED, "does not allow LIST");
      Shard shard = new Shard(toJob, store.diskInfos().get(0).getDiskId(), 5, 0);
      StoreException none =
          Shard.failure(
              toJob.stat(
                  io.stowage.common.proto.StatShardRequest.newBuilder()
                      .setShard(shard.key())
                      .setToken(user)
                      .build()));
      assertEquals(ErrorCode.NO_SUCH_SHARD, none.code(), none.getMessage());
    }
  }

  @Test
  void anAuthorityThatIsTakenOutEndsOpenConnections() throws Exception {
    TestAuthority other = new TestAuthority("other");
    Pem stolen = other.issue(directory, "stolen", "127.0.0.1");
    String alone = Files.readString(authorities);
    Path believed =
        Files.writeString(
            directory.resolve("believed.pem"),
            alone + Files.readString(other.write(directory.resolve("other.pem"))));
    Map<ConfigKey<?>, String> settings = settings("only", good, believed);
    settings.put(Keys.TLS_CLIENT_CERTIFICATES, "services");
    settings.put(Keys.SECURITY_ENABLED, "true");
    ShardTokens noKeys = new ShardTokens(new TokenKeyRing(), StoreClock.system());
    try (DataServer server =
            DataServer.start(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                ServerTls.from(config(settings)),
                new DataServer.Served(store, new CheckedShards(store, new TokenChecks(noKeys))),
                32 << 20);
        NetworkDatanodes thief =
            new NetworkDatanodes(ClientTls.from(config(settings("only", stolen, authorities))));
        NetworkDatanodes gateway =
            new NetworkDatanodes(ClientTls.from(config(settings("only", good, authorities))))) {
      ShardService byThief = thief.datanode("127.0.0.1", server.port());
      ShardService byGateway = gateway.datanode("127.0.0.1", server.port());
      for (int i = 0; i < 4; i++) { // over each of their connections
        assertEquals(null, failureOf(byThief, ByteString.EMPTY));
        assertEquals(null, failureOf(byGateway, ByteString.EMPTY));
      }
      Files.writeString(directory.resolve("next.pem"), alone);
      Files.move(directory.resolve("next.pem"), believed, StandardCopyOption.REPLACE_EXISTING);
      long deadline = System.nanoTime() + 20_000_000_000L;
      int refusals = 0;
      while (refusals < 4 && System.nanoTime() < deadline) {
        refusals = failureOf(byThief, ByteString.EMPTY) == null ? 0 : refusals + 1;
        assertEquals(null, failureOf(byGateway, ByteString.EMPTY), "vouched for as ever");
      }
      assertEquals(4, refusals, "an open connection is a service's for ever");
      // On new ones it is nobody.
      refused(failureOf(byThief, ByteString.EMPTY), ErrorCode.ACCESS_DENIED, "");
    }
  }

  @Test
  void aClientLeavesADatanodeForWhichNobodyVouchesAnyMore() throws Exception {
    String alone = Files.readString(authorities);
    Path other = new TestAuthority("other").write(directory.resolve("other.pem"));
    Path believed = Files.writeString(directory.resolve("believed.pem"), alone);
    try (DataServer server = serve(settings("only", good, authorities));
        NetworkDatanodes network =
            new NetworkDatanodes(ClientTls.from(config(settings("only", null, believed))))) {
      ShardService node = network.datanode("127.0.0.1", server.port());
      for (int i = 0; i < 4; i++) { // over each of its connections
        assertEquals(null, failureOf(node, ByteString.EMPTY));
      }
      Files.move(other, believed, StandardCopyOption.REPLACE_EXISTING);
      long deadline = System.nanoTime() + 20_000_000_000L;
      int refusals = 0;
      while (refusals < 4 && System.nanoTime() < deadline) {
        refusals = failureOf(node, ByteString.EMPTY) == null ? 0 : refusals + 1;
      }
      assertEquals(4, refusals, "an open connection is used on");
      assertEquals(null, call(server, "127.0.0.1", client()), "who believes it as ever");
    }
  }

  @Test
  void changedFilesAreReadAgainOnBothSides() throws Exception {
    TestAuthority next = new TestAuthority("next");
    Pem own = authority.issue(directory, "own", "127.0.0.1");
    try (DataServer server = serve(settings("only", own, authorities))) {
      ClientTls old = ClientTls.from(config(client()));
      assertEquals(null, callBy(old, server));
      // Another certificate, of another authority, under the server's names.
      Pem replaced = next.issue(directory, "own", "127.0.0.1");
      assertEquals(own, replaced);
      long deadline = System.nanoTime() + 20_000_000_000L;
      StoreException failure = null;
      while (failure == null && System.nanoTime() < deadline) {
        failure = callBy(old, server);
      }
      refused(failure, ErrorCode.UNAVAILABLE, "vouches for its certificate");
      // The client learns of the authority.
      Path both = directory.resolve("both.pem");
      Files.writeString(
          both,
          Files.readString(authorities)
              + Files.readString(next.write(directory.resolve("next.pem"))));
      Files.move(both, authorities, StandardCopyOption.REPLACE_EXISTING);
      deadline = System.nanoTime() + 20_000_000_000L;
      while (failure != null && System.nanoTime() < deadline) {
        failure = callBy(old, server);
      }
      assertEquals(null, failure);
    }
  }

  private static StoreException callBy(ClientTls client, DataServer server) throws Exception {
    try (NetworkDatanodes network = new NetworkDatanodes(client, Duration.ofSeconds(15))) {
      return failureOf(network.datanode("127.0.0.1", server.port()), ByteString.EMPTY);
    }
  }

  @Test
  void settingsThatMeanNothingStopTheStart() throws Exception {
    Map<ConfigKey<?>, String> unfit = settings("only", good, authorities);
    unfit.put(Keys.TLS_CLIENT_CERTIFICATES, "services"); // without security
    cannot(unfit, "stowage.tls.client-certificates without stowage.security.enabled");
    unfit.put(Keys.SECURITY_ENABLED, "true");
    unfit.put(Keys.TLS_MODE, "speak");
    cannot(unfit, "stowage.tls.client-certificates without stowage.tls.mode = only");
    unfit.put(Keys.TLS_MODE, "only");
    unfit.remove(Keys.TLS_AUTHORITIES);
    cannot(unfit, "stowage.tls.client-certificates without stowage.tls.authorities");
    unfit.put(Keys.TLS_CLIENT_CERTIFICATES, "some");
    cannot(unfit, "stowage.tls.client-certificates = 'some': none, services or all");
    cannot(settings("on", good, null), "stowage.tls.mode = 'on': off, accept, speak or only");
    cannot(
        settings("only", null, authorities),
        "stowage.tls.mode = only without stowage.tls.certificate and stowage.tls.key");
    Map<ConfigKey<?>, String> half = settings("only", good, authorities);
    half.remove(Keys.TLS_KEY);
    cannot(half, "stowage.tls.certificate and stowage.tls.key: one without the other");
    Files.writeString(good.key(), "no key");
    StoreException e =
        assertThrows(
            StoreException.class, () -> ServerTls.from(config(settings("only", good, null))));
    assertTrue(e.getMessage().startsWith("Cannot serve TLS with "), e.getMessage());
    Map<ConfigKey<?>, String> nobody = settings("only", null, directory.resolve("none.pem"));
    e = assertThrows(StoreException.class, () -> ClientTls.from(config(nobody)));
    assertTrue(e.getMessage().startsWith("Cannot reach datanodes by TLS with "), e.getMessage());
  }

  private static void cannot(Map<ConfigKey<?>, String> settings, String what) {
    StoreException e = assertThrows(StoreException.class, () -> ServerTls.from(config(settings)));
    assertEquals(ErrorCode.BAD_CONFIGURATION, e.code());
    assertEquals("Cannot use " + what, e.getMessage());
  }
}

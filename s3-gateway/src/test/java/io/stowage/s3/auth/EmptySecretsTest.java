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
package io.stowage.s3.auth;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.handler.codec.http.DefaultHttpHeadersFactory;
import io.netty.handler.codec.http.HttpHeaders;
import io.stowage.client.twin.InMemoryObjectManager;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.CreateUserRequest;
import io.stowage.common.proto.Entity;
import io.stowage.common.proto.EntityKind;
import io.stowage.common.proto.GetIdentityRequest;
import io.stowage.common.proto.Identity;
import io.stowage.common.proto.PutEntityRequest;
import io.stowage.common.proto.PutIdentityRequest;
import io.stowage.common.proto.SessionToken;
import io.stowage.common.proto.User;
import io.stowage.common.time.ManualClock;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.crypto.Mac;
import javax.crypto.SecretKey;
import javax.crypto.spec.SecretKeySpec;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/**
 * Users and roles have no secret, and a gateway that serves their sessions knows them: nobody is
 * one of them by signing with the empty secret, nor shuts them out by asking for them as an access
 * key. Signatures are written apart from the gateway's own, which refuse to sign so.
 */
class EmptySecretsTest {
  private static final String TIMESTAMP = "20260102T030405Z";
  private static final String DATE = "20260102";

  /** Access keys that there cannot be: what was cached under them once, and what is like it. */
  private static final List<String> NO_KEYS =
      List.of(
          " user root",
          " role r",
          "user root",
          " root",
          "root ",
          " ",
          "\u0000user",
          "\troot",
          "r\u00f6\u00f6t",
          "\u007f",
          "k".repeat(129),
          "k".repeat(8_000));

  private final ManualClock clock =
      new ManualClock(Instant.parse("2026-01-02T03:04:05Z").toEpochMilli() * 1_000);
  private final InMemoryObjectManager namespace = new InMemoryObjectManager(clock, "rs-3-2");
  private final List<GetIdentityRequest> asked = new ArrayList<>();
  private final AccessKeys keys = new AccessKeys(counted(), clock);
  private final Sessions sessions = new Sessions(namespace, keys, clock);
  private final Authenticator authenticator = new Authenticator(keys, sessions, "us-east-1", clock);

  private ObjectManager counted() {
    return (ObjectManager)
        Proxy.newProxyInstance(
            ObjectManager.class.getClassLoader(),
            new Class<?>[] {ObjectManager.class},
            (proxy, method, arguments) -> {
              if (arguments != null && arguments[0] instanceof GetIdentityRequest request) {
                asked.add(request);
              }
              try {
                return method.invoke(namespace, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  @BeforeEach
  void anAdministratorAndARole() throws StoreException {
    var user =
        namespace.createUser(
            CreateUserRequest.newBuilder()
                .setUser(User.newBuilder().setName("root").setAdmin(true))
                .setAccessKey("AKROOT")
                .setSecretKey("secret")
                .setWriteId(ByteString.copyFromUtf8("a write of a user"))
                .build());
    assertTrue(user.getUser().getAdmin());
    var role =
        namespace.putEntity(
            PutEntityRequest.newBuilder()
                .setEntity(
                    Entity.newBuilder()
                        .setKind(EntityKind.ROLE)
                        .setName("r")
                        .setId("AROA1")
                        .setCanonicalId("role"))
                .build());
    assertTrue(role.isInitialized());
    addKey("AKEMPTY", ""); // as nobody can store one
  }

  private Sessions.Opened session(String accessKey, String role) throws Exception {
    String userId =
        role.isEmpty()
            ? namespace
                .getIdentity(GetIdentityRequest.newBuilder().setUserName("root").build())
                .getIdentity()
                .getUserId()
            : "AROA1";
    String token =
        sessions.seal(
            SessionToken.newBuilder()
                .setAccessKey(accessKey)
                .setSecretKey("s")
                .setExpiresMicros(clock.wallMicros() + 60_000_000)
                .setUserName(role.isEmpty() ? "root" : "")
                .setRoleName(role)
                .setUserId(userId)
                .setParentKey("AKROOT")
                .setParentDigest(
                    ByteString.copyFrom(
                        MessageDigest.getInstance("SHA-256")
                            .digest("secret".getBytes(StandardCharsets.UTF_8))))
                .build());
    return sessions.open(accessKey, token);
  }

  /** By which a caller may say who he is; each with a signature that the empty secret makes. */
  private interface Way {
    Caller as(String accessKey) throws Exception;
  }

  private Map<String, Way> ways() {
    Map<String, Way> ways = new LinkedHashMap<>();
    ways.put("query", this::byQuery);
    ways.put("header", key -> byHeader(key, SignatureV4.EMPTY_SHA256));
    ways.put("chunks", key -> byHeader(key, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"));
    ways.put("form", this::byForm);
    ways.put("iam", key -> ofService(key, "iam"));
    ways.put("sts", key -> ofService(key, "sts"));
    ways.put("header of version 2", this::byHeaderV2);
    ways.put("query of version 2", this::byQueryV2);
    ways.put("form of version 2", this::byFormV2);
    return ways;
  }

  @Test
  void nobodySignsWithTheEmptySecret() throws Exception {
    assertEquals("root", session("ASIA1", "").identity().getUserName());
    assertEquals("r", session("ASIA2", "r").identity().getRoleName());
    asked.clear();
    List<Executable> all = new ArrayList<>();
    ways()
        .forEach(
            (name, way) -> {
              for (String key : NO_KEYS) {
                // That header is trimmed, and then another key's.
                if (!name.equals("header of version 2") || key.trim().equals(key)) {
                  all.add(() -> refused(name + " as " + key, () -> way.as(key)));
                }
              }
            });
    assertAll(all);
    assertEquals(List.of(), asked, "looked up");
    all.clear();
    ways().forEach((name, way) -> all.add(() -> refused(name, () -> way.as("AKEMPTY"))));
    assertAll(all);
    for (String way : List.of("header of version 2", "query of version 2", "form of version 2")) {
      assertThrows(S3Exception.class, () -> ways().get(way).as(""), way);
    }
    assertThrows(IllegalArgumentException.class, () -> SigningKey.derive("", DATE, "r", "s3"));
    assertThrows(IllegalArgumentException.class, () -> SignatureV2.sign("", "text"));
  }

  /** A key that there is, or could be, is looked up: the refusals are of what it is called. */
  @Test
  void keysOfAllVisibleCharactersAreLookedUp() throws Exception {
    StringBuilder all = new StringBuilder();
    for (char c = '!'; c <= '~'; c++) {
      all.append(c);
    }
    for (String key : List.of("a", "k".repeat(128), all.toString(), "alice@REALM", "a/b+c=d,e")) {
      asked.clear();
      refused(key, () -> byQuery(key));
      assertEquals(key, asked.get(0).getAccessKey());
      addKey(key, "other");
      clock.advance(AccessKeys.FRESH.multipliedBy(2));
      S3Exception known = assertThrows(S3Exception.class, () -> byQuery(key));
      assertEquals(S3Error.SIGNATURE_DOES_NOT_MATCH, known.error());
    }
  }

  private void addKey(String key, String secret) {
    var unused =
        namespace.putIdentity(
            PutIdentityRequest.newBuilder()
                .setIdentity(
                    Identity.newBuilder().setAccessKey(key).setSecretKey(secret).setUser("u"))
                .build());
  }

  @Test
  void askingForAUserAsAKeyShutsNobodyOut() throws Exception {
    for (String key : List.of(" user root", " role r", "root", "r")) {
      refused(key, () -> byQuery(key));
    }
    assertEquals("root", session("ASIA1", "").identity().getUserName());
    assertEquals("r", session("ASIA2", "r").identity().getRoleName());
  }

  private interface Attempt {
    Caller run() throws Exception;
  }

  private static void refused(String what, Attempt attempt) {
    S3Exception e =
        assertThrows(
            S3Exception.class,
            () -> {
              Caller caller = attempt.run();
              throw new AssertionError("is " + caller.displayName() + ", " + caller.isAdmin());
            },
            what);
    assertEquals(S3Error.INVALID_ACCESS_KEY_ID, e.error(), what);
  }

  // ---- signatures

  private static HttpHeaders headers() {
    return DefaultHttpHeadersFactory.headersFactory()
        .withValidation(false)
        .newHeaders()
        .set("host", "localhost");
  }

  private Caller byHeader(String key, String hash) throws Exception {
    HttpHeaders headers =
        signed(key, "s3", hash, headers().set("x-amz-content-sha256", hash), "PUT", "/b/k");
    return authenticator.authenticate("PUT", RequestTarget.parse("/b/k"), headers, null);
  }

  private Caller ofService(String key, String service) throws Exception {
    String hash = SignatureV4.EMPTY_SHA256;
    HttpHeaders headers = signed(key, service, hash, headers(), "POST", "/");
    return authenticator.authenticate("POST", RequestTarget.parse("/"), headers, service, hash);
  }

  private static HttpHeaders signed(
      String key, String service, String hash, HttpHeaders headers, String method, String target)
      throws Exception {
    headers.set("x-amz-date", TIMESTAMP);
    List<String> names = headers.names().stream().sorted().toList();
    String canonical =
        SignatureV4.canonicalRequest(method, RequestTarget.parse(target), headers, names, hash);
    return headers.set(
        "authorization",
        "AWS4-HMAC-SHA256 Credential="
            + key
            + "/"
            + scope(service)
            + ", SignedHeaders="
            + String.join(";", names)
            + ", Signature="
            + v4(SignatureV4.stringToSign(TIMESTAMP, scope(service), canonical), service));
  }

  private Caller byQuery(String key) throws Exception {
    String target =
        "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
            + UriEncoding.encode(key + "/" + scope("s3"), false)
            + "&X-Amz-Date="
            + TIMESTAMP
            + "&X-Amz-Expires=60&X-Amz-SignedHeaders=host";
    String canonical =
        SignatureV4.canonicalRequest(
            "GET", RequestTarget.parse(target), headers(), List.of("host"), "UNSIGNED-PAYLOAD");
    String signature = v4(SignatureV4.stringToSign(TIMESTAMP, scope("s3"), canonical), "s3");
    return authenticator.authenticate(
        "GET", RequestTarget.parse(target + "&X-Amz-Signature=" + signature), headers(), null);
  }

  private Caller byForm(String key) throws Exception {
    return authenticator.authenticateForm(
        Map.of(
            "policy",
            "e30=",
            "x-amz-algorithm",
            "AWS4-HMAC-SHA256",
            "x-amz-credential",
            key + "/" + scope("s3"),
            "x-amz-date",
            TIMESTAMP,
            "x-amz-signature",
            v4("e30=", "s3")));
  }

  private Caller byHeaderV2(String key) throws Exception {
    HttpHeaders headers = headers().set("x-amz-date", TIMESTAMP);
    RequestTarget target = RequestTarget.parse("/b/k");
    String text = SignatureV2.stringToSign("GET", target, headers, "", null);
    headers.set("authorization", "AWS " + key + ":" + v2(text));
    return authenticator.authenticate("GET", target, headers, null);
  }

  private Caller byQueryV2(String key) throws Exception {
    String expires = Long.toString(clock.wallMicros() / 1_000_000 + 60);
    String text =
        SignatureV2.stringToSign("GET", RequestTarget.parse("/b/k"), headers(), expires, null);
    return authenticator.authenticate(
        "GET",
        RequestTarget.parse(
            "/b/k?AWSAccessKeyId="
                + UriEncoding.encode(key, false)
                + "&Expires="
                + expires
                + "&Signature="
                + UriEncoding.encode(v2(text), false)),
        headers(),
        null);
  }

  private Caller byFormV2(String key) throws Exception {
    return authenticator.authenticateForm(
        Map.of("policy", "e30=", "awsaccesskeyid", key, "signature", v2("e30=")));
  }

  private static String scope(String service) {
    return DATE + "/us-east-1/" + service + "/aws4_request";
  }

  private static String v4(String text, String service) throws GeneralSecurityException {
    byte[] key = "AWS4".getBytes(StandardCharsets.UTF_8); // and no secret behind it
    for (String step : List.of(DATE, "us-east-1", service, "aws4_request")) {
      key = hmac("HmacSHA256", new SecretKeySpec(key, "HmacSHA256"), step);
    }
    return HexFormat.of().formatHex(hmac("HmacSHA256", new SecretKeySpec(key, "HmacSHA256"), text));
  }

  private static String v2(String text) throws GeneralSecurityException {
    return Base64.getEncoder().encodeToString(hmac("HmacSHA1", new EmptyKey(), text));
  }

  private static byte[] hmac(String algorithm, SecretKey key, String text)
      throws GeneralSecurityException {
    Mac mac = Mac.getInstance(algorithm);
    mac.init(key);
    return mac.doFinal(SignatureV4.wireBytes(text));
  }

  /** Java's own key class takes none without bytes. */
  private static final class EmptyKey implements SecretKey {
    private static final long serialVersionUID = 1L;

    @Override
    public String getAlgorithm() {
      return "HmacSHA1";
    }

    @Override
    public String getFormat() {
      return "RAW";
    }

    @Override
    public byte[] getEncoded() {
      return new byte[0];
    }
  }
}

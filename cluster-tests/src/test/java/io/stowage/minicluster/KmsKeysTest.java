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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.stowage.client.crypt.Envelopes;
import io.stowage.client.crypt.KeyService;
import io.stowage.client.crypt.ObjectCipher;
import io.stowage.client.keys.HadoopKeys;
import io.stowage.client.twin.InMemoryDataPath;
import io.stowage.client.twin.InMemoryObjectManager;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.Encryption;
import io.stowage.common.proto.Identity;
import io.stowage.common.proto.PutIdentityRequest;
import io.stowage.common.time.StoreClock;
import io.stowage.s3.S3GatewayServer;
import io.stowage.s3.suite.RawS3;
import io.stowage.s3.suite.RawS3.Reply;
import java.io.OutputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.crypto.key.KeyProvider;
import org.apache.hadoop.crypto.key.KeyProviderFactory;
import org.apache.hadoop.crypto.key.kms.server.MiniKMS;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/**
 * Objects' keys wrapped by a Hadoop KMS, over HTTP, as the key service and as a gateway have it.
 */
class KmsKeysTest {
  private static final byte[] DIGEST = "sixteen bytes...".getBytes(StandardCharsets.US_ASCII);

  @TempDir private Path directory;
  private MiniKMS kms;
  private final InMemoryObjectManager namespace =
      new InMemoryObjectManager(StoreClock.system(), "rs-3-2");
  private final InMemoryDataPath data = new InMemoryDataPath();

  @BeforeEach
  void startKms() throws Exception {
    // The JAXB that Jersey 1 wants makes classes as no JVM of today lets it.
    System.setProperty("com.sun.xml.bind.v2.bytecode.ClassTailor.noOptimize", "true");
    kms = new MiniKMS.Builder().setKmsConfDir(directory.toFile()).build();
    kms.start();
  }

  @AfterEach
  void stopKms() throws Exception {
    kms.stop();
  }

  private String uri() throws Exception {
    return "kms://http@localhost:" + kms.getKMSUrl().getPort() + "/kms";
  }

  private KeyService open() throws Exception {
    return HadoopKeys.open(
        StowageConfig.of(Map.of(Keys.ENCRYPTION_KEY_PROVIDER.name(), uri())), new Configuration());
  }

  /** Asks a gateway with these keys; what it stores is there for the next. */
  private Reply ask(KeyService keys, String method, String path) throws Exception {
    StowageConfig config = StowageConfig.of(Map.of()).with(Keys.S3_BIND, "127.0.0.1:0");
    try (S3GatewayServer gateway =
        S3GatewayServer.start(config, namespace, data, keys, StoreClock.system())) {
      URI endpoint = URI.create("http://127.0.0.1:" + gateway.port());
      RawS3.Call call = new RawS3(endpoint, "AK", "secret", "us-east-1").call(method, path);
      if (path.endsWith("/k") && method.equals("PUT")) {
        call.header("x-amz-server-side-encryption", "aws:kms").body("content");
      }
      return call.send();
    }
  }

  @Test
  void wrapsAndOpensAlsoAfterTheKeyWasRolled() throws Exception {
    Encryption none = Encryption.getDefaultInstance();
    ObjectCipher made;
    try (KeyService keys = open()) {
      Envelopes envelopes = new Envelopes(keys, StoreClock.system());
      made = envelopes.withNamedKey(1, "stowage-kms", none);
      assertEquals("stowage-kms@0", made.envelope().getKeyVersion());
      assertEquals("stowage-s3", envelopes.withStoreKey(1, "stowage-s3").envelope().getKeyName());
      StoreException missing =
          assertThrows(StoreException.class, () -> envelopes.withNamedKey(1, "nobodys", none));
      assertEquals(ErrorCode.NO_SUCH_ENCRYPTION_KEY, missing.code());
    }
    KeyProvider admin = KeyProviderFactory.get(URI.create(uri()), new Configuration());
    admin.rollNewVersion("stowage-kms");
    admin.close();
    try (KeyService keys = open()) {
      Envelopes envelopes = new Envelopes(keys, StoreClock.system());
      ObjectCipher opened = envelopes.open(1, made.envelope(), null);
      assertEquals(made.etag(DIGEST), opened.etag(DIGEST));
      assertNotEquals(
          made.etag(DIGEST), envelopes.withNamedKey(1, "stowage-kms", none).etag(DIGEST));
    }
  }

  @Test
  void whoHasNoRightToAKeyIsDenied() throws Exception {
    Encryption none = Encryption.getDefaultInstance();
    Encryption envelope;
    try (KeyService keys = open()) {
      envelope =
          new Envelopes(keys, StoreClock.system()).withNamedKey(1, "stowage-kms", none).envelope();
      namespace.putIdentity(
          PutIdentityRequest.newBuilder()
              .setIdentity(
                  Identity.newBuilder().setAccessKey("AK").setSecretKey("secret").setUser("tester"))
              .build());
      assertEquals(200, ask(keys, "PUT", "/bucket").status());
      Reply put = ask(keys, "PUT", "/bucket/k");
      assertEquals(200, put.status(), put.text());
      Reply got = ask(keys, "GET", "/bucket/k");
      assertEquals("content", got.text());
      assertEquals("aws:kms", got.headers().get("x-amz-server-side-encryption"));
      assertEquals("stowage-kms", got.headers().get("x-amz-server-side-encryption-aws-kms-key-id"));
    }
    kms.stop();
    Configuration acls = new Configuration(false);
    for (String denied : new String[] {"GENERATE_EEK", "DECRYPT_EEK"}) {
      acls.set("hadoop.kms.blacklist." + denied, System.getProperty("user.name"));
    }
    try (OutputStream out = Files.newOutputStream(directory.resolve("kms-acls.xml"))) {
      acls.writeXml(out);
    }
    kms = new MiniKMS.Builder().setKmsConfDir(directory.toFile()).build();
    kms.start();
    try (KeyService keys = open()) {
      Envelopes envelopes = new Envelopes(keys, StoreClock.system());
      for (Executable call :
          List.<Executable>of(
              () -> envelopes.withNamedKey(1, "stowage-kms", none),
              () -> envelopes.open(1, envelope, null))) {
        assertEquals(ErrorCode.ACCESS_DENIED, assertThrows(StoreException.class, call).code());
      }
      for (String method : List.of("GET", "PUT")) {
        Reply denied = ask(keys, method, "/bucket/k");
        assertEquals("AccessDenied", denied.code(), denied.text());
        assertEquals(403, denied.status());
      }
      assertEquals(200, ask(keys, "HEAD", "/bucket/k").status(), "which opens nothing");
    }
  }

  @Test
  void aKmsThatIsDownIsNotAnsweredAsAMissingKey() throws Exception {
    try (KeyService keys = open()) {
      Envelopes envelopes = new Envelopes(keys, StoreClock.system());
      Encryption envelope = envelopes.withStoreKey(1, "stowage-s3").envelope();
      kms.stop();
      Envelopes fresh = new Envelopes(keys, StoreClock.system());
      assertEquals(
          ErrorCode.UNAVAILABLE,
          assertThrows(StoreException.class, () -> fresh.open(1, envelope, null)).code());
    }
  }
}

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
package io.stowage.client.keys;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.client.crypt.Envelopes;
import io.stowage.client.crypt.KeyService;
import io.stowage.client.crypt.ObjectCipher;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.Encryption;
import io.stowage.common.time.StoreClock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Keys in a keystore in a file. */
class HadoopKeysTest {
  private static final byte[] DIGEST = "sixteen bytes...".getBytes(StandardCharsets.US_ASCII);

  @TempDir private Path directory;

  private Path file() {
    return directory.resolve("keys").resolve("stowage.jceks");
  }

  private KeyService open() throws StoreException {
    return open("jceks://file" + file());
  }

  private static KeyService open(String uri) throws StoreException {
    return HadoopKeys.open(
        StowageConfig.of(Map.of(Keys.ENCRYPTION_KEY_PROVIDER.name(), uri)), new Configuration());
  }

  /** A tag that only the data key gives. */
  private static ByteString mark(ObjectCipher cipher) {
    return cipher.etag(DIGEST);
  }

  @Test
  void aKeystoreIsMadeAndOpenedAgain() throws Exception {
    Encryption envelope;
    ByteString mark;
    try (KeyService keys = open()) {
      assertEquals(
          "rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file())));
      Envelopes envelopes = new Envelopes(keys, StoreClock.system());
      assertTrue(envelopes.hasKeyService());
      ObjectCipher made = envelopes.withNamedKey(7, "stowage-kms", Encryption.getDefaultInstance());
      envelope = made.envelope();
      mark = mark(made);
      assertEquals("stowage-kms@0", envelope.getKeyVersion());
      assertEquals(32, envelope.getWrappedKey().size());
      assertNotEquals(
          envelope.getWrappedKey(),
          envelopes
              .withNamedKey(7, "stowage-kms", Encryption.getDefaultInstance())
              .envelope()
              .getWrappedKey());
    }
    byte[] before = Files.readAllBytes(file());
    try (KeyService keys = open()) {
      Envelopes envelopes = new Envelopes(keys, StoreClock.system());
      assertEquals(mark, mark(envelopes.open(7, envelope, null)));
      assertNotEquals(mark, mark(envelopes.open(8, envelope, null)));
      assertFalse(envelopes.withStoreKey(7, "stowage-s3").envelope().getWrappedKey().isEmpty());
    }
    assertEquals(
        ByteString.copyFrom(before),
        ByteString.copyFrom(Files.readAllBytes(file())),
        "a second start makes no key");
  }

  @Test
  void aKeyThatIsNotThereIsTheCallersMistake() throws Exception {
    try (KeyService keys = open()) {
      assertEquals(
          ErrorCode.NO_SUCH_ENCRYPTION_KEY,
          assertThrows(StoreException.class, () -> keys.generate("nobodys")).code());
      ByteString some = ByteString.copyFrom(new byte[32]);
      ByteString iv = ByteString.copyFrom(new byte[16]);
      assertEquals(
          ErrorCode.NO_SUCH_ENCRYPTION_KEY,
          assertThrows(
                  StoreException.class, () -> keys.unwrap("stowage-s3", "stowage-s3@9", iv, some))
              .code());
    }
  }

  @Test
  void whatIsNoKeyProviderStopsTheStart() throws Exception {
    for (String wrong : new String[] {"nothing://here", "no uri at all", "jceks"}) {
      assertEquals(
          ErrorCode.BAD_CONFIGURATION,
          assertThrows(StoreException.class, () -> open(wrong)).code(),
          wrong);
    }
    try (KeyService none = open("")) {
      assertFalse(none.isConfigured());
    }
  }
}

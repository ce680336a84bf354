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
package io.stowage.common.secret;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.nio.charset.StandardCharsets;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;

class SecretSealTest {
  private static final String TEXT = "wJalrXUtnFEMI/K7MDENG";
  private static final ByteString SECRET = ByteString.copyFromUtf8(TEXT);
  private final SecretSeal seal = SecretSeal.of("a password".toCharArray());

  @Test
  void whatIsStoredIsOpenedAgainAndShowsNothing() throws Exception {
    ByteString stored = seal.seal("AKIA1", SECRET);
    assertEquals(SecretSeal.AES_GCM, seal.cipher());
    assertEquals(SECRET, seal.open("access key AKIA1", "AKIA1", SecretSeal.AES_GCM, stored));
    assertFalse(stored.toString(StandardCharsets.ISO_8859_1).contains(TEXT));
    assertNotEquals(stored, seal.seal("AKIA1", SECRET), "a nonce each");
    SecretSeal restarted = SecretSeal.of("a password".toCharArray());
    assertEquals(SECRET, restarted.open("access key AKIA1", "AKIA1", SecretSeal.AES_GCM, stored));
  }

  @Test
  void secretsOfBeforeThereWasAKeyAreRead() throws Exception {
    ByteString stored = SecretSeal.NONE.seal("AKIA1", SECRET);
    assertEquals(SecretSeal.PLAIN, SecretSeal.NONE.cipher());
    assertEquals(SECRET, seal.open("access key AKIA1", "AKIA1", SecretSeal.PLAIN, stored));
  }

  @Test
  void otherKeysOtherRowsAndChangesAreRefused() {
    ByteString stored = seal.seal("AKIA1", SECRET);
    SecretSeal other = SecretSeal.of("another password".toCharArray());
    assertEquals(
        ErrorCode.BAD_CONFIGURATION, refusal(other, "AKIA1", SecretSeal.AES_GCM, stored).code());
    assertEquals(
        ErrorCode.BAD_CONFIGURATION, refusal(seal, "AKIA2", SecretSeal.AES_GCM, stored).code());
    assertEquals(
        ErrorCode.BAD_CONFIGURATION,
        refusal(SecretSeal.NONE, "AKIA1", SecretSeal.AES_GCM, stored).code());
    assertEquals(ErrorCode.FORMAT_TOO_NEW, refusal(seal, "AKIA1", 2, stored).code());
    for (int i = 0; i < stored.size(); i++) {
      byte[] changed = stored.toByteArray();
      changed[i] ^= 1;
      StoreException e = refusal(seal, "AKIA1", SecretSeal.AES_GCM, ByteString.copyFrom(changed));
      assertFalse(e.getMessage().contains(TEXT));
      assertTrue(e.getMessage().contains("AKIA1"), e.getMessage());
    }
    for (int length = 0; length < stored.size(); length++) {
      var unused = refusal(seal, "AKIA1", SecretSeal.AES_GCM, stored.substring(0, length));
    }
  }

  private static StoreException refusal(
      SecretSeal seal, String accessKey, int cipher, ByteString stored) {
    return assertThrows(
        StoreException.class,
        () -> seal.open("access key " + accessKey, accessKey, cipher, stored));
  }

  @Test
  void thePasswordIsWiped() {
    char[] password = "a password".toCharArray();
    var unused = SecretSeal.of(password);
    assertEquals("          ", new String(password));
  }
}

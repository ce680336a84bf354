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
package io.stowage.om.identity;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.Arrays;
import javax.crypto.Cipher;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.PBEKeySpec;
import javax.crypto.spec.SecretKeySpec;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Encrypts secrets of access keys before they are stored: AES-256-GCM with a random nonce of 12
 * bytes before it, bound to the access key, so that one's secret cannot be put in another's row. Of
 * no key: leaves them as they are. Thread-safe.
 */
public final class SecretSeal {
  static final int PLAIN = 0;
  static final int AES_GCM = 1;

  /** Stores secrets as they are. */
  public static final SecretSeal NONE = new SecretSeal(null);

  private static final int NONCE_BYTES = 12;
  private static final int TAG_BITS = 128;

  /** Once a start: 50 ms. Passwords of a credential provider are mostly random anyway. */
  private static final int ITERATIONS = 200_000;

  private static final byte[] SALT = "stowage identity".getBytes(StandardCharsets.US_ASCII);

  private final SecretKeySpec key;
  private final SecureRandom random = new SecureRandom();

  private SecretSeal(SecretKeySpec key) {
    this.key = key;
  }

  /**
   * With a key made of a password.
   *
   * @param password wiped by this
   */
  public static SecretSeal of(char[] password) {
    PBEKeySpec spec = new PBEKeySpec(password, SALT, ITERATIONS, 256);
    try {
      return new SecretSeal(
          new SecretKeySpec(
              SecretKeyFactory.getInstance("PBKDF2WithHmacSHA256")
                  .generateSecret(spec)
                  .getEncoded(),
              "AES"));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every JDK has PBKDF2WithHmacSHA256", e);
    } finally {
      spec.clearPassword();
      Arrays.fill(password, ' ');
    }
  }

  /** How {@link #seal} encrypts. */
  public int cipher() {
    return key == null ? PLAIN : AES_GCM;
  }

  /**
   * A secret as it is stored.
   *
   * @param accessKey whose it is; the same to open it
   */
  public ByteString seal(String accessKey, String secret) {
    byte[] plain = secret.getBytes(StandardCharsets.UTF_8);
    if (key == null) {
      return ByteString.copyFrom(plain);
    }
    byte[] nonce = new byte[NONCE_BYTES];
    random.nextBytes(nonce);
    try {
      return ByteString.copyFrom(nonce)
          .concat(
              ByteString.copyFrom(cipher(Cipher.ENCRYPT_MODE, nonce, accessKey).doFinal(plain)));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every JDK has AES/GCM/NoPadding", e);
    }
  }

  /**
   * A stored secret.
   *
   * @throws StoreException if it was sealed with another key, or not for this access key
   */
  public String open(String accessKey, int cipher, ByteString stored) throws StoreException {
    return switch (cipher) {
      case PLAIN -> stored.toStringUtf8(); // of before there was a key
      case AES_GCM -> opened(accessKey, stored);
      default ->
          throw new StoreException(
              ErrorCode.FORMAT_TOO_NEW,
              "Cannot read access key " + accessKey + ": cipher " + cipher);
    };
  }

  private String opened(String accessKey, ByteString stored) throws StoreException {
    if (key == null) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot read access key "
              + accessKey
              + ": its secret is encrypted, and this object manager has no key for that");
    }
    try {
      if (stored.size() < NONCE_BYTES + TAG_BITS / 8) {
        throw new GeneralSecurityException(stored.size() + " bytes");
      }
      byte[] nonce = stored.substring(0, NONCE_BYTES).toByteArray();
      return new String(
          cipher(Cipher.DECRYPT_MODE, nonce, accessKey)
              .doFinal(stored.substring(NONCE_BYTES).toByteArray()),
          StandardCharsets.UTF_8);
    } catch (GeneralSecurityException e) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot read access key "
              + accessKey
              + ": its secret was encrypted under another key, or changed since",
          e);
    }
  }

  private Cipher cipher(int mode, byte[] nonce, String accessKey) throws GeneralSecurityException {
    Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
    cipher.init(mode, key, new GCMParameterSpec(TAG_BITS, nonce));
    cipher.updateAAD(accessKey.getBytes(StandardCharsets.UTF_8));
    return cipher;
  }
}

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
 * Encrypts secrets before they are stored: AES-256-GCM with a random nonce of 12 bytes before it,
 * bound to what the secret is of, so that one's secret cannot be put in another's place. Of no key:
 * leaves them as they are. Thread-safe.
 *
 * <p>A secret of an access key is bound to the access key itself; all others to a text that begins
 * with a zero character, which no access key does ({@link AccessKeyIds}).
 */
public final class SecretSeal {
  public static final int PLAIN = 0;
  public static final int AES_GCM = 1;

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
   * @param boundTo what it is of
   */
  public ByteString seal(String boundTo, ByteString secret) {
    if (key == null) {
      return secret;
    }
    byte[] nonce = new byte[NONCE_BYTES];
    random.nextBytes(nonce);
    try {
      return ByteString.copyFrom(nonce)
          .concat(
              ByteString.copyFrom(
                  cipher(Cipher.ENCRYPT_MODE, nonce, boundTo).doFinal(secret.toByteArray())));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every JDK has AES/GCM/NoPadding", e);
    }
  }

  /**
   * A secret that is a text, such as an access key's, as it is stored.
   *
   * @param accessKey whose it is; the same to open it
   */
  public ByteString seal(String accessKey, String secret) {
    return seal(accessKey, ByteString.copyFromUtf8(secret));
  }

  /**
   * A stored secret that is a text.
   *
   * @throws StoreException if it was sealed with another key, or not for this access key
   */
  public String open(String accessKey, int cipher, ByteString stored) throws StoreException {
    return open("access key " + accessKey, accessKey, cipher, stored).toStringUtf8();
  }

  /**
   * A stored secret.
   *
   * @param what it is of, for people
   * @throws StoreException if it was sealed with another key, or not for this
   */
  public ByteString open(String what, String boundTo, int cipher, ByteString stored)
      throws StoreException {
    return switch (cipher) {
      case PLAIN -> stored; // of before there was a key
      case AES_GCM -> opened(what, boundTo, stored);
      default ->
          throw new StoreException(
              ErrorCode.FORMAT_TOO_NEW, "Cannot read " + what + ": cipher " + cipher);
    };
  }

  private ByteString opened(String what, String boundTo, ByteString stored) throws StoreException {
    if (key == null) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot read "
              + what
              + ": its secret is encrypted, and this process has no key for that");
    }
    try {
      if (stored.size() < NONCE_BYTES + TAG_BITS / 8) {
        throw new GeneralSecurityException(stored.size() + " bytes");
      }
      byte[] nonce = stored.substring(0, NONCE_BYTES).toByteArray();
      return ByteString.copyFrom(
          cipher(Cipher.DECRYPT_MODE, nonce, boundTo)
              .doFinal(stored.substring(NONCE_BYTES).toByteArray()));
    } catch (GeneralSecurityException e) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot read " + what + ": its secret was encrypted under another key, or changed since",
          e);
    }
  }

  private Cipher cipher(int mode, byte[] nonce, String boundTo) throws GeneralSecurityException {
    Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
    cipher.init(mode, key, new GCMParameterSpec(TAG_BITS, nonce));
    cipher.updateAAD(boundTo.getBytes(StandardCharsets.UTF_8));
    return cipher;
  }
}

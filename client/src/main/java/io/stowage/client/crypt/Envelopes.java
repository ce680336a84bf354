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
package io.stowage.client.crypt;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.Encryption;
import io.stowage.common.proto.EncryptionMode;
import io.stowage.common.time.StoreClock;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.time.Duration;
import javax.crypto.AEADBadTagException;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Makes envelopes and opens them. Thread-safe.
 *
 * <p>With SSE-C, and with SSE-KMS unless a bucket key was asked for, each object and each upload
 * has a data key of its own. With SSE-S3 and with bucket keys this process takes one for all that
 * it writes within a minute: what encrypts packets is derived from it and the object's own salt, so
 * that no two objects share that, and the key service is not asked for each small object.
 */
public final class Envelopes {
  private static final int FORMAT = 1;
  private static final String WRAP = "sse-c wrap";
  private static final int DATA_KEY_BYTES = 32;
  private static final SecureRandom RANDOM = new SecureRandom();

  /** As long as one data key is taken for new objects. */
  static final Duration SHARED = Duration.ofMinutes(1);

  /** As long as a key service that destroyed a key may go unheard by readers. */
  static final Duration OPEN = Duration.ofMinutes(5);

  /** Names that clients choose among those that there are. */
  private static final int MOST_SHARED = 100;

  /** Some hundred bytes each. */
  private static final int MOST_OPEN = 4096;

  private final KeyService keys;
  private final KeyCache<String, KeyService.NewKey> shared;
  private final KeyCache<Wrapped, DataKey> open;

  private record Wrapped(String keyName, String keyVersion, ByteString iv, ByteString wrapped) {}

  public Envelopes(KeyService keys, StoreClock clock) {
    this.keys = keys;
    shared = new KeyCache<>(MOST_SHARED, SHARED, clock);
    open = new KeyCache<>(MOST_OPEN, OPEN, clock);
  }

  /** Whether there is a key service, and so SSE-S3 and SSE-KMS. */
  public boolean hasKeyService() {
    return keys.isConfigured();
  }

  /** Under the store's key (SSE-S3). */
  public ObjectCipher withStoreKey(long bucketId, String keyName) throws StoreException {
    return wrapped(
        bucketId, keyName, Encryption.newBuilder().setMode(EncryptionMode.SSE_S3).build(), true);
  }

  /**
   * Under a key that the client names (SSE-KMS).
   *
   * @param as what is kept of the request: key id, context, bucket key
   */
  public ObjectCipher withNamedKey(long bucketId, String keyName, Encryption as)
      throws StoreException {
    return wrapped(
        bucketId,
        keyName,
        as.toBuilder().setMode(EncryptionMode.SSE_KMS).build(),
        as.getBucketKey());
  }

  private ObjectCipher wrapped(long bucketId, String keyName, Encryption as, boolean sharing)
      throws StoreException {
    KeyService.NewKey made = sharing ? shared.get(keyName) : null;
    if (made == null) {
      made = keys.generate(keyName);
      open.put(new Wrapped(keyName, made.keyVersion(), made.iv(), made.wrapped()), made.key());
      if (sharing) {
        shared.put(keyName, made);
      }
    }
    Encryption envelope =
        as.toBuilder()
            .setFormat(FORMAT)
            .setSalt(WriteId.random())
            .setKeyName(keyName)
            .setKeyVersion(made.keyVersion())
            .setIv(made.iv())
            .setWrappedKey(made.wrapped())
            .build();
    return new ObjectCipher(envelope, made.key(), identity(bucketId, envelope));
  }

  /** Under the client's own key (SSE-C). */
  public ObjectCipher withCustomerKey(long bucketId, CustomerKey customer) {
    byte[] fresh = new byte[DATA_KEY_BYTES];
    RANDOM.nextBytes(fresh);
    Encryption envelope =
        Encryption.newBuilder()
            .setFormat(FORMAT)
            .setMode(EncryptionMode.SSE_C)
            .setSalt(WriteId.random())
            .build();
    DataKey.Identity identity = identity(bucketId, envelope);
    try {
      envelope =
          envelope.toBuilder()
              .setWrappedKey(
                  ByteString.copyFrom(wrap(Cipher.ENCRYPT_MODE, customer, identity, fresh)))
              .build();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("Cannot wrap a data key", e);
    }
    return new ObjectCipher(envelope, new DataKey(fresh), identity);
  }

  /**
   * Opens an envelope.
   *
   * @param customer the client's key; null: it sent none. Must be there if and only if the mode is
   *     SSE_C
   * @throws StoreException ACCESS_DENIED: the client's key is another one
   */
  public ObjectCipher open(long bucketId, Encryption envelope, CustomerKey customer)
      throws StoreException {
    if (envelope.getFormat() != FORMAT) {
      throw new StoreException(
          ErrorCode.FORMAT_TOO_NEW,
          "Cannot decrypt: the envelope has format " + envelope.getFormat());
    }
    DataKey.Identity identity = identity(bucketId, envelope);
    if (envelope.getMode() != EncryptionMode.SSE_C) {
      return new ObjectCipher(envelope, unwrap(envelope), identity);
    }
    try {
      byte[] key =
          wrap(Cipher.DECRYPT_MODE, customer, identity, envelope.getWrappedKey().toByteArray());
      return new ObjectCipher(envelope, new DataKey(key), identity);
    } catch (AEADBadTagException e) {
      throw new StoreException(
          ErrorCode.ACCESS_DENIED, "Cannot decrypt: the key is not the object's");
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("Cannot unwrap a data key", e);
    }
  }

  private DataKey unwrap(Encryption envelope) throws StoreException {
    Wrapped wrapped =
        new Wrapped(
            envelope.getKeyName(),
            envelope.getKeyVersion(),
            envelope.getIv(),
            envelope.getWrappedKey());
    DataKey key = open.get(wrapped);
    if (key == null) {
      key = keys.unwrap(wrapped.keyName, wrapped.keyVersion, wrapped.iv, wrapped.wrapped);
      open.put(wrapped, key);
    }
    return key;
  }

  /**
   * AES-256-GCM under a key that is derived from the client's and the salt. It wraps one data key
   * ever, so the nonce is all zeros; and its tag is how a wrong key is told.
   */
  private static byte[] wrap(int mode, CustomerKey customer, DataKey.Identity of, byte[] bytes)
      throws GeneralSecurityException {
    Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
    cipher.init(
        mode,
        new SecretKeySpec(customer.key().derive(WRAP, of), "AES"),
        new GCMParameterSpec(PacketLayout.TAG_BYTES * 8, new byte[12]));
    return cipher.doFinal(bytes);
  }

  private static DataKey.Identity identity(long bucketId, Encryption envelope) {
    return new DataKey.Identity(
        bucketId, envelope.getSalt(), ByteString.EMPTY, envelope.getContext());
  }
}

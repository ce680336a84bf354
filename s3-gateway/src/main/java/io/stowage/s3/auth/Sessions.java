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

import io.stowage.common.access.Origin;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.Entity;
import io.stowage.common.proto.EntityKind;
import io.stowage.common.proto.GetEntityRequest;
import io.stowage.common.proto.Identity;
import io.stowage.common.proto.PutEntityRequest;
import io.stowage.common.proto.SessionToken;
import io.stowage.common.time.StoreClock;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.Base64;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;

/**
 * Temporary credentials that nobody keeps: the token holds the secret, whom they stand for and
 * until when, sealed with AES-256-GCM under a key of the store's. Any gateway can open it. What a
 * session may do is asked anew for each request, of the user or role as it is then, and whether the
 * key that began it is still there: whoever stole a secret has it no longer than its key lives, by
 * whatever sessions. Thread-safe.
 *
 * <pre>token = base64(version (1) = 1, nonce (12), AES-GCM(SessionToken; additional: access key))
 * </pre>
 */
public final class Sessions {
  private static final String KEY_NAME = "sessions";
  private static final byte VERSION = 1;
  private static final int NONCE_BYTES = 12;
  private static final int TAG_BITS = 128;
  private static final int KEY_BYTES = 32;

  /** Far more than a token with its policy has. */
  private static final int LONGEST = 16 << 10;

  private final ObjectManager namespace;
  private final AccessKeys keys;
  private final StoreClock clock;
  private final SecureRandom random = new SecureRandom();
  private volatile SecretKeySpec sealing;

  public Sessions(ObjectManager namespace, AccessKeys keys, StoreClock clock) {
    this.namespace = namespace;
    this.keys = keys;
    this.clock = clock;
  }

  /** What a token stands for. */
  record Opened(Identity identity, Session session) {
    Caller caller(PayloadSigning payload) {
      return new Caller(identity, payload, Origin.INSIDE, session);
    }
  }

  /** Text of a token for what it is to hold. */
  public String seal(SessionToken token) throws StoreException {
    byte[] nonce = new byte[NONCE_BYTES];
    random.nextBytes(nonce);
    byte[] sealed =
        crypt(Cipher.ENCRYPT_MODE, key(true), nonce, token.getAccessKey(), token.toByteArray(), 0);
    byte[] all = new byte[1 + NONCE_BYTES + sealed.length];
    all[0] = VERSION;
    System.arraycopy(nonce, 0, all, 1, NONCE_BYTES);
    System.arraycopy(sealed, 0, all, 1 + NONCE_BYTES, sealed.length);
    return Base64.getEncoder().encodeToString(all);
  }

  /** The identity of a session, with its secret; InvalidToken or ExpiredToken. */
  Opened open(String accessKey, String text) throws S3Exception, StoreException {
    SessionToken token = read(accessKey, text);
    if (!token.getAccessKey().equals(accessKey)) {
      throw new S3Exception(S3Error.INVALID_TOKEN);
    }
    if (clock.wallMicros() >= token.getExpiresMicros()) {
      throw new S3Exception(S3Error.EXPIRED_TOKEN);
    }
    Session.Parent parent = new Session.Parent(token.getParentKey(), token.getParentDigest());
    Identity key = keys.find(token.getParentKey());
    if (!parent.is(key)) {
      throw new S3Exception(S3Error.INVALID_TOKEN);
    }
    Identity found = holder(token, key);
    // Whoever is created again under a name is somebody else.
    if (found == null || !found.getUserId().equals(token.getUserId())) {
      throw new S3Exception(S3Error.INVALID_TOKEN);
    }
    return new Opened(
        found.toBuilder().setAccessKey(accessKey).setSecretKey(token.getSecretKey()).build(),
        new Session(
            true,
            token.getRoleName(),
            token.getSessionName(),
            token.getPoliciesList(),
            parent,
            token.getIssuedMicros()));
  }

  private Identity holder(SessionToken token, Identity key) throws StoreException {
    if (!token.getRoleName().isEmpty()) {
      return keys.findRole(token.getRoleName());
    }
    return token.getUserName().isEmpty() ? key : keys.findUser(token.getUserName());
  }

  private SessionToken read(String accessKey, String text) throws S3Exception, StoreException {
    SecretKeySpec key = key(false);
    if (key == null || text.length() > LONGEST) {
      throw new S3Exception(S3Error.INVALID_TOKEN);
    }
    try {
      byte[] all = Base64.getDecoder().decode(text);
      if (all.length < 1 + NONCE_BYTES || all[0] != VERSION) {
        throw new S3Exception(S3Error.INVALID_TOKEN);
      }
      byte[] nonce = Arrays.copyOfRange(all, 1, 1 + NONCE_BYTES);
      return SessionToken.parseFrom(
          crypt(Cipher.DECRYPT_MODE, key, nonce, accessKey, all, 1 + NONCE_BYTES));
    } catch (IllegalArgumentException | InvalidProtocolBufferException e) {
      throw new S3Exception(S3Error.INVALID_TOKEN);
    }
  }

  private static byte[] crypt(
      int mode, SecretKeySpec key, byte[] nonce, String accessKey, byte[] input, int from) {
    try {
      Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
      cipher.init(mode, key, new GCMParameterSpec(TAG_BITS, nonce));
      cipher.updateAAD(accessKey.getBytes(StandardCharsets.UTF_8));
      return cipher.doFinal(input, from, input.length - from);
    } catch (GeneralSecurityException e) {
      throw new IllegalArgumentException("not sealed by us", e);
    }
  }

  /** The store's key; null if there is none and none is to be made. */
  private SecretKeySpec key(boolean make) throws StoreException {
    SecretKeySpec known = sealing;
    if (known != null) {
      return known;
    }
    ByteString secret = stored();
    if (secret == null && make) {
      byte[] fresh = new byte[KEY_BYTES];
      random.nextBytes(fresh);
      try {
        namespace.putEntity(
            PutEntityRequest.newBuilder()
                .setEntity(
                    Entity.newBuilder()
                        .setKind(EntityKind.SEALING_KEY)
                        .setName(KEY_NAME)
                        .setCreatedMicros(clock.wallMicros())
                        .setSecret(ByteString.copyFrom(fresh)))
                .build());
      } catch (StoreException e) {
        if (e.code() != ErrorCode.KEY_EXISTS && e.code() != ErrorCode.CONFLICT) {
          throw e;
        }
        // Another gateway made one at the same time: that is the key.
      }
      secret = stored();
    }
    if (secret == null) {
      return null;
    }
    sealing = new SecretKeySpec(secret.toByteArray(), "AES");
    return sealing;
  }

  private ByteString stored() throws StoreException {
    try {
      return namespace
          .getEntity(
              GetEntityRequest.newBuilder()
                  .setKind(EntityKind.SEALING_KEY)
                  .setName(KEY_NAME)
                  .build())
          .getEntity()
          .getSecret();
    } catch (StoreException e) {
      if (e.code() != ErrorCode.NO_SUCH_KEY) {
        throw e;
      }
      return null;
    }
  }
}

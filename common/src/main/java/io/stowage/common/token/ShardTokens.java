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
package io.stowage.common.token;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ShardGrant;
import io.stowage.common.proto.TokenKey;
import io.stowage.common.time.StoreClock;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;

/**
 * Signs and verifies tokens. Thread-safe.
 *
 * <pre>
 *   0       1              5                        n-32          n
 *   ┌───────┬──────────────┬────────────────────────┬─────────────┐
 *   │ 1: u8 │ key id: u32  │ ShardGrant             │ HMAC-SHA256 │   big-endian
 *   └───────┴──────────────┴────────────────────────┴─────────────┘
 * </pre>
 *
 * <p>The HMAC covers all before it. Nothing of a token is parsed before its HMAC was found right,
 * so that whoever has no key reaches no parser with what he makes up.
 */
public final class ShardTokens {
  static final byte VERSION = 1;
  static final int MAC_BYTES = 32;
  private static final int HEADER_BYTES = 5;
  private static final String ALGORITHM = "HmacSHA256";

  /** A token of a manifest in thousands of pieces; more is refused before it is hashed. */
  static final int MAX_BYTES = 256 << 10;

  /**
   * Tokens that were verified lately, 4 MB at most: a stripe's writes and a reader's reads show the
   * same one again and again. Emptied when full, and when the keys change.
   */
  private static final int MOST_REMEMBERED = 4_096;

  /** A writer's token is below it, whatever the policy. */
  static final int MOST_REMEMBERED_BYTES = 1_024;

  private final TokenKeyRing keys;
  private final StoreClock clock;
  private final Map<ByteString, ShardGrant> verified = new ConcurrentHashMap<>();
  private volatile long verifiedUnder;

  public ShardTokens(TokenKeyRing keys, StoreClock clock) {
    this.keys = keys;
    this.clock = clock;
  }

  /** Wall clock, by which tokens expire. */
  public long nowMicros() {
    return clock.wallMicros();
  }

  /**
   * Makes a token.
   *
   * @throws StoreException UNAVAILABLE while no key is known
   */
  public ByteString sign(ShardGrant grant) throws StoreException {
    TokenKey key = keys.signing(clock.wallMicros());
    byte[] body = grant.toByteArray();
    ByteBuffer token = ByteBuffer.allocate(HEADER_BYTES + body.length + MAC_BYTES);
    token.put(VERSION).putInt(key.getId()).put(body);
    token.put(hmac(key, token.array(), token.position()));
    return ByteString.copyFrom(token.array());
  }

  /**
   * What a token allows, if it is genuine and has not expired.
   *
   * @throws StoreException ACCESS_DENIED, or UNAVAILABLE while this process has no keys
   */
  public ShardGrant verify(ByteString token) throws StoreException {
    if (token.isEmpty()) {
      throw refused("no token came with the request");
    }
    long now = clock.wallMicros();
    if (keys.version() == 0) {
      throw new StoreException(
          ErrorCode.UNAVAILABLE, "Cannot check a token: no key is known yet from SCM");
    }
    long version = keys.version();
    if (verifiedUnder != version || verified.size() >= MOST_REMEMBERED) {
      verified.clear();
      verifiedUnder = version;
    }
    ShardGrant grant = verified.get(token);
    if (grant == null) {
      grant = authentic(token, now);
      if (token.size() <= MOST_REMEMBERED_BYTES) {
        verified.put(token, grant);
      }
    }
    if (grant.getExpiryMicros() <= now) {
      throw refused(
          "the token of "
              + grant.getUser()
              + " expired "
              + (now - grant.getExpiryMicros()) / 1_000
              + " ms ago");
    }
    return grant;
  }

  private ShardGrant authentic(ByteString token, long now) throws StoreException {
    if (token.size() < HEADER_BYTES + MAC_BYTES || token.size() > MAX_BYTES) {
      throw refused("a token has not " + token.size() + " bytes");
    }
    byte[] bytes = token.toByteArray();
    if (bytes[0] != VERSION) {
      throw refused("a token of version " + bytes[0]);
    }
    int id = ByteBuffer.wrap(bytes).getInt(1);
    TokenKey key = keys.find(id, now);
    if (key == null) {
      throw refused("the token's key " + Integer.toHexString(id) + " is not known, or no longer");
    }
    int signed = bytes.length - MAC_BYTES;
    byte[] shown = Arrays.copyOfRange(bytes, signed, bytes.length);
    if (!MessageDigest.isEqual(hmac(key, bytes, signed), shown)) { // constant time
      throw refused("the token was not signed by this cluster");
    }
    try {
      return ShardGrant.parseFrom(
          ByteBuffer.wrap(bytes, HEADER_BYTES, signed - HEADER_BYTES).slice());
    } catch (InvalidProtocolBufferException e) {
      throw refused("the token cannot be read: " + e.getMessage());
    }
  }

  private static byte[] hmac(TokenKey key, byte[] bytes, int length) {
    try {
      Mac mac = Mac.getInstance(ALGORITHM);
      mac.init(new SecretKeySpec(key.getSecret().toByteArray(), ALGORITHM));
      mac.update(bytes, 0, length);
      return mac.doFinal();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every JDK has " + ALGORITHM, e);
    }
  }

  static StoreException refused(String why) {
    return new StoreException(ErrorCode.ACCESS_DENIED, "Cannot serve the request: " + why);
  }
}

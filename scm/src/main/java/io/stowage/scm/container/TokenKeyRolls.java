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
package io.stowage.scm.container;

import io.stowage.common.error.StoreException;
import io.stowage.common.proto.OperatorWord;
import io.stowage.common.proto.TokenKey;
import io.stowage.common.proto.TokenKeys;
import io.stowage.common.secret.SecretSeal;
import io.stowage.common.time.StoreClock;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.HashSet;
import java.util.Set;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes and replaces the keys that sign tokens of the data plane. They are kept in the table, in
 * the cell of operators' words, which every SCM follows; sealed, where this process has a key for
 * that. Rolling does not open them. Thread-safe.
 *
 * <p>A key's life: made by the leader and told with heartbeats; signs from a little later on, when
 * all who check have it (a datanode that has not been heard for so long is dead); signs no more
 * when the next one does; is removed when all that it signed has expired. The first one signs at
 * once.
 *
 * <p>Interleavings: two leaders find the same key old and both make a new one. Each changes the
 * whole cell by compare-and-set, and looks again when that fails: one of them then finds the
 * other's key and has nothing to do. An SCM that was deposed may still add a key so; it is as good
 * as the leader's. No SCM leads for longer than the interval: the key goes on signing; it holds for
 * {@link #SPARE_INTERVALS} more.
 */
public final class TokenKeyRolls {
  private static final Logger LOG = LoggerFactory.getLogger(TokenKeyRolls.class);
  private static final int SECRET_BYTES = 32;
  private static final int SPARE_INTERVALS = 30;

  /**
   * Settings.
   *
   * @param interval from one key to the next
   * @param life of the longest-lived token
   * @param spread from a key's making to its use
   */
  public record Settings(Duration interval, Duration life, Duration spread) {}

  private final OperatorWords words;
  private final StoreClock clock;
  private final Settings settings;
  private final SecretSeal seal;
  private final SecureRandom random = new SecureRandom();

  /** Keys as the table has them, and opened. */
  private record Opened(TokenKeys stored, TokenKeys open) {}

  private volatile Opened latest =
      new Opened(TokenKeys.getDefaultInstance(), TokenKeys.getDefaultInstance());

  public TokenKeyRolls(OperatorWords words, StoreClock clock, Settings settings, SecretSeal seal) {
    this.seal = seal;
    this.words = words;
    this.clock = clock;
    this.settings = settings;
  }

  /**
   * The keys as the table last had them, opened.
   *
   * @throws StoreException BAD_CONFIGURATION if they are sealed and this process cannot open them
   */
  public TokenKeys latest() throws StoreException {
    TokenKeys stored = words.latest().getTokenKeys();
    Opened known = latest;
    if (!known.stored.equals(stored)) {
      known = new Opened(stored, opened(stored));
      latest = known;
    }
    return known.open;
  }

  private TokenKeys opened(TokenKeys stored) throws StoreException {
    TokenKeys.Builder open = stored.toBuilder().clearKeys();
    for (TokenKey key : stored.getKeysList()) {
      open.addKeys(
          key.toBuilder()
              .setSecret(
                  seal.open(
                      "the key of tokens " + Integer.toHexString(key.getId()),
                      place(key.getId()),
                      key.getSecretCipher(),
                      key.getSecret()))
              .clearSecretCipher());
    }
    return open.build();
  }

  private TokenKey sealed(TokenKey key) {
    return key.toBuilder()
        .setSecret(seal.seal(place(key.getId()), key.getSecret()))
        .setSecretCipher(seal.cipher())
        .build();
  }

  /** What a key's secret is bound to. */
  private static String place(int id) {
    return "\0token-key/" + Integer.toHexString(id);
  }

  /** Whether a key is stored as it is, and need not be any longer. */
  private boolean isBare(TokenKey key) {
    return key.getSecretCipher() == SecretSeal.PLAIN && seal.cipher() != SecretSeal.PLAIN;
  }

  /** Makes a key if it is time to, and forgets those that are over. Called by the leader. */
  public void roll() throws StoreException {
    if (isDue(words.latest().getTokenKeys())) {
      OperatorWord changed = words.change(this::rolled);
      LOG.info(
          "Keys of tokens are of version {}: {} of them",
          changed.getTokenKeys().getVersion(),
          changed.getTokenKeys().getKeysCount());
    }
  }

  private boolean isDue(TokenKeys keys) {
    long now = clock.wallMicros();
    return newest(keys) + micros(settings.interval) <= now
        || keys.getKeysCount() == 0
        || keys.getKeysList().stream().anyMatch(key -> key.getUntilMicros() <= now || isBare(key));
  }

  private static long newest(TokenKeys keys) {
    return keys.getKeysList().stream().mapToLong(TokenKey::getSignsFromMicros).max().orElse(0);
  }

  private OperatorWord rolled(OperatorWord word) {
    TokenKeys keys = word.getTokenKeys();
    if (!isDue(keys)) {
      return word; // somebody else was faster
    }
    long now = clock.wallMicros();
    TokenKeys.Builder next = TokenKeys.newBuilder().setVersion(keys.getVersion() + 1);
    Set<Integer> ids = new HashSet<>();
    for (TokenKey key : keys.getKeysList()) {
      if (key.getUntilMicros() > now) {
        next.addKeys(isBare(key) ? sealed(key) : key);
        ids.add(key.getId());
      }
    }
    if (next.getKeysCount() == 0 || newest(keys) + micros(settings.interval) <= now) {
      // The first one at once, also where a clock is behind this one.
      long from = now + (next.getKeysCount() == 0 ? -1 : 1) * micros(settings.spread);
      if (next.getKeysCount() > 0) {
        endThose(next, from + micros(settings.life));
      }
      byte[] secret = new byte[SECRET_BYTES];
      random.nextBytes(secret);
      int id = random.nextInt();
      while (ids.contains(id)) {
        id = random.nextInt();
      }
      next.addKeys(
          sealed(
              TokenKey.newBuilder()
                  .setId(id)
                  .setSecret(ByteString.copyFrom(secret))
                  .setSignsFromMicros(from)
                  .setUntilMicros(
                      from + SPARE_INTERVALS * micros(settings.interval) + micros(settings.life))
                  .build()));
    }
    return word.toBuilder().setTokenKeys(next).build();
  }

  /** Keys that sign no more from a moment on hold until what they signed until then expires. */
  private static void endThose(TokenKeys.Builder keys, long untilMicros) {
    for (TokenKey.Builder key : keys.getKeysBuilderList()) {
      key.setUntilMicros(Math.min(key.getUntilMicros(), untilMicros));
    }
  }

  private static long micros(Duration duration) {
    return duration.toNanos() / 1_000;
  }
}

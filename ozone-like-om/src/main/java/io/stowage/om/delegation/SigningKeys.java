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
package io.stowage.om.delegation;

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.DelegationKey;
import io.stowage.common.proto.DelegationKeysRecord;
import io.stowage.common.secret.SecretSeal;
import io.stowage.common.time.StoreClock;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.row.Stamps;
import io.stowage.om.table.Check;
import io.stowage.om.table.IdentityRowLayout;
import io.stowage.om.table.RowChange;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The keys that sign delegation tokens, one cell of table {@code identity} that all object managers
 * share. Thread-safe; reads of the cell are made under this object's lock, one at a time.
 *
 * <p>Nobody rolls keys by the clock: whoever issues a token and finds the last key old adds one,
 * comparing the whole cell. A key stands in the table before it signs anything, so whoever meets a
 * token of a key that he does not know reads the cell and then knows it, or the key is no key.
 *
 * <p>Interleavings: two object managers find the same key old: one's change is refused, it reads
 * again and finds a new key. One goes on signing with the old key, from its memory, for at most
 * {@link #REFRESH} after another replaced it: the old key is kept for so long and the skew bound
 * longer than the last token that it signed by right. One was paused between taking a key and
 * writing the token's row: its token may outlive the key and is then refused; it is asked for
 * again.
 */
final class SigningKeys {
  private static final Logger LOG = LoggerFactory.getLogger(SigningKeys.class);
  private static final int SECRET_BYTES = 32;
  private static final int MOST_ATTEMPTS = 20;

  /** What is known of the cell may be this old when something is signed. */
  static final Duration REFRESH = Duration.ofSeconds(5);

  /** Keys that nobody knows make us read the cell no more often than this. */
  static final Duration PAUSE = Duration.ofSeconds(1);

  /** What the cell may hold; keys that sign for minutes and hold for months would exceed it. */
  static final int MOST_KEYS = 1_000;

  /** A key in the clear. */
  record Key(int id, ByteString secret) {}

  private final RowCommitter rows;
  private final Stamps stamps;
  private final StoreClock clock;
  private final SecretSeal seal;
  private final DelegationSettings settings;
  private final SecureRandom random = new SecureRandom();

  private ByteString cell; // guarded by this, as the next three; null: the cell is not there
  private DelegationKeysRecord known = DelegationKeysRecord.getDefaultInstance();
  private boolean read;
  private long readNanos;

  SigningKeys(
      RowCommitter rows,
      Stamps stamps,
      StoreClock clock,
      SecretSeal seal,
      DelegationSettings settings) {
    this.rows = rows;
    this.stamps = stamps;
    this.clock = clock;
    this.seal = seal;
    this.settings = settings;
  }

  /** The key that signs now; made if there is none, or only an old one. */
  synchronized Key signing() throws StoreException {
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      if (!isReadWithin(REFRESH)) {
        refresh();
      }
      DelegationKey last =
          known.getKeysCount() == 0 ? null : known.getKeys(known.getKeysCount() - 1);
      if (last != null
          && last.getMadeMicros() + DelegationSettings.micros(settings.keyInterval())
              > clock.wallMicros()) {
        return opened(last);
      }
      roll();
      refresh();
    }
    throw new StoreException(
        ErrorCode.CONFLICT, "Cannot make a key of delegation tokens: others change the keys");
  }

  /** The key of an id; null if there is none, or it no longer holds. */
  synchronized Key find(int id) throws StoreException {
    DelegationKey found = holding(id);
    if (found == null && !isReadWithin(PAUSE)) {
      refresh();
      found = holding(id);
    }
    return found == null ? null : opened(found);
  }

  private DelegationKey holding(int id) {
    for (DelegationKey key : known.getKeysList()) {
      if (key.getId() == id) {
        return holds(key) ? key : null;
      }
    }
    return null;
  }

  private boolean holds(DelegationKey key) {
    return key.getUntilMicros() == 0 || key.getUntilMicros() > clock.wallMicros();
  }

  private boolean isReadWithin(Duration age) {
    return read && clock.monotonicNanos() - readNanos < age.toNanos();
  }

  private void refresh() throws StoreException {
    long now = clock.monotonicNanos();
    ByteString found =
        rows.get(IdentityRowLayout.TOKEN_KEYS_ROW, List.of(IdentityRowLayout.TOKEN_KEYS))
            .value(IdentityRowLayout.TOKEN_KEYS);
    if (found != null && !found.equals(cell)) {
      known = parsed(found);
    }
    cell = found;
    read = true;
    readNanos = now;
  }

  private static DelegationKeysRecord parsed(ByteString cell) throws StoreException {
    try {
      DelegationKeysRecord record = DelegationKeysRecord.parseFrom(cell);
      if (record.getFormat() > IdentityRowLayout.FORMAT) {
        throw new StoreException(
            ErrorCode.FORMAT_TOO_NEW,
            "Cannot read the keys of delegation tokens: format " + record.getFormat());
      }
      return record;
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException("Cannot read the keys of delegation tokens");
    }
  }

  /** Adds a key, unless somebody else did; forgets those that no longer hold. */
  private void roll() throws StoreException {
    long now = clock.wallMicros();
    long stamp = stamps.above(known.getStamp());
    DelegationKeysRecord.Builder next =
        DelegationKeysRecord.newBuilder().setFormat(IdentityRowLayout.FORMAT).setStamp(stamp);
    for (DelegationKey key : known.getKeysList()) {
      if (!holds(key)) {
        continue;
      }
      next.addKeys(
          key.getUntilMicros() != 0
              ? key
              : key.toBuilder()
                  .setUntilMicros(now + DelegationSettings.micros(settings.keyOutlives()))
                  .build());
    }
    if (next.getKeysCount() >= MOST_KEYS) {
      throw new StoreException(
          ErrorCode.TOO_LARGE, "Cannot keep more than " + MOST_KEYS + " keys of delegation tokens");
    }
    byte[] secret = new byte[SECRET_BYTES];
    random.nextBytes(secret);
    int id = random.nextInt();
    while (next.getKeysList().stream().map(DelegationKey::getId).toList().contains(id)) {
      id = random.nextInt();
    }
    next.addKeys(
        DelegationKey.newBuilder()
            .setId(id)
            .setSecret(seal.seal(sealedAs(id), HexFormat.of().formatHex(secret)))
            .setSecretCipher(seal.cipher())
            .setMadeMicros(now));
    RowCommitter.Outcome unused = // whatever it is, the cell is read next
        rows.commit(
            IdentityRowLayout.TOKEN_KEYS_ROW,
            Check.of(IdentityRowLayout.TOKEN_KEYS, cell),
            new RowChange(stamp).put(IdentityRowLayout.TOKEN_KEYS, next.build().toByteString()));
    LOG.info("Tried to make a key of delegation tokens, beside {}", next.getKeysCount() - 1);
  }

  private Key opened(DelegationKey key) throws StoreException {
    String secret = seal.open(sealedAs(key.getId()), key.getSecretCipher(), key.getSecret());
    return new Key(key.getId(), ByteString.copyFrom(HexFormat.of().parseHex(secret)));
  }

  private static String sealedAs(int id) {
    return "key of delegation tokens " + HexFormat.of().toHexDigits(id);
  }
}

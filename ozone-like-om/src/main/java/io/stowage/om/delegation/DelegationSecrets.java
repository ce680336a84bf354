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

import io.stowage.common.delegation.DelegationTokenIdentifier;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.DelegationTokenRecord;
import io.stowage.common.secret.SecretSeal;
import io.stowage.common.time.StoreClock;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.row.Stamps;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.apache.hadoop.io.Text;
import org.apache.hadoop.ipc.RetriableException;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.security.token.SecretManager;
import org.apache.hadoop.security.token.TokenIdentifier;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes delegation tokens and knows which hold. Keeps nothing that another object manager would
 * miss: a token is its row and a key, both in HBase. Thread-safe.
 *
 * <p>Hadoop's own manager of such tokens keeps them in its memory, with a thread that rolls keys
 * and one that removes tokens; a store behind it is for restarts. Shared by several servers it has
 * to be taught that the store knows better at every turn, and so this one begins there: a key and a
 * row are looked up when a connection is made, and a token in use is looked at again every {@link
 * #LOOK} at the next call of its connection.
 *
 * <p>The password is HMAC-SHA256 of the identifier's bytes under the key that it names.
 */
public final class DelegationSecrets extends SecretManager<DelegationTokenIdentifier> {
  private static final Logger LOG = LoggerFactory.getLogger(DelegationSecrets.class);
  private static final String ALGORITHM = "HmacSHA256";

  /** A connection that is open when its token is cancelled ends so much later at most. */
  static final Duration LOOK = Duration.ofSeconds(2);

  /** Tokens that were looked at lately; emptied when full. */
  private static final int MOST_REMEMBERED = 10_000;

  private final SigningKeys keys;
  private final TokenRows rows;
  private final StoreClock clock;
  private final DelegationSettings settings;
  private final SecureRandom random = new SecureRandom();
  private final Map<Long, Long> seenNanos = new ConcurrentHashMap<>();

  /**
   * @param rows of table {@code identity}
   * @param seal encrypts the keys
   */
  public DelegationSecrets(
      RowCommitter rows,
      Stamps stamps,
      StoreClock clock,
      SecretSeal seal,
      DelegationSettings settings) {
    this.keys = new SigningKeys(rows, stamps, clock, seal, settings);
    this.rows = new TokenRows(rows, stamps);
    this.clock = clock;
    this.settings = settings;
  }

  /** A token with its password. */
  record Issued(DelegationTokenIdentifier identifier, ByteString secret) {
    byte[] password() {
      return secret.toByteArray();
    }
  }

  /**
   * Makes a token.
   *
   * @param realUser who asks for it in another's name; null: its owner
   */
  Issued issue(String owner, String renewer, String realUser) throws StoreException {
    SigningKeys.Key key = keys.signing();
    long now = clock.wallMicros();
    long max = now + DelegationSettings.micros(settings.life());
    DelegationTokenIdentifier identifier = newIdentifier(owner, renewer, realUser);
    identifier.setIssueDate(now / 1_000);
    identifier.setMaxDate(max / 1_000);
    identifier.setMasterKeyId(key.id());
    rows.create(
        identifier.id(),
        DelegationTokenRecord.newBuilder()
            .setExpiryMicros(
                Math.min(max, now + DelegationSettings.micros(settings.renewInterval())))
            .setMaxMicros(max)
            .setOwner(owner)
            .setRenewer(identifier.getRenewer().toString())
            .build());
    LOG.info("Issued {}", identifier);
    return new Issued(identifier, ByteString.copyFrom(hmac(key, identifier)));
  }

  private DelegationTokenIdentifier newIdentifier(String owner, String renewer, String realUser)
      throws StoreException {
    try {
      return new DelegationTokenIdentifier(
          random.nextLong(),
          new Text(owner),
          new Text(renewer),
          new Text(realUser == null ? "" : realUser));
    } catch (RuntimeException e) { // Hadoop's, of a principal that no rule makes a user
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot issue a delegation token for renewer " + renewer + ": " + e.getMessage(),
          e);
    }
  }

  /**
   * Lets a token hold for longer; until when, in microseconds.
   *
   * @throws StoreException ACCESS_DENIED to others than its renewer, and for one that is no more
   */
  long renew(DelegationTokenIdentifier identifier, byte[] password, String caller)
      throws StoreException {
    authenticate("renew", identifier, password);
    String renewer = identifier.getRenewer().toString();
    if (renewer.isEmpty() || !renewer.equals(caller)) {
      throw denied("renew", identifier, caller + " is not its renewer");
    }
    long now = clock.wallMicros();
    DelegationTokenRecord renewed =
        rows.update(
            identifier.id(),
            token ->
                isOver(token, now)
                    ? token
                    : token.toBuilder()
                        .setExpiryMicros(
                            Math.min(
                                token.getMaxMicros(),
                                now + DelegationSettings.micros(settings.renewInterval())))
                        .build());
    if (renewed == null || isOver(renewed, now)) {
      throw denied("renew", identifier, ended(renewed, now));
    }
    LOG.info("Renewed {} until {} ms", identifier, renewed.getExpiryMicros() / 1_000);
    return renewed.getExpiryMicros();
  }

  /**
   * Ends a token, unless it has ended.
   *
   * @param caller short name
   * @throws StoreException ACCESS_DENIED to others than its owner and its renewer
   */
  void cancel(DelegationTokenIdentifier identifier, byte[] password, String caller)
      throws StoreException {
    authenticate("cancel", identifier, password);
    if (!caller.equals(identifier.getUser().getShortUserName())
        && !caller.equals(identifier.getRenewer().toString())) {
      throw denied("cancel", identifier, caller + " is neither its owner nor its renewer");
    }
    DelegationTokenRecord unused =
        rows.update(identifier.id(), token -> token.toBuilder().setCancelled(true).build());
    seenNanos.remove(identifier.id());
    LOG.info("Cancelled {}, for {}", identifier, caller);
  }

  private void authenticate(String what, DelegationTokenIdentifier identifier, byte[] password)
      throws StoreException {
    SigningKeys.Key key = keys.find(identifier.getMasterKeyId());
    if (key == null) {
      throw denied(what, identifier, "its key is not known, or no longer");
    }
    if (!MessageDigest.isEqual(hmac(key, identifier), password)) { // constant time
      throw denied(what, identifier, "its password is wrong");
    }
  }

  private static StoreException denied(
      String what, DelegationTokenIdentifier identifier, String why) {
    return new StoreException(
        ErrorCode.ACCESS_DENIED, "Cannot " + what + " " + identifier + ": " + why);
  }

  private static boolean isOver(DelegationTokenRecord token, long nowMicros) {
    return token.getCancelled() || token.getExpiryMicros() <= nowMicros;
  }

  private static String ended(DelegationTokenRecord token, long nowMicros) {
    if (token == null) {
      return "it is no more";
    }
    return token.getCancelled()
        ? "it was cancelled"
        : "it expired " + (nowMicros - token.getExpiryMicros()) / 1_000 + " ms ago";
  }

  // For connections that are made with a token.

  @Override
  protected byte[] createPassword(DelegationTokenIdentifier identifier) {
    throw new UnsupportedOperationException("tokens are issued, not just signed");
  }

  @Override
  public byte[] retrievePassword(DelegationTokenIdentifier identifier) throws InvalidToken {
    try {
      return retriableRetrievePassword(identifier);
    } catch (RetriableException e) {
      throw (InvalidToken) new InvalidToken(e.getMessage()).initCause(e);
    }
  }

  @Override
  public byte[] retriableRetrievePassword(DelegationTokenIdentifier identifier)
      throws InvalidToken, RetriableException {
    try {
      SigningKeys.Key key = keys.find(identifier.getMasterKeyId());
      if (key == null) {
        throw new InvalidToken(identifier + ": its key is not known, or no longer");
      }
      DelegationTokenRecord token = rows.find(identifier.id());
      long now = clock.wallMicros();
      if (token == null || isOver(token, now)) {
        throw new InvalidToken(identifier + ": " + ended(token, now));
      }
      return hmac(key, identifier);
    } catch (StoreException e) {
      throw new RetriableException("Cannot look up a delegation token: " + e.getMessage());
    }
  }

  @Override
  public DelegationTokenIdentifier createIdentifier() {
    return new DelegationTokenIdentifier();
  }

  /**
   * Lets a call go on if the token still holds with which its caller's connection was made, if it
   * was made with one. What was found holds for {@link #LOOK}.
   *
   * @throws StoreException ACCESS_DENIED
   */
  public void check(UserGroupInformation caller) throws StoreException {
    for (TokenIdentifier shown : caller.getTokenIdentifiers()) {
      if (shown instanceof DelegationTokenIdentifier identifier) {
        checkHolds(identifier);
      }
    }
  }

  private void checkHolds(DelegationTokenIdentifier identifier) throws StoreException {
    long nanos = clock.monotonicNanos();
    Long seen = seenNanos.get(identifier.id());
    if (seen != null && nanos - seen < LOOK.toNanos()) {
      return;
    }
    DelegationTokenRecord token = rows.find(identifier.id());
    long now = clock.wallMicros();
    if (token == null || isOver(token, now)) {
      seenNanos.remove(identifier.id());
      throw denied("serve a call with", identifier, ended(token, now));
    }
    if (seenNanos.size() >= MOST_REMEMBERED) {
      seenNanos.clear();
    }
    seenNanos.put(identifier.id(), nanos);
  }

  /** Deletes rows of tokens that ended long ago. */
  public void sweep() throws StoreException {
    int deleted = rows.sweep(clock.wallMicros());
    if (deleted > 0) {
      LOG.info("Deleted the rows of {} delegation tokens that had ended", deleted);
    }
  }

  private static byte[] hmac(SigningKeys.Key key, DelegationTokenIdentifier identifier) {
    try {
      Mac mac = Mac.getInstance(ALGORITHM);
      mac.init(new SecretKeySpec(key.secret().toByteArray(), ALGORITHM));
      return mac.doFinal(identifier.getBytes());
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every JDK has " + ALGORITHM, e);
    }
  }
}

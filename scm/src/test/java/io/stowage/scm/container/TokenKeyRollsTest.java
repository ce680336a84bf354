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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.OperatorWord;
import io.stowage.common.proto.SetBalanceRequest;
import io.stowage.common.proto.ShardGrant;
import io.stowage.common.proto.TokenKeys;
import io.stowage.common.secret.SecretSeal;
import io.stowage.common.time.ManualClock;
import io.stowage.common.token.Operation;
import io.stowage.common.token.ShardTokens;
import io.stowage.common.token.TokenKeyRing;
import io.stowage.scm.cluster.ClusterClock;
import io.stowage.scm.cluster.ClusterMap;
import io.stowage.scm.cluster.FailureDomain;
import io.stowage.scm.cluster.FailureDomains;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;

class TokenKeyRollsTest {
  private static final TokenKeyRolls.Settings SETTINGS =
      new TokenKeyRolls.Settings(Duration.ofHours(24), Duration.ofHours(10), Duration.ofMinutes(2));

  private final ManualClock clock = new ManualClock(1_000_000_000_000_000L);
  private final MemoryContainerStore store = new MemoryContainerStore(clock);
  private final OperatorWords words = words();
  private final TokenKeyRolls rolls = new TokenKeyRolls(words, clock, SETTINGS, SecretSeal.NONE);

  private OperatorWords words() {
    return new OperatorWords(
        store,
        new ClusterMap(
            clock,
            host -> "/default-rack",
            FailureDomains.all(FailureDomain.DISK),
            Duration.ofSeconds(30),
            0,
            node -> CompletableFuture.completedFuture(null)),
        clock);
  }

  private ByteString token(TokenKeys keys) throws Exception {
    TokenKeyRing ring = new TokenKeyRing();
    ring.take(keys);
    return new ShardTokens(ring, clock)
        .sign(
            ShardGrant.newBuilder()
                .setOperations(Operation.all(Operation.READ))
                .setExpiryMicros(clock.wallMicros() + 36_000_000_000L)
                .build());
  }

  private ShardGrant verify(TokenKeys keys, ByteString token) throws Exception {
    TokenKeyRing ring = new TokenKeyRing();
    ring.take(keys);
    return new ShardTokens(ring, clock).verify(token);
  }

  @Test
  void theFirstKeySignsAtOnceAndStays() throws Exception {
    rolls.roll();
    TokenKeys first = rolls.latest();
    assertEquals(1, first.getKeysCount());
    assertEquals(32, first.getKeys(0).getSecret().size());
    var unused = verify(first, token(first));
    rolls.roll();
    assertEquals(first, rolls.latest());
  }

  /** At no time does anybody sign with a key that whoever is two minutes behind does not have. */
  @Test
  void whoIsBehindCanCheckWhatOthersSign() throws Exception {
    rolls.roll();
    TokenKeys behind = rolls.latest();
    int rolled = 0;
    for (int minute = 0; minute < 4 * 24 * 60; minute++) {
      var unused = verify(behind, token(rolls.latest()));
      behind = rolls.latest();
      clock.advance(Duration.ofMinutes(1));
      rolls.roll();
      rolled += rolls.latest().getVersion() > behind.getVersion() ? 1 : 0;
      int count = rolls.latest().getKeysCount();
      assertTrue(count <= 2, () -> count + " keys");
    }
    assertTrue(rolled >= 6, rolled + " changes in four days");
  }

  @Test
  void tokensOutliveTheirKeysSigning() throws Exception {
    rolls.roll();
    clock.advance(Duration.ofHours(24));
    ByteString last = token(rolls.latest());
    rolls.roll();
    clock.advance(Duration.ofMinutes(10));
    assertNotEquals(
        token(rolls.latest()).substring(1, 5), last.substring(1, 5), "another key signs");
    clock.advance(Duration.ofHours(9));
    rolls.roll();
    var unused = verify(rolls.latest(), last);
    clock.advance(Duration.ofHours(2));
    rolls.roll();
    assertEquals(1, rolls.latest().getKeysCount(), "the old key is gone");
  }

  @Test
  void twoLeadersMakeOneKeyAndKeepWhatOperatorsSaid() throws Exception {
    OperatorWords others = words();
    TokenKeyRolls deposed = new TokenKeyRolls(others, clock, SETTINGS, SecretSeal.NONE);
    var unused =
        words.change(
            word ->
                word.toBuilder()
                    .setBalance(SetBalanceRequest.newBuilder().setRunning(true))
                    .build());
    rolls.roll();
    deposed.roll(); // has not followed the table
    assertEquals(rolls.latest(), deposed.latest());
    OperatorWord word = store.operatorWord().word();
    assertEquals(1, word.getTokenKeys().getKeysCount());
    assertTrue(word.getBalance().getRunning());
  }

  @Test
  void theTableHasSealedKeysAndOldOnesAreSealedAtOnce() throws Exception {
    rolls.roll(); // without a password, as before there was one
    TokenKeys before = rolls.latest();
    assertEquals(before, store.operatorWord().word().getTokenKeys());
    TokenKeyRolls sealing =
        new TokenKeyRolls(words, clock, SETTINGS, SecretSeal.of("password".toCharArray()));
    assertEquals(before, sealing.latest(), "read as they are");
    sealing.roll();
    assertSealed(before.getKeys(0).getSecret());
    assertEquals(before.getKeysList(), sealing.latest().getKeysList());
    TokenKeys stored = store.operatorWord().word().getTokenKeys();
    sealing.roll();
    assertEquals(stored, store.operatorWord().word().getTokenKeys(), "there is nothing to do");

    clock.advance(Duration.ofHours(24));
    ByteString token = token(sealing.latest());
    sealing.roll();
    assertEquals(2, sealing.latest().getKeysCount());
    sealing.latest().getKeysList().forEach(key -> assertSealed(key.getSecret()));
    var unused = verify(sealing.latest(), token);
    clock.advance(Duration.ofMinutes(3));
    unused = verify(sealing.latest(), token(sealing.latest()));

    // Another SCM of the same password follows; one of another, or of none, says what is wrong.
    OperatorWords others = words();
    others.follow();
    assertEquals(
        sealing.latest(),
        new TokenKeyRolls(others, clock, SETTINGS, SecretSeal.of("password".toCharArray()))
            .latest());
    for (SecretSeal wrong : List.of(SecretSeal.NONE, SecretSeal.of("another".toCharArray()))) {
      StoreException e =
          assertThrows(
              StoreException.class,
              () -> new TokenKeyRolls(others, clock, SETTINGS, wrong).latest());
      assertEquals(ErrorCode.BAD_CONFIGURATION, e.code());
      assertTrue(e.getMessage().startsWith("Cannot read the key of tokens "), e.getMessage());
    }
  }

  private void assertSealed(ByteString secret) {
    byte[] table = store.operatorWord().word().toByteArray();
    assertFalse(
        new String(table, StandardCharsets.ISO_8859_1)
            .contains(secret.toString(StandardCharsets.ISO_8859_1)));
  }

  /** By the clock of a leader that jumps, and by datanodes' that do not. */
  @Test
  void aJumpOfTheLeadersClockNeitherRollsKeysNorLetsThemLive() throws Exception {
    ManualClock machine = new ManualClock(clock.wallMicros());
    ClusterClock ours = new ClusterClock(machine, Duration.ofSeconds(10), Duration.ofSeconds(30));
    TokenKeyRolls jumping = new TokenKeyRolls(words, ours, SETTINGS, SecretSeal.NONE);
    jumping.roll();
    TokenKeys before = jumping.latest();
    ByteString token = token(before);
    for (Duration jump : List.of(Duration.ofDays(31), Duration.ofDays(-31))) {
      hear(ours);
      machine.setWallMicros(machine.wallMicros() + jump.toNanos() / 1_000);
      jumping.roll();
      assertEquals(before, jumping.latest(), () -> "jumped by " + jump);
      machine.setWallMicros(clock.wallMicros());
    }
    machine.setWallMicros(machine.wallMicros() + Duration.ofHours(1).toNanos() / 1_000);
    for (int hour = 0; hour < 24; hour++) {
      clock.advance(Duration.ofHours(1));
      machine.advance(Duration.ofHours(1));
      hear(ours);
      jumping.roll();
    }
    assertEquals(2, jumping.latest().getKeysCount(), "rolled at its true time");
    long until = jumping.latest().getKeys(0).getUntilMicros();
    long truly = clock.wallMicros() + Duration.ofMinutes(10 * 60 + 2).toNanos() / 1_000;
    assertEquals(truly, until, "the first ends with the last token that it signs");
    assertThrows(StoreException.class, () -> verify(jumping.latest(), token), "expired");
  }

  private void hear(ClusterClock ours) {
    for (String node : List.of("a", "b", "c")) {
      ours.heard(node, clock.wallMicros());
    }
    ours.look();
  }
}

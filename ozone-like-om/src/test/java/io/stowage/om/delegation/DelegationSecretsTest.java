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

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.delegation.DelegationTokenIdentifier;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.OutcomeUnknownException;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.DelegationKeysRecord;
import io.stowage.common.secret.SecretSeal;
import io.stowage.common.time.ManualClock;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.row.Stamps;
import io.stowage.om.table.Check;
import io.stowage.om.table.Column;
import io.stowage.om.table.FaultyRowStore;
import io.stowage.om.table.ForwardingRowStore;
import io.stowage.om.table.IdentityRowLayout;
import io.stowage.om.table.MemoryRowStore;
import io.stowage.om.table.Row;
import io.stowage.om.table.RowChange;
import io.stowage.om.table.RowStore;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.hadoop.io.Text;
import org.apache.hadoop.ipc.RetriableException;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.security.token.SecretManager.InvalidToken;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;

/** Tokens of object managers that share a table and nothing else. */
class DelegationSecretsTest {
  private static final DelegationSettings SETTINGS =
      new DelegationSettings(
          Duration.ofDays(7), Duration.ofDays(1), Duration.ofDays(1), Duration.ofSeconds(10));

  private final ManualClock clock = new ManualClock(1_700_000_000_000_000L);
  private final MemoryRowStore table = new MemoryRowStore();
  private final DelegationSecrets one = objectManager(table, SecretSeal.NONE);
  private final DelegationSecrets other = objectManager(table, SecretSeal.NONE);

  private DelegationSecrets objectManager(RowStore store, SecretSeal seal) {
    return new DelegationSecrets(
        new RowCommitter(store, clock, duration -> {}, Duration.ofSeconds(60)),
        new Stamps(clock, Duration.ofSeconds(10)),
        clock,
        seal,
        SETTINGS);
  }

  private static DelegationTokenIdentifier copy(DelegationTokenIdentifier identifier)
      throws IOException {
    DelegationTokenIdentifier read = new DelegationTokenIdentifier();
    read.readFields(new DataInputStream(new ByteArrayInputStream(identifier.getBytes())));
    return read;
  }

  private static void assertKnown(DelegationSecrets at, DelegationSecrets.Issued token)
      throws IOException {
    assertArrayEquals(token.password(), at.retriableRetrievePassword(copy(token.identifier())));
  }

  private static String refusal(DelegationSecrets at, DelegationSecrets.Issued token) {
    return assertThrows(
            InvalidToken.class, () -> at.retriableRetrievePassword(copy(token.identifier())))
        .getMessage();
  }

  private static String denied(Callable<?> call) {
    StoreException e = assertThrows(StoreException.class, call::call);
    assertEquals(ErrorCode.ACCESS_DENIED, e.code(), e.toString());
    return e.getMessage();
  }

  private long renew(DelegationSecrets at, DelegationSecrets.Issued token, String caller)
      throws StoreException {
    return at.renew(token.identifier(), token.password(), caller);
  }

  private Callable<?> cancelling(
      DelegationSecrets at, DelegationSecrets.Issued token, String caller) {
    return () -> {
      at.cancel(token.identifier(), token.password(), caller);
      return null;
    };
  }

  @Test
  void whatOneIssuesTheOthersKnow() throws Exception {
    DelegationSecrets.Issued token = one.issue("alice", "rm", null);
    assertKnown(one, token);
    assertKnown(other, token);
    assertKnown(objectManager(table, SecretSeal.NONE), token); // one that starts later
    DelegationTokenIdentifier read = copy(token.identifier());
    assertEquals(token.identifier(), read);
    assertEquals("alice", read.getUser().getUserName());
    assertNull(read.getUser().getRealUser());
    assertEquals(SETTINGS.life().toMillis(), read.getMaxDate() - read.getIssueDate());
    DelegationSecrets.Issued second = one.issue("alice", "rm", null);
    assertNotEquals(token.identifier(), second.identifier());
    assertEquals(token.identifier().getMasterKeyId(), second.identifier().getMasterKeyId());
  }

  @Test
  void whoSpeaksForAnotherIsSaid() throws Exception {
    DelegationTokenIdentifier read = copy(one.issue("alice", "rm", "oozie").identifier());
    assertEquals("alice", read.getUser().getUserName());
    assertEquals("oozie", read.getUser().getRealUser().getUserName());
  }

  @Test
  void whatWasChangedHasAnotherPassword() throws Exception {
    DelegationSecrets.Issued token = one.issue("alice", "rm", null);
    DelegationTokenIdentifier forged = copy(token.identifier());
    forged.setOwner(new Text("root"));
    assertFalse(Arrays.equals(token.password(), other.retriableRetrievePassword(forged)));
    assertTrue(denied(() -> other.renew(forged, token.password(), "rm")).contains("password"));
    DelegationTokenIdentifier longer = copy(token.identifier());
    longer.setMaxDate(Long.MAX_VALUE);
    assertFalse(Arrays.equals(token.password(), other.retriableRetrievePassword(longer)));
    DelegationTokenIdentifier keyless = copy(token.identifier());
    keyless.setMasterKeyId(token.identifier().getMasterKeyId() + 1);
    assertTrue(
        assertThrows(InvalidToken.class, () -> other.retriableRetrievePassword(keyless))
            .getMessage()
            .contains("key is not known"));
  }

  @Test
  void itsRenewerAloneRenewsIt() throws Exception {
    DelegationSecrets.Issued token = one.issue("alice", "rm", null);
    clock.advance(Duration.ofHours(23));
    for (String wrong : List.of("bob", "alice", "")) {
      assertTrue(denied(() -> renew(other, token, wrong)).contains("not its renewer"));
    }
    assertEquals(
        clock.wallMicros() + Duration.ofDays(1).toNanos() / 1_000, renew(other, token, "rm"));
    clock.advance(Duration.ofHours(23));
    assertKnown(one, token);
    DelegationSecrets.Issued nobodys = one.issue("alice", "", null);
    assertTrue(denied(() -> renew(one, nobodys, "")).contains("not its renewer"));
  }

  @Test
  void renewalEndsWithItsLife() throws Exception {
    long issued = clock.wallMicros();
    DelegationSecrets.Issued token = one.issue("alice", "rm", null);
    long last = 0;
    for (int day = 0; day < 7; day++) {
      clock.advance(Duration.ofHours(23));
      last = renew(other, token, "rm");
    }
    assertEquals(issued + SETTINGS.life().toNanos() / 1_000, last);
    clock.setWallMicros(last - 1);
    assertKnown(one, token);
    clock.setWallMicros(last);
    assertTrue(refusal(one, token).contains("expired"));
    assertTrue(denied(() -> renew(one, token, "rm")).contains("expired"));
  }

  @Test
  void withoutRenewalItExpires() throws Exception {
    DelegationSecrets.Issued token = one.issue("alice", "rm", null);
    clock.advance(Duration.ofDays(1).minusSeconds(1));
    assertKnown(other, token);
    clock.advance(Duration.ofSeconds(1));
    assertTrue(refusal(other, token).contains("expired"));
    assertTrue(denied(() -> renew(other, token, "rm")).contains("expired"));
  }

  @Test
  void cancelledItIsRefusedEverywhereAtOnce() throws Exception {
    for (String who : List.of("alice", "rm")) {
      DelegationSecrets.Issued token = one.issue("alice", "rm", null);
      assertKnown(other, token);
      assertTrue(denied(cancelling(other, token, "bob")).contains("neither"));
      assertKnown(one, token);
      cancelling(other, token, who).call();
      assertTrue(refusal(one, token).contains("cancelled"));
      assertTrue(denied(() -> renew(one, token, "rm")).contains("cancelled"));
      cancelling(one, token, who).call(); // again: it is cancelled
      assertTrue(refusal(other, token).contains("cancelled"));
    }
  }

  @Test
  void aRenewalThatArrivesAfterTheCancelRevivesNothing() throws Exception {
    DelegationSecrets.Issued token = one.issue("alice", "rm", null);
    AtomicReference<Callable<Boolean>> late = new AtomicReference<>();
    RowStore slow =
        new ForwardingRowStore(table) {
          @Override
          public boolean checkAndMutate(
              ByteString row, Check check, RowChange change, Duration timeout) throws IOException {
            late.set(() -> super.checkAndMutate(row, check, change, timeout));
            clock.advance(Duration.ofSeconds(61));
            throw new IOException("no answer");
          }
        };
    DelegationSecrets paused = objectManager(slow, SecretSeal.NONE);
    clock.advance(Duration.ofHours(1)); // so that a renewal changes something
    assertThrows(OutcomeUnknownException.class, () -> renew(paused, token, "rm"));
    cancelling(one, token, "alice").call();
    assertFalse(late.get().call());
    assertTrue(refusal(other, token).contains("cancelled"));
  }

  @Test
  void keysRollAndWhatOldOnesSignedHolds() throws Exception {
    DelegationSecrets.Issued first = one.issue("alice", "rm", null);
    clock.advance(Duration.ofHours(12));
    assertKnown(other, first); // which now knows the first key
    clock.advance(Duration.ofHours(12));
    DelegationSecrets.Issued second = one.issue("alice", "rm", null);
    assertNotEquals(
        first.identifier().getMasterKeyId(), second.identifier().getMasterKeyId(), "rolled");
    assertKnown(other, second);
    DelegationSecrets.Issued third = other.issue("alice", "rm", null);
    assertEquals(second.identifier().getMasterKeyId(), third.identifier().getMasterKeyId());
    for (int day = 0; day < 6; day++) {
      long unused = renew(day % 2 == 0 ? one : other, second, "rm");
      clock.advance(Duration.ofHours(23));
      var key = other.issue("bob", "rm", null);
      assertKnown(one, key);
    }
    assertKnown(one, second);
    assertTrue(keys().getKeysCount() <= 9, keys().getKeysCount() + " keys are kept");
    clock.advance(Duration.ofDays(9));
    assertTrue(refusal(one, second).contains("expired") || refusal(one, second).contains("key"));
    assertKnown(other, one.issue("alice", "rm", null));
    assertEquals(2, keys().getKeysCount(), "the last of before, and the one that signs");
  }

  private DelegationKeysRecord keys() throws IOException {
    return DelegationKeysRecord.parseFrom(
        table
            .get(IdentityRowLayout.TOKEN_KEYS_ROW, List.of(IdentityRowLayout.TOKEN_KEYS))
            .value(IdentityRowLayout.TOKEN_KEYS));
  }

  @Test
  void aRollOfTwoAtOnceMakesOneKey() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try {
      List<Future<DelegationSecrets.Issued>> issued = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        DelegationSecrets its = objectManager(table, SecretSeal.NONE);
        issued.add(threads.submit(() -> its.issue("alice", "rm", null)));
      }
      for (Future<DelegationSecrets.Issued> token : issued) {
        assertKnown(one, token.get());
      }
    } finally {
      threads.shutdownNow();
    }
    assertEquals(1, keys().getKeysCount());
  }

  @Test
  void keysAreSealedByThePassword() throws Exception {
    DelegationSecrets sealed = objectManager(table, SecretSeal.of("secret".toCharArray()));
    DelegationSecrets.Issued token = sealed.issue("alice", "rm", null);
    assertEquals(SecretSeal.of("x".toCharArray()).cipher(), keys().getKeys(0).getSecretCipher());
    assertKnown(objectManager(table, SecretSeal.of("secret".toCharArray())), token);
    for (SecretSeal wrong : List.of(SecretSeal.NONE, SecretSeal.of("other".toCharArray()))) {
      assertThrows(
          RetriableException.class,
          () -> objectManager(table, wrong).retriableRetrievePassword(token.identifier()));
    }
  }

  @Test
  void whatNobodyKnowsAsksTheTableOnceASecond() throws Exception {
    AtomicInteger reads = new AtomicInteger();
    RowStore counting =
        new ForwardingRowStore(table) {
          @Override
          public Row get(ByteString row, List<Column> columns) throws IOException {
            reads.incrementAndGet();
            return super.get(row, columns);
          }
        };
    DelegationSecrets asked = objectManager(counting, SecretSeal.NONE);
    DelegationTokenIdentifier madeUp =
        new DelegationTokenIdentifier(1, new Text("root"), new Text("rm"), new Text(""));
    for (int i = 0; i < 100; i++) {
      madeUp.setMasterKeyId(i);
      assertThrows(InvalidToken.class, () -> asked.retriableRetrievePassword(madeUp));
    }
    assertEquals(1, reads.get());
    DelegationSecrets.Issued real = one.issue("alice", "rm", null);
    clock.advance(SigningKeys.PAUSE);
    assertKnown(asked, real);
  }

  @Test
  void withoutItsTableAnObjectManagerSaysLaterNotNever() throws Exception {
    DelegationSecrets.Issued token = one.issue("alice", "rm", null);
    RowStore away =
        new ForwardingRowStore(table) {
          @Override
          public Row get(ByteString row, List<Column> columns) throws IOException {
            throw new IOException("no region server");
          }
        };
    DelegationSecrets blind = objectManager(away, SecretSeal.NONE);
    assertThrows(
        RetriableException.class, () -> blind.retriableRetrievePassword(token.identifier()));
    StoreException e = assertThrows(StoreException.class, () -> blind.issue("alice", "rm", null));
    assertEquals(ErrorCode.UNAVAILABLE, e.code());
  }

  @Test
  void callsOfAnOpenConnectionEndSoonAfterTheToken() throws Exception {
    DelegationSecrets.Issued token = one.issue("alice", "rm", null);
    UserGroupInformation caller = token.identifier().getUser();
    assertTrue(caller.addTokenIdentifier(token.identifier()));
    other.check(caller);
    cancelling(one, token, "alice").call();
    other.check(caller); // looked at just now
    clock.advance(DelegationSecrets.LOOK);
    assertTrue(
        denied(
                () -> {
                  other.check(caller);
                  return null;
                })
            .contains("cancelled"));
    other.check(UserGroupInformation.createRemoteUser("alice")); // came with a ticket
  }

  @Test
  void rowsOfTokensThatEndedAreDeletedADayLater() throws Exception {
    DelegationSecrets.Issued old = one.issue("alice", "rm", null);
    clock.advance(Duration.ofDays(8).minusSeconds(1));
    DelegationSecrets.Issued young = one.issue("alice", "rm", null);
    one.sweep();
    assertEquals(2, rows());
    clock.advance(Duration.ofSeconds(1));
    one.sweep();
    assertEquals(1, rows());
    assertKnown(other, young);
    assertTrue(refusal(other, old).contains("no more") || refusal(other, old).contains("key"));
    cancelling(other, young, "alice").call();
    clock.advance(Duration.ofDays(8));
    other.sweep();
    assertEquals(0, rows());
  }

  private int rows() throws IOException {
    return table
        .scan(
            IdentityRowLayout.TOKENS,
            IdentityRowLayout.BEHIND_TOKENS,
            'i',
            IdentityRowLayout.TOKEN.qualifier(),
            100)
        .size();
  }

  @Test
  void overAnUnreliableTableNothingThatEndedComesBack() throws Exception {
    try (FaultyRowStore faulty = new FaultyRowStore(table, 0.2)) {
      DelegationSecrets shaky = objectManager(faulty, SecretSeal.NONE);
      DelegationSecrets shakyToo = objectManager(faulty, SecretSeal.NONE);
      List<DelegationSecrets.Issued> live = new ArrayList<>();
      List<DelegationSecrets.Issued> ended = new ArrayList<>();
      for (int i = 0; i < 200; i++) {
        DelegationSecrets.Issued token = untilAnswered(() -> shaky.issue("alice", "rm", null));
        if (i % 3 == 0) {
          long unused = untilAnswered(() -> renew(shakyToo, token, "rm"));
        }
        if (i % 2 == 0) {
          untilAnswered(cancelling(shaky, token, "alice"));
          ended.add(token);
        } else {
          live.add(token);
        }
      }
      faulty.settle();
      assertTrue(faulty.faults() > 50, faulty.faults() + " faults");
      for (DelegationSecrets.Issued token : live) {
        assertKnown(one, token);
      }
      for (DelegationSecrets.Issued token : ended) {
        assertTrue(refusal(one, token).contains("cancelled"));
      }
    }
  }

  private static <T> T untilAnswered(Callable<T> call) throws Exception {
    StoreException last = null;
    for (int attempt = 0; attempt < 50; attempt++) {
      try {
        return call.call();
      } catch (StoreException e) {
        assertTrue(
            e.code() == ErrorCode.UNAVAILABLE || e.code() == ErrorCode.OUTCOME_UNKNOWN,
            e.toString());
        last = e;
      }
    }
    throw last;
  }

  @Test
  void keysThatWouldPileUpAreRefused() {
    assertThrows(
        IllegalArgumentException.class,
        () ->
            new DelegationSettings(
                Duration.ofDays(90),
                Duration.ofDays(1),
                Duration.ofSeconds(1),
                Duration.ofSeconds(10)));
  }
}

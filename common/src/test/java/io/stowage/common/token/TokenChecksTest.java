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

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ByteRange;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.LeaseGrant;
import io.stowage.common.proto.ListShardsRequest;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.OpenShardRequest;
import io.stowage.common.proto.ReadShardRequest;
import io.stowage.common.proto.SealShardRequest;
import io.stowage.common.proto.ShardGrant;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.StatShardRequest;
import io.stowage.common.proto.TokenKey;
import io.stowage.common.proto.TokenKeys;
import io.stowage.common.proto.WriteShardRequest;
import io.stowage.common.time.ManualClock;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.function.UnaryOperator;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** What is refused, case by case, and by chance. */
class TokenChecksTest {
  private static final long CONTAINER = 0x1234_5678_9abc_def0L;
  private static final ByteString HOLDER = ByteString.copyFromUtf8("a holder of 16 b");
  private static final long MINUTE = 60_000_000L;

  private final ManualClock clock = new ManualClock(1_000_000_000_000_000L);
  private final TokenKeyRing ring = new TokenKeyRing();
  private final ShardTokens tokens = new ShardTokens(ring, clock);
  private final TokenChecks checks = new TokenChecks(tokens);
  private final ShardGrants grants = new ShardGrants(tokens, Duration.ofHours(1));

  TokenChecksTest() {
    ring.take(keys(1, key(7, 0)));
  }

  private TokenKey key(int id, long signsFrom) {
    byte[] secret = new byte[32];
    new Random(id).nextBytes(secret);
    return TokenKey.newBuilder()
        .setId(id)
        .setSecret(ByteString.copyFrom(secret))
        .setSignsFromMicros(signsFrom)
        .setUntilMicros(clock.wallMicros() + 1_000 * MINUTE)
        .build();
  }

  private static TokenKeys keys(long version, TokenKey... keys) {
    return TokenKeys.newBuilder().setVersion(version).addAllKeys(List.of(keys)).build();
  }

  private ShardGrant.Builder reader() {
    return ShardGrant.newBuilder()
        .setExpiryMicros(clock.wallMicros() + MINUTE)
        .setOperations(Operation.all(Operation.READ))
        .setContainer(CONTAINER)
        .setShards(0b11111)
        .addRanges(range(8_192, 4_096))
        .addRanges(range(65_536, 16_384))
        .setUser("alice");
  }

  private ShardGrant.Builder writer() {
    return ShardGrant.newBuilder()
        .setExpiryMicros(clock.wallMicros() + MINUTE)
        .setOperations(Operation.all(Operation.OPEN, Operation.WRITE, Operation.SEAL))
        .setContainer(CONTAINER)
        .setEpoch(5)
        .setHolder(HOLDER)
        .setShards(0b11111)
        .setUser("alice");
  }

  private static ByteRange range(long offset, long length) {
    return ByteRange.newBuilder().setOffset(offset).setLength(length).build();
  }

  private static ShardKey shard(long container, int index) {
    return ShardKey.newBuilder().setContainer(container).setIndex(index).build();
  }

  private static ReadShardRequest read(ByteString token, ByteRange... ranges) {
    return ReadShardRequest.newBuilder()
        .setShard(shard(CONTAINER, 2))
        .setEpoch(5)
        .addAllRanges(List.of(ranges))
        .setToken(token)
        .build();
  }

  private static WriteShardRequest write(ByteString token, long epoch) {
    return WriteShardRequest.newBuilder()
        .setShard(shard(CONTAINER, 2))
        .setEpoch(epoch)
        .setToken(token)
        .build();
  }

  private static OpenShardRequest open(ByteString token, long epoch, ByteString holder) {
    return OpenShardRequest.newBuilder()
        .setShard(shard(CONTAINER, 2))
        .setEpoch(epoch)
        .setHolder(holder)
        .setToken(token)
        .build();
  }

  private static void refused(String why, Executable request) {
    StoreException e = assertThrows(StoreException.class, request, why);
    assertEquals(ErrorCode.ACCESS_DENIED, e.code(), why);
    assertTrue(e.getMessage().contains(why), () -> "'" + why + "' is not in: " + e.getMessage());
  }

  @Test
  void aReaderReadsWhatHisTokenNames() throws Exception {
    ByteString token = tokens.sign(reader().build());
    checks.check(read(token, range(8_192, 4_096)));
    checks.check(read(token, range(8_200, 100), range(65_536, 16_384)));
    checks.check(read(token, range(81_919, 1)));
  }

  @Test
  void aReaderGetsNothingElse() throws Exception {
    ByteString token = tokens.sign(reader().build());
    for (ByteRange other :
        List.of(
            range(0, 4_096),
            range(8_191, 2),
            range(8_192, 4_097),
            range(12_288, 1),
            range(8_192, 1L << 40),
            range(65_536, 16_385),
            range(8_192, 73_728), // from one range into the other
            range(-1, 4_096),
            range(8_192, Long.MAX_VALUE),
            range(8_192, -1))) {
      refused("not in its ranges", () -> checks.check(read(token, other)));
      refused("not in its ranges", () -> checks.check(read(token, range(8_192, 1), other)));
    }
    refused(
        "container",
        () ->
            checks.check(
                read(token, range(8_192, 1)).toBuilder()
                    .setShard(shard(CONTAINER + 1, 2))
                    .build()));
    refused(
        "not for shard 5",
        () ->
            checks.check(
                read(token, range(8_192, 1)).toBuilder().setShard(shard(CONTAINER, 5)).build()));
    refused(
        "not for shard 34", // bit 34 is not bit 2
        () ->
            checks.check(
                read(token, range(8_192, 1)).toBuilder().setShard(shard(CONTAINER, 34)).build()));
    refused("WRITE", () -> checks.check(write(token, 5)));
    refused("OPEN", () -> checks.check(open(token, 5, HOLDER)));
    refused(
        "SEAL",
        () ->
            checks.check(
                SealShardRequest.newBuilder()
                    .setShard(shard(CONTAINER, 2))
                    .setEpoch(5)
                    .setToken(token)
                    .build()));
    refused(
        "STAT",
        () ->
            checks.check(
                StatShardRequest.newBuilder()
                    .setShard(shard(CONTAINER, 2))
                    .setToken(token)
                    .build()));
    refused("LIST", () -> checks.check(ListShardsRequest.newBuilder().setToken(token).build()));
  }

  @Test
  void aWriterWritesUnderHisLease() throws Exception {
    ByteString token = tokens.sign(writer().build());
    checks.check(open(token, 5, HOLDER));
    checks.check(write(token, 5));
    refused("epoch", () -> checks.check(write(token, 6)));
    refused("epoch", () -> checks.check(open(token, 6, HOLDER)));
    refused(
        "holder", () -> checks.check(open(token, 5, ByteString.copyFromUtf8("another holder.."))));
    refused("READ", () -> checks.check(read(token, range(0, 1))));
    ByteString noEpoch = tokens.sign(writer().clearEpoch().build());
    refused("epoch", () -> checks.check(write(noEpoch, 5)));
  }

  @Test
  void noTokenAndOldTokensAreRefused() throws Exception {
    refused("no token", () -> checks.check(read(ByteString.EMPTY, range(8_192, 1))));
    ByteString token = tokens.sign(reader().build());
    clock.advance(Duration.ofSeconds(59));
    checks.check(read(token, range(8_192, 1)));
    clock.advance(Duration.ofSeconds(1));
    refused("expired", () -> checks.check(read(token, range(8_192, 1))));
  }

  @Test
  void keysRollAndAreForgotten() throws Exception {
    ByteString old = tokens.sign(reader().setExpiryMicros(Long.MAX_VALUE).build());
    ring.take(keys(2, key(7, 0), key(8, clock.wallMicros() + MINUTE)));
    assertEquals(old, tokens.sign(reader().setExpiryMicros(Long.MAX_VALUE).build()), "key 7 signs");
    clock.advance(Duration.ofMinutes(1));
    ByteString fresh = tokens.sign(reader().setExpiryMicros(Long.MAX_VALUE).build());
    assertEquals(8, fresh.byteAt(4));
    checks.check(read(old, range(8_192, 1)));
    ring.take(keys(1, key(9, 0)));
    checks.check(read(fresh, range(8_192, 1))); // older keys are not taken in
    ring.take(keys(3, key(8, 0)));
    refused("not known", () -> checks.check(read(old, range(8_192, 1))));
    checks.check(read(fresh, range(8_192, 1)));
  }

  @Test
  void whatAnotherClusterSignedIsRefused() throws Exception {
    TokenKeyRing others = new TokenKeyRing();
    others.take(
        keys(1, key(7, 0).toBuilder().setSecret(ByteString.copyFrom(new byte[32])).build()));
    ByteString forged = new ShardTokens(others, clock).sign(reader().build());
    refused("not signed by this cluster", () -> checks.check(read(forged, range(8_192, 1))));
  }

  @Test
  void withoutKeysNothingIsServedAndNothingSigned() {
    ShardTokens keyless = new ShardTokens(new TokenKeyRing(), clock);
    assertEquals(
        ErrorCode.UNAVAILABLE,
        assertThrows(StoreException.class, () -> keyless.sign(reader().build())).code());
    assertEquals(
        ErrorCode.UNAVAILABLE,
        assertThrows(
                StoreException.class,
                () ->
                    new TokenChecks(keyless)
                        .check(read(ByteString.copyFromUtf8("x"), range(8_192, 1))))
            .code());
  }

  @Test
  void everyTruncationAndEveryFlippedBitIsRefused() throws Exception {
    ByteString token = tokens.sign(reader().build());
    for (int length = 0; length < token.size(); length++) {
      ByteString part = token.substring(0, length);
      assertRefused(part);
      assertRefused(token.substring(token.size() - length));
    }
    for (int bit = 0; bit < token.size() * 8; bit++) {
      byte[] bytes = token.toByteArray();
      bytes[bit / 8] ^= (byte) (1 << bit % 8);
      assertRefused(ByteString.copyFrom(bytes));
    }
    assertRefused(token.concat(ByteString.copyFrom(new byte[1])));
    assertRefused(token.concat(token));
    assertDoesNotThrow(() -> checks.check(read(token, range(8_192, 1))));
  }

  private void assertRefused(ByteString token) {
    StoreException e =
        assertThrows(StoreException.class, () -> checks.check(read(token, range(8_192, 1))));
    assertEquals(ErrorCode.ACCESS_DENIED, e.code());
  }

  /** Widens genuine grants in every field, under the MAC of the genuine one. */
  @Test
  void widenedTokensAreRefused() throws Exception {
    List<UnaryOperator<ShardGrant.Builder>> widenings =
        List.of(
            grant -> grant.setExpiryMicros(Long.MAX_VALUE),
            grant -> grant.setOperations(63),
            grant -> grant.setContainer(CONTAINER + 1),
            grant -> grant.setEpoch(6),
            grant -> grant.setHolder(ByteString.copyFromUtf8("another holder..")),
            grant -> grant.setShards(-1),
            grant -> grant.clearRanges(),
            grant -> grant.setRanges(0, range(0, Long.MAX_VALUE)),
            grant -> grant.setUser("bob"),
            grant -> grant.setService(true));
    for (ShardGrant genuine : List.of(reader().build(), writer().addRanges(range(0, 1)).build())) {
      ByteString token = tokens.sign(genuine);
      ByteString mac = token.substring(token.size() - ShardTokens.MAC_BYTES);
      for (UnaryOperator<ShardGrant.Builder> widening : widenings) {
        ShardGrant wider = widening.apply(genuine.toBuilder()).build();
        assertRefused(token.substring(0, 5).concat(wider.toByteString()).concat(mac));
      }
    }
  }

  @Test
  void nothingMadeUpGetsThrough() throws Exception {
    long seed = Long.getLong("stowage.test.seed", System.nanoTime());
    int rounds = Integer.getInteger("stowage.test.token-rounds", 20_000);
    Random random = new Random(seed);
    ByteString genuine = tokens.sign(reader().build());
    for (int i = 0; i < rounds; i++) {
      byte[] bytes;
      if (random.nextBoolean()) {
        bytes = new byte[random.nextInt(200)];
        random.nextBytes(bytes);
        if (bytes.length > 5 && random.nextBoolean()) {
          bytes[0] = ShardTokens.VERSION; // and the id of a key that there is
          bytes[1] = bytes[2] = bytes[3] = 0;
          bytes[4] = 7;
        }
      } else {
        bytes = genuine.toByteArray();
        for (int changes = 1 + random.nextInt(4); changes > 0; changes--) {
          bytes[random.nextInt(bytes.length)] += (byte) (1 + random.nextInt(255));
        }
        if (ByteString.copyFrom(bytes).equals(genuine)) {
          continue;
        }
      }
      ByteString forged = ByteString.copyFrom(bytes);
      StoreException e =
          assertThrows(
              StoreException.class,
              () -> checks.check(read(forged, range(8_192, 1))),
              () -> "seed " + seed + " got through with " + forged);
      assertEquals(ErrorCode.ACCESS_DENIED, e.code());
    }
  }

  @Test
  void readersGetTheSectorsOfTheirManifestOnEveryShard() throws Exception {
    Manifest manifest =
        Manifest.newBuilder()
            .addExtents( // three stripes of three cells
                Extent.newBuilder()
                    .setContainer(CONTAINER)
                    .setOffset(65_536)
                    .setWidth(3)
                    .setCellLength(8_192)
                    .setLength(8_192 * 7))
            .addExtents( // a packed one: parts of two sectors
                Extent.newBuilder()
                    .setContainer(CONTAINER)
                    .setOffset(4_000)
                    .setWidth(1)
                    .setCellLength(4_096)
                    .setPacked(true)
                    .setLength(200))
            .build();
    ContainerInfo info = ContainerInfo.newBuilder().setId(CONTAINER).setPolicy("rs-3-2").build();
    ByteString token = grants.forReader("alice", manifest, List.of(info)).get(CONTAINER);
    checks.check(read(token, range(65_536, 3 * 8_192), range(0, 8_192)));
    refused("ranges", () -> checks.check(read(token, range(65_536, 3 * 8_192 + 1))));
    refused("ranges", () -> checks.check(read(token, range(65_535, 1))));
    refused("ranges", () -> checks.check(read(token, range(8_192, 1))));
    refused(
        "shard",
        () ->
            checks.check(
                read(token, range(0, 1)).toBuilder().setShard(shard(CONTAINER, 5)).build()));
  }

  @Test
  void onlyWhoWroteItCommitsIt() throws Exception {
    Lease lease =
        Lease.newBuilder()
            .setContainer(
                ContainerInfo.newBuilder().setId(CONTAINER).setPolicy("rs-3-2").setLeaseEpoch(5))
            .setHolder(HOLDER)
            .setExpiryMicros(clock.wallMicros() + MINUTE)
            .build();
    LeaseGrant grant =
        LeaseGrant.newBuilder()
            .setContainer(CONTAINER)
            .setEpoch(5)
            .setToken(grants.forWriter("alice", lease, Duration.ofMinutes(15)))
            .build();
    Manifest own =
        Manifest.newBuilder()
            .addExtents(Extent.newBuilder().setContainer(CONTAINER).setEpoch(5))
            .build();
    grants.checkWritten("alice", own, List.of(grant));
    Manifest others =
        own.toBuilder().addExtents(Extent.newBuilder().setContainer(CONTAINER).setEpoch(4)).build();
    refused("has no lease", () -> grants.checkWritten("alice", others, List.of(grant)));
    refused("has no lease", () -> grants.checkWritten("alice", own, List.of()));
    refused("alice's, not bob", () -> grants.checkWritten("bob", own, List.of(grant)));
    refused(
        "of another lease",
        () ->
            grants.checkWritten(
                "alice", others, List.of(grant, grant.toBuilder().setEpoch(4).build())));
    ByteString readers = tokens.sign(reader().setEpoch(5).build());
    refused(
        "a lease's token",
        () ->
            grants.checkWritten(
                "alice", own, List.of(grant.toBuilder().setToken(readers).build())));
    clock.advance(Duration.ofMinutes(16));
    refused("expired", () -> grants.checkWritten("alice", own, List.of(grant)));
  }
}

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

import io.stowage.common.erasure.ErasurePolicy;
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
import io.stowage.common.proto.ShardPlace;
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
  private static final String DISK = "5e0c4f0a-7d57-4c4b-9e5f-2c57f3f2a001";
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
        .addRangeEpochs(5)
        .addRanges(range(65_536, 16_384))
        .addRangeEpochs(5)
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
        .addPlaces(place(1, 1, DISK))
        .addPlaces(place(2, 1, DISK))
        .setUser("alice");
  }

  private static ByteRange range(long offset, long length) {
    return ByteRange.newBuilder().setOffset(offset).setLength(length).build();
  }

  private static ShardKey shard(long container, int index) {
    return place(index, 1, DISK).toBuilder().setContainer(container).build();
  }

  private static ShardKey place(int index, int generation, String disk) {
    return ShardKey.newBuilder().setIndex(index).setGeneration(generation).setDiskId(disk).build();
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
    refused("STAT", () -> checks.check(looking(token, shard(CONTAINER, 2))));
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
    ShardKey elsewhere = shard(CONTAINER + 1, 2);
    refused("it is for container", () -> checks.check(opening(token, elsewhere)));
    refused("it is for container", () -> checks.check(writing(token, elsewhere)));
    refused("it is for container", () -> checks.check(sealing(token, elsewhere)));
    ByteString noEpoch = tokens.sign(writer().clearEpoch().build());
    refused("epoch", () -> checks.check(write(noEpoch, 5)));
  }

  @Test
  void aTokenThatAllowsALookIsForItsContainer() throws Exception {
    ByteString token = tokens.sign(reader().setOperations(Operation.all(Operation.STAT)).build());
    checks.check(looking(token, shard(CONTAINER, 2)));
    refused("it is for container", () -> checks.check(looking(token, shard(CONTAINER + 1, 2))));
    refused("not for shard 5", () -> checks.check(looking(token, shard(CONTAINER, 5))));
  }

  private static StatShardRequest looking(ByteString token, ShardKey shard) {
    return StatShardRequest.newBuilder().setShard(shard).setToken(token).build();
  }

  private static ReadShardRequest read(ByteString token, long epoch, ByteRange range) {
    return read(token, range).toBuilder().setEpoch(epoch).build();
  }

  /** The same addresses under another epoch are another lease's bytes, or nobody's. */
  @Test
  void aReadNamesTheEpochOfItsRange() throws Exception {
    ByteString token =
        tokens.sign(
            reader()
                .clearRanges()
                .clearRangeEpochs()
                .addRanges(range(0, 8_192))
                .addRangeEpochs(3)
                .addRanges(range(16_384, 4_096))
                .addRangeEpochs(3)
                .addRanges(range(8_192, 4_096))
                .addRangeEpochs(5)
                .addRanges(range(4_096, 4_096)) // of a lie: it lies in another one's
                .addRangeEpochs(9)
                .build());
    checks.check(read(token, 3, range(4_096, 4_096)));
    checks.check(read(token, 3, range(16_384, 4_096)));
    checks.check(read(token, 5, range(8_192, 4_096)));
    checks.check(read(token, 9, range(4_096, 4_096)));
    for (boolean sectors : List.of(false, true)) {
      for (long none : new long[] {0, -1, Long.MIN_VALUE}) {
        refused(
            "names no epoch",
            () ->
                checks.check(
                    read(token, none, range(4_096, 4_096)).toBuilder()
                        .setSectorCrcs(sectors)
                        .setStatesOnly(sectors)
                        .build()));
      }
    }
    for (long other : new long[] {1, 2, 4, 6, 8, 10, Long.MAX_VALUE}) {
      for (long at = 0; at < 24_576; at += 4_096) {
        ByteRange sector = range(at, 4_096);
        refused("not in its ranges", () -> checks.check(read(token, other, sector)));
      }
    }
    refused("not in its ranges", () -> checks.check(read(token, 5, range(4_096, 4_096))));
    refused("not in its ranges", () -> checks.check(read(token, 5, range(16_384, 4_096))));
    refused("not in its ranges", () -> checks.check(read(token, 3, range(8_192, 4_096))));
    refused("not in its ranges", () -> checks.check(read(token, 3, range(4_096, 8_192))));
    refused("not in its ranges", () -> checks.check(read(token, 9, range(0, 4_096))));
  }

  @Test
  void tokensWithoutRangesOrTheirEpochsReadNothing() throws Exception {
    for (ShardGrant grant :
        List.of(
            reader().clearRanges().build(),
            reader().clearRanges().clearRangeEpochs().build(),
            reader().clearRangeEpochs().build(),
            reader().addRangeEpochs(5).build(),
            reader().addRanges(range(0, 4_096)).build())) {
      ByteString token = tokens.sign(grant);
      refused("names no ranges", () -> checks.check(read(token, range(8_192, 4_096))));
    }
  }

  @Test
  void servicesReadWithoutRangesAndUnderAnyEpoch() throws Exception {
    ByteString token =
        tokens.sign(
            ShardGrant.newBuilder()
                .setService(true)
                .setExpiryMicros(clock.wallMicros() + MINUTE)
                .setOperations(Operation.all(Operation.READ, Operation.OPEN, Operation.WRITE))
                .build());
    checks.check(read(token, 0, range(0, 1L << 40)));
    checks.check(write(token, 77));
    checks.check(open(token, 77, ByteString.EMPTY));
    refused("no certificate", () -> TokenChecks.ofUsers(tokens).check(read(token, 0, range(0, 1))));
  }

  /** Elsewhere he could make shards that look as if a rebuild had made them. */
  @Test
  void aWriterMakesNoShardsButThoseOfTheRow() throws Exception {
    ByteString token = tokens.sign(writer().build());
    checks.check(open(token, 5, HOLDER));
    ByteString nowhere = tokens.sign(writer().clearPlaces().build());
    for (ShardKey other :
        List.of(
            place(2, 0, DISK),
            place(2, 2, DISK),
            place(2, 1_000, DISK),
            place(2, -1, DISK),
            place(2, 1, ""),
            place(2, 1, "5e0c4f0a-7d57-4c4b-9e5f-2c57f3f2a002"),
            place(0, 1, DISK), // an index of the container, of which the row names another disk
            place(3, 1, DISK))) {
      ShardKey key = other.toBuilder().setContainer(CONTAINER).build();
      refused("it is not for shard", () -> checks.check(opening(token, key)));
      refused("it is not for shard", () -> checks.check(writing(token, key)));
      refused("it is not for shard", () -> checks.check(sealing(token, key)));
    }
    ShardKey own = shard(CONTAINER, 2);
    checks.check(opening(token, own));
    checks.check(writing(token, own));
    checks.check(sealing(token, own));
    refused("it is not for shard", () -> checks.check(opening(nowhere, own)));
    refused("it is not for shard", () -> checks.check(writing(nowhere, own)));
    refused("it is not for shard", () -> checks.check(sealing(nowhere, own)));
  }

  private static OpenShardRequest opening(ByteString token, ShardKey shard) {
    return open(token, 5, HOLDER).toBuilder().setShard(shard).build();
  }

  private static WriteShardRequest writing(ByteString token, ShardKey shard) {
    return write(token, 5).toBuilder().setShard(shard).build();
  }

  private static SealShardRequest sealing(ByteString token, ShardKey shard) {
    return SealShardRequest.newBuilder().setShard(shard).setEpoch(5).setToken(token).build();
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
    ByteString readers = tokens.sign(reader().build());
    ByteString writers = tokens.sign(writer().build());
    checks.check(read(readers, range(8_192, 1))); // which are remembered
    checks.check(open(writers, 5, HOLDER));
    everyChangeIsRefused(readers);
    everyChangeIsRefused(writers);
  }

  private void everyChangeIsRefused(ByteString token) {
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
  }

  /** Whatever it is asked to open that a reader's or a lease's token opens here. */
  private void assertRefused(ByteString token) {
    ShardKey shard = shard(CONTAINER, 2);
    for (Executable request :
        List.<Executable>of(
            () -> checks.check(read(token, range(8_192, 1))),
            () -> checks.check(opening(token, shard)),
            () -> checks.check(writing(token, shard)),
            () -> checks.check(sealing(token, shard)))) {
      StoreException e =
          assertThrows(StoreException.class, request, () -> "it got through with " + token);
      assertEquals(ErrorCode.ACCESS_DENIED, e.code());
    }
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
            grant -> grant.clearRangeEpochs().addRangeEpochs(4).addRangeEpochs(5),
            grant -> grant.addPlaces(place(2, 1_000, DISK)),
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
    List<ByteString> genuine =
        List.of(tokens.sign(reader().build()), tokens.sign(writer().build()));
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
        bytes = genuine.get(random.nextInt(genuine.size())).toByteArray();
        for (int changes = 1 + random.nextInt(4); changes > 0; changes--) {
          bytes[random.nextInt(bytes.length)] += (byte) (1 + random.nextInt(255));
        }
      }
      ByteString forged = ByteString.copyFrom(bytes);
      if (!genuine.contains(forged)) { // changes may undo one another
        int round = i;
        assertDoesNotThrow(() -> assertRefused(forged), () -> "seed " + seed + ", round " + round);
      }
    }
  }

  @Test
  void readersGetTheSectorsOfTheirManifestOnEveryShard() throws Exception {
    Manifest manifest =
        Manifest.newBuilder()
            .addExtents( // three stripes of three cells
                Extent.newBuilder()
                    .setContainer(CONTAINER)
                    .setEpoch(5)
                    .setOffset(65_536)
                    .setWidth(3)
                    .setCellLength(8_192)
                    .setLength(8_192 * 7))
            .addExtents( // a packed one: parts of two sectors
                Extent.newBuilder()
                    .setContainer(CONTAINER)
                    .setEpoch(5)
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

  private static Extent packed(long epoch, long offset, long length) {
    return Extent.newBuilder()
        .setContainer(CONTAINER)
        .setEpoch(epoch)
        .setOffset(offset)
        .setWidth(1)
        .setPacked(true)
        .setCellLength(4_096)
        .setLength(length)
        .build();
  }

  /** Neighbours of two leases touch, and are two ranges; a lie about addresses gets no epoch. */
  @Test
  void readersGetEachRangeUnderItsOwnEpoch() throws Exception {
    Manifest manifest =
        Manifest.newBuilder()
            .addExtents(packed(7, 12_288, 4_096))
            .addExtents(packed(5, 4_096, 4_000))
            .addExtents(packed(7, 8_192, 4_000))
            .addExtents(packed(9, 0, 1L << 30)) // all of the container, says who wrote it
            .build();
    ContainerInfo info = ContainerInfo.newBuilder().setId(CONTAINER).setPolicy("rs-3-2").build();
    ByteString token = grants.forReader("bob", manifest, List.of(info)).get(CONTAINER);
    ShardGrant grant = tokens.verify(token);
    assertEquals(List.of(5L, 7L, 9L), grant.getRangeEpochsList());
    assertEquals(
        List.of(range(4_096, 4_096), range(8_192, 8_192), range(0, 1L << 30)),
        grant.getRangesList());
    checks.check(read(token, 7, range(8_192, 8_192)));
    checks.check(read(token, 5, range(4_096, 4_096)));
    checks.check(read(token, 9, range(0, 1L << 30))); // the datanode knows what is of epoch 9
    refused("names no epoch", () -> checks.check(read(token, 0, range(8_192, 8_192))));
    refused("ranges", () -> checks.check(read(token, 7, range(4_096, 8_192))));
    refused("ranges", () -> checks.check(read(token, 5, range(8_192, 4_096))));
    refused("ranges", () -> checks.check(read(token, 8, range(8_192, 4_096))));
  }

  @Test
  void extentsThatCanLieNowhereAreRefused() throws Exception {
    ContainerInfo info = ContainerInfo.newBuilder().setId(CONTAINER).setPolicy("rs-3-2").build();
    LeaseGrant grant = leaseOf("bob", 5, info);
    Extent sound = packed(5, 8_192, 100);
    for (Extent extent :
        List.of(
            packed(0, 8_192, 100),
            packed(-1, 8_192, 100),
            packed(5, -4_096, 100),
            packed(5, Long.MAX_VALUE, 100),
            packed(5, Long.MAX_VALUE - 4_096, 4_096),
            packed(5, 8_192, -1),
            packed(5, 8_192, Long.MAX_VALUE),
            sound.toBuilder().setWidth(-1).build(),
            sound.toBuilder().setCellLength(-4_096).build(),
            sound.toBuilder().setPacked(false).setWidth(3).setCellLength(0).build())) {
      Manifest manifest = Manifest.newBuilder().addExtents(sound).addExtents(extent).build();
      for (Executable use :
          List.<Executable>of(
              () -> grants.checkWritten("bob", manifest, List.of(grant)),
              () -> grants.forReader("bob", manifest, List.of(info)))) {
        StoreException e = assertThrows(StoreException.class, use, extent::toString);
        assertEquals(ErrorCode.INVALID_ARGUMENT, e.code());
      }
    }
    grants.checkWritten("bob", Manifest.newBuilder().addExtents(sound).build(), List.of(grant));
  }

  /** 16,000 pieces that do not touch, of a thousand leases: as many as a shard lists. */
  @Test
  void theTokenOfAnObjectInManyPiecesIsTaken() throws Exception {
    Manifest.Builder manifest = Manifest.newBuilder();
    int pieces = 16_000;
    for (int i = 0; i < pieces; i++) {
      manifest.addExtents(packed(1L + i / 16, 5L << 30 | i * 8_192L, 4_000));
    }
    ContainerInfo info = ContainerInfo.newBuilder().setId(CONTAINER).setPolicy("rs-3-2").build();
    ByteString token = grants.forReader("alice", manifest.build(), List.of(info)).get(CONTAINER);
    assertTrue(token.size() <= ShardTokens.MAX_BYTES, token.size() + " bytes");
    assertEquals(pieces, tokens.verify(token).getRangesCount());
    for (int i = 0; i < pieces; i += 997) {
      long at = 5L << 30 | i * 8_192L;
      long epoch = 1L + i / 16;
      checks.check(read(token, epoch, range(at, 4_096)));
      refused("ranges", () -> checks.check(read(token, epoch, range(at + 4_096, 1))));
      refused("ranges", () -> checks.check(read(token, epoch + 1, range(at, 4_096))));
    }
  }

  @Test
  void aLeasesTokenIsForItsPlacesAndSmallEnoughToBeRemembered() throws Exception {
    for (String policy : List.of("rs-1-2", "rs-3-2", "rs-6-3", "rs-10-4")) {
      ContainerInfo.Builder info =
          ContainerInfo.newBuilder()
              .setId(CONTAINER)
              .setPolicy(policy)
              .setLeaseEpoch(1_000)
              .setCapacityBytes(1L << 40);
      int shards = ErasurePolicy.named(policy).shards();
      for (int i = 0; i < shards; i++) {
        info.addShards(
            ShardPlace.newBuilder()
                .setIndex(i)
                .setGeneration(1)
                .setNodeId("5e0c4f0a-7d57-4c4b-9e5f-2c57f3f2b001")
                .setDiskId(DISK));
      }
      ByteString token =
          leaseOf("a-user-with-a-long-name@EXAMPLE.COM", 1_000, info.build()).getToken();
      assertTrue(token.size() <= ShardTokens.MOST_REMEMBERED_BYTES, policy + ": " + token.size());
      for (int i = 0; i < shards; i++) {
        checks.check(open(token, 1_000, HOLDER).toBuilder().setShard(shard(CONTAINER, i)).build());
        ShardKey rebuilt = place(i, 2, DISK).toBuilder().setContainer(CONTAINER).build();
        refused(
            "it is not for shard",
            () -> checks.check(open(token, 1_000, HOLDER).toBuilder().setShard(rebuilt).build()));
      }
      refused(
          "SEAL",
          () ->
              checks.check(
                  sealing(token, shard(CONTAINER, 0)).toBuilder().setEpoch(1_000).build()));
    }
  }

  private LeaseGrant leaseOf(String user, long epoch, ContainerInfo container)
      throws StoreException {
    Lease lease =
        Lease.newBuilder()
            .setContainer(container.toBuilder().setLeaseEpoch(epoch))
            .setHolder(HOLDER)
            .setExpiryMicros(clock.wallMicros() + MINUTE)
            .build();
    return LeaseGrant.newBuilder()
        .setContainer(container.getId())
        .setEpoch(epoch)
        .setToken(grants.forWriter(user, lease, Duration.ofMinutes(15)))
        .build();
  }

  @Test
  void onlyWhoWroteItCommitsIt() throws Exception {
    LeaseGrant grant =
        leaseOf(
            "alice", 5, ContainerInfo.newBuilder().setId(CONTAINER).setPolicy("rs-3-2").build());
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

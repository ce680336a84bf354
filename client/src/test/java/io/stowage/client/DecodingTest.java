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
package io.stowage.client;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.stowage.common.data.ShardService.ShardBytes;
import io.stowage.common.erasure.ErasureCoders;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.proto.ReadShardReply;
import io.stowage.common.proto.SectorRun;
import io.stowage.common.proto.SectorState;
import java.nio.ByteBuffer;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** What k shards' answers are decoded from, where a stripe is narrower than its container. */
class DecodingTest {
  private static final ErasurePolicy POLICY = ErasurePolicy.RS_3_2;
  private static final byte[] DATA = new byte[Sectors.BYTES];
  private static final byte[][] PARITIES = new byte[2][Sectors.BYTES];

  static {
    new Random(7).nextBytes(DATA);
    ErasureCoders.of(POLICY)
        .encode(
            new ByteBuffer[] {null, ByteBuffer.wrap(DATA), null}, // a stripe of shard 1 alone
            new ByteBuffer[] {ByteBuffer.wrap(PARITIES[0]), ByteBuffer.wrap(PARITIES[1])});
  }

  private static ShardAnswer answer(SectorState state, int used, byte[] bytes) {
    return ShardAnswer.of(
        new ShardBytes(
            ReadShardReply.newBuilder()
                .addSectors(SectorRun.newBuilder().setState(state).setCount(1))
                .addCrcs(
                    state == SectorState.WRITTEN
                        ? Sectors.crcs(Unpooled.wrappedBuffer(bytes))[0]
                        : 0)
                .addUsedShards(used)
                .build(),
            Unpooled.wrappedBuffer(bytes)),
        1);
  }

  private static ShardAnswer written(int used, byte[] bytes) {
    return answer(SectorState.WRITTEN, used, bytes);
  }

  private static byte[] decoded(ShardAnswer... answers) {
    ByteBuf decoded = Decoding.decode(POLICY, 1, answers, 1);
    for (ShardAnswer answer : answers) {
      if (answer != null) {
        answer.close();
      }
    }
    if (decoded == null) {
      return null;
    }
    byte[] bytes = new byte[decoded.readableBytes()];
    decoded.readBytes(bytes).release();
    return bytes;
  }

  @Test
  void aHoleIsZerosWhateverItsShardSays() {
    byte[] zeros = new byte[Sectors.BYTES];
    ShardAnswer none = ShardAnswer.none("away");
    assertArrayEquals(
        DATA,
        decoded(
            answer(SectorState.NEVER_WRITTEN, 0, zeros),
            none,
            answer(SectorState.NEVER_WRITTEN, 0, zeros),
            written(2, PARITIES[0]),
            null));
    // Later leases wrote into both holes: lost, to who asks for the stripe's epoch.
    assertArrayEquals(
        DATA,
        decoded(
            answer(SectorState.LOST, 1, zeros),
            none,
            answer(SectorState.LOST, 4, zeros),
            null,
            written(2, PARITIES[1])));
    assertArrayEquals(DATA, decoded(null, none, null, written(2, PARITIES[0]), null));
  }

  /** A scan asks for whatever is there, under any epoch. */
  @Test
  void whatALaterLeaseWroteIntoAHoleIsNotTakenForTheStripes() {
    byte[] others = new byte[Sectors.BYTES];
    new Random(8).nextBytes(others);
    assertArrayEquals(
        DATA,
        decoded(
            written(1, others),
            null,
            written(4, others),
            written(2, PARITIES[0]),
            written(2, PARITIES[1])));
    // That claims to be of a stripe as wide as all: the parities know better.
    assertArrayEquals(DATA, decoded(written(7, others), null, null, written(2, PARITIES[0]), null));
  }

  @Test
  void tooFewOfAStripesShardsDecodeNothing() {
    byte[] zeros = new byte[Sectors.BYTES];
    assertEquals(null, decoded(written(3, DATA), null, null, null, null), "no parity");
    assertEquals(null, decoded(null, null, written(4, DATA), written(4, PARITIES[0]), null));
    assertEquals(
        null,
        decoded(
            answer(SectorState.LOST, 0, zeros),
            null,
            null,
            answer(SectorState.LOST, 0, zeros),
            answer(SectorState.NEVER_WRITTEN, 0, zeros)));
  }
}

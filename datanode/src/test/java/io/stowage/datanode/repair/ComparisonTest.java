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
package io.stowage.datanode.repair;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.proto.ByteRange;
import io.stowage.common.proto.DamagedShard;
import io.stowage.common.proto.OrderResult;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.VerifyShardOrder;
import io.stowage.datanode.repair.TestContainer.Stripe;
import io.stowage.datanode.shard.ShardCheck;
import io.stowage.datanode.store.Shard;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Shards that a write never came to, compared with the others of their containers. */
class ComparisonTest {
  private static final ErasurePolicy POLICY = ErasurePolicy.RS_3_2;
  private static final int ALL = -1;

  private static VerifyShardOrder order(TestContainer container, Stripe stripe) {
    VerifyShardOrder.Builder order =
        VerifyShardOrder.newBuilder()
            .setSectors(
                ByteRange.newBuilder()
                    .setOffset(stripe.offset)
                    .setLength((long) stripe.sectors * TestContainer.SECTOR))
            .setPolicy(POLICY.name())
            .setCapacityBytes(TestContainer.CAPACITY);
    for (int index = 0; index < POLICY.shards(); index++) {
      order.addSources(container.place(index));
    }
    return order.build();
  }

  private static int lacking(TestContainer container, int index, Stripe stripe) throws Exception {
    return new Comparison(
            container.shard(index).key(),
            order(container, stripe),
            container.nodes.get(index).store,
            container.network)
        .lacking();
  }

  private static int others(int index) {
    return ~(1 << index);
  }

  @Test
  void whatEnoughOthersHaveIsLackingAndNothingElse() throws Exception {
    for (int index : new int[] {0, 4}) { // data, parity
      try (TestContainer container = new TestContainer(POLICY, 7 + index)) {
        container.open();
        Stripe whole = container.writeStripe(3, 4, ALL);
        Stripe narrow = container.writeStripe(1, 5, ALL);
        Stripe dropped = container.writeStripe(3, 6, others(index));
        Stripe droppedNarrow = container.writeStripe(1, 7, others(index));
        // Of these some other cell is missing, too, or more than may be.
        Stripe droppedTwice = container.writeStripe(3, 8, others(index) & others((index + 1) % 5));
        Stripe undecodable = container.writeStripe(3, 9, 1 << (index + 2) % 5);
        container.writeStripe(3, 1, ALL);
        assertEquals(0, lacking(container, index, dropped), "it is open: that may be on its way");
        container.seal();
        assertEquals(0, lacking(container, index, whole));
        assertEquals(0, lacking(container, index, narrow), "a hole, or its own cell");
        assertEquals(6, lacking(container, index, dropped));
        boolean used = droppedNarrow.cells[index] != null;
        assertEquals(used ? 7 : 0, lacking(container, index, droppedNarrow));
        assertEquals(8, lacking(container, index, droppedTwice));
        assertEquals(0, lacking(container, index, undecodable));
        Stripe nowhere =
            new Stripe(100L * TestContainer.SECTOR, 10, 0, new byte[POLICY.shards()][]);
        assertEquals(0, lacking(container, index, nowhere));
        // With two others silent three are left, with one more too few.
        container.nodes.get((index + 1) % 5).server.close();
        assertEquals(6, lacking(container, index, dropped));
        container.nodes.get((index + 2) % 5).server.close();
        assertEquals(0, lacking(container, index, dropped));
      }
    }
  }

  /** What a rebuild would not take, a reader does not get either. */
  @Test
  void whatAnotherEpochWroteThanHasTheAddressIsLacking() throws Exception {
    int index = 2;
    try (TestContainer container = new TestContainer(POLICY, 13)) {
      container.open();
      Stripe dropped = container.writeStripe(3, 6, others(index));
      container.open(); // at the end of the others; this one's is before the stripe
      byte[] stray = Shard.bytes(1, 2 * TestContainer.SECTOR);
      container.shard(index).write(container.epoch(), dropped.offset, stray, dropped.bitmap);
      Stripe whole = container.writeStripe(3, 4, ALL);
      container.seal();
      assertEquals(0, lacking(container, index, whole));
      assertEquals(6, lacking(container, index, dropped));
    }
  }

  @Test
  void whatIsMarkedLostIsNotLackingAndOfAReplacedShardNothingIs() throws Exception {
    int index = 0;
    try (TestContainer container = new TestContainer(POLICY, 17)) {
      container.open();
      Stripe dropped = container.writeStripe(3, 6, others(index));
      container.seal();
      for (int sector = 0; sector < dropped.sectors; sector++) {
        for (int rotten : List.of(1, 3)) { // which no page tells
          long position = 32_768 + 8_192 + dropped.offset + (long) sector * TestContainer.SECTOR;
          container.nodes.get(rotten).flip(container.id(rotten), position);
        }
      }
      OrderResult result = container.rebuild(container.order(1, index, 1, List.of(1, 2, 3, 4)));
      assertEquals(6, result.getLostSectors(), result::getErrorMessage);
      TestContainer.Node spare = container.spare();
      ShardKey marked = container.newKey(spare, index, 1);
      VerifyShardOrder before = order(container, dropped);
      VerifyShardOrder.Builder after = before.toBuilder();
      after
          .getSourcesBuilder(index)
          .setGeneration(1)
          .setNodeId(spare.store.nodeId())
          .setDiskId(spare.diskId())
          .setPort(spare.server.port());
      assertEquals(
          0, new Comparison(marked, after.build(), spare.store, container.network).lacking());
      assertEquals(6, lacking(container, index, dropped));
      Comparison replaced =
          new Comparison(
              container.shard(index).key(),
              after.build(),
              container.nodes.get(index).store,
              container.network);
      assertEquals(0, replaced.lacking());
    }
  }

  @Test
  void itIsToldUntilTheShardIsGoneAndTheRebuiltOneHasAll() throws Exception {
    int index = 1;
    try (TestContainer container = new TestContainer(POLICY, 11)) {
      container.open();
      Stripe dropped = container.writeStripe(3, 6, others(index));
      Stripe whole = container.writeStripe(3, 4, ALL);
      container.seal();
      TestContainer.Node node = container.nodes.get(index);
      node.rebuilds.compare(container.shard(index).key(), order(container, whole));
      node.rebuilds.compare(container.shard(index).key(), order(container, dropped));
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
      while (node.store.damaged().count() == 0) {
        assertTrue(System.nanoTime() < deadline, "not within half a minute");
        Thread.onSpinWait();
      }
      node.store.check(node.diskId(), container.id(index), bytes -> {}, ShardCheck.memory());
      List<DamagedShard> told = node.store.damaged().list();
      assertEquals(1, told.size(), "though alone it looks sound");
      assertEquals(container.shard(index).key(), told.get(0).getShard());
      assertEquals(6, told.get(0).getSectors());

      List<Integer> all = IntStream.range(0, POLICY.shards()).boxed().toList();
      OrderResult result = container.rebuild(container.order(1, index, 1, all));
      assertEquals(0, result.getErrorCode(), result.getErrorMessage());
      assertEquals(0, result.getLostSectors());
      RebuildTest.check(
          container,
          index,
          container.newKey(container.spare(), index, 1),
          all,
          new RebuildTest.Damage());
      Shard.await(node.store.delete(container.shard(index).key()));
      assertEquals(0, node.store.damaged().count());
    }
  }
}

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

import io.stowage.common.proto.RegisterDatanodeRequest;
import io.stowage.common.proto.ShardReport;
import io.stowage.common.time.ManualClock;
import io.stowage.scm.cluster.ClusterMap;
import io.stowage.scm.cluster.FailureDomains;
import io.stowage.scm.cluster.RackResolver;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/** How many shards a node has, and how many of them no row explains. */
class ShardInventoryTest {
  private static final String NODE = "n1";
  private final ClusterMap cluster =
      new ClusterMap(
          new ManualClock(1_000_000),
          host -> RackResolver.DEFAULT_RACK,
          FailureDomains.parse("host"),
          Duration.ofSeconds(30),
          0,
          null);
  private final ShardInventory shards = new ShardInventory(new ContainerMap(), cluster);

  ShardInventoryTest() throws Exception {
    cluster.register(RegisterDatanodeRequest.newBuilder().setNodeId(NODE).setHost("h1").build());
  }

  private static ShardReport shard(long container) {
    return ShardReport.newBuilder()
        .setContainer(container)
        .setDiskId("d" + container % 2)
        .setSealed(true)
        .build();
  }

  private void page(int page, boolean more, long from, long to) {
    List<ShardReport> told =
        LongStream.range(from, to).mapToObj(ShardInventoryTest::shard).toList();
    shards.reportPage(NODE, told, page, more);
  }

  private void gone(long from, long to) {
    for (long id = from; id < to; id++) {
      shards.noteGone(NODE, ShardInventory.ShardId.of(shard(id)));
    }
  }

  private void comes(long from, long to) {
    for (long id = from; id < to; id++) {
      shards.report(NODE, List.of(shard(id)));
    }
  }

  @Test
  void whatLeavesOrComesBetweenThePagesOfAReportIsCountedOnce() {
    for (int report = 0; report < 2; report++) {
      page(0, true, 1, 31);
      gone(1, 11); // told already
      comes(100, 105); // told by nobody else
      comes(40, 45); // and told again by the page that follows
      gone(100, 102);
      comes(1, 3); // made anew
      page(1, true, 31, 51);
      gone(40, 42);
      page(2, false, 51, 61);
      assertEquals(60 - 10 + 2 - 2 + 3, cluster.shardCount());
      assertEquals(53, shards.unknownCount());
      gone(51, 61);
      assertEquals(43, cluster.shardCount());
    }
  }

  @Test
  void unknownOnesAreCountedByDisk() {
    page(0, false, 1, 11);
    Strangers.Disk even = new Strangers.Disk(NODE, "d0");
    Strangers.Disk odd = new Strangers.Disk(NODE, "d1");
    assertEquals(Map.of(even, 5L, odd, 5L), shards.strangers().unknownByDisk());
    gone(1, 4);
    shards.noteQuarantined(NODE, ShardInventory.ShardId.of(shard(4)), 7);
    Strangers.Stranger one = shards.strangers().find(NODE, ShardInventory.ShardId.of(shard(5)));
    shards.strangers().add(NODE, one.shard(), Strangers.Kin.STALE);
    assertEquals(Map.of(even, 4L, odd, 2L), shards.strangers().unknownByDisk());
    assertEquals(2, shards.strangers().unknownCountBut(Set.of(even)));
    page(0, false, 20, 22);
    assertEquals(Map.of(even, 1L, odd, 1L), shards.strangers().unknownByDisk());
    gone(20, 22);
    assertEquals(Map.of(), shards.strangers().unknownByDisk());
  }
}

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
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.ShardPlace;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;

class ContainerMapTest {
  private static final String[] NODES = new String[50];
  private static final String[] DISKS = new String[500];

  static {
    for (int i = 0; i < NODES.length; i++) {
      NODES[i] = new UUID(1, i).toString();
    }
    for (int i = 0; i < DISKS.length; i++) {
      DISKS[i] = new UUID(2, i).toString();
    }
  }

  private static ContainerRow row(Random random, long id, long version, int shards) {
    ContainerInfo.Builder info =
        ContainerInfo.newBuilder()
            .setId(id)
            .setPolicy(shards == 9 ? "rs-6-3" : "rs-1-2")
            .setState(ContainerState.forNumber(1 + random.nextInt(4)))
            .setRowVersion(version)
            .setLeaderEpoch(random.nextInt(100))
            .setLeaseEpoch(random.nextInt(1_000))
            .setCapacityBytes(1L << 30)
            .setCreatedMicros(1_700_000_000_000_000L + random.nextInt())
            .setSealedMicros(1_700_000_000_000_000L + random.nextInt())
            .setEndOffset((1L << 30) - 4096L * random.nextInt(100))
            .setLeaseGrantedMicros(1_700_000_000_000_000L + random.nextInt());
    if (random.nextInt(10) == 0) {
      byte[] holder = new byte[16];
      random.nextBytes(holder);
      info.setLeaseHolder(ByteString.copyFrom(holder)).setLeaseExpiryMicros(1_700_000_000_000_000L);
    }
    for (int i = 0; i < shards; i++) {
      int disk = random.nextInt(DISKS.length);
      info.addShards(
          ShardPlace.newBuilder()
              .setIndex(i)
              .setNodeId(NODES[disk % NODES.length])
              .setDiskId(DISKS[disk])
              .setGeneration(1 + random.nextInt(3)));
    }
    return new ContainerRow(1_700_000_000_000_000L + random.nextInt(), info.build());
  }

  @Test
  void givesBackWhatItTookAtItsHighestVersion() {
    Random random = new Random(7);
    ContainerMap map = new ContainerMap();
    Map<Long, ContainerRow> model = new HashMap<>();
    for (int i = 0; i < 30_000; i++) {
      long id = random.nextInt(4) == 0 ? 1 + random.nextInt(5_000) : random.nextLong() >>> 1;
      ContainerRow row = row(random, id, 1 + random.nextInt(5), random.nextBoolean() ? 9 : 3);
      ContainerRow known = model.get(id);
      boolean news = known == null || known.version() < row.version();
      assertEquals(news, map.put(row));
      if (news) {
        model.put(id, row);
      }
    }
    for (ContainerState state : ContainerState.values()) {
      if (state != ContainerState.UNRECOGNIZED) {
        assertEquals(
            model.values().stream().filter(row -> row.info().getState() == state).count(),
            map.count(state));
      }
    }
    model.forEach((id, row) -> assertEquals(row, map.get(id)));
    assertNull(map.get(Long.MAX_VALUE));
    int[] seen = new int[1];
    map.forEach(
        (id, packed, reported) -> {
          assertEquals(model.get(id).info().getShardsCount(), PackedContainer.shardCount(packed));
          seen[0]++;
        });
    assertEquals(model.size(), seen[0]);
  }

  @Test
  void forgetsReportsOfShardsThatMoved() {
    Random random = new Random(8);
    ContainerMap map = new ContainerMap();
    ContainerRow row = row(random, 5, 1, 9);
    map.put(row);
    map.note(5, 0, new ContainerMap.Seen(true, true, true));
    map.note(5, 1, new ContainerMap.Seen(false, false, false));
    map.note(6, 1, new ContainerMap.Seen(false, false, false)); // not there: nothing to note
    assertEquals(new ContainerMap.Reported(0b11, 0b01, 0b01, 0b01), map.reported(5));
    ContainerInfo rebuilt =
        row.info().toBuilder()
            .setRowVersion(2)
            .setShards(0, row.info().getShards(0).toBuilder().setGeneration(9))
            .build();
    map.put(new ContainerRow(row.stampMicros() + 1, rebuilt));
    assertEquals(new ContainerMap.Reported(0b10, 0, 0, 0), map.reported(5));
    assertEquals(ContainerMap.Reported.NONE, map.reported(6));
  }

  @Test
  void takesAHundredOddBytesAContainer() {
    Random random = new Random(9);
    DiskTable disks = new DiskTable();
    PolicyNames policies = new PolicyNames();
    long bytes = 0;
    int count = 2_000;
    for (int i = 0; i < count; i++) {
      bytes += PackedContainer.pack(row(random, 1 + i, 4, 9), disks, policies).length;
    }
    // 17 million at 3 GB: 176 each. An array's header is 16, the table's columns take 8 + 6 times 4
    // at a load between 3/8 and 3/4.
    double perContainer = (double) bytes / count + 16 + 32 / 0.5;
    assertTrue(perContainer < 170, perContainer + " bytes a container");
  }
}

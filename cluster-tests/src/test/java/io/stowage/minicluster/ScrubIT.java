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
package io.stowage.minicluster;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.conf.Keys;
import io.stowage.common.proto.ClusterStatusReply;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.ListContainersRequest;
import io.stowage.common.proto.ListShardsRequest;
import io.stowage.common.proto.ShardPlace;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * Bits flip in the shard files of a cluster that runs, and files are lost; scrubbers find it, SCM
 * has it repaired, and nobody who reads notices.
 */
class ScrubIT {
  private static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final int SUPERBLOCKS = 2 * 16_384;
  private static final int PAGES = 2 * 4_096;
  private static final int SECTORS = 672 * 4_096;

  /** Where in a shard file something is damaged, if its first segment is full. */
  private enum Damage {
    FIRST_SUPERBLOCK {
      @Override
      void to(Path shard, Random random) throws Exception {
        flip(shard, random.nextInt(100));
      }
    },
    SECOND_SUPERBLOCK {
      @Override
      void to(Path shard, Random random) throws Exception {
        flip(shard, 16_384 + random.nextInt(100));
      }
    },
    ONE_CHECKSUM_PAGE {
      @Override
      void to(Path shard, Random random) throws Exception {
        flip(shard, SUPERBLOCKS + random.nextInt(PAGES));
      }
    },
    BOTH_CHECKSUM_PAGES {
      @Override
      void to(Path shard, Random random) throws Exception {
        flip(shard, SUPERBLOCKS + random.nextInt(4_096));
        flip(shard, SUPERBLOCKS + 4_096 + random.nextInt(4_096));
      }
    },
    DATA {
      @Override
      void to(Path shard, Random random) throws Exception {
        for (int i = 0; i < 5; i++) {
          flip(shard, SUPERBLOCKS + PAGES + random.nextInt(SECTORS));
        }
      }
    },
    LOST_FILE {
      @Override
      void to(Path shard, Random random) throws Exception {
        Files.delete(shard);
      }
    };

    abstract void to(Path shard, Random random) throws Exception;

    static void flip(Path shard, long position) throws Exception {
      try (FileChannel file =
          FileChannel.open(shard, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
        ByteBuffer one = ByteBuffer.allocate(1);
        assertEquals(1, file.read(one, position), () -> shard + " ends before " + position);
        one.put(0, (byte) (one.get(0) ^ 4)).rewind();
        file.write(one, position);
      }
    }
  }

  @Test
  void whatRotsIsFoundAndRepaired() throws Exception {
    long seed = Long.getLong("stowage.it.seed", System.nanoTime());
    System.err.println("-Dstowage.it.seed=" + seed);
    Random random = new Random(seed);
    try (MiniStowageCluster cluster =
        MiniStowageCluster.builder()
            .datanodes(6)
            .set(Keys.CONTAINER_CAPACITY, "8m")
            .set(Keys.DATANODE_SCRUB_INTERVAL, "200ms")
            .set(Keys.DATANODE_SCRUB_RATE, "1g")
            .start()) {
      DirectStore store = DirectStore.of(cluster, "bucket");
      store.create("rs-3-2");
      List<String> keys = new ArrayList<>();
      while (sealed(cluster) == null) {
        String key = "object-" + keys.size();
        store.put(key, TestContent.of(key, 1_500_000));
        keys.add(key);
      }
      long id = sealed(cluster).getId();
      await(cluster, "its shards to be sealed", status -> sealedShards(cluster, id) == 5);
      for (Damage damage : Damage.values()) {
        // Two shards, as many as may be lost, side by side.
        int first = random.nextInt(5);
        int second = (first + 1 + random.nextInt(4)) % 5;
        ContainerInfo before = container(cluster, id);
        for (int index : new int[] {first, second}) {
          Path file = file(cluster, before, index);
          System.err.println(damage + " of " + file);
          damage.to(file, random);
        }
        read(store, keys, random);
        await(
            cluster,
            damage + " to be repaired",
            status -> {
              ContainerInfo now = container(cluster, id);
              return isNewer(before, now, first)
                  && isNewer(before, now, second)
                  && status.getEndangeredContainers() == 0
                  && status.getStaleShards() == 0;
            });
        ContainerInfo after = container(cluster, id);
        assertTrue(Files.exists(file(cluster, after, first)));
        assertTrue(Files.exists(file(cluster, after, second)));
      }
      assertEquals(0, cluster.status().getRepair().getLostSectors());
      assertEquals(0, cluster.status().getUnknownShards());
      read(store, keys, random);
    }
  }

  /**
   * No scrubber comes by, and a datanode that is asked for a packed needle does not look at its
   * bytes: what the reader reports is all that anybody hears. The second time the disk has dropped
   * what it claimed to have written, checksum pages and all, so that the shard by itself is sound.
   */
  @Test
  void whatAReaderMeetsIsRepaired() throws Exception {
    try (MiniStowageCluster cluster =
        MiniStowageCluster.builder()
            .datanodes(6)
            .set(Keys.OPEN_TIME, "2s")
            .set(Keys.LEASE_DURATION, "3s") // the writer hears that it is sealed when it renews
            .set(Keys.DATANODE_SCRUB_INTERVAL, "30d")
            .start()) {
      DirectStore store = DirectStore.of(cluster, "bucket");
      store.create("rs-3-2");
      for (int round = 1; round <= 2; round++) {
        String key = "key-" + round;
        store.put(key, TestContent.of(key, 3_000));
        Extent extent = store.head(key).getVersion().getManifest().getExtents(0);
        assertTrue(extent.getPacked());
        long id = extent.getContainer();
        int index = extent.getFirstShard();
        await(cluster, "its shards to be sealed", status -> sealedShards(cluster, id) == 5);
        ContainerInfo before = container(cluster, id);
        Path file = file(cluster, before, index);
        if (round == 1) {
          Damage.flip(file, SUPERBLOCKS + PAGES + extent.getOffset() + extent.getLength() - 100);
        } else {
          forget(file);
        }
        assertEquals(null, TestContent.mismatch(key, 3_000, store.get(key)));
        await(
            cluster,
            "the shard to be made anew",
            status ->
                isNewer(before, container(cluster, id), index)
                    && status.getEndangeredContainers() == 0
                    && status.getStaleShards() == 0);
        assertEquals(round, cluster.status().getRepair().getShardsDone());
        assertEquals(0, cluster.status().getRepair().getLostSectors());
        assertEquals(null, TestContent.mismatch(key, 3_000, store.get(key)));
      }
    }
  }

  /** Leaves a shard as its disk had it before anything was written behind the superblocks. */
  private static void forget(Path shard) throws Exception {
    try (FileChannel file = FileChannel.open(shard, StandardOpenOption.WRITE)) {
      long size = file.size();
      file.truncate(SUPERBLOCKS);
      assertEquals(1, file.write(ByteBuffer.allocate(1), size - 1));
    }
  }

  private static void read(DirectStore store, List<String> keys, Random random) throws Exception {
    for (int i = 0; i < 5; i++) {
      String key = keys.get(random.nextInt(keys.size()));
      assertEquals(null, TestContent.mismatch(key, 1_500_000, store.get(key)), key);
    }
  }

  private static boolean isNewer(ContainerInfo before, ContainerInfo now, int index) {
    return now.getShards(index).getGeneration() > before.getShards(index).getGeneration();
  }

  private static ContainerInfo container(MiniStowageCluster cluster, long id) throws Exception {
    return cluster
        .containerManager()
        .listContainers(ListContainersRequest.getDefaultInstance())
        .getContainersList()
        .stream()
        .filter(info -> info.getId() == id)
        .findFirst()
        .orElseThrow();
  }

  /** A container that is sealed, with all that was written to it. */
  private static ContainerInfo sealed(MiniStowageCluster cluster) throws Exception {
    return cluster
        .containerManager()
        .listContainers(ListContainersRequest.getDefaultInstance())
        .getContainersList()
        .stream()
        .filter(info -> info.getState() == ContainerState.SEALED && info.getEndOffset() >= SECTORS)
        .findFirst()
        .orElse(null);
  }

  /** Those that nobody writes to any more, not even their datanodes. */
  private static long sealedShards(MiniStowageCluster cluster, long id) throws Exception {
    long count = 0;
    for (int node = 0; node < 6; node++) {
      count +=
          cluster
              .datanode(node)
              .shardService()
              .list(ListShardsRequest.getDefaultInstance())
              .get()
              .getShardsList()
              .stream()
              .filter(shard -> shard.getContainer() == id && shard.getSealed())
              .count();
    }
    return count;
  }

  private static Path file(MiniStowageCluster cluster, ContainerInfo info, int index)
      throws Exception {
    ShardPlace place = info.getShards(index);
    for (int node = 0; node < 6; node++) {
      if (cluster.datanodeId(node).equals(place.getNodeId())) {
        String name =
            String.format("%016x-%d-%d.shard", info.getId(), index, place.getGeneration());
        try (Stream<Path> files = Files.walk(cluster.disk(node, 0))) {
          return files
              .filter(path -> path.getFileName().toString().equals(name))
              .findFirst()
              .orElseThrow(() -> new AssertionError("no file " + name));
        }
      }
    }
    throw new AssertionError("no node " + place.getNodeId());
  }

  private interface Condition {
    boolean isMet(ClusterStatusReply status) throws Exception;
  }

  private static void await(MiniStowageCluster cluster, String what, Condition condition)
      throws Exception {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    ClusterStatusReply status = cluster.status();
    while (!condition.isMet(status)) {
      if (System.nanoTime() > deadline) {
        throw new AssertionError("waited in vain for " + what + ": " + status);
      }
      Thread.sleep(50);
      status = cluster.status();
    }
  }
}

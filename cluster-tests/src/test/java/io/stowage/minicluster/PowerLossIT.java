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

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.datanode.fault.SimulatedDisks;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.S3Exception;

/**
 * The power fails at all disks at once while objects are written: writes that were not forced are
 * dropped, kept or torn at random. Every object that was acknowledged before is there and right.
 */
class PowerLossIT {
  private static final int LOSSES = Integer.getInteger("stowage.it.power-losses", 3);
  private static final int WRITERS = 6;
  private static final int NODES = 5;
  private static final String BUCKET = "power";

  private final Map<String, Integer> acknowledged = new ConcurrentHashMap<>();

  @Test
  void nothingAcknowledgedIsLostWithThePowerOfAllDisks() throws Exception {
    long seed = Long.getLong("stowage.it.seed", System.nanoTime() & 0xffffff);
    System.err.println("-Dstowage.it.seed=" + seed);
    Random random = new Random(seed);
    SimulatedDisks disks = new SimulatedDisks();
    try (MiniStowageCluster cluster =
            MiniStowageCluster.builder().datanodes(NODES).disks(real -> disks).start();
        S3Client s3 = client(cluster)) {
      s3.createBucket(b -> b.bucket(BUCKET));
      for (int loss = 0; loss < LOSSES; loss++) {
        writeUntilPowerFails(cluster, disks, random, loss);
        for (int node = 0; node < NODES; node++) {
          cluster.stopDatanode(node);
        }
        disks.losePower(random);
        for (int node = 0; node < NODES; node++) {
          cluster.startDatanode(node);
        }
        cluster.awaitWritable(Duration.ofSeconds(30));
        TestContent.assertReads(s3, BUCKET, acknowledged);
      }
    }
    System.err.println(acknowledged.size() + " objects acknowledged over " + LOSSES + " losses");
    assertTrue(acknowledged.size() > 10 * LOSSES, "too little was written to mean anything");
  }

  private void writeUntilPowerFails(
      MiniStowageCluster cluster, SimulatedDisks disks, Random random, int loss) throws Exception {
    AtomicBoolean failed = new AtomicBoolean();
    List<Thread> writers = new ArrayList<>();
    for (int w = 0; w < WRITERS; w++) {
      int writer = w;
      SplittableRandom its = new SplittableRandom(random.nextLong());
      Thread thread =
          new Thread(
              () -> {
                try (S3Client s3 = client(cluster)) {
                  for (int i = 0; !failed.get(); i++) {
                    put(s3, "l" + loss + "/w" + writer + "/" + i, its);
                  }
                } catch (S3Exception e) {
                  failed.set(true);
                }
              },
              "writer-" + writer);
      writers.add(thread);
      thread.start();
    }
    int enough = acknowledged.size() + 20;
    while (acknowledged.size() < enough && writers.stream().anyMatch(Thread::isAlive)) {
      Thread.sleep(2);
    }
    disks.stopAfter(1 + random.nextInt(300));
    for (Thread writer : writers) {
      writer.join();
    }
  }

  private void put(S3Client s3, String key, SplittableRandom random) {
    int length = random.nextInt(8) == 0 ? random.nextInt(3 << 20) : random.nextInt(60_000);
    s3.putObject(
        b -> b.bucket(BUCKET).key(key), RequestBody.fromBytes(TestContent.of(key, length)));
    acknowledged.put(key, length);
  }

  private static S3Client client(MiniStowageCluster cluster) {
    return S3Clients.impatient(cluster.s3Endpoint(), cluster.accessKey(), cluster.secretKey());
  }
}

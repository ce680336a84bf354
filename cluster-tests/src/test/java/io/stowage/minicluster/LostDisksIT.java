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
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.conf.Keys;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.GetContainersRequest;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.ListDatanodesRequest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.ShardPlace;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.Test;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.S3Exception;

/** rs-3-2 with disks pulled out while it serves. */
class LostDisksIT {
  private static final String BUCKET = "lost";

  /** Pairs of disks tried; all 28 of eight in the long form. */
  private static final int PAIRS = Integer.getInteger("stowage.it.disk-pairs", 5);

  private static final int[] LENGTHS = {0, 1, 4_095, 4_096, 4_097, 100_000, 1 << 20, 5_000_001};

  private final Map<String, Integer> written = new LinkedHashMap<>();

  @Test
  void anyTwoOfEightDisksMayGo() throws Exception {
    long seed = System.nanoTime();
    System.err.println("seed " + seed);
    try (MiniStowageCluster cluster =
            MiniStowageCluster.builder().datanodes(4).disksPerDatanode(2).start();
        S3Client s3 =
            S3Clients.impatient(cluster.s3Endpoint(), cluster.accessKey(), cluster.secretKey())) {
      s3.createBucket(b -> b.bucket(BUCKET));
      put(s3, "before");
      List<int[]> pairs = new ArrayList<>();
      for (int a = 0; a < 8; a++) {
        for (int b = a + 1; b < 8; b++) {
          pairs.add(new int[] {a, b});
        }
      }
      Collections.shuffle(pairs, new Random(seed));
      for (int[] pair : pairs.subList(0, Math.min(PAIRS, pairs.size()))) {
        long begin = System.nanoTime();
        for (int disk : pair) {
          cluster.removeDisk(disk / 2, disk % 2);
        }
        verify(s3);
        put(s3, "without-" + pair[0] + "-" + pair[1]);
        verify(s3);
        for (int disk : pair) {
          cluster.returnDisk(disk / 2, disk % 2);
        }
        cluster.awaitWritable(Duration.ofSeconds(20));
        System.err.printf(
            "without %d and %d: %d ms%n",
            pair[0], pair[1], (System.nanoTime() - begin) / 1_000_000);
      }
      verify(s3);
    }
  }

  @Test
  void ofFiveDisksOneMayGoAndWritesSayWhatIsMissing() throws Exception {
    try (MiniStowageCluster cluster =
            MiniStowageCluster.builder().datanodes(1).disksPerDatanode(5).start();
        S3Client s3 =
            S3Clients.impatient(cluster.s3Endpoint(), cluster.accessKey(), cluster.secretKey())) {
      s3.createBucket(b -> b.bucket(BUCKET));
      put(s3, "before");
      cluster.removeDisk(0, 3);
      verify(s3);
      // As wide as the container: a small object's narrow stripe may need no cell on the lost disk,
      // and is rightly acknowledged while the writer still has its lease.
      S3Exception refused =
          assertThrows(
              S3Exception.class,
              () ->
                  s3.putObject(
                      b -> b.bucket(BUCKET).key("refused"),
                      RequestBody.fromBytes(TestContent.of("refused", 1 << 20))));
      System.err.println("refused: " + refused.getMessage());
      assertEquals(503, refused.statusCode());
      assertTrue(refused.getMessage().contains("rs-3-2"), refused::getMessage);
      assertTrue(refused.getMessage().contains("disk"), refused::getMessage);
      verify(s3);

      cluster.returnDisk(0, 3);
      cluster.awaitWritable(Duration.ofSeconds(20));
      put(s3, "after");
      verify(s3);
    }
  }

  @Test
  void whatThreeLostDisksKeptIsUnavailableUntilTheyReturnAndAllElseWorks() throws Exception {
    try (MiniStowageCluster cluster =
            MiniStowageCluster.builder()
                .datanodes(1)
                .disksPerDatanode(9)
                .set(Keys.CONTAINER_CAPACITY, "4m")
                .start();
        S3Client s3 =
            S3Clients.impatient(cluster.s3Endpoint(), cluster.accessKey(), cluster.secretKey())) {
      s3.createBucket(b -> b.bucket(BUCKET));
      for (int i = 0; i < 6; i++) {
        put(s3, "before" + i); // some containers, on different disks
      }
      Loss loss = worstFor(cluster);
      System.err.println(loss.key + " is lost with disks " + loss.disks);
      assertTrue(loss.readable.size() >= LENGTHS.length, loss::toString);
      for (int disk : loss.disks) {
        cluster.removeDisk(0, disk);
      }
      assertUnavailable(s3, loss.key);
      s3.headObject(b -> b.bucket(BUCKET).key(loss.key));
      sayTheSameToHadoop(cluster, loss.key);
      TestContent.assertReads(s3, BUCKET, loss.readable);
      put(s3, "without");
      for (int length : LENGTHS) {
        loss.readable.put("without/" + length, length);
      }
      TestContent.assertReads(s3, BUCKET, loss.readable);
      assertUnavailable(s3, loss.key);
      for (int disk : loss.disks) {
        cluster.putBackDisk(0, disk);
      }
      awaitReadable(s3, loss.key);
      verify(s3); // by the gateway that saw them go, from the datanode that did
    }
  }

  private static void assertUnavailable(S3Client s3, String key) {
    S3Exception refused =
        assertThrows(S3Exception.class, () -> s3.getObjectAsBytes(b -> b.bucket(BUCKET).key(key)));
    System.err.println("unavailable: " + refused.getMessage());
    assertEquals(503, refused.statusCode());
    assertTrue(refused.getMessage().contains("container"), refused::getMessage);
    assertTrue(refused.getMessage().contains("on disk"), refused::getMessage);
  }

  /** Three disks, an object that cannot be read without them, and those that can. */
  private record Loss(List<Integer> disks, String key, Map<String, Integer> readable) {}

  /** Of all ways to lose one of the objects of 1 MiB that which leaves most of the others. */
  private Loss worstFor(MiniStowageCluster cluster) throws Exception {
    Map<String, List<Set<Integer>>> places = new HashMap<>(); // by object: those of its containers
    for (String key : written.keySet()) {
      List<Set<Integer>> containers = new ArrayList<>();
      for (long container : containersOf(cluster, key)) {
        containers.add(disksOf(cluster, container));
      }
      places.put(key, containers);
    }
    Loss best = null;
    for (int a = 0; a < 9; a++) {
      for (int b = a + 1; b < 9; b++) {
        for (int c = b + 1; c < 9; c++) {
          List<Integer> gone = List.of(a, b, c);
          Map<String, Integer> readable = new LinkedHashMap<>();
          String lost = null;
          for (Map.Entry<String, List<Set<Integer>>> object : places.entrySet()) {
            boolean whole = object.getValue().stream().noneMatch(d -> d.containsAll(gone));
            int length = written.get(object.getKey());
            if (whole) {
              readable.put(object.getKey(), length);
            } else if (length == 1 << 20) { // as wide as the container: it needs any three cells
              lost = object.getKey();
            }
          }
          if (lost != null && (best == null || readable.size() > best.readable.size())) {
            best = new Loss(gone, lost, readable);
          }
        }
      }
    }
    return best;
  }

  private static Set<Long> containersOf(MiniStowageCluster cluster, String key) throws Exception {
    ObjectVersion version =
        cluster
            .objectManager(0)
            .getObject(
                GetObjectRequest.newBuilder()
                    .setBucket(BUCKET)
                    .setKey(key)
                    .setWantManifest(true)
                    .build())
            .getVersion();
    Set<Long> containers = new HashSet<>();
    for (Extent extent : version.getManifest().getExtentsList()) {
      containers.add(extent.getContainer());
    }
    return containers;
  }

  /** Which of the one datanode's disks a container is on. */
  private static Set<Integer> disksOf(MiniStowageCluster cluster, long container) throws Exception {
    ContainerInfo info =
        cluster
            .containerManager()
            .getContainers(GetContainersRequest.newBuilder().addIds(container).build())
            .getContainers(0);
    Map<String, String> paths = new HashMap<>();
    cluster
        .containerManager()
        .listDatanodes(ListDatanodesRequest.getDefaultInstance())
        .getDatanodes(0)
        .getDisksList()
        .forEach(disk -> paths.put(disk.getDiskId(), disk.getPath()));
    Set<Integer> disks = new HashSet<>();
    for (ShardPlace place : info.getShardsList()) {
      for (int disk = 0; disk < 9; disk++) {
        if (cluster.disk(0, disk).toString().equals(paths.get(place.getDiskId()))) {
          disks.add(disk);
        }
      }
    }
    assertEquals(info.getShardsCount(), disks.size(), paths::toString);
    return disks;
  }

  /** Whoever found nobody at an address asks there again after a while. */
  private static void awaitReadable(S3Client s3, String key) throws InterruptedException {
    long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
    while (true) {
      try {
        s3.getObjectAsBytes(b -> b.bucket(BUCKET).key(key));
        return;
      } catch (S3Exception e) {
        if (e.statusCode() != 503 || System.nanoTime() > deadline) {
          throw e;
        }
        Thread.sleep(100);
      }
    }
  }

  private static void sayTheSameToHadoop(MiniStowageCluster cluster, String key) throws Exception {
    try (FileSystem fs = cluster.fileSystem(BUCKET)) {
      Path path = new Path("/" + key);
      assertEquals(1 << 20, fs.getFileStatus(path).getLen());
      IOException refused =
          assertThrows(
              IOException.class,
              () -> {
                try (FSDataInputStream in = fs.open(path)) {
                  in.readFully(new byte[1 << 20]);
                }
              });
      System.err.println("unavailable: " + refused);
      assertTrue(refused.getMessage().contains(path.toString()), refused::getMessage);
      assertTrue(refused.getMessage().contains("container"), refused::getMessage);
      assertTrue(refused.getMessage().contains("on disk"), refused::getMessage);
    }
  }

  private void put(S3Client s3, String name) {
    for (int length : LENGTHS) {
      String key = name + "/" + length;
      s3.putObject(
          b -> b.bucket(BUCKET).key(key), RequestBody.fromBytes(TestContent.of(key, length)));
      written.put(key, length);
    }
  }

  private void verify(S3Client s3) {
    TestContent.assertReads(s3, BUCKET, written);
  }
}

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

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
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
  void whatThreeOfFiveDisksKeptIsUnavailableUntilTheyReturn() throws Exception {
    try (MiniStowageCluster cluster =
            MiniStowageCluster.builder().datanodes(1).disksPerDatanode(5).start();
        S3Client s3 =
            S3Clients.impatient(cluster.s3Endpoint(), cluster.accessKey(), cluster.secretKey())) {
      s3.createBucket(b -> b.bucket(BUCKET));
      put(s3, "before");
      for (int disk = 0; disk < 3; disk++) {
        cluster.removeDisk(0, disk);
      }
      S3Exception refused =
          assertThrows(
              S3Exception.class,
              () -> s3.getObjectAsBytes(b -> b.bucket(BUCKET).key("before/" + (1 << 20))));
      System.err.println("unavailable: " + refused.getMessage());
      assertEquals(503, refused.statusCode());
      assertTrue(refused.getMessage().contains("container"), refused::getMessage);
      assertTrue(refused.getMessage().contains("on disk"), refused::getMessage);
      s3.headObject(b -> b.bucket(BUCKET).key("before/" + (1 << 20)));
      sayTheSameToHadoop(cluster);
      for (int disk = 0; disk < 3; disk++) {
        cluster.returnDisk(0, disk);
      }
      awaitReadable(s3, "before/" + (1 << 20));
      verify(s3); // by the gateway that saw them go
    }
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

  private static void sayTheSameToHadoop(MiniStowageCluster cluster) throws Exception {
    try (FileSystem fs = cluster.fileSystem(BUCKET)) {
      Path path = new Path("/before/" + (1 << 20));
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

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

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.NoSuchKeyException;
import software.amazon.awssdk.services.s3.model.S3Exception;

/**
 * One key, deleted, put if absent and read within milliseconds, through two gateways whose object
 * managers' clocks are a second apart. HBase hides a put whose timestamp is not above that of a
 * deletion; nothing that was acknowledged may become invisible so.
 */
class HotKeyIT {
  private static final int ROUNDS = Integer.getInteger("stowage.it.hot-key-rounds", 96);
  private static final String BUCKET = "hot";

  @RegisterExtension
  static final StowageExtension STOWAGE =
      StowageExtension.of(
          MiniStowageCluster.builder()
              .objectManagers(2)
              .objectManagerClock(1, new ShiftedClock(Duration.ofSeconds(1))));

  @Test
  void nothingAcknowledgedIsInvisibleThoughClocksDiffer(MiniStowageCluster cluster) {
    try (S3Client behind = client(cluster, 0);
        S3Client ahead = client(cluster, 1)) {
      behind.createBucket(b -> b.bucket(BUCKET));
      for (int round = 0; round < ROUNDS; round++) {
        // Whoever is ahead deletes and whoever is behind puts, and the other way round.
        S3Client deletes = (round & 1) == 0 ? ahead : behind;
        S3Client puts = (round & 2) == 0 ? behind : ahead;
        S3Client reads = (round & 4) == 0 ? behind : ahead;
        String content = "round " + round;
        deletes.deleteObject(b -> b.bucket(BUCKET).key("key"));
        assertThrows(
            NoSuchKeyException.class,
            () -> reads.getObjectAsBytes(b -> b.bucket(BUCKET).key("key")),
            () -> "deleted in " + content);
        puts.putObject(
            b -> b.bucket(BUCKET).key("key").ifNoneMatch("*"), RequestBody.fromString(content));
        int at = round;
        assertEquals(
            content,
            reads
                .getObjectAsBytes(b -> b.bucket(BUCKET).key("key"))
                .asString(StandardCharsets.UTF_8),
            () -> "in round " + at);
      }
    }
  }

  @Test
  void ofManyConditionalCreatesOneWins(MiniStowageCluster cluster) throws Exception {
    int threads = 32;
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    try (S3Client behind = client(cluster, 0);
        S3Client ahead = client(cluster, 1)) {
      behind.createBucket(b -> b.bucket("raced"));
      for (int round = 0; round < 10; round++) {
        String key = "key" + round;
        AtomicInteger won = new AtomicInteger();
        AtomicInteger winner = new AtomicInteger(-1);
        var racers =
            IntStream.range(0, threads)
                .mapToObj(
                    i ->
                        (Callable<Void>)
                            () -> {
                              try {
                                ((i & 1) == 0 ? behind : ahead)
                                    .putObject(
                                        b -> b.bucket("raced").key(key).ifNoneMatch("*"),
                                        RequestBody.fromString("by " + i));
                                won.incrementAndGet();
                                winner.set(i);
                              } catch (S3Exception e) {
                                if (e.statusCode() != 412 && e.statusCode() != 409) {
                                  throw e;
                                }
                              }
                              return null;
                            })
                .toList();
        for (Future<Void> racer : pool.invokeAll(racers)) {
          racer.get();
        }
        assertEquals(1, won.get(), key);
        assertEquals(
            "by " + winner.get(),
            ahead
                .getObjectAsBytes(b -> b.bucket("raced").key(key))
                .asString(StandardCharsets.UTF_8));
      }
    } finally {
      pool.shutdownNow();
    }
  }

  private static S3Client client(MiniStowageCluster cluster, int gateway) {
    return S3Clients.impatient(
        cluster.s3Endpoint(gateway), cluster.accessKey(), cluster.secretKey());
  }
}

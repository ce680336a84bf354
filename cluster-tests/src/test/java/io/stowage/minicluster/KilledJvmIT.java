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

import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.core.ResponseBytes;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.GetObjectResponse;
import software.amazon.awssdk.services.s3.model.NoSuchKeyException;
import software.amazon.awssdk.services.s3.model.S3Object;

/**
 * The embedded JVM is killed (SIGKILL) again and again while clients put objects. What was
 * acknowledged is there, whole; what was not is there whole or not at all.
 */
class KilledJvmIT {
  private static final int KILLS = Integer.getInteger("stowage.it.kills", 2);
  private static final int WRITERS = 6;
  private static final String BUCKET = "killed";

  @TempDir Path directory;

  /** Length of every key whose put was begun; the content follows from both. */
  private final Map<String, Integer> begun = new ConcurrentHashMap<>();

  private final Map<String, Integer> acknowledged = new ConcurrentHashMap<>();

  /** One key a writer that is overwritten all the time: the last round acknowledged and begun. */
  private final int[] overwritten = new int[WRITERS];

  private final int[] overwriteBegun = new int[WRITERS];

  @Test
  void everyAcknowledgedObjectSurvivesAndNoHalfOneIsSeen() throws Exception {
    long seed = System.nanoTime();
    System.err.println("seed " + seed);
    SplittableRandom random = new SplittableRandom(seed);
    for (int kill = 0; kill < KILLS; kill++) {
      try (EmbeddedProcess process = EmbeddedProcess.launch(directory.resolve("data"), 0)) {
        long begin = System.nanoTime();
        process.awaitServing();
        System.err.printf("start %d: %d ms%n", kill, (System.nanoTime() - begin) / 1_000_000);
        try (S3Client s3 = client(process)) {
          if (kill == 0) {
            s3.createBucket(b -> b.bucket(BUCKET));
          }
          verify(s3);
        }
        loadAndKill(process, kill, random);
      }
    }
    try (EmbeddedProcess process = EmbeddedProcess.launch(directory.resolve("data"), 0)) {
      process.awaitServing();
      try (S3Client s3 = client(process)) {
        verify(s3);
        verifyListing(s3);
      }
      assertEquals(143, process.interrupt(60), "exit status after SIGTERM");
    }
    System.err.printf(
        "%d puts begun, %d acknowledged, %d kills%n", begun.size(), acknowledged.size(), KILLS);
    assertTrue(acknowledged.size() > KILLS * WRITERS, "too little was written to mean anything");
  }

  private static S3Client client(EmbeddedProcess process) {
    return S3Clients.impatient(process.s3Endpoint(), process.accessKey(), process.secretKey());
  }

  private void loadAndKill(EmbeddedProcess process, int round, SplittableRandom random)
      throws Exception {
    AtomicBoolean stop = new AtomicBoolean();
    AtomicInteger puts = new AtomicInteger();
    List<Thread> writers = new ArrayList<>();
    for (int w = 0; w < WRITERS; w++) {
      int writer = w;
      SplittableRandom its = random.split();
      Thread thread =
          new Thread(
              () -> {
                try (S3Client s3 = client(process)) {
                  for (int i = 0; !stop.get(); i++) {
                    putOne(s3, "r" + round + "/w" + writer + "/" + i, its);
                    overwrite(s3, writer);
                    puts.incrementAndGet();
                  }
                } catch (SdkException | UncheckedIOException e) {
                  // the process is gone
                }
              },
              "writer-" + writer);
      writers.add(thread);
      thread.start();
    }
    long until = System.nanoTime() + (1_000 + random.nextInt(2_000)) * 1_000_000L;
    while (System.nanoTime() < until || puts.get() < 20) {
      assertTrue(writers.stream().anyMatch(Thread::isAlive), () -> process.output());
      Thread.sleep(5);
    }
    process.kill();
    stop.set(true);
    for (Thread writer : writers) {
      writer.join();
    }
  }

  private void putOne(S3Client s3, String key, SplittableRandom random) {
    int length =
        switch (random.nextInt(10)) {
          case 0 -> 0;
          case 1 -> random.nextInt(4 << 20);
          case 2, 3 -> random.nextInt(300_000);
          default -> random.nextInt(10_000);
        };
    begun.put(key, length);
    s3.putObject(
        b -> b.bucket(BUCKET).key(key), RequestBody.fromBytes(TestContent.of(key, length)));
    acknowledged.put(key, length);
  }

  private void overwrite(S3Client s3, int writer) {
    int round = ++overwriteBegun[writer];
    s3.putObject(
        b -> b.bucket(BUCKET).key("over" + writer),
        RequestBody.fromBytes(TestContent.of("over" + writer + "/" + round, 1_000 + round)));
    overwritten[writer] = round;
  }

  private void verify(S3Client s3) {
    acknowledged.forEach((key, length) -> verify(s3, key, length));
    for (int writer = 0; writer < WRITERS; writer++) {
      if (overwritten[writer] == 0) {
        continue;
      }
      byte[] bytes = get(s3, "over" + writer).asByteArray();
      int round = bytes.length - 1_000;
      assertTrue(
          round == overwritten[writer] || round == overwriteBegun[writer],
          "over"
              + writer
              + " is of round "
              + round
              + ", acknowledged "
              + overwritten[writer]
              + ", begun "
              + overwriteBegun[writer]);
      assertEquals(null, TestContent.mismatch("over" + writer + "/" + round, bytes.length, bytes));
      // what is seen once is not taken back
      overwritten[writer] = round;
    }
  }

  private static ResponseBytes<GetObjectResponse> get(S3Client s3, String key) {
    return s3.getObjectAsBytes(b -> b.bucket(BUCKET).key(key));
  }

  private static void verify(S3Client s3, String key, int length) {
    try {
      assertEquals(null, TestContent.mismatch(key, length, get(s3, key).asByteArray()));
    } catch (NoSuchKeyException e) {
      throw new AssertionError(key + " was acknowledged and is gone", e);
    }
  }

  /** Unacknowledged objects: those that are listed are whole. */
  private void verifyListing(S3Client s3) {
    int unacknowledged = 0;
    for (S3Object object :
        s3.listObjectsV2Paginator(b -> b.bucket(BUCKET).prefix("r")).contents()) {
      Integer length = begun.get(object.key());
      assertTrue(length != null, () -> object.key() + " was never put");
      if (!acknowledged.containsKey(object.key())) {
        unacknowledged++;
        verify(s3, object.key(), length);
      }
    }
    System.err.println(unacknowledged + " objects were stored and not acknowledged");
  }
}

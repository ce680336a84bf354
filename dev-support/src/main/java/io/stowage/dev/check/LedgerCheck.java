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
package io.stowage.dev.check;

import io.stowage.dev.content.ContentVerifier;
import io.stowage.dev.content.GeneratedContent;
import io.stowage.dev.s3.S3Connection;
import io.stowage.dev.s3.S3Response;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * Writes while somebody breaks things, and keeps a ledger of what was acknowledged; afterwards
 * every key must hold the last acknowledged write, or one whose outcome was never told and that was
 * sent after it. Each thread has keys of its own, so their order is known.
 */
@Command(
    name = "ledger",
    mixinStandardHelpOptions = true,
    description =
        "Writes for some seconds, whatever fails; then checks that nothing acknowledged is lost.")
final class LedgerCheck implements Callable<Integer> {
  /** How long the store may take to get well after the last fault. */
  private static final long PATIENCE_NANOS = 120_000_000_000L;

  private static final long PAUSE_MILLIS = 200;

  @Mixin private S3Check.Endpoint endpoint;

  @Option(names = "--seconds", defaultValue = "60", description = "of writing")
  private int seconds;

  @Option(names = "--threads", defaultValue = "8", description = "each with keys of its own")
  private int threads;

  @Option(names = "--keys", defaultValue = "40", description = "of each thread, overwritten")
  private int keys;

  @Option(names = "--seed", defaultValue = "1", description = "of sizes and choices")
  private long seed;

  /** The state that a key may be in: of one write, or deleted. */
  private record Write(long number, long lengthBytes, boolean delete) {
    GeneratedContent content(String key) {
      return GeneratedContent.of(key + "#" + number, lengthBytes);
    }
  }

  /** What may be read of a key: the last told success, and everything untold since. */
  private static final class Entry {
    private final List<Write> possible = new ArrayList<>(List.of(new Write(0, 0, true)));
  }

  private final Map<String, Entry> ledger = new ConcurrentHashMap<>();
  private final AtomicLong acknowledged = new AtomicLong();
  private final AtomicLong refused = new AtomicLong();
  private final AtomicLong untold = new AtomicLong();
  private final AtomicLong longestPauseNanos = new AtomicLong();

  @Override
  public Integer call() throws Exception {
    try (S3Connection connection = endpoint.connect()) {
      S3Response made = connection.createBucket(endpoint.bucket());
      if (!made.isSuccess() && !made.errorCode().startsWith("BucketAlready")) {
        throw new IOException("cannot make bucket " + endpoint.bucket() + ": " + made.errorCode());
      }
    }
    long end = System.nanoTime() + seconds * 1_000_000_000L;
    inParallel(thread -> write(thread, end));
    System.out.printf(
        "seed %d: %d writes acknowledged, %d refused, %d untold; longest time without any"
            + " acknowledged write of a thread %.1f s%n",
        seed, acknowledged.get(), refused.get(), untold.get(), longestPauseNanos.get() / 1e9);
    if (acknowledged.get() == 0) {
      throw new IOException("nothing was ever acknowledged");
    }
    inParallel(this::verify);
    System.out.printf("all %d keys hold what was acknowledged%n", ledger.size());
    return 0;
  }

  private interface Work {
    void run(int thread) throws Exception;
  }

  private void inParallel(Work work) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    try {
      List<Future<?>> running = new ArrayList<>();
      for (int i = 0; i < threads; i++) {
        int thread = i;
        running.add(
            pool.submit(
                () -> {
                  work.run(thread);
                  return null;
                }));
      }
      for (Future<?> one : running) {
        one.get();
      }
    } catch (ExecutionException e) {
      throw new IOException(e.getCause().toString(), e);
    } finally {
      pool.shutdownNow();
    }
  }

  private String keyOf(int thread, int index) {
    return "ledger-" + seed + "/" + thread + "/" + index;
  }

  private void write(int thread, long end) throws IOException, InterruptedException {
    SplittableRandom random = new SplittableRandom(seed * 1000 + thread);
    long last = System.nanoTime();
    try (S3Connection connection = endpoint.connect()) {
      for (long number = 1; System.nanoTime() < end; number++) {
        String key = keyOf(thread, random.nextInt(keys));
        boolean large = random.nextInt(20) == 0;
        long length = random.nextInt(large ? 5_000_000 : 20_000);
        Write write = new Write(number, length, random.nextInt(10) == 0);
        if (attempt(connection, key, write)) {
          long now = System.nanoTime();
          longestPauseNanos.accumulateAndGet(now - last, Math::max);
          last = now;
        } else {
          Thread.sleep(PAUSE_MILLIS);
        }
      }
    }
  }

  private boolean attempt(S3Connection connection, String key, Write write) {
    List<Write> possible = ledger.computeIfAbsent(key, k -> new Entry()).possible;
    try {
      S3Response response =
          write.delete()
              ? connection.delete(endpoint.bucket(), key)
              : connection.put(endpoint.bucket(), key, write.content(key));
      if (response.isSuccess()) {
        acknowledged.incrementAndGet();
        possible.clear();
        possible.add(write);
        return true;
      }
      // A 5xx leaves it open whether the write took place; a 4xx says that it did not.
      if (response.status() >= 500) {
        untold.incrementAndGet();
        possible.add(write);
      } else {
        refused.incrementAndGet();
      }
    } catch (IOException e) {
      untold.incrementAndGet();
      possible.add(write);
    }
    return false;
  }

  private void verify(int thread) throws IOException, InterruptedException {
    long deadline = System.nanoTime() + PATIENCE_NANOS;
    try (S3Connection connection = endpoint.connect()) {
      for (int index = 0; index < keys; index++) {
        String key = keyOf(thread, index);
        Entry entry = ledger.get(key);
        while (entry != null && !verified(connection, key, entry.possible)) {
          if (System.nanoTime() > deadline) {
            throw new IOException(key + " cannot be read: the store does not get well");
          }
          Thread.sleep(PAUSE_MILLIS);
        }
      }
    }
  }

  /** True if the key is as it may be; false if the store cannot tell now; throws if it is wrong. */
  private boolean verified(S3Connection connection, String key, List<Write> possible)
      throws IOException {
    List<byte[]> chunks = new ArrayList<>();
    S3Response response;
    try {
      response =
          connection.get(
              endpoint.bucket(),
              key,
              (bytes, offset, count) -> {
                byte[] copy = new byte[count];
                System.arraycopy(bytes, offset, copy, 0, count);
                chunks.add(copy);
              });
    } catch (IOException e) {
      return false;
    }
    if (response.status() >= 500) {
      return false;
    }
    if (response.status() != 200 && response.status() != 404) {
      throw new IOException("get of " + key + " says " + response.errorCode());
    }
    for (Write write : possible) {
      if (response.status() == 404 ? write.delete() : matches(key, write, chunks)) {
        return true;
      }
    }
    throw new IOException(
        key
            + " is "
            + (response.status() == 404 ? "not there" : response.bodyBytes() + " bytes")
            + ", which none of these writes explains: "
            + possible);
  }

  private static boolean matches(String key, Write write, List<byte[]> chunks) {
    if (write.delete()) {
      return false;
    }
    ContentVerifier verifier = new ContentVerifier(key, write.content(key), 0);
    try {
      for (byte[] chunk : chunks) {
        verifier.accept(chunk, 0, chunk.length);
      }
      return verifier.isComplete();
    } catch (ContentVerifier.WrongContentException e) {
      return false;
    }
  }
}

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

import static org.junit.jupiter.api.Assertions.assertNull;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.linear.History;
import io.stowage.common.linear.LinearizabilityChecker;
import io.stowage.common.proto.RenameObjectRequest;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.CompletedPart;
import software.amazon.awssdk.services.s3.model.NoSuchKeyException;
import software.amazon.awssdk.services.s3.model.S3Exception;

/**
 * Puts, conditional puts, multipart completions, deletes, renames and reads of a few keys at once,
 * through two gateways whose clocks differ: there must be one order that explains what everybody
 * saw.
 */
class LinearizabilityIT {
  private static final int ROUNDS = Integer.getInteger("stowage.it.linear-rounds", 40);
  private static final int THREADS = 10;
  private static final int OPERATIONS = 3;
  private static final int KEYS = 3;
  private static final String BUCKET = "linear";

  @RegisterExtension
  static final StowageExtension STOWAGE =
      StowageExtension.of(
          MiniStowageCluster.builder()
              .objectManagers(2)
              .objectManagerClock(1, new ShiftedClock(Duration.ofSeconds(1))));

  /** What every key holds; immutable. */
  private record State(Map<String, String> contents) {
    State with(String key, String content) {
      Map<String, String> next = new HashMap<>(contents);
      if (content == null) {
        next.remove(key);
      } else {
        next.put(key, content);
      }
      return new State(Map.copyOf(next));
    }

    String get(String key) {
      return contents.get(key);
    }
  }

  @Test
  void oneOrderExplainsWhatEverybodySaw(MiniStowageCluster cluster) throws Exception {
    long seed = System.nanoTime();
    System.err.println("seed " + seed);
    SplittableRandom random = new SplittableRandom(seed);
    ExecutorService pool = Executors.newFixedThreadPool(THREADS);
    try (S3Client first = client(cluster, 0);
        S3Client second = client(cluster, 1)) {
      first.createBucket(b -> b.bucket(BUCKET));
      for (int round = 0; round < ROUNDS; round++) {
        History<State> history = new History<>();
        String prefix = "round" + round + "/";
        List<Callable<Void>> clients = new ArrayList<>();
        for (int t = 0; t < THREADS; t++) {
          SplittableRandom its = random.split();
          int gateway = t & 1;
          String name = "r" + round + "t" + t;
          clients.add(
              () -> {
                for (int i = 0; i < OPERATIONS; i++) {
                  act(
                      cluster,
                      gateway,
                      gateway == 0 ? first : second,
                      history,
                      prefix,
                      name + "o" + i,
                      its);
                }
                return null;
              });
        }
        for (Future<Void> done : pool.invokeAll(clients)) {
          done.get();
        }
        int at = round;
        assertNull(
            LinearizabilityChecker.violation(history, new State(Map.of())),
            () -> "seed " + seed + ", round " + at);
      }
    } finally {
      pool.shutdownNow();
    }
  }

  private static void act(
      MiniStowageCluster cluster,
      int gateway,
      S3Client s3,
      History<State> history,
      String prefix,
      String content,
      SplittableRandom random)
      throws StoreException {
    String key = prefix + random.nextInt(KEYS);
    long called = history.now();
    switch (random.nextInt(8)) {
      case 0 -> {
        s3.putObject(b -> b.bucket(BUCKET).key(key), RequestBody.fromString(content));
        history.returned("put " + key + "=" + content, called, s -> s.with(key, content));
      }
      case 1, 2 -> putIfAbsent(s3, history, called, key, content);
      case 3 -> {
        s3.deleteObject(b -> b.bucket(BUCKET).key(key));
        history.returned("delete " + key, called, s -> s.with(key, null));
      }
      case 4 -> rename(cluster, gateway, history, called, key, prefix + random.nextInt(KEYS));
      case 5 -> {
        multipart(s3, key, content);
        history.returned("complete " + key + "=" + content, called, s -> s.with(key, content));
      }
      default -> get(s3, history, called, key);
    }
  }

  private static void putIfAbsent(
      S3Client s3, History<State> history, long called, String key, String content) {
    try {
      s3.putObject(
          b -> b.bucket(BUCKET).key(key).ifNoneMatch("*"), RequestBody.fromString(content));
      history.returned(
          "put if absent " + key + "=" + content,
          called,
          s -> s.get(key) == null ? s.with(key, content) : null);
    } catch (S3Exception e) {
      if (e.statusCode() == 409) {
        history.returned("put if absent " + key + ": conflict", called, Function.identity());
        return;
      }
      if (e.statusCode() != 412) {
        throw e;
      }
      history.returned(
          "put if absent " + key + ": present", called, s -> s.get(key) == null ? null : s);
    }
  }

  private static void rename(
      MiniStowageCluster cluster,
      int gateway,
      History<State> history,
      long called,
      String source,
      String target)
      throws StoreException {
    if (source.equals(target)) {
      return;
    }
    String what = "rename " + source + " to " + target;
    try {
      cluster
          .objectManager(gateway)
          .renameObject(
              RenameObjectRequest.newBuilder()
                  .setBucket(BUCKET)
                  .setSource(source)
                  .setTarget(target)
                  .setWriteId(WriteId.random())
                  .setOverwrite(true)
                  .build());
      history.returned(
          what,
          called,
          s -> s.get(source) == null ? null : s.with(target, s.get(source)).with(source, null));
    } catch (StoreException e) {
      if (e.code() == ErrorCode.NO_SUCH_KEY) {
        history.returned(what + ": no source", called, s -> s.get(source) == null ? s : null);
      } else if (e.code() == ErrorCode.CONFLICT) {
        history.returned(what + ": conflict", called, Function.identity());
      } else {
        throw e;
      }
    }
  }

  private static void multipart(S3Client s3, String key, String content) {
    String upload = s3.createMultipartUpload(b -> b.bucket(BUCKET).key(key)).uploadId();
    String etag =
        s3.uploadPart(
                b -> b.bucket(BUCKET).key(key).uploadId(upload).partNumber(1),
                RequestBody.fromString(content))
            .eTag();
    s3.completeMultipartUpload(
        b ->
            b.bucket(BUCKET)
                .key(key)
                .uploadId(upload)
                .multipartUpload(
                    m -> m.parts(CompletedPart.builder().partNumber(1).eTag(etag).build())));
  }

  private static void get(S3Client s3, History<State> history, long called, String key) {
    String seen;
    try {
      seen = s3.getObjectAsBytes(b -> b.bucket(BUCKET).key(key)).asString(StandardCharsets.UTF_8);
    } catch (NoSuchKeyException e) {
      seen = null;
    }
    String content = seen;
    history.returned(
        "get " + key + " = " + content,
        called,
        s -> java.util.Objects.equals(s.get(key), content) ? s : null);
  }

  private static S3Client client(MiniStowageCluster cluster, int gateway) {
    return S3Clients.impatient(
        cluster.s3Endpoint(gateway), cluster.accessKey(), cluster.secretKey());
  }
}

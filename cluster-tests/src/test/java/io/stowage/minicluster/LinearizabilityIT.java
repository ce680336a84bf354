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
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import software.amazon.awssdk.core.ResponseBytes;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.BucketVersioningStatus;
import software.amazon.awssdk.services.s3.model.CompletedPart;
import software.amazon.awssdk.services.s3.model.DeleteObjectResponse;
import software.amazon.awssdk.services.s3.model.GetObjectResponse;
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
  private static final String VERSIONED = "linear-versions";

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

  // ---- versions

  /** A version, or a delete marker, whose content is null. */
  private record Version(String id, String content) {
    /** Of one key, what is made later has the higher. */
    long number() {
      return ByteBuffer.wrap(Base64.getUrlDecoder().decode(id)).getLong();
    }
  }

  /** Of every key its versions, newest first, and the highest id it ever had. Immutable. */
  private record Versions(Map<String, List<Version>> kept, Map<String, Long> highest) {
    static final Versions NONE = new Versions(Map.of(), Map.of());

    List<Version> of(String key) {
      return kept.getOrDefault(key, List.of());
    }

    Version current(String key) {
      return of(key).isEmpty() ? null : of(key).get(0);
    }

    Version find(String key, String id) {
      return of(key).stream().filter(version -> version.id().equals(id)).findAny().orElse(null);
    }

    /** Null if it cannot be the next. */
    Versions with(String key, Version added) {
      if (added.number() <= highest.getOrDefault(key, 0L)) {
        return null;
      }
      List<Version> next = new ArrayList<>();
      next.add(added);
      next.addAll(of(key));
      Map<String, Long> ids = new HashMap<>(highest);
      ids.put(key, added.number());
      return new Versions(with(key, next), Map.copyOf(ids));
    }

    Versions without(String key, String id) {
      return new Versions(
          with(key, of(key).stream().filter(version -> !version.id().equals(id)).toList()),
          highest);
    }

    private Map<String, List<Version>> with(String key, List<Version> versions) {
      Map<String, List<Version>> next = new HashMap<>(kept);
      next.put(key, List.copyOf(versions));
      return Map.copyOf(next);
    }
  }

  /** What one client does in a bucket with versions; the ids are shared by all of a round. */
  private record Versioning(
      S3Client s3, History<Versions> history, Map<String, List<String>> ids, String prefix) {

    void act(String content, SplittableRandom random) {
      String key = prefix + random.nextInt(2);
      long called = history.now();
      switch (random.nextInt(8)) {
        case 0, 1 -> put(called, key, content);
        case 2 -> putIfAbsent(called, key, content);
        case 3 -> {
          DeleteObjectResponse marked = s3.deleteObject(b -> b.bucket(VERSIONED).key(key));
          Version marker = new Version(marked.versionId(), null);
          history.returned("mark " + key + " " + marker.id(), called, s -> s.with(key, marker));
          known(key).add(marker.id());
        }
        case 4, 5 -> {
          String id = anyOf(key, random);
          if (id != null) {
            s3.deleteObject(b -> b.bucket(VERSIONED).key(key).versionId(id));
            history.returned("delete " + key + " " + id, called, s -> s.without(key, id));
          }
        }
        case 6 -> {
          String id = anyOf(key, random);
          if (id != null) {
            getVersion(called, key, id);
          }
        }
        default -> getCurrent(called, key);
      }
    }

    private List<String> known(String key) {
      return ids.computeIfAbsent(key, any -> new CopyOnWriteArrayList<>());
    }

    /** One of the last few: those are current, or were a moment ago. */
    private String anyOf(String key, SplittableRandom random) {
      List<String> known = List.copyOf(known(key));
      return known.isEmpty()
          ? null
          : known.get(known.size() - 1 - random.nextInt(Math.min(3, known.size())));
    }

    private void put(long called, String key, String content) {
      String id =
          s3.putObject(b -> b.bucket(VERSIONED).key(key), RequestBody.fromString(content))
              .versionId();
      history.returned(
          "put " + key + "=" + content, called, s -> s.with(key, new Version(id, content)));
      known(key).add(id);
    }

    private void putIfAbsent(long called, String key, String content) {
      try {
        String id =
            s3.putObject(
                    b -> b.bucket(VERSIONED).key(key).ifNoneMatch("*"),
                    RequestBody.fromString(content))
                .versionId();
        history.returned(
            "put if absent " + key + "=" + content,
            called,
            s ->
                s.current(key) == null || s.current(key).content() == null
                    ? s.with(key, new Version(id, content))
                    : null);
        known(key).add(id);
      } catch (S3Exception e) {
        if (e.statusCode() == 409) {
          history.returned("put if absent " + key + ": conflict", called, Function.identity());
          return;
        }
        if (e.statusCode() != 412) {
          throw e;
        }
        history.returned(
            "put if absent " + key + ": present",
            called,
            s -> s.current(key) == null || s.current(key).content() == null ? null : s);
      }
    }

    private void getCurrent(long called, String key) {
      Version seen;
      try {
        ResponseBytes<GetObjectResponse> got =
            s3.getObjectAsBytes(b -> b.bucket(VERSIONED).key(key));
        seen = new Version(got.response().versionId(), got.asString(StandardCharsets.UTF_8));
      } catch (NoSuchKeyException e) {
        seen = null;
      }
      Version version = seen;
      history.returned(
          "get " + key + " = " + version,
          called,
          s -> {
            Version current = s.current(key);
            boolean nothing = current == null || current.content() == null;
            return (version == null ? nothing : version.equals(current)) ? s : null;
          });
    }

    private void getVersion(long called, String key, String id) {
      String seen;
      int status = 200;
      try {
        seen =
            s3.getObjectAsBytes(b -> b.bucket(VERSIONED).key(key).versionId(id))
                .asString(StandardCharsets.UTF_8);
      } catch (S3Exception e) {
        if (e.statusCode() != 404 && e.statusCode() != 405) {
          throw e;
        }
        seen = null;
        status = e.statusCode();
      }
      String content = seen;
      int answered = status;
      history.returned(
          "get " + key + " " + id + " = " + answered + " " + content,
          called,
          s -> {
            Version version = s.find(key, id);
            int expected = version == null ? 404 : version.content() == null ? 405 : 200;
            return answered == expected && (content == null || content.equals(version.content()))
                ? s
                : null;
          });
    }
  }

  /**
   * Puts, deletes by marker and for good, and reads of current versions and of others, in a bucket
   * with versioning.
   */
  @Test
  void oneOrderExplainsWhatEverybodySawOfVersions(MiniStowageCluster cluster) throws Exception {
    long seed = System.nanoTime();
    System.err.println("seed of versions " + seed);
    SplittableRandom random = new SplittableRandom(seed);
    ExecutorService pool = Executors.newFixedThreadPool(THREADS);
    try (S3Client first = client(cluster, 0);
        S3Client second = client(cluster, 1)) {
      first.createBucket(b -> b.bucket(VERSIONED));
      first.putBucketVersioning(
          b ->
              b.bucket(VERSIONED)
                  .versioningConfiguration(v -> v.status(BucketVersioningStatus.ENABLED)));
      for (int round = 0; round < ROUNDS; round++) {
        History<Versions> history = new History<>();
        Map<String, List<String>> ids = new ConcurrentHashMap<>();
        List<Callable<Void>> clients = new ArrayList<>();
        for (int t = 0; t < THREADS; t++) {
          SplittableRandom its = random.split();
          Versioning versioning =
              new Versioning(t % 2 == 0 ? first : second, history, ids, "round" + round + "/");
          String name = "r" + round + "t" + t;
          clients.add(
              () -> {
                for (int i = 0; i < OPERATIONS; i++) {
                  versioning.act(name + "o" + i, its);
                }
                return null;
              });
        }
        for (Future<Void> done : pool.invokeAll(clients)) {
          done.get();
        }
        int at = round;
        assertNull(
            LinearizabilityChecker.violation(history, Versions.NONE),
            () -> "seed " + seed + ", round " + at);
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

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

import io.netty.buffer.Unpooled;
import io.stowage.client.DataPath;
import io.stowage.client.ObjectWriter;
import io.stowage.client.StowageDataPath;
import io.stowage.common.conf.Keys;
import io.stowage.common.data.NetworkDatanodes;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.LeaseContainersReply;
import io.stowage.common.time.StoreClock;
import io.stowage.common.tls.ClientTls;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.PathIOException;
import org.apache.hadoop.io.IOUtils;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.S3Exception;

/**
 * Objects that are written for several commit windows, while their containers are sealed and
 * damaged under them and repackers empty others: ADR 20. A writer of {@code stow://} is told the
 * window by the cluster alone: its own configuration says nothing of it.
 */
@Timeout(600) // a hang
class UnfinishedObjectsIT {
  private static final int SLOWNESS = Integer.getInteger("stowage.it.slowness", 1);
  private static final Duration PATIENCE = Duration.ofSeconds(90).multipliedBy(SLOWNESS);
  private static final Duration WINDOW = Duration.ofSeconds(6).multipliedBy(SLOWNESS);
  private static final int WINDOWS = 4;

  /** A machine that stands still for a window spoils what is written in it. */
  private static final int TRIES = 3;

  private static final Duration PACE = Duration.ofMillis(100);
  private static final int PIECE = 48 << 10;
  private static final int LENGTH = (int) (WINDOW.multipliedBy(WINDOWS).dividedBy(PACE) * PIECE);
  private static final String BUCKET = "bucket";
  private static final String CELL = "64k"; // so that what is written soon lies on disks

  @TempDir Path directory;

  @Test
  void bytesAreKeptUntilTheirWriterFinishesOrDies() throws Exception {
    try (MiniStowageCluster cluster =
        RepackIT.impatient()
            .disksPerDatanode(2)
            .set(Keys.COMMIT_WINDOW, WINDOW.toSeconds() + "s")
            .set(Keys.LEASE_DURATION, 4 * SLOWNESS + "s")
            .set(Keys.DEAD_INTERVAL, PATIENCE.toSeconds() + "s") // no node dies here
            .set(Keys.CELL_SIZE, CELL)
            .set(Keys.S3_IDLE_TIMEOUT, 3 * PATIENCE.toSeconds() + "s")
            .directory(directory)
            .start()) {
      DirectStore store = DirectStore.of(cluster, BUCKET);
      store.create("rs-3-2");
      String spoiled = "not tried";
      for (int i = 0; i < TRIES && spoiled != null; i++) {
        spoiled = writeSlowly(cluster, store, "try-" + i + "/");
        if (spoiled != null) {
          System.err.println("try " + i + ": " + spoiled);
        }
      }
      assertEquals(null, spoiled, "the last of " + TRIES);
    }
  }

  /** Null, or what the machine may have spoiled. */
  private String writeSlowly(MiniStowageCluster cluster, DirectStore store, String prefix)
      throws Exception {
    ExecutorService threads = Executors.newCachedThreadPool();
    CountDownLatch mayEnd = new CountDownLatch(1);
    CountDownLatch churnMayEnd = new CountDownLatch(1);
    // Policies of their own, so that nobody else has bytes in their containers.
    try (MortalWriter first = new MortalWriter(cluster, store, prefix + "first", "rs-6-3");
        MortalWriter second = new MortalWriter(cluster, store, prefix + "second", "rs-1-2")) {
      Future<Map<String, Integer>> churn =
          threads.submit(() -> churn(store, prefix + "churn-", churnMayEnd));
      Future<?> file = threads.submit(() -> writeFile(cluster, prefix + "file", mayEnd));
      Future<?> upload = threads.submit(() -> putObject(cluster, prefix + "upload", mayEnd));
      long began = System.nanoTime();
      first.die();
      pause(WINDOW);
      cluster.restartDatanode(0); // damages the leases of the moment
      first.awaitFreed();
      pause(WINDOW.multipliedBy(WINDOWS).minusNanos(System.nanoTime() - began));
      mayEnd.countDown();
      for (Future<?> writing : List.of(file, upload)) {
        String refused = refusalOf(writing);
        if (refused != null) {
          return refused;
        }
      }
      for (Set<Long> ids :
          List.of(
              containersOf(store, prefix + "file"),
              containersOf(store, prefix + "upload"),
              second.written())) {
        String judged = judged(cluster, ids);
        if (judged != null) {
          return judged;
        }
      }
      churnMayEnd.countDown();
      Map<String, Integer> lives = churn.get();
      assertReads(cluster, store, prefix, lives);
      second.die();
      second.awaitFreed();
      assertReads(cluster, store, prefix, lives);
      return null;
    } catch (ExecutionException e) {
      if (e.getCause() instanceof StoreException failed
          && failed.code().blame() != ErrorCode.Blame.CALLER) {
        return failed.toString(); // a writer that was to die later: it tries nothing twice
      }
      throw e;
    } finally {
      mayEnd.countDown();
      churnMayEnd.countDown();
      threads.shutdown();
      assertTrue(threads.awaitTermination(60, TimeUnit.SECONDS), "a thread hangs");
    }
  }

  private static void pause(Duration time) throws InterruptedException {
    Thread.sleep(Math.max(0, time.toMillis()));
  }

  private static Set<Long> containersOf(DirectStore store, String key) throws StoreException {
    return store.head(key).getVersion().getManifest().getExtentsList().stream()
        .map(Extent::getContainer)
        .collect(Collectors.toSet());
  }

  /** Null if all may be committed under, though some were sealed long ago; or one that may not. */
  private static String judged(MiniStowageCluster cluster, Set<Long> ids) throws Exception {
    Map<Long, ContainerInfo> all = new HashMap<>();
    RepackIT.containers(cluster).forEach(info -> all.put(info.getId(), info));
    Duration oldest = Duration.ZERO;
    for (long id : ids) {
      ContainerInfo info = all.get(id);
      if (info == null || info.getState() == ContainerState.REPACKING) {
        return Long.toHexString(id) + " is being emptied: " + info;
      }
      if (info.getState() == ContainerState.SEALED) {
        long micros = StoreClock.system().wallMicros() - info.getSealedMicros();
        oldest = Collections.max(List.of(oldest, Duration.ofNanos(micros * 1_000)));
      }
    }
    System.err.println(ids.size() + " containers, the oldest sealed for " + oldest);
    assertTrue(oldest.compareTo(WINDOW.multipliedBy(2)) > 0, "nothing had to be kept: " + oldest);
    return null;
  }

  private static void assertReads(
      MiniStowageCluster cluster, DirectStore store, String prefix, Map<String, Integer> lives)
      throws Exception {
    try (FileSystem fs = fileSystem(cluster);
        InputStream in = fs.open(new org.apache.hadoop.fs.Path("/" + prefix + "file"))) {
      assertEquals(null, TestContent.mismatch(prefix + "file", LENGTH, in.readAllBytes()));
    }
    assertEquals(
        null, TestContent.mismatch(prefix + "upload", LENGTH, store.get(prefix + "upload")));
    for (Map.Entry<String, Integer> each : lives.entrySet()) {
      String key = each.getKey();
      assertEquals(null, TestContent.mismatch(key, each.getValue(), store.get(key)), key);
    }
  }

  // Writers that finish.

  private static FileSystem fileSystem(MiniStowageCluster cluster) throws IOException {
    Configuration hadoop = cluster.hadoopConfiguration();
    hadoop.set(Keys.CELL_SIZE.name(), CELL);
    assertEquals(null, hadoop.get(Keys.COMMIT_WINDOW.name()), "clients know nothing of it");
    return FileSystem.newInstance(URI.create("stow://" + BUCKET + "/"), hadoop);
  }

  private static Void writeFile(MiniStowageCluster cluster, String key, CountDownLatch mayEnd)
      throws Exception {
    try (FileSystem fs = fileSystem(cluster);
        OutputStream out = fs.create(new org.apache.hadoop.fs.Path("/" + key))) {
      IOUtils.copyBytes(new SlowContent(key, mayEnd), out, PIECE);
    }
    return null;
  }

  private static Void putObject(MiniStowageCluster cluster, String key, CountDownLatch mayEnd) {
    try (S3Client s3 =
        S3Clients.impatient(cluster.s3Endpoint(), cluster.accessKey(), cluster.secretKey())) {
      s3.putObject(
          b -> b.bucket(BUCKET).key(key),
          RequestBody.fromInputStream(new SlowContent(key, mayEnd), LENGTH));
    }
    return null;
  }

  /** Null if all was stored, or that it was too late for that. */
  private static String refusalOf(Future<?> writing) throws Exception {
    try {
      writing.get();
      return null;
    } catch (ExecutionException e) {
      boolean late =
          e.getCause() instanceof S3Exception failed
              ? failed.statusCode() == 503
              : e.getCause() instanceof PathIOException refused
                  && refused.getMessage().contains("COMMIT_TOO_LATE");
      if (late) {
        return e.getCause().toString();
      }
      throw e;
    }
  }

  /** Small objects beside them, most of which are deleted: what lives of them, with its length. */
  private static Map<String, Integer> churn(DirectStore store, String prefix, CountDownLatch mayEnd)
      throws Exception {
    Map<String, Integer> lives = new TreeMap<>();
    for (int i = 0; !mayEnd.await(PACE.toMillis(), TimeUnit.MILLISECONDS); i++) {
      String key = prefix + i;
      int length = 1 + 997 * (i % 30);
      try {
        store.put(key, TestContent.of(key, length));
        if (i % 8 == 0) {
          lives.put(key, length);
        } else {
          store.delete(List.of(key));
        }
      } catch (StoreException e) {
        if (e.code().blame() == ErrorCode.Blame.CALLER) {
          throw e;
        } // else a node is away, or the machine was held up: others follow
      }
    }
    return lives;
  }

  /** What a name stands for, as slow as the test wants it, and the last piece not before a time. */
  private static final class SlowContent extends InputStream {
    private final byte[] bytes;
    private final CountDownLatch mayEnd;
    private int at;

    SlowContent(String name, CountDownLatch mayEnd) {
      this.bytes = TestContent.of(name, LENGTH);
      this.mayEnd = mayEnd;
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] into, int offset, int length) throws IOException {
      if (at == bytes.length) {
        return -1;
      }
      int count = Math.min(Math.min(length, PIECE - at % PIECE), bytes.length - at);
      try {
        if (at == bytes.length - PIECE) {
          assertTrue(mayEnd.await(2 * PATIENCE.toMillis(), TimeUnit.MILLISECONDS), "hangs");
        } else if (at % PIECE == 0) {
          pause(PACE);
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new InterruptedIOException();
      }
      System.arraycopy(bytes, at, into, offset, count);
      at += count;
      return count;
    }
  }

  // Writers that die.

  /**
   * A process that writes one object without end, and from one moment on is silent: for SCM, object
   * managers and datanodes it has been killed.
   */
  private final class MortalWriter implements AutoCloseable {
    private final NetworkDatanodes datanodes;
    private final StowageDataPath path;
    private final ObjectWriter writer;
    private final MiniStowageCluster cluster;
    private final Set<Long> leased = ConcurrentHashMap.newKeySet();
    private final CountDownLatch dead = new CountDownLatch(1);
    private final ExecutorService thread = Executors.newSingleThreadExecutor();
    private final Future<?> writing;

    MortalWriter(MiniStowageCluster cluster, DirectStore store, String key, String policy)
        throws Exception {
      this.cluster = cluster;
      datanodes = new NetworkDatanodes(ClientTls.from(cluster.config()));
      path = StowageDataPath.create(cluster.config(), untilDeath(), datanodes, StoreClock.system());
      writer =
          path.write(
              new DataPath.WriteSpec(
                  store.bucket().getId(),
                  ByteString.copyFromUtf8(key),
                  WriteId.random(),
                  policy,
                  -1,
                  ByteString.EMPTY));
      writing = thread.submit(this::write);
    }

    private ObjectManager untilDeath() {
      ObjectManager real = cluster.objectManager(0);
      return (ObjectManager)
          Proxy.newProxyInstance(
              ObjectManager.class.getClassLoader(),
              new Class<?>[] {ObjectManager.class},
              (proxy, method, arguments) -> {
                if (dead.getCount() == 0) {
                  throw new StoreException(ErrorCode.UNAVAILABLE, "dead");
                }
                try {
                  Object reply = method.invoke(real, arguments);
                  if (reply instanceof LeaseContainersReply granted) {
                    leased.add(granted.getLease().getContainer().getId());
                  }
                  return reply;
                } catch (InvocationTargetException e) {
                  throw e.getCause();
                }
              });
    }

    private Void write() throws Exception {
      byte[] piece = TestContent.of("nobody's", PIECE);
      try {
        while (!dead.await(PACE.toMillis(), TimeUnit.MILLISECONDS)) {
          writer.write(Unpooled.directBuffer(PIECE).writeBytes(piece));
        }
      } catch (StoreException e) {
        if (dead.getCount() > 0) {
          throw e;
        }
      }
      return null;
    }

    /** Containers with bytes of it, as SCM knows by now. */
    Set<Long> written() throws Exception {
      return RepackIT.containers(cluster).stream()
          .filter(info -> leased.contains(info.getId()) && info.getEndOffset() > 0)
          .map(ContainerInfo::getId)
          .collect(Collectors.toSet());
    }

    /** Once some of its bytes are known to lie on disks. */
    void die() throws Exception {
      await("bytes on disks", () -> !written().isEmpty());
      dead.countDown();
      writing.get();
    }

    /** Until no disk has a byte of it. */
    void awaitFreed() throws Exception {
      await(
          "the space of a writer that died",
          () -> {
            Set<Long> left = containersOnDisks();
            left.retainAll(leased);
            RepackIT.containers(cluster).stream()
                .filter(info -> info.getState() == ContainerState.OPEN && info.getEndOffset() == 0)
                .forEach(info -> left.remove(info.getId())); // leased, and never written to
            return left.isEmpty();
          });
    }

    private Set<Long> containersOnDisks() throws IOException {
      try (Stream<Path> files = Files.walk(directory)) {
        return files
            .map(path -> path.getFileName().toString())
            .filter(name -> name.endsWith(".shard"))
            .map(name -> Long.parseUnsignedLong(name.substring(0, 16), 16))
            .collect(Collectors.toCollection(HashSet::new));
      } catch (UncheckedIOException e) {
        return containersOnDisks(); // a file has gone while we looked
      }
    }

    private static void await(String what, Callable<Boolean> condition) throws Exception {
      long deadline = System.nanoTime() + PATIENCE.toNanos();
      while (!condition.call()) {
        assertTrue(System.nanoTime() < deadline, () -> "waited in vain for " + what);
        pause(PACE);
      }
    }

    @Override
    public void close() throws Exception {
      dead.countDown();
      thread.shutdown();
      try {
        writing.get();
      } finally {
        writer.close();
        path.close();
        datanodes.close();
      }
    }
  }
}

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
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.client.StowageDataPath;
import io.stowage.client.repack.BucketConversion;
import io.stowage.client.repack.Repacker;
import io.stowage.common.conf.Keys;
import io.stowage.common.data.NetworkDatanodes;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.expiry.LifecycleRules;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.id.WriteId;
import io.stowage.common.needle.NeedleCodec;
import io.stowage.common.needle.NeedleFacts;
import io.stowage.common.needle.NeedleHeader;
import io.stowage.common.om.BucketEncryption;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.AcceptUnknownShardsRequest;
import io.stowage.common.proto.BucketLayout;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.common.proto.GetObjectReply;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.JudgeNeedlesRequest;
import io.stowage.common.proto.LifecycleRule;
import io.stowage.common.proto.LifecycleRuleSet;
import io.stowage.common.proto.ListContainersReply;
import io.stowage.common.proto.ListContainersRequest;
import io.stowage.common.proto.ListVersionsRequest;
import io.stowage.common.proto.RepackStatusReply;
import io.stowage.common.proto.RepackStatusRequest;
import io.stowage.common.proto.UpdateBucketRequest;
import io.stowage.common.proto.Versioning;
import io.stowage.common.rpc.RpcClient;
import io.stowage.common.rpc.RpcProtocol;
import io.stowage.common.scm.ContainerManager;
import io.stowage.common.time.StoreClock;
import io.stowage.common.tls.ClientTls;
import io.stowage.om.OmServer;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.PathIOException;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/** What repacking gives back, on real datanodes' disks, while others read and write. */
@Timeout(420)
class RepackIT {
  /**
   * How many times as slow as an idle machine this one is: all that is waited for takes as long.
   */
  private static final int SLOWNESS = Integer.getInteger("stowage.it.slowness", 1);

  private static final Duration PATIENCE = Duration.ofMinutes(3).multipliedBy(SLOWNESS);
  private static final int OBJECTS = Integer.getInteger("stowage.it.repacked-objects", 3_000);

  /** Objects that are written again while the others go: little beside what lives. */
  private static final int OVERWRITTEN = 24;

  /** "STND". */
  private static final int NEEDLE = 0x53544E44;

  private static final String SECRET = "what no shard tells, wherever it is moved ";

  private static final ByteString BY_DEFAULT =
      ByteString.copyFromUtf8(
          "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>"
              + "<SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>"
              + "</ServerSideEncryptionConfiguration>");

  @TempDir Path directory;

  @AfterEach
  void disarm() {
    CrashPoint.disarmAll();
  }

  /** Everything that production waits for, in seconds. */
  static MiniStowageCluster.Builder impatient() {
    return MiniStowageCluster.builder()
        .set(Keys.COMMIT_WINDOW, 3 * SLOWNESS + "s")
        .set(Keys.CLOCK_BOUND, "300ms")
        .set(Keys.MUTATION_DEADLINE, 1_500 * SLOWNESS + "ms")
        .set(Keys.OPEN_TIME, 2 * SLOWNESS + "s")
        .set(Keys.REPACK_CLAIM, 2 * SLOWNESS + "s")
        .set(Keys.REPACK_KEEP, "1s")
        .set(Keys.REPACK_RATE, "1g")
        .set(Keys.COLLECT_INTERVAL, "500ms")
        .set(Keys.COLLECT_MARGIN, "2s")
        .set(Keys.CONTAINER_CAPACITY, "8m");
  }

  static List<ContainerInfo> containers(MiniStowageCluster cluster) throws Exception {
    List<ContainerInfo> all = new ArrayList<>();
    ListContainersReply page;
    long after = 0;
    do {
      page =
          cluster
              .containerManager()
              .listContainers(ListContainersRequest.newBuilder().setAfter(after).build());
      all.addAll(page.getContainersList());
      after = all.isEmpty() ? 0 : all.get(all.size() - 1).getId();
    } while (page.getMore());
    return all;
  }

  /** What the file system gave the shards of containers that are not DELETED. */
  private long diskUse(MiniStowageCluster cluster) throws Exception {
    Set<String> names = names(cluster);
    return diskUse(path -> names.contains(path.getFileName().toString().substring(0, 16)));
  }

  private static Set<String> names(MiniStowageCluster cluster) throws Exception {
    Set<String> names = new HashSet<>();
    for (ContainerInfo info : containers(cluster)) {
      names.add(String.format("%016x", info.getId()));
    }
    return names;
  }

  /**
   * As {@link #diskUse}, with the superblocks of one container: what is written here is little for
   * more.
   */
  private double diskUseAsOfOneContainer(MiniStowageCluster cluster) throws Exception {
    Set<String> names = names(cluster);
    Set<Path> shards = new HashSet<>();
    double all =
        diskUse(
            path -> {
              if (!names.contains(path.getFileName().toString().substring(0, 16))) {
                return false;
              }
              shards.add(path);
              return true;
            });
    return all - Math.max(0, shards.size() - 5) * 32_768.0;
  }

  /** The same with the shards of containers that are DELETED, and of those that nobody knows. */
  private long diskUseOfAll() throws Exception {
    return diskUse(path -> true);
  }

  private long diskUse(Predicate<Path> shards) throws Exception {
    List<String> command = new ArrayList<>(List.of("du", "--block-size=1", "--total"));
    try (Stream<Path> files = Files.walk(directory)) {
      files
          .filter(path -> path.toString().endsWith(".shard"))
          .filter(shards)
          .forEach(path -> command.add(path.toString()));
    } catch (UncheckedIOException e) {
      return diskUse(shards); // a file has gone while we looked
    }
    if (command.size() == 3) {
      return 0;
    }
    Process du = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(du.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    du.waitFor(); // a file may have gone meanwhile
    String total = output.substring(output.lastIndexOf('\n') + 1);
    return Long.parseLong(total.substring(0, total.indexOf('\t')));
  }

  /**
   * Bytes of the records of deletions that are in data shards of rs-3-2, by key, with all copies
   * that there are. Not in parity: the sum of three records that lie alike is a record, too, of a
   * key that there never was.
   */
  private Map<String, Integer> deletionsOnDisk() throws Exception {
    Map<String, Integer> found = new HashMap<>();
    List<Path> shards;
    try (Stream<Path> files = Files.walk(directory)) {
      shards = files.filter(path -> path.toString().matches(".*-[012]-[0-9]+\\.shard")).toList();
    } catch (UncheckedIOException e) {
      return deletionsOnDisk(); // a file has gone while we looked
    }
    for (Path shard : shards) {
      ByteBuffer bytes;
      try {
        bytes = ByteBuffer.wrap(Files.readAllBytes(shard));
      } catch (NoSuchFileException e) {
        continue;
      }
      for (int at = 0; at < bytes.capacity() - Integer.BYTES; at += NeedleCodec.ALIGNMENT) {
        if (bytes.getInt(at) == NEEDLE) {
          addDeletion(bytes.position(at), found);
        }
      }
    }
    return found;
  }

  private static void addDeletion(ByteBuffer bytes, Map<String, Integer> found) {
    int begin = bytes.position();
    try {
      NeedleHeader header = NeedleCodec.decode(bytes);
      if (header.kind() == NeedleHeader.Kind.RECORD) {
        int length = (int) header.payloadLength();
        ByteString payload = ByteString.copyFrom(bytes, length);
        if (NeedleFacts.fact(payload).hasDeleted()) {
          found.merge(
              header.rowKey().toStringUtf8(),
              NeedleCodec.align(bytes.position() - begin),
              Integer::sum);
        }
      }
    } catch (StoreException e) {
      // no needle begins here, or one that is cut by a checksum page
    }
  }

  private static RepackStatusReply status(MiniStowageCluster cluster) throws StoreException {
    return cluster.containerManager().repackStatus(RepackStatusRequest.getDefaultInstance());
  }

  /** All that was written is sealed, and SCM has looked into it once. */
  private static void awaitSurveyed(MiniStowageCluster cluster) throws Exception {
    double left =
        awaitAtMost(
            0,
            () ->
                status(cluster).getToSurvey()
                    + containers(cluster).stream()
                        .filter(info -> info.getState() == ContainerState.OPEN)
                        .count());
    assertEquals(0, left, "containers that are open or not surveyed");
    assertTrue(status(cluster).getSurveyed() > 0, "none was ever surveyed");
  }

  private interface Measure {
    double get() throws Exception;
  }

  private static double awaitAtMost(double limit, Measure measure) throws Exception {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    double last;
    do {
      Thread.sleep(200);
      last = measure.get();
    } while (last > limit && System.nanoTime() < deadline);
    return last;
  }

  /** What lives is all that is needed; that each deletion leaves a record has to fit beside it. */
  @Test
  void afterNineOfTenObjectsAreDeletedTheDisksHoldLittleMoreThanWhatLives() throws Exception {
    long seed = System.nanoTime();
    System.err.println("seed " + seed);
    Random random = new Random(seed);
    try (MiniStowageCluster cluster =
        impatient().set(Keys.CONTAINER_CAPACITY, "4m").directory(directory).start()) {
      DirectStore store = DirectStore.recording(cluster, "bucket");
      store.create("rs-3-2");
      Map<String, Integer> all = new HashMap<>();
      for (int i = 0; i < OBJECTS; i++) {
        all.put(
            String.format("object-%05d", i),
            random.nextInt(20) == 0 ? 1 + random.nextInt(600_000) : 1 + random.nextInt(20_000));
      }
      inParallel(
          16,
          new ArrayList<>(all.entrySet()),
          entry -> put(store, entry.getKey(), TestContent.of(entry.getKey(), entry.getValue())));
      // From here on only what collectors count says what is dead.
      awaitSurveyed(cluster);
      long before = diskUseOfAll();
      List<String> keys = new ArrayList<>(all.keySet());
      Collections.shuffle(keys, random);
      List<String> doomed = keys.subList(0, keys.size() * 9 / 10);
      AtomicBoolean over = new AtomicBoolean();
      AtomicInteger reads = new AtomicInteger();
      ExecutorService others = Executors.newFixedThreadPool(2);
      List<String> kept = List.copyOf(keys.subList(doomed.size(), keys.size()));
      Future<?> reading =
          others.submit(
              () -> {
                Random mine = new Random(seed);
                while (!over.get()) {
                  String key = kept.get(mine.nextInt(kept.size()));
                  assertEquals(null, TestContent.mismatch(key, all.get(key), store.get(key)), key);
                  reads.incrementAndGet();
                  Thread.sleep(5); // the processors are for who repacks
                }
                return null;
              });
      Future<?> writing =
          others.submit(
              () -> {
                Random mine = new Random(~seed);
                for (int i = 0; i < OVERWRITTEN && !over.get(); i++) {
                  String key = kept.get(mine.nextInt(kept.size()));
                  put(store, key, TestContent.of(key, all.get(key)));
                  Thread.sleep(500);
                }
                return null;
              });
      for (int at = 0; at < doomed.size(); at += 500) {
        store.delete(doomed.subList(at, Math.min(doomed.size(), at + 500)));
      }
      long lives = kept.stream().mapToLong(all::get).sum();
      double needs = lives * 5 / 3.0;
      double use =
          awaitAtMost(
              1.3,
              () -> {
                double now = diskUseOfAll() / needs;
                // Without their records, which may be on their way, this would not be all that is
                // left of them. A checksum page cuts a few of those in two.
                boolean whole = now > 1.3 || deletionsOnDisk().size() >= 0.99 * doomed.size();
                return whole ? now : Double.POSITIVE_INFINITY;
              });
      over.set(true);
      reading.get();
      writing.get();
      others.shutdown();
      Map<String, Integer> records = deletionsOnDisk();
      System.err.printf(
          "%d bytes live, %d on disk before, %d after: %.3f of what is needed; %d deletions are"
              + " recorded, in %d bytes; %d reads meanwhile%n%s%n",
          lives,
          before,
          diskUseOfAll(),
          use,
          records.size(),
          records.values().stream().mapToInt(Integer::intValue).sum(),
          reads.get(),
          status(cluster));
      for (String key : kept) {
        assertEquals(null, TestContent.mismatch(key, all.get(key), store.get(key)), key);
      }
      for (String key : doomed.subList(0, 100)) {
        assertEquals(null, store.get(key), key);
      }
      assertTrue(use <= 1.3, "disk use over need: " + use);
      assertTrue(cluster.collected(0) > 0, "nothing was collected");
    }
  }

  /** It has the right SCM, and tables of its own, in which nothing is named. */
  @Test
  void aGatewayOfAnotherNamespaceEmptiesNothing() throws Exception {
    try (MiniStowageCluster cluster =
            impatient().set(Keys.REPACK_WORKERS, "0").directory(directory).start();
        OmServer wrong =
            OmServer.start(
                cluster
                    .config()
                    .with(Keys.HBASE_NAMESPACE, "elsewhere" + Long.toHexString(System.nanoTime()))
                    .with(Keys.OM_BIND, "127.0.0.1:0"),
                cluster.hbaseClientConfiguration(),
                cluster.containerManager(),
                StoreClock.system());
        NetworkDatanodes datanodes = new NetworkDatanodes(ClientTls.OFF);
        StowageDataPath data =
            StowageDataPath.create(
                cluster.config(), wrong.objectManager(), datanodes, StoreClock.system())) {
      DirectStore store = DirectStore.of(cluster, "bucket");
      store.create("rs-3-2");
      int length = 10_000;
      for (int i = 0; i < 40; i++) {
        put(store, "object-" + i, TestContent.of("object-" + i, length));
      }
      try (Repacker itsOwn = repackerOf(cluster, wrong, data, 1)) {
        assertEquals(
            0,
            awaitAtMost(
                0,
                () ->
                    cluster.status().getHeldBack().isEmpty()
                            && containers(cluster).stream()
                                .anyMatch(info -> info.getState() != ContainerState.DELETED)
                        ? 1
                        : 0));
        for (ContainerInfo info : containers(cluster)) {
          assertRefused(ErrorCode.WRONG_CLUSTER, () -> itsOwn.repack(info.getId()));
          assertEquals(0, info.getSurveyedMicros(), info::toString);
        }
        long first = containers(cluster).get(0).getId();
        try (RpcClient<ContainerManager> once = // the cluster's asks again for half a minute
                RpcClient.create(
                    RpcProtocol.CONTAINER_MANAGER,
                    cluster.hbaseClientConfiguration(),
                    cluster.config().get(Keys.SCM_ADDRESSES),
                    Duration.ofSeconds(5),
                    Duration.ZERO);
            Repacker ours = repacker(cluster, once.api())) {
          StoreException refused = refusalOf(ours, first);
          assertEquals(ErrorCode.UNAVAILABLE, refused.code(), refused::toString);
          String why = refused.getMessage();
          assertTrue(why.contains("Cannot empty") && why.contains("gateway elsewhere"), why);
        }
        String heldBack = cluster.status().getHeldBack();
        assertTrue(heldBack.contains("gateway elsewhere"), heldBack);
      }
      for (int i = 0; i < 40; i++) {
        String key = "object-" + i;
        assertEquals(null, TestContent.mismatch(key, length, store.get(key)), key);
      }
      ByteString ours =
          cluster
              .objectManager(0)
              .judgeNeedles(JudgeNeedlesRequest.getDefaultInstance())
              .getObjectTable();
      assertEquals(
          0,
          cluster
              .containerManager()
              .acceptUnknownShards(
                  AcceptUnknownShardsRequest.newBuilder().setObjectTable(ours).build())
              .getUnknownShards());
      assertEquals("", cluster.status().getHeldBack());
      assertEquals(0, awaitAtMost(0, () -> sealed(cluster).isEmpty() ? 1 : 0));
      long id = sealed(cluster).get(0).getId();
      assertEquals(0, awaitAtMost(0, () -> isRepacked(cluster, id) ? 0 : 1));
      try (Repacker itsOwn = repackerOf(cluster, wrong, data, 0)) { // it has not gone for good
        assertRefused(ErrorCode.WRONG_CLUSTER, () -> itsOwn.repack(id));
      }
      String heldBack = cluster.status().getHeldBack();
      assertTrue(heldBack.contains("gateway elsewhere"), heldBack);
    }
  }

  private static Repacker repackerOf(
      MiniStowageCluster cluster, OmServer om, StowageDataPath data, int workers)
      throws StoreException {
    return Repacker.start(
        cluster.config(),
        "gateway elsewhere",
        cluster.containerManager(),
        om.objectManager(),
        data,
        workers);
  }

  /** What SCM answers about what is held back to one whose client does not ask again by itself. */
  private static StoreException refusalOf(Repacker repacker, long id) throws Exception {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (true) {
      StoreException refused = assertThrows(StoreException.class, () -> repacker.repack(id));
      boolean answered =
          refused.code() == ErrorCode.UNAVAILABLE && refused.getMessage().contains("Cannot empty");
      if (answered || System.nanoTime() > deadline) {
        return refused;
      }
      Thread.sleep(100); // not reached, or it lost its leadership in a pause of this machine
    }
  }

  private static List<ContainerInfo> sealed(MiniStowageCluster cluster) throws Exception {
    return containers(cluster).stream()
        .filter(info -> info.getState() == ContainerState.SEALED)
        .toList();
  }

  private static boolean isRepacked(MiniStowageCluster cluster, long id) throws Exception {
    try {
      cluster.repacker(0).repack(id);
      return stateOf(cluster, id) == ContainerState.DELETED; // else it was given back
    } catch (StoreException e) {
      return false; // not sealed for long enough
    }
  }

  private static void assertRefused(ErrorCode code, Executable work) {
    assertEquals(code, assertThrows(StoreException.class, work).code());
  }

  /** Uploads that are aborted or forgotten, and what writers leave that die before they commit. */
  @Test
  void whatUploadsAndWritersLeaveBehindFreesItsSpace() throws Exception {
    int live = 80;
    int length = 100_000;
    try (MiniStowageCluster cluster =
        impatient()
            .set(Keys.CONTAINER_CAPACITY, "4m")
            .set(Keys.BUCKET_CACHE_AGE, "100ms")
            .set(Keys.LIFECYCLE_DAY_SECONDS, "1")
            .directory(directory)
            .start()) {
      DirectStore store = DirectStore.of(cluster, "bucket");
      store.create("rs-3-2");
      List<Integer> numbers = new ArrayList<>();
      for (int i = 0; i < live; i++) {
        numbers.add(i);
      }
      double needs = (double) live * length * 5 / 3;
      inParallel(
          4,
          numbers,
          i -> {
            put(store, "live-" + i, TestContent.of("live-" + i, length));
            store.writeAndDie("dead-" + i, TestContent.of("dead-" + i, length));
            if (i % 20 == 0) {
              String key = "upload-" + i;
              ByteString upload = store.beginUpload(key);
              for (int part = 1; part <= 2; part++) {
                int number = part;
                again(() -> store.putPart(key, upload, number, TestContent.of(key, 5 << 20)));
              }
              if (i % 40 == 0) {
                store.abortUpload(key, upload);
              }
            }
          });
      double before = diskUseOfAll() / needs;
      cluster
          .objectManager(0)
          .updateBucket(
              UpdateBucketRequest.newBuilder()
                  .setName("bucket")
                  .putPut(
                      LifecycleRules.SETTING,
                      LifecycleRuleSet.newBuilder()
                          .setFormat(1)
                          .addRules(
                              LifecycleRule.newBuilder()
                                  .setEnabled(true)
                                  .setId("forgotten")
                                  .setPrefix("upload-")
                                  .setAbortDays(1))
                          .build()
                          .toByteString())
                  .setWriteId(WriteId.random())
                  .build());
      double after = awaitAtMost(1.3, () -> diskUseOfAll() / needs);
      System.err.printf(
          "disk use over need: %.3f, then %.3f%n%s%n", before, after, status(cluster));
      assertTrue(before > 3, "disk use over need before: " + before);
      assertTrue(after <= 1.3, "disk use over need: " + after);
      for (int i : numbers) {
        String key = "live-" + i;
        assertEquals(null, TestContent.mismatch(key, length, store.get(key)), key);
        assertEquals(null, store.get("dead-" + i));
      }
    }
  }

  @Test
  void whatWasWrittenOneAtATimeComesDownToTheCodesCost() throws Exception {
    int objects = 1_000;
    int length = 4_096;
    try (MiniStowageCluster cluster =
        impatient()
            .set(Keys.OPEN_TIME, "5s")
            // One container may well be the worst that is left alone; of many it is the average.
            .set(Keys.REPACK_WASTE, "10")
            .directory(directory)
            .start()) {
      DirectStore store = DirectStore.of(cluster, "bucket");
      store.create("rs-3-2");
      double before = 0;
      for (int i = 0; i < objects; i++) {
        String key = String.format("object-%05d", i);
        put(store, key, TestContent.of(key, length));
        if (i % 100 == 99) { // on slow disks repack is at work before the last is written
          before = Math.max(before, diskUse(cluster) / ((i + 1.0) * length));
        }
      }
      double after =
          awaitAtMost(1.85, () -> diskUseAsOfOneContainer(cluster) / ((double) objects * length));
      System.err.printf(
          "bytes on disk per user byte: %.3f, then %.3f%n%s%n", before, after, status(cluster));
      for (int i = 0; i < objects; i++) {
        String key = String.format("object-%05d", i);
        assertEquals(null, TestContent.mismatch(key, length, store.get(key)), key);
      }
      assertTrue(before > 3, "written one at a time: " + before);
      assertTrue(after <= 1.85, "bytes on disk per user byte: " + after);
    }
  }

  @Test
  void aConvertedBucketIsOfItsNewPolicy() throws Exception {
    try (MiniStowageCluster cluster = impatient().directory(directory).start()) {
      DirectStore store = DirectStore.of(cluster, "bucket");
      store.create("rs-3-2");
      int[] lengths = {0, 1, 5_000, 100_000, 3_000_001};
      for (int length : lengths) {
        put(store, "old-" + length, TestContent.of("old-" + length, length));
      }
      cluster
          .objectManager(0)
          .updateBucket(
              UpdateBucketRequest.newBuilder()
                  .setName("bucket")
                  .setVersioning(Versioning.ENABLED)
                  .setWriteId(WriteId.random())
                  .build());
      List<Long> versions = new ArrayList<>();
      for (int length : new int[] {2_000_000, 3}) {
        put(store, "old-5000", TestContent.of("again-" + length, length));
        versions.add(store.head("old-5000").getVersion().getVersionId());
      }
      store.delete(List.of("old-5000")); // by a marker: all three are older versions now
      cluster
          .objectManager(0)
          .updateBucket(
              UpdateBucketRequest.newBuilder()
                  .setName("bucket")
                  .setPolicy("rs-1-2")
                  .setWriteId(WriteId.random())
                  .build());
      for (int length : lengths) {
        put(store, "new-" + length, TestContent.of("new-" + length, length));
        assertOnly("rs-1-2", store, "new-" + length);
      }
      assertEquals(
          6, cluster.conversion(0).run("bucket", "", progress -> {}).converted(), "converted");
      assertEquals(
          0, cluster.conversion(0).run("bucket", "", progress -> {}).converted(), "left over");
      for (int length : lengths) {
        String key = "old-" + length;
        GetObjectReply found = length == 5_000 ? store.headVersion(key, -1) : store.head(key);
        assertOnly("rs-1-2", key, found);
        assertEquals(null, TestContent.mismatch(key, length, store.read(found)));
      }
      int[] again = {2_000_000, 3};
      for (int i = 0; i < again.length; i++) {
        GetObjectReply found = store.headVersion("old-5000", versions.get(i));
        assertOnly("rs-1-2", "version " + i, found);
        assertEquals(null, TestContent.mismatch("again-" + again[i], again[i], store.read(found)));
      }
    }
  }

  /** Keys of such a bucket are paths; what is moved is named by rows of directories. */
  @Test
  void aConvertedBucketWithDirectoriesIsOfItsNewPolicyAndItsSnapshotsAreKept() throws Exception {
    try (MiniStowageCluster cluster =
        impatient()
            .set(Keys.COLLECT_MARGIN, 1_500 * SLOWNESS + "ms")
            .set(Keys.COLLECT_INTERVAL, "500ms")
            .directory(directory)
            .start()) {
      cluster
          .objectManager(0)
          .createBucket(
              CreateBucketRequest.newBuilder()
                  .setName("tree")
                  .setLayout(BucketLayout.FILE_SYSTEM)
                  .setPolicy("rs-3-2")
                  .setWriteId(WriteId.random())
                  .build());
      Map<String, Integer> lengths = Map.of("top", 1, "a/small", 5_000, "b/c/large", 3_000_001);
      try (FileSystem fs = cluster.fileSystem("tree")) {
        for (String name : List.of("top", "a/small", "b/moved/large")) {
          String as = name.replace("moved", "c");
          write(fs, name, TestContent.of(as, lengths.get(as)));
        }
        assertTrue(
            fs.rename(
                new org.apache.hadoop.fs.Path("/b/moved"), new org.apache.hadoop.fs.Path("/b/c")));
        cluster
            .objectManager(0)
            .updateBucket(
                UpdateBucketRequest.newBuilder()
                    .setName("tree")
                    .putPut(BucketEncryption.SETTING, BY_DEFAULT)
                    .setWriteId(WriteId.random())
                    .build());
        try (FileSystem now = cluster.fileSystem("tree")) { // the other knows it in 10 s
          write(now, "secret", SECRET.repeat(40_000).getBytes(StandardCharsets.US_ASCII));
        }
        cluster
            .objectManager(0)
            .updateBucket(
                UpdateBucketRequest.newBuilder()
                    .setName("tree")
                    .addRemove(BucketEncryption.SETTING)
                    .setPolicy("rs-1-2")
                    .setWriteId(WriteId.random())
                    .build());
        BucketConversion conversion =
            new BucketConversion(
                cluster.config(),
                byPagesOfOneFile(
                    cluster.objectManager(0),
                    3, // "a/" and "a/small" were listed
                    () ->
                        assertTrue(
                            fs.rename(
                                new org.apache.hadoop.fs.Path("/top"),
                                new org.apache.hadoop.fs.Path("/a/passed")))),
                cluster.containerManager(),
                cluster.dataPath(0));
        BucketConversion.Progress done = conversion.run("tree", "", progress -> {});
        assertEquals(4, done.converted(), "converted");
        try (InputStream in = fs.open(new org.apache.hadoop.fs.Path("/secret"))) {
          assertEquals(
              SECRET.repeat(40_000), new String(in.readAllBytes(), StandardCharsets.US_ASCII));
        }
        assertFalse(isInAShard(SECRET), "repackers move what is encrypted as it is");
        write(fs, "plain", SECRET.repeat(1_000).getBytes(StandardCharsets.US_ASCII));
        assertTrue(isInAShard(SECRET), "what is not encrypted is found");
        assertTrue(done.over() && done.pass() == 3, done.toString());
        assertTrue(
            fs.rename(
                new org.apache.hadoop.fs.Path("/a/passed"), new org.apache.hadoop.fs.Path("/top")));
        for (Map.Entry<String, Integer> file : lengths.entrySet()) {
          assertOnly(
              "rs-1-2",
              file.getKey(),
              cluster
                  .objectManager(0)
                  .getObject(
                      GetObjectRequest.newBuilder()
                          .setBucket("tree")
                          .setKey(file.getKey())
                          .setWantManifest(true)
                          .build()));
          try (InputStream in = fs.open(new org.apache.hadoop.fs.Path("/" + file.getKey()))) {
            assertEquals(
                null,
                TestContent.mismatch(file.getKey(), file.getValue(), in.readAllBytes()),
                file.getKey());
          }
        }
        whatASnapshotShowsOutlivesItsContainers(cluster, fs);
      }
    }
  }

  private boolean isInAShard(String text) throws Exception {
    List<Path> shards;
    try (Stream<Path> files = Files.walk(directory)) {
      shards = files.filter(path -> path.toString().endsWith(".shard")).toList();
    } catch (UncheckedIOException e) {
      return isInAShard(text); // a file has gone while we looked
    }
    assertFalse(shards.isEmpty());
    for (Path shard : shards) {
      try {
        if (new String(Files.readAllBytes(shard), StandardCharsets.ISO_8859_1).contains(text)) {
          return true;
        }
      } catch (NoSuchFileException e) {
        // it has gone
      }
    }
    return false;
  }

  /** An object manager that lists one file at a time, and before a page of versions does more. */
  private static ObjectManager byPagesOfOneFile(
      ObjectManager real, int page, ThrowingRunnable more) {
    AtomicInteger pages = new AtomicInteger();
    return (ObjectManager)
        Proxy.newProxyInstance(
            ObjectManager.class.getClassLoader(),
            new Class<?>[] {ObjectManager.class},
            (proxy, method, arguments) -> {
              try {
                if (arguments != null && arguments[0] instanceof ListVersionsRequest asked) {
                  if (pages.incrementAndGet() == page) {
                    more.run();
                  }
                  return real.listVersions(asked.toBuilder().setLimit(1).build());
                }
                return method.invoke(real, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  private interface ThrowingRunnable {
    void run() throws Exception;
  }

  private static void put(DirectStore store, String key, byte[] content) throws Exception {
    again(() -> store.put(key, content));
  }

  /** With windows of seconds, what a slow disk holds up is too late, or its outcome unknown. */
  private static void again(ThrowingRunnable write) throws Exception {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (true) {
      try {
        write.run();
        return;
      } catch (StoreException e) {
        boolean slow =
            switch (e.code()) {
              case COMMIT_TOO_LATE, OUTCOME_UNKNOWN, TIMEOUT, UNAVAILABLE -> true;
              default -> false;
            };
        if (!slow || System.nanoTime() > deadline) {
          throw e;
        }
      }
    }
  }

  /**
   * Files are replaced, deleted, moved, removed with their directory, and their containers emptied:
   * what they held is a snapshot's alone by then, and collectors went through all rows.
   */
  private static void whatASnapshotShowsOutlivesItsContainers(
      MiniStowageCluster cluster, FileSystem fs) throws Exception {
    Map<String, Integer> lengths =
        Map.of(
            "s/replaced", 5_000, "s/deleted", 200_000, "s/moved", 1_000_001, "s/d/removed", 70_000);
    for (Map.Entry<String, Integer> file : lengths.entrySet()) {
      write(fs, file.getKey(), TestContent.of(file.getKey(), file.getValue()));
    }
    Set<Long> homes = new HashSet<>();
    for (String file : lengths.keySet()) {
      homes.addAll(containersOf(cluster, "", file));
    }
    var root = new org.apache.hadoop.fs.Path("/");
    fs.createSnapshot(root, "before");
    write(fs, "s/replaced", TestContent.of("new", 60_000));
    assertTrue(fs.delete(new org.apache.hadoop.fs.Path("/s/deleted"), false));
    assertTrue(
        fs.rename(
            new org.apache.hadoop.fs.Path("/s/moved"), new org.apache.hadoop.fs.Path("/a/there")));
    assertTrue(fs.delete(new org.apache.hadoop.fs.Path("/s/d"), true));
    emptyAll(cluster, homes);
    for (Map.Entry<String, Integer> file : lengths.entrySet()) {
      Set<Long> now = containersOf(cluster, "before", file.getKey());
      assertTrue(Collections.disjoint(homes, now), file.getKey() + " is in " + now);
      var past = new org.apache.hadoop.fs.Path("/.snapshot/before/" + file.getKey());
      assertEquals(file.getValue().longValue(), fs.getFileStatus(past).getLen());
      assertContent(fs, past, file.getKey(), file.getValue());
    }
    assertContent(fs, new org.apache.hadoop.fs.Path("/s/replaced"), "new", 60_000);
    assertContent(fs, new org.apache.hadoop.fs.Path("/a/there"), "s/moved", 1_000_001);
    assertFalse(fs.exists(new org.apache.hadoop.fs.Path("/s/d")));
    fs.deleteSnapshot(root, "before");
    assertFalse(fs.exists(new org.apache.hadoop.fs.Path("/.snapshot/before/s/deleted")));
  }

  /** Repacks these, or waits for whoever does, until their shards are gone. */
  private static void emptyAll(MiniStowageCluster cluster, Set<Long> ids) throws Exception {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    StoreException last = null;
    while (true) {
      List<ContainerInfo> left =
          containers(cluster).stream().filter(info -> ids.contains(info.getId())).toList();
      if (left.isEmpty()) {
        return;
      }
      if (System.nanoTime() > deadline) {
        throw new AssertionError("still there: " + left, last);
      }
      for (ContainerInfo info : left) {
        if (info.getState() != ContainerState.DELETED) {
          try {
            cluster.repacker(0).repack(info.getId());
          } catch (StoreException e) {
            last = e; // open, too young, or another's
          }
        }
      }
      Thread.sleep(200);
    }
  }

  /** With windows of seconds a commit may be too late, which says to write the bytes again. */
  private static void write(FileSystem fs, String file, byte[] content) throws Exception {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (true) {
      try (OutputStream out = fs.create(new org.apache.hadoop.fs.Path("/" + file))) {
        out.write(content);
      } catch (PathIOException e) {
        if (!e.getMessage().contains("COMMIT_TOO_LATE") || System.nanoTime() > deadline) {
          throw e;
        }
        continue;
      }
      return;
    }
  }

  private static void assertContent(
      FileSystem fs, org.apache.hadoop.fs.Path path, String as, int length) throws Exception {
    try (InputStream in = fs.open(path)) {
      assertEquals(null, TestContent.mismatch(as, length, in.readAllBytes()), path.toString());
    }
  }

  private static Set<Long> containersOf(MiniStowageCluster cluster, String snapshot, String key)
      throws Exception {
    Set<Long> ids = new HashSet<>();
    cluster
        .objectManager(0)
        .getObject(
            GetObjectRequest.newBuilder()
                .setBucket("tree")
                .setKey(key)
                .setSnapshot(snapshot)
                .setWantManifest(true)
                .build())
        .getVersion()
        .getManifest()
        .getExtentsList()
        .forEach(extent -> ids.add(extent.getContainer()));
    return ids;
  }

  /**
   * A worker that is paused in the middle of a move, and silent until SCM gives its container to
   * another, who empties it; then it wakes up and goes on.
   */
  @Test
  void aWorkerThatWasThoughtDeadHarmsNobody() throws Exception {
    try (MiniStowageCluster cluster =
        impatient().set(Keys.REPACK_WORKERS, "0").directory(directory).start()) {
      DirectStore store = DirectStore.of(cluster, "bucket");
      store.create("rs-3-2");
      Map<String, Integer> lengths = new HashMap<>();
      for (int i = 0; i < 60; i++) {
        lengths.put("object-" + i, i % 20 == 0 ? 700_000 : 1 + 300 * i);
      }
      for (Map.Entry<String, Integer> each : lengths.entrySet()) {
        put(store, each.getKey(), TestContent.of(each.getKey(), each.getValue()));
      }
      for (int i = 1; i < 60; i += 2) {
        store.delete(List.of("object-" + i));
        lengths.remove("object-" + i);
      }
      long id = store.head("object-2").getVersion().getManifest().getExtents(0).getContainer();
      AtomicBoolean silent = new AtomicBoolean();
      CountDownLatch paused = new CountDownLatch(1);
      CountDownLatch resumed = new CountDownLatch(1);
      ExecutorService thread = Executors.newSingleThreadExecutor();
      try (Repacker first = repacker(cluster, whoCanBeSilent(cluster, silent));
          Repacker second = repacker(cluster, cluster.containerManager())) {
        CrashPoint.named("repack.move.after-copy")
            .arm(
                () -> {
                  if (silent.compareAndSet(false, true)) {
                    paused.countDown();
                    awaitQuietly(resumed);
                  }
                });
        Future<?> firsts =
            thread.submit(
                () -> {
                  repackOnceItMayBe(first, id, silent::get);
                  return null;
                });
        assertTrue(paused.await(60, TimeUnit.SECONDS), "the first worker moves something");
        assertEquals(
            0,
            awaitAtMost(
                0,
                () -> {
                  repackOnceItMayBe(second, id, () -> false);
                  return stateOf(cluster, id) == ContainerState.DELETED ? 0 : 1; // given back
                }));
        resumed.countDown();
        try {
          firsts.get(60, TimeUnit.SECONDS); // where the shards are gone it has nothing to end
        } catch (ExecutionException e) {
          assertEquals(
              ErrorCode.LEASE_LOST, assertInstanceOf(StoreException.class, e.getCause()).code());
        }
      } finally {
        resumed.countDown();
        thread.shutdown();
      }
      // Also when the shards are gone.
      assertEquals(
          0,
          awaitAtMost(
              0, () -> containers(cluster).stream().filter(info -> info.getId() == id).count()));
      for (Map.Entry<String, Integer> each : lengths.entrySet()) {
        String key = each.getKey();
        assertEquals(null, TestContent.mismatch(key, each.getValue(), store.get(key)), key);
      }
      assertEquals(null, store.get("object-1"));
    }
  }

  private static ContainerState stateOf(MiniStowageCluster cluster, long id) throws Exception {
    return containers(cluster).stream()
        .filter(info -> info.getId() == id)
        .map(ContainerInfo::getState)
        .findFirst()
        .orElse(ContainerState.DELETED);
  }

  private static void awaitQuietly(CountDownLatch latch) {
    try {
      boolean unused = latch.await(90, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static Repacker repacker(MiniStowageCluster cluster, ContainerManager scm)
      throws StoreException {
    return Repacker.start(
        cluster.config(), "test", scm, cluster.objectManager(0), cluster.dataPath(0), 0);
  }

  /** An SCM's client that does not renew claims while it is to be silent. */
  private static ContainerManager whoCanBeSilent(MiniStowageCluster cluster, AtomicBoolean silent) {
    ContainerManager real = cluster.containerManager();
    return (ContainerManager)
        Proxy.newProxyInstance(
            ContainerManager.class.getClassLoader(),
            new Class<?>[] {ContainerManager.class},
            (proxy, method, arguments) -> {
              if (silent.get() && method.getName().equals("renewClaim")) {
                throw new StoreException(ErrorCode.UNAVAILABLE, "silent");
              }
              try {
                return method.invoke(real, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  /**
   * Once it is sealed, old enough, and nobody's.
   *
   * @param mayLose whether to end when the container has been given to another; else it was lost
   *     because this machine was held up, and is claimed again
   */
  private static void repackOnceItMayBe(Repacker repacker, long id, BooleanSupplier mayLose)
      throws Exception {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (true) {
      try {
        repacker.repack(id);
        return;
      } catch (StoreException e) {
        boolean held =
            e.code() == ErrorCode.UNAVAILABLE
                || (e.code() == ErrorCode.LEASE_LOST && !mayLose.getAsBoolean());
        if (!held || System.nanoTime() > deadline) {
          throw e;
        }
        Thread.sleep(100);
      }
    }
  }

  private static void assertOnly(String policy, DirectStore store, String key) throws Exception {
    assertOnly(policy, key, store.head(key));
  }

  private static void assertOnly(String policy, String what, GetObjectReply found) {
    assertEquals(found.getVersion().getLength() == 0, found.getContainersList().isEmpty(), what);
    for (ContainerInfo info : found.getContainersList()) {
      assertEquals(policy, info.getPolicy(), what);
    }
  }

  private interface Work<T> {
    void of(T item) throws Exception;
  }

  private static <T> void inParallel(int threads, List<T> items, Work<T> work) throws Exception {
    ExecutorService executor = Executors.newFixedThreadPool(threads);
    List<Future<?>> running = new ArrayList<>();
    for (T item : items) {
      running.add(
          executor.submit(
              () -> {
                work.of(item);
                return null;
              }));
    }
    for (Future<?> one : running) {
      one.get();
    }
    executor.shutdown();
  }
}

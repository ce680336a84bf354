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
package io.stowage.dev.fsck;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.client.StowageDataPath;
import io.stowage.common.conf.Keys;
import io.stowage.common.data.NetworkDatanodes;
import io.stowage.common.proto.ClusterStatusRequest;
import io.stowage.common.time.StoreClock;
import io.stowage.common.tls.ClientTls;
import io.stowage.dev.fsck.CheckReport.Finding;
import io.stowage.minicluster.MiniStowageCluster;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.RemoteIterator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * HBase goes back to a copy that was taken before users went on writing: no shard file is deleted,
 * those that the old table does not know are reported, SCM empties and deletes nothing, and a
 * rebuild brings all back.
 */
class RestoredHBaseIT {
  private static final String BUCKET = "restored";

  /** One of layout FILE_SYSTEM. */
  private static final String TREE = "tree";

  @TempDir Path directory;
  private final Map<String, byte[]> model = new HashMap<>();
  private final Map<String, byte[]> tree = new HashMap<>();
  private int written;

  @Test
  void whatCameAfterTheCopyIsKeptToldAndBroughtBack() throws Exception {
    try (MiniStowageCluster cluster = start()) {
      createBucket(cluster);
      try (FileSystem fs = cluster.fileSystem(BUCKET)) {
        for (int i = 0; i < 12; i++) {
          write(fs, "old/" + i, 60_000 + i);
        }
      }
      createTree(cluster);
      try (FileSystem fs = cluster.fileSystem(TREE)) {
        for (String name : List.of("kept/a", "removed/b", "removed/below/c", "moved/d")) {
          write(fs, name, 10);
          tree.put(name, model.remove(name));
        }
      }
      assertModel(cluster);
    }
    copy(directory.resolve("hbase"), directory.resolve("copy"));

    Set<Path> shardFiles;
    try (MiniStowageCluster cluster = start();
        FileSystem fs = cluster.fileSystem(BUCKET)) {
      for (int i = 0; i < 4; i++) {
        assertTrue(fs.delete(path("old/" + i), false));
        model.remove("old/" + i);
        write(fs, "old/" + (4 + i), 1_000 + i);
      }
      assertTrue(fs.rename(path("old/8"), path("renamed")));
      model.put("renamed", model.remove("old/8"));
      for (int i = 0; i < 12; i++) {
        write(fs, "new/" + i, i % 3 == 0 ? 5 << 20 : 30_000 + i); // fills containers: new ones
      }
      fs.close();
      try (FileSystem trees = cluster.fileSystem(TREE)) {
        assertTrue(trees.delete(path("removed"), true));
        tree.keySet().removeIf(name -> name.startsWith("removed/"));
        assertTrue(trees.rename(path("moved"), path("kept/moved")));
        tree.put("kept/moved/d", tree.remove("moved/d"));
        write(trees, "kept/moved/e", 20);
        tree.put("kept/moved/e", model.remove("kept/moved/e"));
      }
      assertModel(cluster);
      shardFiles = shardFiles();
    }

    delete(directory.resolve("hbase"));
    Files.move(directory.resolve("copy"), directory.resolve("hbase"));
    try (MiniStowageCluster cluster = start()) {
      CheckReport told = check(cluster);
      System.err.println(told);
      assertFalse(told.isClean());
      assertTrue(
          told.count(Finding.ORPHAN_SHARD) + told.count(Finding.QUARANTINED_SHARD) >= 5,
          told.toString());
      assertNothingDeleted(shardFiles);
      awaitHeldBack(cluster, true);

      RebuildReport report = rebuild(cluster);
      System.err.println(report);
      assertTrue(report.isWhole(), report.toString());
      awaitHeldBack(cluster, false);
      assertModel(cluster);
      assertEquals(1, report.directoriesRemoved, "with what is in it, for a collector");
      assertNoShardLost(shardFiles);
      CheckReport after = check(cluster);
      System.err.println(after);
      assertEquals(0, after.count(Finding.ORPHAN_SHARD), after.toString());
      assertEquals(0, after.count(Finding.DANGLING_EXTENT), after.toString());
      assertEquals(0, after.count(Finding.UNAVAILABLE_OBJECT), after.toString());
      assertEquals(0, after.count(Finding.CORRUPT_OBJECT), after.toString());
      assertEquals(0, after.count(Finding.LOST_DIRECTORY), after.toString());
      assertEquals(0, after.count(Finding.SURPLUS_ENTRY), after.toString());
    }
  }

  /** SCM sees by itself that the table is old: containers that it knows were leased again since. */
  private static void awaitHeldBack(MiniStowageCluster cluster, boolean wanted) throws Exception {
    long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
    String heldBack = null;
    while (heldBack == null || heldBack.contains("older than the disks") != wanted) {
      assertTrue(System.nanoTime() - deadline < 0, "held back: " + heldBack);
      heldBack =
          cluster
              .containerManager()
              .clusterStatus(ClusterStatusRequest.getDefaultInstance())
              .getHeldBack();
      Thread.sleep(50);
    }
  }

  private MiniStowageCluster start() throws Exception {
    MiniStowageCluster cluster =
        MiniStowageCluster.builder()
            .datanodes(5)
            .directory(directory)
            .ownHBase()
            .set(Keys.CONTAINER_CAPACITY, "4m")
            .start();
    cluster.awaitWritable(Duration.ofSeconds(60));
    return cluster;
  }

  private static void createBucket(MiniStowageCluster cluster) throws Exception {
    cluster
        .objectManager(0)
        .createBucket(
            io.stowage.common.proto.CreateBucketRequest.newBuilder()
                .setName(BUCKET)
                .setOwner("stowage")
                .setWriteId(io.stowage.common.id.WriteId.random())
                .build());
  }

  private static void createTree(MiniStowageCluster cluster) throws Exception {
    cluster
        .objectManager(0)
        .createBucket(
            io.stowage.common.proto.CreateBucketRequest.newBuilder()
                .setName(TREE)
                .setOwner("stowage")
                .setLayout(io.stowage.common.proto.BucketLayout.FILE_SYSTEM)
                .setWriteId(io.stowage.common.id.WriteId.random())
                .build());
  }

  private static org.apache.hadoop.fs.Path path(String key) {
    return new org.apache.hadoop.fs.Path("/" + key);
  }

  private void write(FileSystem fs, String key, int length) throws IOException {
    byte[] bytes = new byte[length];
    new java.util.Random(++written).nextBytes(bytes);
    try (OutputStream out = fs.create(path(key), true)) {
      out.write(bytes);
    }
    model.put(key, bytes);
  }

  private void assertModel(MiniStowageCluster cluster) throws Exception {
    assertModel(cluster, BUCKET, model);
    assertModel(cluster, TREE, tree);
  }

  private static void assertModel(
      MiniStowageCluster cluster, String bucket, Map<String, byte[]> model) throws Exception {
    Map<String, byte[]> found = new TreeMap<>();
    try (FileSystem fs = cluster.fileSystem(bucket)) {
      RemoteIterator<LocatedFileStatus> files = fs.listFiles(path(""), true);
      while (files.hasNext()) {
        FileStatus file = files.next();
        try (var in = fs.open(file.getPath())) {
          found.put(file.getPath().toUri().getPath().substring(1), in.readAllBytes());
        }
      }
    }
    assertEquals(new TreeMap<>(model).keySet(), found.keySet());
    model.forEach((key, bytes) -> assertArrayEquals(bytes, found.get(key), key));
  }

  private CheckReport check(MiniStowageCluster cluster) throws Exception {
    try (NetworkDatanodes datanodes = new NetworkDatanodes(ClientTls.OFF);
        StowageDataPath data = data(cluster, datanodes)) {
      return new Check(
              parts(cluster, datanodes, data),
              directory,
              Progress.NONE,
              List.of(Check.Option.VERIFY),
              100)
          .run();
    }
  }

  private RebuildReport rebuild(MiniStowageCluster cluster) throws Exception {
    try (NetworkDatanodes datanodes = new NetworkDatanodes(ClientTls.OFF);
        StowageDataPath data = data(cluster, datanodes)) {
      return new Rebuild(parts(cluster, datanodes, data), directory, Progress.NONE).run();
    }
  }

  private static StowageDataPath data(MiniStowageCluster cluster, NetworkDatanodes datanodes)
      throws Exception {
    return StowageDataPath.create(
        cluster.config(), cluster.objectManager(0), datanodes, StoreClock.system());
  }

  private static Cluster parts(
      MiniStowageCluster cluster, NetworkDatanodes datanodes, StowageDataPath data) {
    return new Cluster(cluster.objectManager(0), cluster.containerManager(), datanodes, data);
  }

  /** Names of all shard files, in quarantine or not. */
  private Set<Path> shardFiles() throws IOException {
    try (Stream<Path> files = Files.walk(directory)) {
      Set<Path> names = new HashSet<>();
      files
          .filter(file -> file.getFileName().toString().endsWith(".shard"))
          .forEach(file -> names.add(file.getFileName()));
      assertTrue(names.size() >= 10, names.toString());
      return names;
    }
  }

  private void assertNothingDeleted(Set<Path> before) throws IOException {
    Set<Path> gone = new HashSet<>(before);
    gone.removeAll(shardFiles());
    assertEquals(Set.of(), gone);
  }

  /** A shard that SCM missed, before its disk told that it is back, may be there rebuilt. */
  private void assertNoShardLost(Set<Path> before) throws IOException {
    Set<String> gone = new HashSet<>();
    before.forEach(file -> gone.add(withoutGeneration(file)));
    shardFiles().forEach(file -> gone.remove(withoutGeneration(file)));
    assertEquals(Set.of(), gone);
  }

  /** Of {@code CONTAINER-INDEX-GENERATION.shard}. */
  private static String withoutGeneration(Path file) {
    String name = file.toString();
    return name.substring(0, name.lastIndexOf('-'));
  }

  private static void copy(Path from, Path to) throws IOException {
    try (Stream<Path> files = Files.walk(from)) {
      files.forEach(
          file -> {
            try {
              Files.copy(file, to.resolve(from.relativize(file).toString()));
            } catch (IOException e) {
              throw new UncheckedIOException(e);
            }
          });
    }
  }

  private static void delete(Path tree) throws IOException {
    try (Stream<Path> files = Files.walk(tree)) {
      Path[] all = files.toArray(Path[]::new);
      for (int i = all.length - 1; i >= 0; i--) {
        Files.delete(all[i]); // what is in a directory before it
      }
    }
  }
}

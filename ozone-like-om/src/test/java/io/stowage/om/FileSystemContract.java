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
package io.stowage.om;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.AbortUploadRequest;
import io.stowage.common.proto.Condition;
import io.stowage.common.proto.DeleteBucketRequest;
import io.stowage.common.proto.FileLease;
import io.stowage.common.proto.FindPathReply;
import io.stowage.common.proto.FindPathRequest;
import io.stowage.common.proto.ListUploadsRequest;
import io.stowage.common.proto.ListVersionsRequest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.RenamePrefixRequest;
import io.stowage.common.proto.SyncFileReply;
import io.stowage.common.proto.SyncFileRequest;
import io.stowage.common.proto.UpdateBucketRequest;
import io.stowage.common.proto.Versioning;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Buckets of layout FILE_SYSTEM, over any tables. */
abstract class FileSystemContract {
  private static final AtomicInteger NUMBERS = new AtomicInteger();

  private TestOm om;
  private TestTree tree;
  private TestOm.Tables tables;

  abstract TestOm.Tables tables() throws Exception;

  private TestOm open(Duration ahead) {
    return new TestOm(tables, new FakeContainers(), new JumpingClock(new AtomicLong(), ahead));
  }

  @BeforeEach
  void createBucket() throws Exception {
    tables = tables();
    om = open(Duration.ZERO);
    tree = TestTree.create(om, "tree-" + NUMBERS.incrementAndGet() + "-" + System.nanoTime());
  }

  @AfterEach
  void close() {
    om.om.close();
  }

  @Test
  void filesAreFoundByTheirPaths() throws StoreException {
    ObjectVersion put = tree.put("a/b/c", "content");
    assertEquals("a/b/c", put.getKey());
    assertEquals(TestOm.md5("content"), tree.get("a/b/c").getMd5());
    assertEquals("a/b/c", tree.get("a/b/c").getKey());
    assertTrue(tree.get("a/b/c").getManifest().getOriginRow().isEmpty());
    assertNull(tree.get("a/b"));
    assertNull(tree.get("a/b/"));
    assertNull(tree.get("a/b/c/"));
    assertNull(tree.get("a/b/c/d"));
    assertTrue(tree.isDirectory("a/b"));
    assertFalse(tree.find("a/b/c").getDirectory());
    assertEquals(List.of("a/b/c"), tree.keys());
  }

  @Test
  void aDirectoryThatSomebodyMadeIsAKeyAndStays() throws StoreException {
    tree.makeDirectory("a/b");
    assertEquals(List.of("a/b/"), tree.keys());
    assertNotNull(tree.get("a/b/"));
    tree.put("a/b/c", "content");
    om.delete(tree.bucket, "a/b/c");
    assertEquals(List.of("a/b/"), tree.keys());
    assertFalse(tree.makeDirectoryIfAbsent("a/b"));
    assertTrue(tree.makeDirectoryIfAbsent("a"));
    assertEquals(List.of("a/", "a/b/"), tree.keys());
  }

  @Test
  void aDirectoryThatNobodyMadeGoesWithTheLastOfIt() throws StoreException {
    tree.put("a/b/c", "content");
    tree.put("a/d", "content");
    om.delete(tree.bucket, "a/b/c");
    assertFalse(tree.isDirectory("a/b"));
    assertTrue(tree.isDirectory("a"));
    om.delete(tree.bucket, "a/d");
    assertFalse(tree.isDirectory("a"));
    om.om.deleteBucket(
        DeleteBucketRequest.newBuilder().setName(tree.bucket).setWriteId(WriteId.random()).build());
  }

  @Test
  void whatIsNotThereIsToldSoToWhoWantsThat() throws StoreException {
    tree.put("a/b", "content");
    tree.makeDirectory("made");
    for (String nothing : List.of("c", "a/c", "c/d", "a/b/c", "made/c", "made/c/d")) {
      FindPathReply absent =
          FindPathReply.newBuilder()
              .setAbsent(true)
              .setInMadeDirectory(nothing.equals("c") || nothing.equals("made/c"))
              .build();
      FindPathRequest find =
          FindPathRequest.newBuilder().setBucket(tree.bucket).setPath(nothing).build();
      assertEquals(ErrorCode.NO_SUCH_KEY, TestTree.codeOf(() -> om.om.findPath(find)), nothing);
      for (boolean all : new boolean[] {false, true}) {
        FindPathRequest wanting = find.toBuilder().setWantAll(all).setWantAbsence(true).build();
        assertEquals(absent, om.om.findPath(wanting), nothing);
      }
    }
    FindPathRequest there =
        FindPathRequest.newBuilder().setBucket(tree.bucket).setPath("a").build();
    assertEquals(
        om.om.findPath(there), om.om.findPath(there.toBuilder().setWantAbsence(true).build()));
  }

  @Test
  void deletingTheMarkerOfAFullDirectoryLeavesWhatIsInIt() throws StoreException {
    tree.makeDirectory("a");
    tree.put("a/b", "content");
    om.delete(tree.bucket, "a/");
    assertEquals(List.of("a/b"), tree.keys());
    om.delete(tree.bucket, "a/b");
    assertFalse(tree.isDirectory("a"));
    tree.makeDirectory("a");
    om.delete(tree.bucket, "a/");
    assertFalse(tree.isDirectory("a"));
  }

  @Test
  void fileAndDirectoryOfOneNameExcludeEachOther() throws StoreException {
    tree.put("a/b", "content");
    assertEquals(ErrorCode.IS_A_DIRECTORY, TestTree.codeOf(() -> tree.put("a", "file")));
    assertEquals(ErrorCode.NOT_A_DIRECTORY, TestTree.codeOf(() -> tree.put("a/b/c", "file")));
    assertEquals(ErrorCode.NOT_A_DIRECTORY, TestTree.codeOf(() -> tree.makeDirectory("a/b")));
    om.delete(tree.bucket, "a"); // no such key
    assertEquals(List.of("a/b"), tree.keys());
  }

  @Test
  void keysThatAreNoPathsAreRefused() {
    String long256 = "n".repeat(256);
    for (String key :
        List.of("a//b", "/a", "a/./b", "../a", ".", long256, "a/" + long256 + "/b", "//", "a//")) {
      assertEquals(
          ErrorCode.INVALID_ARGUMENT, TestTree.codeOf(() -> tree.put(key, "content")), key);
      assertEquals(
          ErrorCode.INVALID_ARGUMENT,
          TestTree.codeOf(() -> om.createUpload(tree.bucket, key)),
          key);
    }
    String deep = "d/".repeat(512) + "f";
    assertEquals(ErrorCode.INVALID_ARGUMENT, TestTree.codeOf(() -> tree.put(deep, "content")));
  }

  @Test
  void underKeysThatAreNoPathsIsNothing() throws StoreException {
    tree.put("a/b", "content");
    for (String key : List.of("a//b", "/a", "a/./b", "../a", ".", "n".repeat(256), "//", "/")) {
      assertNull(tree.get(key), key);
      om.delete(tree.bucket, key);
      assertEquals(List.of(), tree.list(key, "", "", 10), key);
    }
    assertEquals(List.of("a/b"), tree.keys());
  }

  /** Of a directory that was renamed under them, and of one that was put in its place. */
  @Test
  void uploadsAreListedWhereTheirDirectoriesAre() throws StoreException {
    ByteString first = om.createUpload(tree.bucket, "a/b/one");
    om.createUpload(tree.bucket, "root");
    tree.put("a/b/f", "content");
    tree.put("c/g", "content");
    tree.rename("a/b", "c/d");
    ByteString second = om.createUpload(tree.bucket, "a/b/one");
    om.createUpload(tree.bucket, "removed/u");
    tree.deleteDirectory("removed", true);
    assertEquals(List.of("a/b/one", "c/d/one", "root"), uploads("", "", "", 10));
    assertEquals(List.of("c/d/one"), uploads("c/", "", "", 10));
    assertEquals(List.of("a/", "c/", "root"), uploads("", "/", "", 10));
    assertEquals(List.of("a/b/one", "c/d/one"), uploads("", "", "", 2));
    assertEquals(List.of("c/d/one", "root"), uploads("", "", "a/b/one", 10));
    tree.rename("c/d", "c/e");
    for (ByteString[] upload :
        new ByteString[][] {{first, TestOm.md5("c/e")}, {second, TestOm.md5("a/b")}}) {
      String directory = upload[1].equals(TestOm.md5("c/e")) ? "c/e" : "a/b";
      om.om.abortUpload(
          AbortUploadRequest.newBuilder()
              .setBucket(tree.bucket)
              .setKey(directory + "/one")
              .setUploadId(upload[0])
              .build());
    }
    assertEquals(List.of("root"), uploads("", "", "", 10));
  }

  private List<String> uploads(String prefix, String delimiter, String after, int limit)
      throws StoreException {
    var listed =
        om.om.listUploads(
            ListUploadsRequest.newBuilder()
                .setBucket(tree.bucket)
                .setPrefix(prefix)
                .setDelimiter(delimiter)
                .setKeyMarker(after)
                .setLimit(limit)
                .build());
    List<String> told = new java.util.ArrayList<>(listed.getCommonPrefixesList());
    listed.getUploadsList().forEach(upload -> told.add(upload.getKey()));
    told.sort(TestTree::byBytes);
    return told;
  }

  /**
   * As on HDFS: a directory above may be renamed; where it is deleted, there is no file to close.
   */
  @Test
  void aFileIsWrittenOnWhereverItsDirectoryGoes() throws StoreException {
    ByteString holder = WriteId.random();
    var put =
        om.om.putObject(
            tree.putRequest("a/b/log", "first", tree.place("a/b/log"))
                .setWriteId(holder)
                .setLeaseMicros(60_000_000)
                .setPieceWriteId(WriteId.ofPiece(holder, 0, false))
                .build());
    tree.rename("a", "moved");
    var synced = sync("a/b/log", holder, put.getLease(), 5, 10, false);
    assertEquals(15, tree.get("moved/b/log").getLength());
    assertEquals(put.getLease().getRowKey(), synced.getLease().getRowKey());
    tree.deleteDirectory("moved/b", true);
    sync("a/b/log", holder, synced.getLease(), 15, 10, false);
    assertEquals(
        ErrorCode.NO_SUCH_KEY,
        TestTree.codeOf(() -> sync("a/b/log", holder, synced.getLease(), 25, 0, true)));
    assertEquals(
        ErrorCode.INVALID_ARGUMENT,
        TestTree.codeOf(
            () ->
                sync(
                    "a/b/log",
                    holder,
                    synced.getLease().toBuilder().setRowKey("elsewhere").build(),
                    25,
                    10,
                    false)));
  }

  private SyncFileReply sync(
      String key, ByteString holder, FileLease lease, long length, long added, boolean close)
      throws StoreException {
    SyncFileRequest.Builder request =
        SyncFileRequest.newBuilder()
            .setBucket(tree.bucket)
            .setKey(key)
            .setEpoch(lease.getEpoch())
            .setLength(length)
            .setFrom(length)
            .setLeaseMicros(60_000_000)
            .setCursor(lease.getCursor())
            .setRowKey(lease.getRowKey())
            .setClose(close);
    if (added > 0) {
      var any = TestOm.manifest(added, 1).getExtents(0);
      request
          .addExtents(any.toBuilder().setPacked(true).setCellLength((int) any.getLength()))
          .addGrants(om.grant())
          .setPieceWriteId(WriteId.ofPiece(holder, length, false));
    }
    return om.om.syncFile(request.build());
  }

  @Test
  void aRenamedDirectoryTakesAlongAllThatIsInIt() throws StoreException {
    tree.put("a/b/c", "content");
    tree.put("a/b/d/e", "content");
    tree.makeDirectory("x/y");
    tree.rename("a/b", "x/y/z");
    assertEquals(List.of("x/y/", "x/y/z/c", "x/y/z/d/e"), tree.keys());
    assertEquals(TestOm.md5("content"), tree.get("x/y/z/d/e").getMd5());
    assertEquals(ErrorCode.NO_SUCH_KEY, TestTree.codeOf(() -> tree.rename("a/b", "x/w")));
    assertEquals(ErrorCode.NO_SUCH_KEY, TestTree.codeOf(() -> tree.rename("x", "none/w")));
    assertEquals(
        ErrorCode.INVALID_ARGUMENT, TestTree.codeOf(() -> tree.rename("x", "x/y/z/below")));
    tree.makeDirectory("taken");
    assertEquals(ErrorCode.KEY_EXISTS, TestTree.codeOf(() -> tree.rename("x", "taken")));
    om.om.renamePrefix(
        RenamePrefixRequest.newBuilder()
            .setBucket(tree.bucket)
            .setSourcePrefix("x/")
            .setTargetPrefix("w/")
            .setWriteId(WriteId.random())
            .build());
    assertEquals(List.of("taken/", "w/y/", "w/y/z/c", "w/y/z/d/e"), tree.keys());
  }

  @Test
  void aRenameIsKnownAgainByItsId() throws StoreException {
    tree.put("a/b", "content");
    tree.makeDirectory("x");
    ByteString id = WriteId.random();
    om.rename(tree.bucket, "a", "x/a", false, id);
    om.rename(tree.bucket, "a", "x/a", false, id);
    ByteString removal = WriteId.random();
    assertTrue(tree.deleteDirectory("x", true, removal));
    assertTrue(tree.deleteDirectory("x", true, removal));
    assertFalse(tree.deleteDirectory("x", true));
  }

  @Test
  void aFileReplacesAFileOnly() throws StoreException {
    tree.put("a/f", "one");
    tree.put("b/f", "two");
    om.rename(tree.bucket, "a/f", "b/f", true);
    assertEquals(TestOm.md5("one"), tree.get("b/f").getMd5());
    tree.put("c/f", "three");
    assertEquals(
        ErrorCode.KEY_EXISTS, TestTree.codeOf(() -> om.rename(tree.bucket, "c/f", "b", true)));
    assertEquals(
        ErrorCode.KEY_EXISTS, TestTree.codeOf(() -> om.rename(tree.bucket, "c", "b/f", true)));
  }

  @Test
  void removesDirectoriesWithAllThatIsInThem() throws StoreException {
    tree.put("a/b/c", "content");
    assertEquals(
        ErrorCode.DIRECTORY_NOT_EMPTY, TestTree.codeOf(() -> tree.deleteDirectory("a", false)));
    assertTrue(tree.isDirectory("a/b")); // it was rolled back
    assertTrue(tree.deleteDirectory("a", true));
    assertNull(tree.find("a"));
    assertNull(tree.get("a/b/c"));
    assertEquals(List.of(), tree.keys());
    tree.put("a/b/d", "content");
    assertEquals(List.of("a/b/d"), tree.keys());
    tree.makeDirectory("e");
    assertTrue(tree.deleteDirectory("e", false));
    assertFalse(tree.deleteDirectory("e", false));
    assertEquals(
        ErrorCode.NOT_A_DIRECTORY, TestTree.codeOf(() -> tree.deleteDirectory("a/b/d", true)));
  }

  @Test
  void bytesWrittenForADirectoryThatWasReplacedMeanwhileAreNotLost() throws StoreException {
    ByteString placed = tree.place("a/f");
    tree.rename("a", "moved");
    tree.om.om.putObject(tree.putRequest("a/f", "content", placed).build());
    assertEquals(List.of("a/f"), tree.keys());
    ObjectVersion found = tree.get("a/f");
    assertEquals(placed, found.getManifest().getOriginRow());
    assertEquals(
        1,
        om.judge(placed, found.getManifest().getExtents(0)).getHoldersCount(),
        "the row that its needles name leads to it");
  }

  @Test
  void conditionsHoldAsInAnyBucket() throws StoreException {
    tree.put("a/f", "one");
    ByteString placed = tree.place("a/f");
    assertEquals(
        ErrorCode.PRECONDITION_FAILED,
        TestTree.codeOf(
            () ->
                om.om.putObject(
                    tree.putRequest("a/f", "two", placed)
                        .setCondition(Condition.newBuilder().setMustBeAbsent(true))
                        .build())));
  }

  @Test
  void uploadsAreOfPathsAndKeepTheirDirectories() throws StoreException {
    ByteString upload = om.createUpload(tree.bucket, "a/b/big");
    var part = om.partRequest(tree.bucket, "a/b/big", upload, 1, "part", 9_000_000);
    part.getPartBuilder().getManifestBuilder().setOriginRow(tree.place("a/b/big"));
    om.om.putPart(part.build());
    var uploads = om.om.listUploads(ListUploadsRequest.newBuilder().setBucket(tree.bucket).build());
    assertEquals("a/b/big", uploads.getUploads(0).getKey());
    StoreException refused =
        assertThrows(StoreException.class, () -> tree.deleteDirectory("a/b", false));
    assertEquals(ErrorCode.DIRECTORY_NOT_EMPTY, refused.code());
    assertTrue(refused.getMessage().contains("upload"), refused.getMessage()); // it lists nothing
    tree.put("a/b/other", "content");
    refused = assertThrows(StoreException.class, () -> tree.deleteDirectory("a/b", false));
    assertTrue(refused.getMessage().endsWith("it is not empty"), refused.getMessage());
    om.delete(tree.bucket, "a/b/other");
    tree.rename("a/b", "a/c");
    om.om.completeUpload(
        TestOm.completeRequest(tree.bucket, "a/c/big", upload, TestOm.named(1, "part")).build());
    assertEquals(9_000_000, tree.get("a/c/big").getLength());
    ByteString second = om.createUpload(tree.bucket, "u/v");
    om.om.abortUpload(
        AbortUploadRequest.newBuilder()
            .setBucket(tree.bucket)
            .setKey("u/v")
            .setUploadId(second)
            .build());
    assertFalse(tree.isDirectory("u"));
  }

  @Test
  void versionsOfEveryKeyAreOne() throws StoreException {
    tree.put("a/b", "content");
    tree.put("a/c", "content");
    var first =
        om.om.listVersions(
            ListVersionsRequest.newBuilder().setBucket(tree.bucket).setLimit(1).build());
    assertEquals("a/b", first.getVersions(0).getVersion().getKey());
    assertTrue(first.getMore());
    var second =
        om.om.listVersions(
            ListVersionsRequest.newBuilder()
                .setBucket(tree.bucket)
                .setKeyMarker(first.getNextKey())
                .setVersionIdMarker(first.getNextVersionId())
                .build());
    assertEquals("a/c", second.getVersions(0).getVersion().getKey());
    assertFalse(second.getMore());
    assertEquals(
        ErrorCode.INVALID_ARGUMENT,
        TestTree.codeOf(
            () ->
                om.om.updateBucket(
                    UpdateBucketRequest.newBuilder()
                        .setName(tree.bucket)
                        .setWriteId(WriteId.random())
                        .setVersioning(Versioning.ENABLED)
                        .build())));
  }

  /** Any listing of any keys is that of a sorted map, whatever prefix, delimiter and marker. */
  @Test
  void listsAsASortedMapDoes() throws StoreException {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    TreeSet<String> model = new TreeSet<>(TestTree::byBytes);
    String[] names = {"a", "a-", "a-b", "a.c", "a0", "b", "b!", "b!!", "é", "z z", "zz", "a/", "~"};
    for (int i = 0; i < 120; i++) {
      int depth = 1 + random.nextInt(4);
      StringBuilder key = new StringBuilder();
      for (int level = 0; level < depth; level++) {
        key.append(level == 0 ? "" : "/").append(names[random.nextInt(names.length - 2)]);
      }
      boolean marker = random.nextInt(4) == 0;
      String name = key + (marker ? "/" : "");
      boolean clash = false;
      for (String there : model) {
        boolean fileAbove = name.startsWith(there + "/") && !there.endsWith("/");
        clash |= fileAbove || (!marker && there.startsWith(name + "/"));
      }
      clash |= marker && model.contains(key.toString());
      if (clash) {
        continue;
      }
      if (marker) {
        tree.makeDirectory(key.toString());
      } else {
        tree.put(name, "content");
      }
      model.add(name);
    }
    assertEquals(List.copyOf(model), tree.keys(), "seed " + seed);
    List<String> keys = List.copyOf(model);
    String[] delimiters = {"", "/", "/", "-", "a", "/a"};
    for (int i = 0; i < 150; i++) {
      String some = keys.get(random.nextInt(keys.size()));
      String prefix =
          random.nextInt(3) == 0 ? "" : some.substring(0, random.nextInt(some.length() + 1));
      String delimiter = delimiters[random.nextInt(delimiters.length)];
      String other = keys.get(random.nextInt(keys.size()));
      String after =
          random.nextInt(2) == 0
              ? ""
              : other.substring(0, random.nextInt(other.length() + 1))
                  + (random.nextInt(4) == 0 ? "-" : "");
      int page = 1 + random.nextInt(5);
      assertEquals(
          expected(model, prefix, delimiter, after),
          tree.list(prefix, delimiter, after, page),
          "seed "
              + seed
              + ": prefix "
              + prefix
              + ", delimiter "
              + delimiter
              + ", after "
              + after
              + ", page "
              + page);
    }
  }

  private static List<String> expected(
      Set<String> model, String prefix, String delimiter, String after) {
    TreeSet<String> told = new TreeSet<>(TestTree::byBytes);
    for (String key : model) {
      if (!key.startsWith(prefix)) {
        continue;
      }
      int cut = delimiter.isEmpty() ? -1 : key.indexOf(delimiter, prefix.length());
      String name = cut < 0 ? key : key.substring(0, cut + delimiter.length());
      boolean afterGroup = after.startsWith(prefix) && cut >= 0 && name.equals(after);
      if (TestTree.byBytes(key, after) > 0 && !afterGroup) {
        told.add(name);
      }
    }
    return List.copyOf(told);
  }

  /**
   * Threads make, move and remove at once at two object managers, whose clocks differ and whose
   * renames die now and then. No name is used twice and none changes, so that {@link Moves} can say
   * from what was acknowledged what may be where afterwards; a cycle is what nothing explains.
   */
  @Test
  void racingRenamesAndRemovalsMakeNoCyclesAndLoseNothing() throws Exception {
    int threads = 8;
    int rounds = Integer.getInteger("stowage.test.tree-rounds", 25);
    long seed = System.nanoTime();
    Moves moves = new Moves();
    TestTree[] trees = {tree, tree.by(open(Duration.ofSeconds(1)))};
    for (int i = 0; i < 6; i++) {
      make(tree, moves, "d" + i, true);
      make(tree, moves, "f" + i, false);
    }
    for (String point : List.of("pending", "guard", "moved", "live", "forwarding")) {
      String name = "om.rename.after-" + point;
      CrashPoint.named(name)
          .arm(
              () -> {
                int chance = ThreadLocalRandom.current().nextInt(100);
                if (chance == 0) {
                  throw new CrashPoint.Crash(name);
                } else if (chance < 40) {
                  LockSupport.parkNanos(1_000_000); // stands still where others may come between
                }
              });
    }
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    try {
      List<Callable<Void>> work = new ArrayList<>();
      for (int t = 0; t < threads; t++) {
        int number = t;
        work.add(
            () -> {
              Random random = new Random(seed + number);
              for (int i = 0; i < rounds; i++) {
                act(trees[random.nextInt(2)], moves, random, number + "-" + i);
              }
              return null;
            });
      }
      for (Future<Void> one : pool.invokeAll(work)) {
        one.get();
      }
    } finally {
      CrashPoint.disarmAll();
      pool.shutdownNow();
    }
    moves.check(trees[1].keys());
    trees[1].om.om.close();
    int calls = threads * rounds;
    long renames = moves.count(move -> move.parent() != null);
    long removals = moves.count(move -> move.parent() == null);
    assertTrue(renames > calls / 10, "renames that happened: " + renames);
    assertTrue(removals > calls / 50, "removals that happened: " + removals);
  }

  private static void make(TestTree tree, Moves moves, String name, boolean directory)
      throws StoreException {
    long called = moves.now();
    if (directory) {
      tree.makeDirectory(name);
    } else {
      tree.put(name, "content");
    }
    moves.happened(name, "", called);
  }

  private static void act(TestTree tree, Moves moves, Random random, String number)
      throws StoreException {
    List<String> paths = moves.paths(); // a listing would end the renames that it meets
    List<String> directories =
        paths.stream().filter(path -> Moves.nameOf(path).startsWith("d")).toList();
    int what = random.nextInt(20);
    if (directories.size() < 4 || (what < 3 && directories.size() < 6)) {
      make(tree, moves, "d" + number, true);
    } else if (what < 5 && paths.size() < 12) {
      make(tree, moves, "f" + number, false);
    } else {
      String from = any(random.nextInt(4) == 0 ? paths : directories, random);
      String name = Moves.nameOf(from);
      boolean removal = what < 7 && name.startsWith("d");
      String into = removal || random.nextInt(8) == 0 ? "" : any(directories, random) + "/";
      String parent = removal ? null : into.isEmpty() ? "" : Moves.nameOf(into);
      long called = moves.now();
      try {
        if (!removal) {
          tree.rename(from, into + name);
          moves.happened(name, parent, called);
        } else if (tree.deleteDirectory(from, true)) {
          moves.happened(name, null, called);
        }
      } catch (CrashPoint.Crash e) {
        moves.mayHappen(name, parent, called);
      } catch (StoreException e) {
        require(
            e,
            ErrorCode.NO_SUCH_KEY,
            ErrorCode.KEY_EXISTS,
            ErrorCode.INVALID_ARGUMENT,
            ErrorCode.NOT_A_DIRECTORY);
      }
    }
  }

  private static String any(List<String> paths, Random random) {
    return paths.get(random.nextInt(paths.size()));
  }

  /** What is where, by name: all moves of a tree whose names are used once. Thread-safe. */
  private static final class Moves {
    private static final long NEVER = Long.MAX_VALUE;

    /**
     * Of a name to a parent.
     *
     * @param parent empty: the root; null: it is removed
     * @param returned by the same count as called; NEVER: it may have happened, or happen yet
     */
    private record Move(String parent, long called, long returned) {}

    private final Map<String, List<Move>> moves = new TreeMap<>(); // guarded by this
    private long now; // guarded by this

    static String nameOf(String path) {
      int end = path.endsWith("/") ? path.length() - 1 : path.length(); // directories have one
      return path.substring(path.lastIndexOf('/', end - 1) + 1, end);
    }

    synchronized long now() {
      return now++;
    }

    synchronized void happened(String name, String parent, long called) {
      add(name, new Move(parent, called, now++));
    }

    synchronized void mayHappen(String name, String parent, long called) {
      add(name, new Move(parent, called, NEVER));
    }

    private void add(String name, Move move) {
      moves.computeIfAbsent(name, first -> new ArrayList<>()).add(move);
    }

    /** Where everything was when it was last told of; what others do meanwhile is not seen. */
    synchronized List<String> paths() {
      List<String> paths = new ArrayList<>();
      for (String name : moves.keySet()) {
        String path = name;
        String parent = parentOf(name);
        for (int i = 0; parent != null && !parent.isEmpty() && i < moves.size(); i++) {
          path = parent + "/" + path;
          parent = parentOf(parent);
        }
        if ("".equals(parent)) {
          paths.add(path);
        }
      }
      return paths;
    }

    /** Null if it is removed, or nobody was told where it is. */
    private String parentOf(String name) {
      List<Move> all = moves.get(name);
      Move last = all.get(all.size() - 1);
      return last.returned == NEVER ? null : last.parent;
    }

    /** How many happened for certain, but for those that made what they moved. */
    synchronized long count(Predicate<Move> which) {
      return moves.values().stream()
          .flatMap(all -> all.stream().skip(1))
          .filter(move -> move.returned != NEVER && which.test(move))
          .count();
    }

    /** Whether a name was removed before something was called. */
    private boolean wasRemoved(String name, long called) {
      return moves.getOrDefault(name, List.of()).stream()
          .anyMatch(move -> move.parent == null && move.returned < called);
    }

    /** The moves of a name of which any may be the last. */
    private List<Move> last(String name) {
      List<Move> all = moves.get(name);
      return all.stream()
          .filter(
              move ->
                  all.stream()
                      .noneMatch(later -> later.returned != NEVER && later.called > move.returned))
          .toList();
    }

    /** Fails if a tree of these keys cannot be what the moves led to. */
    synchronized void check(List<String> keys) {
      Map<String, String> found = new TreeMap<>();
      for (String key : keys) {
        String name = nameOf(key);
        String above = key.substring(0, key.lastIndexOf(name));
        String there = found.put(name, above.isEmpty() ? "" : nameOf(above));
        assertNull(there, () -> name + " is there twice: " + keys);
      }
      Set<String> gone = new TreeSet<>();
      moves.forEach(
          (name, all) -> {
            for (Move move : all) {
              boolean sure = move.returned != NEVER;
              assertFalse(
                  sure && wasRemoved(name, move.called),
                  () -> name + " was moved after it was removed: " + all);
              assertFalse(
                  sure && move.parent != null && wasRemoved(move.parent, move.called),
                  () -> name + " was moved to what had been removed: " + move);
            }
            if (found.containsKey(name)) {
              assertFalse(
                  wasRemoved(name, NEVER), () -> name + " was removed and is there: " + all);
              assertTrue(
                  last(name).stream().anyMatch(move -> found.get(name).equals(move.parent)),
                  () -> name + " is in " + found.get(name) + " after " + all);
            } else if (all.stream().anyMatch(move -> move.parent == null)) {
              gone.add(name);
            }
          });
      // With what was removed goes what was in it, and so on; a cycle holds itself alone.
      boolean more = true;
      while (more) {
        more = false;
        for (String name : moves.keySet()) {
          if (!found.containsKey(name)
              && last(name).stream().anyMatch(move -> gone.contains(String.valueOf(move.parent)))) {
            more |= gone.add(name);
          }
        }
      }
      Set<String> lost = new TreeSet<>(moves.keySet());
      lost.removeAll(found.keySet());
      lost.removeAll(gone);
      Set<String> shown = lost;
      assertTrue(lost.isEmpty(), () -> "lost, or in a cycle: " + shown + " of " + moves);
    }
  }

  private static void require(StoreException e, ErrorCode... expected) throws StoreException {
    if (!List.of(expected).contains(e.code())) {
      throw e;
    }
  }

  /** An empty directory is removed, or something is put into it, never both. */
  @Test
  void whatWasPutIsNotRemovedWithAnEmptyDirectory() throws Exception {
    int rounds = Integer.getInteger("stowage.test.tree-rounds", 25);
    ExecutorService pool = Executors.newFixedThreadPool(3);
    try {
      for (int i = 0; i < rounds; i++) {
        String directory = "e" + i;
        tree.makeDirectory(directory);
        tree.makeDirectory("other" + i);
        tree.put("other" + i + "/m", "content");
        ByteString placed = tree.place(directory + "/f");
        int round = i;
        Future<Boolean> removed =
            pool.submit(() -> quiet(() -> tree.deleteDirectory(directory, false)));
        Future<Boolean> put =
            pool.submit(
                () ->
                    quiet(
                        () ->
                            om.om.putObject(
                                tree.putRequest(directory + "/f", "content", placed).build())));
        Future<Boolean> moved =
            pool.submit(() -> quiet(() -> tree.rename("other" + round + "/m", directory + "/m")));
        removed.get();
        assertTrue(put.get()); // it makes its directory again
        assertNotNull(tree.get(directory + "/f"), "round " + i);
        boolean wasMoved = moved.get();
        assertEquals(wasMoved, tree.get(directory + "/m") != null, "round " + i);
        assertEquals(!wasMoved, tree.get("other" + i + "/m") != null, "round " + i);
      }
    } finally {
      pool.shutdownNow();
    }
  }

  private static boolean quiet(TestTree.Call call) throws StoreException {
    try {
      call.run();
      return true;
    } catch (StoreException e) {
      require(e, ErrorCode.DIRECTORY_NOT_EMPTY, ErrorCode.NO_SUCH_KEY, ErrorCode.KEY_EXISTS);
      return false;
    }
  }
}

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
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.access.Acting;
import io.stowage.common.access.Person;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.FileAttributes;
import io.stowage.common.proto.FileLease;
import io.stowage.common.proto.FindPathRequest;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.PlaceObjectRequest;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.SetObjectMetadataRequest;
import io.stowage.common.proto.SyncFileRequest;
import io.stowage.common.time.StoreClock;
import io.stowage.om.table.CountingRowStore;
import io.stowage.om.table.HookedRowStore;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.RowChange;
import java.io.IOException;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * What somebody says of a directory while another does: right before the slow one's change the
 * other's is made, by another object manager.
 */
class DirectoryChangesTest {
  private static final Person ANN = new Person("ann", "id-of-ann", Set::of);
  private static final Person BOB = new Person("bob", "id-of-bob", Set::of);

  private final TestOm.Tables tables = TestOm.Tables.inMemory();
  private final HookedRowStore hooked = new HookedRowStore(tables.objects());
  private final CountingRowStore counted = new CountingRowStore(hooked);
  private TestOm slow;
  private TestOm other;
  private TestTree tree;

  @BeforeEach
  void open() throws StoreException {
    FakeContainers containers = new FakeContainers();
    slow = new TestOm(tables.withObjects(counted), containers, StoreClock.system());
    other = new TestOm(tables, containers, StoreClock.system());
    tree = TestTree.create(slow, "tree");
    change(slow, "", 0777);
  }

  @AfterEach
  void close() {
    slow.om.close();
    other.om.close();
  }

  private static void as(Person who, TestTree.Call call) throws StoreException {
    try (Acting acting = Acting.begin(who)) {
      acting.limitIn("tree");
      call.run();
    }
  }

  private static ObjectVersion look(TestOm om, String path) throws StoreException {
    return om.om
        .findPath(
            FindPathRequest.newBuilder().setBucket("tree").setPath(path).setWantAll(true).build())
        .getVersion();
  }

  private static void change(TestOm om, String path, UnaryOperator<ObjectMetadata> change)
      throws StoreException {
    ObjectVersion seen = look(om, path);
    var unused =
        om.om.setObjectMetadata(
            SetObjectMetadataRequest.newBuilder()
                .setBucket("tree")
                .setKey(seen.getDirectoryId() != 0 ? path + "/" : path)
                .setStamp(seen.getStamp())
                .setMetadata(change.apply(seen.getMetadata()))
                .build());
  }

  private static UnaryOperator<ObjectMetadata> bits(int bits) {
    return metadata ->
        metadata.toBuilder()
            .setFile(metadata.getFile().toBuilder().setPermissionPlusOne(bits + 1))
            .build();
  }

  private static void change(TestOm om, String path, int bits) throws StoreException {
    change(om, path, bits(bits));
  }

  private void beforeTheNextHead(TestTree.Call call) {
    hooked.before(
        new HookedRowStore.Hook() {
          @Override
          public boolean matches(ByteString row, RowChange change) {
            return change.puts().containsKey(ObjectRowLayout.HEAD);
          }

          @Override
          public void act() throws IOException {
            // Of whoever is slow on this thread, and not of the other.
            try (Acting nobody = Acting.begin(null)) {
              call.run();
            }
          }
        });
  }

  @Test
  void aDirectoryThatIsMadeAgainKeepsWhatIsSaidOfItMeanwhile() throws StoreException {
    as(ANN, () -> tree.makeDirectory("d"));
    change(other, "d", 0777);
    change(other, "d", m -> m.toBuilder().putHeaders("content-type", "x").build());
    beforeTheNextHead(() -> change(other, "d", 01773));
    as(BOB, () -> tree.makeDirectory("d")); // without that header: so its row changes
    assertTrue(hooked.isDone());
    ObjectMetadata now = look(other, "d").getMetadata();
    assertEquals(01773 + 1, now.getFile().getPermissionPlusOne());
    assertEquals("ann", now.getOwner());
    assertFalse(now.containsHeaders("content-type"));
  }

  @Test
  void whoLosesTheRightMeanwhileDoesNotMakeItAgain() throws StoreException {
    as(ANN, () -> tree.makeDirectory("d"));
    change(other, "d", 0777);
    change(other, "d", m -> m.toBuilder().putHeaders("content-type", "x").build());
    beforeTheNextHead(() -> change(other, "d", 0700));
    assertEquals(
        ErrorCode.ACCESS_DENIED, TestTree.codeOf(() -> as(BOB, () -> tree.makeDirectory("d"))));
    ObjectMetadata now = look(other, "d").getMetadata();
    assertEquals(0700 + 1, now.getFile().getPermissionPlusOne());
    assertEquals("x", now.getHeadersOrThrow("content-type"));
  }

  @Test
  void ofTwoWhoSaySomethingOfADirectoryThatNobodyMadeTheSecondIsTold() throws StoreException {
    as(ANN, () -> tree.put("way/f", "content"));
    beforeTheNextHead(() -> change(other, "way", 0711));
    assertEquals(
        ErrorCode.CONFLICT, TestTree.codeOf(() -> as(ANN, () -> change(slow, "way", 0777))));
    assertEquals(0711 + 1, look(other, "way").getMetadata().getFile().getPermissionPlusOne());
  }

  /** As {@code stow://} does it before it takes the last of what is in it. */
  @Test
  void aDirectoryThatNobodyMadeStaysOfWhichTheSameIsSaidAgain() throws StoreException {
    as(ANN, () -> tree.put("way/f", "content"));
    as(ANN, () -> change(slow, "way", metadata -> metadata));
    as(ANN, () -> assertNotNull(slow.delete("tree", "way/f")));
    assertTrue(tree.isDirectory("way"));
    as(ANN, () -> tree.put("gone/f", "content"));
    beforeTheNextHead(() -> assertTrue(tree.by(other).deleteDirectory("gone", true)));
    assertEquals(
        ErrorCode.CONFLICT,
        TestTree.codeOf(() -> as(ANN, () -> change(slow, "gone", metadata -> metadata))));
    assertTrue(hooked.isDone());
    assertFalse(tree.isDirectory("gone"), "it is not made again for that");
  }

  private void putInExistingDirectory(String key, ByteString placed) throws StoreException {
    var unused =
        slow.om.putObject(
            tree.putRequest(key, "content", placed).setInExistingDirectory(true).build());
  }

  private String placeInExistingDirectory(String key) throws StoreException {
    return slow.om
        .placeObject(
            PlaceObjectRequest.newBuilder()
                .setBucket("tree")
                .setKey(key)
                .setInExistingDirectory(true)
                .build())
        .getRowKey();
  }

  /** A region server that stood still while its log's directory was taken from it. */
  @Test
  void whoIsNotToMakeADirectoryFailsWhereItWasMoved() throws StoreException {
    as(ANN, () -> tree.makeDirectory("wal"));
    ByteString placed = tree.place("wal/one");
    as(ANN, () -> putInExistingDirectory("wal/one", placed));
    TestTree others = tree.by(other);
    others.rename("wal", "splitting");
    assertEquals(
        ErrorCode.NO_SUCH_KEY,
        TestTree.codeOf(() -> as(ANN, () -> putInExistingDirectory("wal/two", placed))));
    assertEquals(
        ErrorCode.NO_SUCH_KEY,
        TestTree.codeOf(() -> as(ANN, () -> placeInExistingDirectory("wal/two"))));
    assertEquals(List.of("splitting/", "splitting/one"), others.keys());
    others.rename("splitting", "wal");
    beforeTheNextHead(() -> others.rename("wal", "splitting"));
    assertEquals(
        ErrorCode.OUTCOME_UNKNOWN,
        TestTree.codeOf(() -> as(ANN, () -> putInExistingDirectory("wal/three", placed))));
    assertTrue(hooked.isDone());
    assertFalse(others.isDirectory("wal"));
    others.rename("splitting", "wal");
    beforeTheNextHead(
        () -> {
          others.rename("wal", "splitting");
          var unused = others.put("wal", "a file");
        });
    assertEquals(
        ErrorCode.OUTCOME_UNKNOWN,
        TestTree.codeOf(() -> as(ANN, () -> putInExistingDirectory("wal/four", placed))));
    assertTrue(hooked.isDone());
  }

  private void putWhereTheWayWas(String key, ByteString placed) throws StoreException {
    var unused =
        slow.om.putObject(tree.putRequest(key, "content", placed).setWayWasThere(true).build());
  }

  /** As a task whose job has ended meanwhile. */
  @Test
  void whoseWayWasThereDoesNotMakeItAgain() throws StoreException {
    as(ANN, () -> tree.makeDirectory("task"));
    ByteString placed = tree.place("task/one");
    as(ANN, () -> putWhereTheWayWas("task/one", placed));
    TestTree others = tree.by(other);
    beforeTheNextHead(() -> assertTrue(others.deleteDirectory("task", true)));
    assertEquals(
        ErrorCode.NO_SUCH_KEY,
        TestTree.codeOf(() -> as(ANN, () -> putWhereTheWayWas("task/two", placed))));
    assertTrue(hooked.isDone());
    assertEquals(
        ErrorCode.NO_SUCH_KEY,
        TestTree.codeOf(() -> as(ANN, () -> putWhereTheWayWas("task/two", placed))));
    assertFalse(tree.isDirectory("task"));
    as(ANN, () -> tree.makeDirectory("task"));
    beforeTheNextHead(() -> others.rename("task", "moved"));
    as(ANN, () -> putWhereTheWayWas("task/three", placed));
    assertTrue(hooked.isDone());
    assertEquals(List.of("moved/", "moved/three"), others.keys());
  }

  private PutObjectRequest putInDirectory() throws StoreException {
    tree.makeDirectory("wal");
    return tree.putRequest("wal/one", "content", tree.place("wal/one"))
        .setInExistingDirectory(true)
        .build();
  }

  /** Its first answer was lost, and who took the directory has the file in what he took. */
  @Test
  void whatIsSentAgainIsNotPutIntoTheDirectoryThatIsThereInstead() throws StoreException {
    PutObjectRequest put = putInDirectory();
    var unused = slow.om.putObject(put);
    tree.by(other).rename("wal", "splitting");
    tree.by(other).makeDirectory("wal");
    assertEquals(ErrorCode.NO_SUCH_KEY, TestTree.codeOf(() -> slow.om.putObject(put)));
    assertEquals(List.of("splitting/", "splitting/one", "wal/"), tree.keys());
    assertNotNull(tree.put("splitting/one", "replaced"));
    assertEquals(ErrorCode.NO_SUCH_KEY, TestTree.codeOf(() -> slow.om.putObject(put)));
    assertEquals(List.of("splitting/", "splitting/one", "wal/"), tree.keys());
  }

  /** As what a task wrote, whose directory its job has taken since. */
  @Test
  void whatIsSentAgainDoesNotMakeItsWayASecondTime() throws StoreException {
    PutObjectRequest put = tree.putRequest("task/one", "content", tree.place("task/one")).build();
    var unused = slow.om.putObject(put);
    tree.by(other).rename("task", "done");
    assertEquals(ErrorCode.NO_SUCH_KEY, TestTree.codeOf(() -> slow.om.putObject(put)));
    assertFalse(tree.isDirectory("task"));
    assertEquals(List.of("done/one"), tree.keys());
  }

  /** What was put before went with the directory that it was put into. */
  @Test
  void whatIsSentAgainIsPutWhereItsDirectoryWasRemovedAndMadeAnew() throws StoreException {
    PutObjectRequest put = putInDirectory();
    ObjectVersion first = slow.om.putObject(put).getVersion();
    assertTrue(tree.by(other).deleteDirectory("wal", true));
    tree.by(other).makeDirectory("wal");
    assertTrue(slow.om.putObject(put).getVersion().getStamp() > first.getStamp());
    assertEquals(List.of("wal/", "wal/one"), tree.keys());
  }

  @Test
  void whoMayNotRenameAFileDoesNotCloseIt() throws StoreException {
    as(ANN, () -> tree.makeDirectory("tmp"));
    change(other, "tmp", 01777);
    PutObjectRequest open =
        tree.putRequest("tmp/log", "content", tree.place("tmp/log"))
            .setLeaseMicros(60_000_000)
            .build();
    FileLease[] lease = new FileLease[1];
    as(ANN, () -> lease[0] = slow.om.putObject(open).getLease());
    assertEquals(
        ErrorCode.ACCESS_DENIED,
        TestTree.codeOf(() -> as(BOB, () -> tree.rename("tmp/log", "tmp/mine"))));
    SyncFileRequest renewal =
        SyncFileRequest.newBuilder()
            .setBucket("tree")
            .setKey("tmp/log")
            .setRowKey(lease[0].getRowKey())
            .setEpoch(lease[0].getEpoch())
            .setCursor(lease[0].getCursor())
            .setFrom(7)
            .setLength(7)
            .setLeaseMicros(60_000_000)
            .build();
    assertNull(TestTree.codeOf(() -> as(ANN, () -> assertNotNull(slow.om.syncFile(renewal)))));
    as(ANN, () -> tree.rename("tmp/log", "tmp/mine"));
    assertEquals(
        ErrorCode.NO_SUCH_KEY,
        TestTree.codeOf(() -> as(ANN, () -> assertNotNull(slow.om.syncFile(renewal)))));
  }

  @Test
  void ofTwoWhoMakeADirectoryIfItIsAbsentOneDoes() throws StoreException {
    as(ANN, () -> tree.put("way/f", "content"));
    beforeTheNextHead(() -> assertTrue(tree.by(other).makeDirectoryIfAbsent("way")));
    as(ANN, () -> assertFalse(tree.makeDirectoryIfAbsent("way")));
  }

  /** Beyond what a row's head holds. */
  private static ObjectMetadata listed(ObjectMetadata metadata) {
    ObjectMetadata.Builder listed = metadata.toBuilder();
    for (int i = 0; i < 30; i++) {
      listed.addAcl("user:somebody-with-a-long-name-that-fills-the-head-of-the-row-" + i + ":rwx");
    }
    FileAttributes.Builder file =
        metadata.getFile().toBuilder().setHasAcl(true).setPermissionPlusOne(0770 + 1);
    return listed.addAcl("user:bob:rwx").setFile(file).build();
  }

  @Test
  void aLongListIsReadOnceAnOperation() throws StoreException {
    as(ANN, () -> tree.makeDirectory("d"));
    as(ANN, () -> tree.put("d/f", "content"));
    change(other, "d/f", DirectoryChangesTest::listed);
    FindPathRequest mayRead =
        FindPathRequest.newBuilder().setBucket("tree").setPath("d/f").setWanted(4).build();
    as(BOB, () -> assertNotNull(slow.om.findPath(mayRead)));
    long before = counted.reads();
    as(BOB, () -> assertFalse(slow.om.findPath(mayRead).getVersion().getMd5().isEmpty()));
    assertEquals(3, counted.reads() - before); // the way; the file's head again, and its list
    // Of the directory, too, whose right to be gone through, and then to be written, is asked.
    change(other, "d", DirectoryChangesTest::listed);
    as(BOB, () -> assertNotNull(tree.find("d/f")));
    before = counted.reads();
    as(BOB, () -> tree.place("d/g"));
    assertEquals(3, counted.reads() - before);
  }
}

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

import static io.stowage.om.UploadsTest.crashAt;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.RenamePrefixRequest;
import io.stowage.common.time.ManualClock;
import io.stowage.common.time.StoreClock;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A rename whose object manager died, met by another one in every way there is. */
class RenameRecoveryTest {
  private static final String BUCKET = "renames";

  private TestOm author;
  private TestOm other;

  @BeforeEach
  void openTwo() throws StoreException {
    TestOm.Tables tables = TestOm.Tables.inMemory();
    author = new TestOm(tables, new FakeContainers(), StoreClock.system());
    other = new TestOm(tables, new FakeContainers(), new OffsetClock(Duration.ofSeconds(-1)));
    author.createBucket(BUCKET);
  }

  @AfterEach
  void disarm() {
    CrashPoint.disarmAll();
  }

  static Stream<Arguments> crashes() {
    return Stream.of("om.rename.after-pending", "om.rename.after-moved", "om.rename.after-live")
        .flatMap(point -> Stream.of(Arguments.of(point, false), Arguments.of(point, true)));
  }

  private String content(String key) throws StoreException {
    ObjectVersion version = other.get(BUCKET, key);
    if (version == null) {
      return null;
    }
    for (String content : List.of("source", "target", "new")) {
      if (version.getMd5().equals(TestOm.md5(content))) {
        return content;
      }
    }
    return "?";
  }

  private ByteString die(String point, boolean overwrite) throws StoreException {
    author.put(BUCKET, "s", "source");
    if (overwrite) {
      author.put(BUCKET, "t", "target");
    }
    ByteString id = WriteId.random();
    crashAt(point, () -> author.rename(BUCKET, "s", "t", overwrite, id));
    return id;
  }

  private static boolean happened(String point) {
    return !point.equals("om.rename.after-pending");
  }

  @ParameterizedTest
  @MethodSource("crashes")
  void readersSeeItWholeOrNotAtAll(String point, boolean overwrite) throws StoreException {
    die(point, overwrite);
    String before = overwrite ? "target" : null;
    assertEquals(happened(point) ? "source" : before, content("t"));
    assertEquals(happened(point) ? null : "source", content("s"));
    List<String> listed =
        other.list(BUCKET, "", "", "", 0).getObjectsList().stream()
            .map(ObjectVersion::getKey)
            .toList();
    assertEquals(
        happened(point) ? List.of("t") : overwrite ? List.of("s", "t") : List.of("s"), listed);
  }

  @ParameterizedTest
  @MethodSource("crashes")
  void theRequestRepeatedElsewhereMakesItHappenOnce(String point, boolean overwrite)
      throws StoreException {
    ByteString id = die(point, overwrite);
    other.rename(BUCKET, "s", "t", overwrite, id);
    assertEquals("source", content("t"));
    assertNull(content("s"));
    other.put(BUCKET, "s", "new");
    other.rename(BUCKET, "s", "t", overwrite, id);
    assertEquals("new", content("s"));
  }

  @ParameterizedTest
  @MethodSource("crashes")
  void aWriterOfTheTargetEndsIt(String point, boolean overwrite) throws StoreException {
    die(point, overwrite);
    other.put(BUCKET, "t", "new");
    assertEquals("new", content("t"));
    assertEquals(happened(point) ? null : "source", content("s"));
    other.delete(BUCKET, "t");
    assertNull(content("t"));
    assertEquals(happened(point) ? null : "source", content("s"));
  }

  @ParameterizedTest
  @MethodSource("crashes")
  void aWriterOfTheSourceDoesNotDisturbTheTarget(String point, boolean overwrite)
      throws StoreException {
    die(point, overwrite);
    other.put(BUCKET, "s", "new");
    assertEquals("new", content("s"));
    assertEquals(happened(point) ? "source" : overwrite ? "target" : null, content("t"));
    other.delete(BUCKET, "s");
    assertNull(content("s"));
    assertEquals(happened(point) ? "source" : overwrite ? "target" : null, content("t"));
    other.put(BUCKET, "t", "new");
    assertEquals("new", content("t"));
  }

  @ParameterizedTest
  @MethodSource("crashes")
  void anotherRenameBackwardsEndsIt(String point, boolean overwrite) throws StoreException {
    die(point, overwrite);
    if (happened(point)) {
      other.rename(BUCKET, "t", "s", false);
      assertEquals("source", content("s"));
      assertNull(content("t"));
    } else {
      other.rename(BUCKET, "s", "u", false);
      assertEquals("source", content("u"));
      assertNull(content("s"));
      assertEquals(overwrite ? "target" : null, content("t"));
    }
  }

  @Test
  void aRollBackThatDiedIsRolledBackByTheNext() throws StoreException {
    die("om.rename.after-pending", true);
    crashAt("om.rename.after-fence", () -> other.put(BUCKET, "t", "new"));
    assertEquals("target", content("t"));
    assertEquals("source", content("s"));
    other.put(BUCKET, "t", "new");
    assertEquals("new", content("t"));
    assertEquals("source", content("s"));
  }

  @Test
  void aBatchThatDiedIsEndedByTheNextRenameOfEitherName() throws StoreException {
    for (String point : List.of("om.rename-prefix.after-record", "om.rename-prefix.after-key")) {
      for (int i = 0; i < 30; i++) {
        author.put(BUCKET, "from/" + i, "source");
      }
      crashAt(point, () -> renamePrefix(author, "from/", "to/"));
      renamePrefix(other, "to/", "third/");
      assertEquals(0, other.list(BUCKET, "from/", "", "", 0).getObjectsCount());
      assertEquals(0, other.list(BUCKET, "to/", "", "", 0).getObjectsCount());
      assertEquals(30, other.list(BUCKET, "third/", "", "", 0).getObjectsCount());
    }
  }

  @Test
  void theSweepEndsWhatWasLeftButSparesWhatCameLater() throws StoreException {
    ManualClock clock = new ManualClock(StoreClock.system().wallMicros());
    TestOm sweeper = new TestOm(TestOm.Tables.inMemory(), new FakeContainers(), clock);
    sweeper.createBucket(BUCKET);
    for (int i = 0; i < 250; i++) {
      sweeper.put(BUCKET, "from/" + i, "source");
    }
    crashAt("om.rename-prefix.after-record", () -> renamePrefix(sweeper, "from/", "to/"));
    clock.advance(Duration.ofMinutes(1));
    sweeper.put(BUCKET, "from/later", "new");
    sweeper.om.sweepPrefixRenames(record -> {});
    assertTrue(
        sweeper.list(BUCKET, "from/", "", "", 0).getObjectsCount() > 1,
        "a rename is not taken from an author who may be alive");
    clock.advance(Duration.ofMinutes(2));
    sweeper.om.sweepPrefixRenames(record -> {});
    assertEquals(
        List.of("from/later"),
        sweeper.list(BUCKET, "from/", "", "", 0).getObjectsList().stream()
            .map(ObjectVersion::getKey)
            .toList());
    assertEquals(250, sweeper.list(BUCKET, "to/", "", "", 0).getObjectsCount());
  }

  private static TestOm leftLongAgo(String... keys) throws StoreException {
    ManualClock clock = new ManualClock(StoreClock.system().wallMicros());
    TestOm om = new TestOm(TestOm.Tables.inMemory(), new FakeContainers(), clock);
    om.createBucket(BUCKET);
    for (String key : keys) {
      om.put(BUCKET, key, "source");
    }
    crashAt("om.rename-prefix.after-record", () -> renamePrefix(om, "from/", "to/"));
    clock.advance(Duration.ofMinutes(1));
    return om;
  }

  private static List<String> keys(TestOm om) throws StoreException {
    return om.list(BUCKET, "", "", "", 0).getObjectsList().stream()
        .map(ObjectVersion::getKey)
        .toList();
  }

  /** The job whose rename died was run again, and had written its files when the sweep came. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void whoTakesARenameUpReplacesNothingAtTheTarget(boolean byTheSweep) throws StoreException {
    TestOm om = leftLongAgo("from/a", "from/b");
    om.put(BUCKET, "to/a", "new");
    ((ManualClock) om.clock).advance(Duration.ofMinutes(2));
    if (byTheSweep) {
      om.om.sweepPrefixRenames(record -> {});
    } else {
      renamePrefix(om, "from/nothing/", "elsewhere/");
    }
    assertEquals(TestOm.md5("new"), om.get(BUCKET, "to/a").getMd5());
    assertEquals(TestOm.md5("source"), om.get(BUCKET, "from/a").getMd5());
    assertEquals(List.of("from/a", "to/a", "to/b"), keys(om));
    om.delete(BUCKET, "to/a");
    om.om.sweepPrefixRenames(record -> {});
    assertEquals(List.of("from/a", "to/b"), keys(om), "the rename has come to its end");
  }

  @Test
  void theSweepSparesWhatWasMovedUnderTheOldNameLater() throws StoreException {
    TestOm om = leftLongAgo("from/a", "elsewhere");
    om.rename(BUCKET, "elsewhere", "from/moved", false);
    ((ManualClock) om.clock).advance(Duration.ofMinutes(2));
    om.om.sweepPrefixRenames(record -> {});
    assertEquals(List.of("from/moved", "to/a"), keys(om));
  }

  @Test
  void aPrefixIsMovedWithAllItsKeys() throws StoreException {
    for (int i = 0; i < 2_500; i++) {
      author.put(BUCKET, "from/" + i % 7 + "/" + i, "source");
    }
    author.put(BUCKET, "fromage", "target");
    assertEquals(2_500, renamePrefix(other, "from/", "to/x/"));
    assertEquals(0, author.list(BUCKET, "from/", "", "", 0).getObjectsCount());
    assertEquals("source", content("to/x/3/2222".replace("3/", 2_222 % 7 + "/")));
    assertEquals("target", content("fromage"));
    NamespaceContract.fails(
        io.stowage.common.error.ErrorCode.INVALID_ARGUMENT,
        () -> renamePrefix(other, "to/", "to/x/"));
  }

  private static long renamePrefix(TestOm om, String from, String to) throws StoreException {
    return om.om
        .renamePrefix(
            RenamePrefixRequest.newBuilder()
                .setBucket(BUCKET)
                .setSourcePrefix(from)
                .setTargetPrefix(to)
                .setWriteId(WriteId.random())
                .build())
        .getMoved();
  }
}

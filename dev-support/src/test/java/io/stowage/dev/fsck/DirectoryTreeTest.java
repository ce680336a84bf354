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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.dev.fsck.DirectoryTree.Lost;
import io.stowage.dev.fsck.DirectoryTree.TooMany;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DirectoryTreeTest {
  private static final long BUCKET = -5; // ids are 64 bits without a sign
  private static final long A = 0x0a;
  private static final long B = 0x8000_0000_0000_000bL;
  private static final long C = 0x0c;
  private static final long D = 0x0d;

  @TempDir Path directory;
  private DirectoryTree tree;

  @BeforeEach
  void open() {
    tree = new DirectoryTree(directory, "tree");
  }

  @AfterEach
  void leavesNoFile() throws IOException {
    tree.close();
    try (Stream<Path> left = Files.list(directory)) {
      assertEquals(List.of(), left.toList());
    }
  }

  private void entry(long parent, String name, long id, long stamp) throws IOException {
    tree.add(BUCKET, new EntryRow(parent, name).rowKey(), id, stamp);
  }

  private void file(long parent, String name) throws IOException {
    entry(parent, name, 0, 1);
  }

  private void anchor(long id) throws IOException {
    tree.add(BUCKET, EntryRow.anchor(id).rowKey(), id, 1);
  }

  private static TooMany row(long parent, String name, long id, long stamp) {
    return new TooMany(BUCKET, new EntryRow(parent, name).rowKey(), id, stamp);
  }

  @Test
  void rowsSayWhatTheyAre() {
    EntryRow row = EntryRow.parse(ByteString.copyFromUtf8("800000000000000bn\u00e4me"));
    assertEquals(new EntryRow(B, "n\u00e4me"), row);
    assertFalse(row.isAnchor());
    assertEquals("800000000000000bn\u00e4me", row.rowKey().toStringUtf8());
    assertTrue(EntryRow.parse(ByteString.copyFromUtf8("800000000000000b")).isAnchor());
    assertEquals(null, EntryRow.parse(ByteString.copyFromUtf8("no such row key")));
    assertEquals(null, EntryRow.parse(ByteString.copyFromUtf8("not sixteen digits")));
  }

  @Test
  void aTreeThatIsWholeHasNothingToTell() throws IOException {
    file(EntryRow.ROOT, "f");
    entry(EntryRow.ROOT, "a", A, 7);
    entry(A, "b", B, 3);
    file(B, "f");
    assertTrue(tree.isWhole());
    assertFalse(tree.isRemoved(BUCKET, A));
    assertFalse(tree.isRemoved(BUCKET, EntryRow.ROOT));
    assertFalse(tree.isRemoved(BUCKET, D), "never heard of");
  }

  @Test
  void whatIsBelowARemovedDirectoryIsRemoved() throws IOException {
    anchor(A);
    file(A, "f");
    entry(A, "b", B, 2);
    entry(B, "c", C, 3);
    file(C, "f");
    entry(EntryRow.ROOT, "d", D, 4);
    assertTrue(tree.isWhole());
    for (long removed : new long[] {A, B, C}) {
      assertTrue(tree.isRemoved(BUCKET, removed));
      assertFalse(tree.isRemoved(BUCKET + 1, removed), "another bucket's");
    }
    assertFalse(tree.isRemoved(BUCKET, D));
  }

  @Test
  void aDirectoryWithoutEntryIsLostAndWhatIsBelowItIsNotToldAgain() throws IOException {
    file(A, "f");
    entry(A, "b", B, 2);
    file(B, "f");
    assertEquals(List.of(new Lost(BUCKET, A)), tree.lost());
    assertEquals(List.of(), tree.tooMany());
  }

  @Test
  void ofTwoEntriesTheLaterOneStays() throws IOException {
    entry(EntryRow.ROOT, "old", A, 1);
    entry(B, "new", A, 5);
    entry(EntryRow.ROOT, "b", B, 2);
    assertEquals(List.of(), tree.lost());
    assertEquals(List.of(row(EntryRow.ROOT, "old", A, 1)), tree.tooMany());
  }

  @Test
  void aRowThatIsToldTwiceIsOneEntry() throws IOException {
    entry(EntryRow.ROOT, "a", A, 1);
    entry(EntryRow.ROOT, "a", A, 1);
    entry(EntryRow.ROOT, "a", A, 2); // its permissions changed meanwhile
    assertTrue(tree.isWhole());
  }

  @Test
  void anEntryByIdWasMadeForWantOfAnother() throws IOException {
    String byId = DirectoryTree.nameOfLost(A);
    entry(EntryRow.ROOT, "name", A, 1);
    entry(B, byId, A, 5);
    entry(EntryRow.ROOT, "lost+found", B, 4);
    assertEquals(List.of(row(B, byId, A, 5)), tree.tooMany());
  }

  @Test
  void whatWasRemovedHasNoEntry() throws IOException {
    entry(EntryRow.ROOT, "a", A, 9);
    anchor(A);
    assertEquals(List.of(row(EntryRow.ROOT, "a", A, 9)), tree.tooMany());
    assertTrue(tree.isRemoved(BUCKET, A));
  }

  @Test
  void aCircleIsCutWhereItIsOldest() throws IOException {
    entry(A, "b", B, 2);
    entry(B, "c", C, 1);
    entry(C, "a", A, 3);
    entry(C, "d", D, 4);
    file(D, "f");
    assertEquals(List.of(new Lost(BUCKET, C)), tree.lost());
    assertEquals(List.of(row(B, "c", C, 1)), tree.tooMany());
  }

  /** Against the definition, on random trees that are broken in random places. */
  @Test
  void findsWhatCannotBeReached() throws IOException {
    Random random = new Random(11);
    for (int round = 0; round < 200; round++) {
      tree.close();
      tree = new DirectoryTree(directory, "tree");
      int count = 1 + random.nextInt(30);
      long[] parents = new long[count + 1];
      boolean[] removed = new boolean[count + 1];
      List<Long> ids = new ArrayList<>();
      for (long id = 1; id <= count; id++) {
        ids.add(id);
        parents[(int) id] = random.nextInt(8) == 0 ? -1 : random.nextInt((int) id);
        removed[(int) id] = random.nextInt(8) == 0;
      }
      Collections.shuffle(ids, random); // in any order
      Set<Long> lost = new TreeSet<>();
      for (long id : ids) {
        file(id, "f");
        if (removed[(int) id]) {
          anchor(id);
        } else if (parents[(int) id] < 0) {
          lost.add(id);
        } else {
          entry(parents[(int) id], "d" + id, id, id);
        }
      }
      Set<Long> found = new TreeSet<>();
      tree.lost().forEach(one -> found.add(one.directoryId()));
      assertEquals(lost, found);
      assertEquals(List.of(), tree.tooMany());
      for (long id : ids) {
        long up = id;
        while (up > 0 && !removed[(int) up]) {
          up = parents[(int) up];
        }
        assertEquals(up > 0, tree.isRemoved(BUCKET, id), "directory " + id);
      }
    }
  }
}

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
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.NamedExtents;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.RestoreOutcome;
import io.stowage.common.proto.RestoreRowsRequest;
import io.stowage.common.proto.RestoredRow;
import io.stowage.common.proto.ScanNamespaceRequest;
import io.stowage.common.time.ManualClock;
import io.stowage.common.time.Pause;
import io.stowage.common.time.StoreClock;
import java.util.HexFormat;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What fsck asks of an object manager about directories, and has it put back. */
class RestoredDirectoriesTest {
  private ManualClock clock;
  private TestOm.Tables tables;
  private TestTree tree;

  @BeforeEach
  void open() throws StoreException {
    clock = new ManualClock(StoreClock.system().wallMicros());
    tables = TestOm.Tables.inMemory();
    Pause pause = duration -> clock.advance(duration.plusNanos(1_000));
    tree =
        TestTree.create(
            new TestOm(TestOm.CONFIG, tables, new FakeContainers(), clock, pause), "trees");
  }

  @AfterEach
  void close() {
    tree.om.om.close();
  }

  private RestoreOutcome restore(String rowKey, long directoryId) throws StoreException {
    ByteString writeId = WriteId.random();
    return tree.om
        .om
        .restoreRows(
            RestoreRowsRequest.newBuilder()
                .addRows(
                    RestoredRow.newBuilder()
                        .setBucketId(tree.om.bucketId("trees"))
                        .setRowKey(ByteString.copyFromUtf8(rowKey))
                        .setStamp(clock.wallMicros())
                        .setWriteId(writeId)
                        .setVersion(
                            ObjectVersion.newBuilder()
                                .setWriteId(writeId)
                                .setVersionId(clock.wallMicros())
                                .setDirectoryId(directoryId)))
                .build())
        .getOutcomes(0);
  }

  private List<NamedExtents> rows(boolean all) throws StoreException {
    return tree.om
        .om
        .scanNamespace(ScanNamespaceRequest.newBuilder().setWantAll(all).build())
        .getNamedList();
  }

  private long idOf(String path) throws StoreException {
    return tree.find(path).getVersion().getDirectoryId();
  }

  @Test
  void aScanTellsOfDirectoriesIfItIsAsked() throws StoreException {
    tree.put("a/b/f", "content");
    tree.put("a/empty", "");
    assertEquals(1, rows(false).size());
    List<NamedExtents> all = rows(true);
    assertEquals(4, all.size(), all.toString());
    long directories = all.stream().filter(row -> row.getDirectoryId() != 0).count();
    assertEquals(2, directories);
  }

  @Test
  void aReadTellsInWhichRowItIs() throws StoreException {
    tree.put("a/f", "content");
    String rowKey =
        tree.om
            .om
            .getObject(
                GetObjectRequest.newBuilder()
                    .setBucket("trees")
                    .setKey("a/f")
                    .setWantManifest(true)
                    .build())
            .getRowKey();
    assertEquals(HexFormat.of().toHexDigits(idOf("a")) + "f", rowKey);
  }

  @Test
  void aDirectoryIsWhereItsEntryIsPutBack() throws StoreException {
    tree.put("a/f", "content");
    String rootRow = HexFormat.of().toHexDigits(0L);
    assertEquals(RestoreOutcome.RESTORE_DONE, restore(rootRow + "again", idOf("a")));
    assertEquals("content".length(), tree.get("again/f").getLength());
  }

  @Test
  void whatIsInADirectoryWhoseAnchorIsPutBackIsCollected() throws Exception {
    tree.put("a/f", "content");
    tree.put("a/b/g", "content");
    tree.put("kept/f", "content");
    long removed = idOf("a");
    long below = idOf("a/b");
    assertEquals(
        RestoreOutcome.RESTORE_DONE, restore(HexFormat.of().toHexDigits(removed), removed));
    for (int i = 0; i < 2; i++) { // the anchor of what was below goes in its own turn
      clock.advance(TestOm.CONFIG.trail().plusSeconds(1));
      tree.om.om.collector(tables.regions()).round();
    }
    for (NamedExtents row : rows(true)) {
      String key = row.getRow().substring(8).toStringUtf8();
      assertTrue(
          !key.startsWith(HexFormat.of().toHexDigits(below))
              && !key.startsWith(HexFormat.of().toHexDigits(removed)),
          key);
    }
    assertEquals("content".length(), tree.get("kept/f").getLength());
    assertNull(tree.find("a/f"));
  }
}

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
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.JudgeNeedlesRequest;
import io.stowage.common.proto.LeaseContainersRequest;
import io.stowage.common.time.StoreClock;
import io.stowage.om.table.Cell;
import io.stowage.om.table.ForwardingRowStore;
import io.stowage.om.table.HookedRowStore;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import io.stowage.om.table.RowChange;
import io.stowage.om.table.RowStore;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;

/** By which table object managers say that they judge and write. */
class TableIdentityTest {
  private static final ByteString ROW = ObjectRowLayout.row(ObjectRowLayout.NO_BUCKET, "");

  private final TestOm.Tables tables = TestOm.Tables.inMemory();
  private final FakeContainers containers = new FakeContainers();

  private TestOm objectManager(RowStore objects) {
    return new TestOm(tables.withObjects(objects), containers, StoreClock.system());
  }

  private static ByteString table(TestOm om) throws StoreException {
    return om.om.judgeNeedles(JudgeNeedlesRequest.getDefaultInstance()).getObjectTable();
  }

  /** As a drop of the table does, which is then made anew. */
  private void lose() throws IOException {
    Cell cell =
        tables.objects().get(ROW, List.of(ObjectRowLayout.IDENTITY)).cell(ObjectRowLayout.IDENTITY);
    tables
        .objects()
        .mutate(
            ROW,
            new RowChange(cell.stamp()).delete(ObjectRowLayout.IDENTITY),
            Duration.ofSeconds(1));
  }

  private ByteString leasedFor(TestOm om) throws StoreException {
    om.om.leaseContainer(
        LeaseContainersRequest.newBuilder()
            .setHolder(WriteId.random())
            .setObjectTable(WriteId.random()) // whatever a client says
            .build());
    return containers.leasedFor;
  }

  @Test
  void allThatShareATableNameTheSame() throws Exception {
    TestOm one = objectManager(tables.objects());
    ByteString table = table(one);
    assertEquals(WriteId.BYTES, table.size());
    assertEquals(table, table(one));
    assertEquals(table, leasedFor(one));
    TestOm two = objectManager(tables.objects());
    assertEquals(table, leasedFor(two)); // before it has judged anything
    assertEquals(table, table(two));
    assertNotEquals(table, table(TestOm.inMemory()));
  }

  @Test
  void ofTwoThatMissItAtOnceOneMintsIt() throws Exception {
    HookedRowStore hooked = new HookedRowStore(tables.objects());
    TestOm one = objectManager(hooked);
    TestOm two = objectManager(tables.objects());
    AtomicReference<ByteString> first = new AtomicReference<>();
    hooked.before(
        new HookedRowStore.Hook() {
          @Override
          public boolean matches(ByteString row, RowChange change) {
            return row.equals(ROW);
          }

          @Override
          public void act() throws IOException {
            first.set(table(two));
          }
        });
    ByteString table = table(one);
    assertTrue(hooked.isDone());
    assertEquals(first.get(), table);
  }

  @Test
  void aTableMadeAnewIsAnotherToWhoRunsOn() throws Exception {
    TestOm om = objectManager(tables.objects());
    ByteString before = table(om);
    lose();
    ByteString after = table(om);
    assertNotEquals(before, after);
    assertEquals(after, table(om));
    assertEquals(after, leasedFor(om));
  }

  @Test
  void nothingIsJudgedByATableThatIsReplacedMeanwhile() throws Exception {
    boolean[] loseIt = {false};
    TestOm om =
        objectManager(
            new ForwardingRowStore(tables.objects()) {
              @Override
              public Row getFamilies(ByteString row, String families, int perFamily)
                  throws IOException {
                if (loseIt[0]) {
                  loseIt[0] = false;
                  lose();
                }
                return super.getFamilies(row, families, perFamily);
              }
            });
    om.createBucket("bucket");
    om.put("bucket", "key", "bytes");
    ByteString row = ObjectRowLayout.row(om.bucketId("bucket"), "key");
    Extent extent = om.get("bucket", "key").getManifest().getExtents(0);
    assertEquals(1, om.judge(row, extent).getHoldersCount());
    loseIt[0] = true;
    StoreException refused = assertThrows(StoreException.class, () -> om.judge(row, extent));
    assertEquals(ErrorCode.UNAVAILABLE, refused.code());
    assertEquals(false, loseIt[0]);
    assertEquals(1, om.judge(row, extent).getHoldersCount());
  }
}

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
package io.stowage.om.table;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hbase.Cell;
import org.apache.hadoop.hbase.CellUtil;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.Admin;
import org.apache.hadoop.hbase.client.AsyncConnection;
import org.apache.hadoop.hbase.client.Connection;
import org.apache.hadoop.hbase.client.ConnectionFactory;
import org.apache.hadoop.hbase.client.NoServerForRegionException;
import org.apache.hadoop.hbase.client.Result;
import org.apache.hadoop.hbase.client.ResultScanner;
import org.apache.hadoop.hbase.client.Scan;
import org.apache.hadoop.hbase.client.Table;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;

/** What compacting does to a region that was split since somebody learned where it begins. */
class ObjectRegionsTest {
  private static final Duration PATIENCE = Duration.ofSeconds(10);
  private static final TableName TABLE = TableName.valueOf("regions", ObjectRowLayout.TABLE);

  @Test
  void bothHalvesOfASplitRegionLoseTheirDeleteMarkers() throws Exception {
    Configuration configuration = HBaseFixture.configuration();
    try (HBaseTables tables =
            HBaseTables.open(configuration, "regions", List.of(), PATIENCE, 1_000_000);
        Connection connection = ConnectionFactory.createConnection(configuration);
        Admin admin = connection.getAdmin()) {
      ByteString inFirst = ObjectRowLayout.row(1, "k");
      ByteString inSecond = ObjectRowLayout.row(-1, "k"); // unsigned: high
      Column older = new Column('v', Column.letter('o'));
      for (ByteString row : List.of(inFirst, inSecond)) {
        tables.objects().mutate(row, new RowChange(10).put(older, row), PATIENCE);
        tables.objects().mutate(row, new RowChange(20).delete(older), PATIENCE);
      }
      assertEquals(2, deleteMarkers(connection));

      admin.flush(TABLE);
      admin.split(TABLE, new byte[] {(byte) 0x80});
      await(() -> tables.regions().starts().size() == 2, "the table is not split");
      await(
          () -> {
            tables.regions().compact(ByteString.EMPTY, ObjectRowLayout.END);
            return true;
          },
          "a half has no server");
      await(() -> deleteMarkers(connection) == 0, "delete markers are left");
      assertEquals(2, regionsBegun(configuration), "what a scan of nothing shows of itself");
    }
  }

  private static long regionsBegun(Configuration configuration) throws Exception {
    try (AsyncConnection connection =
        HBaseRowStore.await(ConnectionFactory.createAsyncConnection(configuration), PATIENCE)) {
      LongScan scan = new LongScan();
      scan.begin(connection.getTable(TABLE), new Scan().setLimit(10));
      assertEquals(List.of(), scan.await(PATIENCE));
      return scan.regions();
    }
  }

  private interface State {
    boolean holds() throws IOException;
  }

  private static void await(State state, String otherwise) throws Exception {
    long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
    while (!holds(state)) {
      assertTrue(System.nanoTime() < deadline, otherwise);
      Thread.sleep(20);
    }
  }

  private static boolean holds(State state) throws IOException {
    try {
      return state.holds();
    } catch (NoServerForRegionException e) {
      return false; // in the middle of the split
    }
  }

  private static int deleteMarkers(Connection connection) throws IOException {
    int count = 0;
    try (Table table = connection.getTable(TABLE);
        ResultScanner rows = table.getScanner(new Scan().setRaw(true))) {
      for (Result row : rows) {
        for (Cell cell : row.rawCells()) {
          count += CellUtil.isDelete(cell) ? 1 : 0;
        }
      }
    }
    return count;
  }
}

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
package io.stowage.scm.table;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.time.ManualClock;
import io.stowage.scm.EmbeddedHBase;
import io.stowage.scm.container.ContainerStore;
import io.stowage.scm.container.ContainerStoreContractTest;
import org.apache.hadoop.hbase.NamespaceDescriptor;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.Admin;
import org.apache.hadoop.hbase.client.ColumnFamilyDescriptorBuilder;
import org.apache.hadoop.hbase.client.Connection;
import org.apache.hadoop.hbase.client.ConnectionFactory;
import org.apache.hadoop.hbase.client.Durability;
import org.apache.hadoop.hbase.client.TableDescriptorBuilder;
import org.junit.jupiter.api.Test;

class HBaseContainerStoreTest extends ContainerStoreContractTest {
  @Override
  protected ContainerStore open(ManualClock clock) throws StoreException {
    return HBaseContainerStore.open(
        EmbeddedHBase.get().configuration(), EmbeddedHBase.freshName(), clock);
  }

  @Test
  void refusesATableOfANewerFormat() throws Exception {
    assertEquals(ErrorCode.FORMAT_TOO_NEW, openOver("2", 1, Durability.FSYNC_WAL).code());
  }

  @Test
  void refusesATableThatIsNotOurs() throws Exception {
    assertEquals(ErrorCode.FORMAT_TOO_OLD, openOver(null, 1, Durability.FSYNC_WAL).code());
  }

  @Test
  void refusesATableThatKeepsOldCellsOrLosesNewOnes() throws Exception {
    assertTrue(openOver("1", 3, Durability.FSYNC_WAL).getMessage().contains("VERSIONS"));
    assertTrue(openOver("1", 1, Durability.ASYNC_WAL).getMessage().contains("FSYNC_WAL"));
  }

  private static StoreException openOver(String format, int versions, Durability durability)
      throws Exception {
    String namespace = EmbeddedHBase.freshName();
    try (Connection connection =
            ConnectionFactory.createConnection(EmbeddedHBase.get().configuration());
        Admin admin = connection.getAdmin()) {
      admin.createNamespace(NamespaceDescriptor.create(namespace).build());
      TableDescriptorBuilder table =
          TableDescriptorBuilder.newBuilder(TableName.valueOf(namespace, "container"))
              .setColumnFamily(
                  ColumnFamilyDescriptorBuilder.newBuilder(new byte[] {'s'})
                      .setMaxVersions(versions)
                      .build())
              .setDurability(durability);
      if (format != null) {
        table.setValue("STOWAGE_FORMAT", format);
      }
      admin.createTable(table.build());
    }
    return assertThrows(
        StoreException.class,
        () ->
            HBaseContainerStore.open(
                EmbeddedHBase.get().configuration(), namespace, new ManualClock(1)));
  }
}

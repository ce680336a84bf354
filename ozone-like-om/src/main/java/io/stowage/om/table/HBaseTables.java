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

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.HConstants;
import org.apache.hadoop.hbase.KeepDeletedCells;
import org.apache.hadoop.hbase.NamespaceDescriptor;
import org.apache.hadoop.hbase.NamespaceExistException;
import org.apache.hadoop.hbase.TableExistsException;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.AsyncAdmin;
import org.apache.hadoop.hbase.client.AsyncConnection;
import org.apache.hadoop.hbase.client.ColumnFamilyDescriptor;
import org.apache.hadoop.hbase.client.ColumnFamilyDescriptorBuilder;
import org.apache.hadoop.hbase.client.ConnectionFactory;
import org.apache.hadoop.hbase.client.Durability;
import org.apache.hadoop.hbase.client.TableDescriptor;
import org.apache.hadoop.hbase.client.TableDescriptorBuilder;
import org.apache.hadoop.hbase.io.encoding.DataBlockEncoding;
import org.apache.hadoop.hbase.regionserver.BloomType;
import org.apache.hadoop.hbase.security.AccessDeniedException;
import org.apache.hadoop.hbase.security.access.Permission;
import org.apache.hadoop.hbase.security.access.UserPermission;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * The connection to HBase and the three tables, created at the first start and checked at every
 * one: a setting that lets HBase drop or reorder cells by itself would lose acknowledged writes
 * without a word, so it stops the start. Owns the connection. Thread-safe.
 */
public final class HBaseTables implements AutoCloseable {
  private static final Duration ADMIN_TIMEOUT = Duration.ofSeconds(60);
  private static final String SLOP = "hbase.hregion.keyvalue.timestamp.slop.millisecs";
  private static final String AUTHORIZATION = "hbase.security.authorization";
  private static final String STORE_ENGINE = "hbase.hstore.engine.class";

  private final AsyncConnection connection;
  private final TableName objectTable;
  private final RowStore buckets;
  private final RowStore objects;
  private final RowStore identities;

  private HBaseTables(AsyncConnection connection, String namespace, Duration operationTimeout) {
    this.connection = connection;
    this.objectTable = TableName.valueOf(namespace, ObjectRowLayout.TABLE);
    this.buckets = store(namespace, BucketRowLayout.TABLE, operationTimeout);
    this.objects = store(namespace, ObjectRowLayout.TABLE, operationTimeout);
    this.identities = store(namespace, IdentityRowLayout.TABLE, operationTimeout);
  }

  private RowStore store(String namespace, String table, Duration operationTimeout) {
    return new HBaseRowStore(connection, TableName.valueOf(namespace, table), operationTimeout);
  }

  /**
   * Connects; creates what is missing, refuses what is wrong.
   *
   * @param users who may use the tables, where HBase asks for permission: all those that object
   *     managers run as. Whoever makes a table owns it, and grants it to the others.
   */
  public static HBaseTables open(
      Configuration hbase,
      String namespace,
      List<String> users,
      Duration operationTimeout,
      long nowMicros)
      throws StoreException {
    AsyncConnection connection;
    try {
      connection =
          HBaseRowStore.await(
              ConnectionFactory.createAsyncConnection(HBaseConfiguration.create(hbase)),
              ADMIN_TIMEOUT);
    } catch (IOException e) {
      throw new StoreException(ErrorCode.UNAVAILABLE, "Cannot reach HBase: " + e.getMessage(), e);
    }
    try {
      AsyncAdmin admin = connection.getAdmin();
      createNamespace(admin, namespace);
      List<String> granted = hbase.getBoolean(AUTHORIZATION, false) ? users : List.of();
      List<TableDescriptor> wanted = schema(namespace);
      createMissing(admin, wanted);
      for (TableDescriptor table : wanted) {
        check(admin, table, granted);
      }
      HBaseTables tables = new HBaseTables(connection, namespace, operationTimeout);
      tables.probeStamps(nowMicros, operationTimeout);
      return tables;
    } catch (IOException e) {
      try {
        connection.close();
      } catch (IOException suppressed) {
        e.addSuppressed(suppressed);
      }
      if (e instanceof StoreException known) {
        throw known;
      }
      throw new StoreException(
          ErrorCode.UNAVAILABLE, "Cannot open the tables in HBase: " + e.getMessage(), e);
    }
  }

  private static List<TableDescriptor> schema(String namespace) {
    List<TableDescriptor> tables = new ArrayList<>();
    tables.add(table(namespace, BucketRowLayout.TABLE, BucketRowLayout.FAMILIES));
    tables.add(table(namespace, ObjectRowLayout.TABLE, ObjectRowLayout.FAMILIES));
    tables.add(table(namespace, IdentityRowLayout.TABLE, IdentityRowLayout.FAMILIES));
    return tables;
  }

  private static TableDescriptor table(String namespace, String name, String families) {
    TableDescriptorBuilder table =
        TableDescriptorBuilder.newBuilder(TableName.valueOf(namespace, name))
            .setDurability(Durability.FSYNC_WAL);
    for (int i = 0; i < families.length(); i++) {
      table.setColumnFamily(
          ColumnFamilyDescriptorBuilder.newBuilder(HBaseRowStore.family(families.charAt(i)))
              .setMaxVersions(1)
              .setMinVersions(0)
              .setTimeToLive(HConstants.FOREVER)
              .setKeepDeletedCells(KeepDeletedCells.FALSE)
              .setBloomFilterType(BloomType.ROW)
              .setDataBlockEncoding(DataBlockEncoding.FAST_DIFF)
              .build());
    }
    return table.build();
  }

  private static void createNamespace(AsyncAdmin admin, String namespace) throws IOException {
    if (HBaseRowStore.await(admin.listNamespaces(), ADMIN_TIMEOUT).contains(namespace)) {
      return;
    }
    try {
      HBaseRowStore.await(
          admin.createNamespace(NamespaceDescriptor.create(namespace).build()), ADMIN_TIMEOUT);
    } catch (NamespaceExistException e) {
      // Another service made it at the same time.
    } catch (AccessDeniedException e) {
      // HBase's administrator makes it for us; if not, the first table says so.
    }
  }

  /** All at once: HBase takes some hundred milliseconds for each, waiting most of the time. */
  private static void createMissing(AsyncAdmin admin, List<TableDescriptor> wanted)
      throws IOException {
    List<CompletableFuture<Void>> created = new ArrayList<>();
    for (TableDescriptor table : wanted) {
      if (!HBaseRowStore.await(admin.tableExists(table.getTableName()), ADMIN_TIMEOUT)) {
        created.add(admin.createTable(table));
      }
    }
    for (CompletableFuture<Void> one : created) {
      try {
        HBaseRowStore.await(one, ADMIN_TIMEOUT);
      } catch (TableExistsException e) {
        // Another object manager made it at the same time; it is checked like any other.
      }
    }
  }

  private static void check(AsyncAdmin admin, TableDescriptor wanted, List<String> users)
      throws IOException {
    TableName name = wanted.getTableName();
    for (String user : users) { // at every start: whoever made it may not have come so far
      HBaseRowStore.await(admin.grant(allOf(user, name), false), ADMIN_TIMEOUT);
    }
    TableDescriptor found = HBaseRowStore.await(admin.getDescriptor(name), ADMIN_TIMEOUT);
    require(found.getDurability() == Durability.FSYNC_WAL, name, "durability is not FSYNC_WAL");
    require(found.getValue(STORE_ENGINE) == null, name, STORE_ENGINE + " is set");
    require(found.getValue(SLOP) == null, name, SLOP + " is set");
    for (ColumnFamilyDescriptor wantedFamily : wanted.getColumnFamilies()) {
      ColumnFamilyDescriptor family = found.getColumnFamily(wantedFamily.getName());
      String letter = wantedFamily.getNameAsString();
      require(family != null, name, "family " + letter + " is missing");
      require(family.getMaxVersions() == 1, name, "VERSIONS of " + letter + " is not 1");
      require(family.getMinVersions() == 0, name, "MIN_VERSIONS of " + letter + " is not 0");
      require(
          family.getTimeToLive() == HConstants.FOREVER, name, "family " + letter + " has a TTL");
      require(
          family.getKeepDeletedCells() == KeepDeletedCells.FALSE,
          name,
          "KEEP_DELETED_CELLS of " + letter + " is set");
      require(
          family.getConfigurationValue(STORE_ENGINE) == null,
          name,
          STORE_ENGINE + " of " + letter + " is set");
    }
  }

  /** What an object manager needs: it reads the schema, flushes and compacts, too. */
  private static UserPermission allOf(String user, TableName table) {
    return new UserPermission(
        user,
        Permission.newBuilder(table)
            .withActions(
                Permission.Action.READ,
                Permission.Action.WRITE,
                Permission.Action.EXEC,
                Permission.Action.CREATE,
                Permission.Action.ADMIN)
            .build());
  }

  private static void require(boolean holds, TableName table, String what) throws StoreException {
    if (!holds) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot use table " + table + ": " + what + "; cells could vanish by themselves");
    }
  }

  /**
   * Stamps are microseconds, which HBase takes for milliseconds of a far future: a region server
   * that checks timestamps would refuse every write of ours. Better now than at the first put.
   */
  private void probeStamps(long nowMicros, Duration timeout) throws StoreException {
    try {
      buckets.mutate(
          BucketRowLayout.PROBE,
          new RowChange(nowMicros).put(BucketRowLayout.HEAD, ByteString.EMPTY),
          timeout);
    } catch (IOException e) {
      throw new StoreException(
          ErrorCode.UNAVAILABLE,
          "Cannot write to HBase (" + SLOP + " must be unset): " + e.getMessage(),
          e);
    }
  }

  /** Reads a row of each table that requests need; throws if one does not answer. */
  public void check() throws IOException {
    Row unused = buckets.get(BucketRowLayout.PROBE, List.of(BucketRowLayout.HEAD));
    unused = objects.get(BucketRowLayout.PROBE, List.of(ObjectRowLayout.HEAD));
  }

  public RowStore buckets() {
    return buckets;
  }

  public RowStore objects() {
    return objects;
  }

  /** Regions of table {@code object}. */
  public Regions regions() {
    return new ObjectRegions(connection, objectTable);
  }

  public RowStore identities() {
    return identities;
  }

  @Override
  public void close() throws IOException {
    connection.close();
  }
}

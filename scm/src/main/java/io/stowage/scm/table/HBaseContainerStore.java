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

import static io.stowage.scm.table.ContainerTableLayout.CLUSTER;
import static io.stowage.scm.table.ContainerTableLayout.CLUSTER_ROW;
import static io.stowage.scm.table.ContainerTableLayout.CONTAINER;
import static io.stowage.scm.table.ContainerTableLayout.CONTAINERS_END;
import static io.stowage.scm.table.ContainerTableLayout.DEAD_BYTES_FAMILY;
import static io.stowage.scm.table.ContainerTableLayout.EPOCH;
import static io.stowage.scm.table.ContainerTableLayout.FOLDED_BYTES;
import static io.stowage.scm.table.ContainerTableLayout.FORMAT;
import static io.stowage.scm.table.ContainerTableLayout.FORMAT_KEY;
import static io.stowage.scm.table.ContainerTableLayout.LEADER_ROW;
import static io.stowage.scm.table.ContainerTableLayout.NODE_HOST;
import static io.stowage.scm.table.ContainerTableLayout.OPERATOR;
import static io.stowage.scm.table.ContainerTableLayout.OPERATOR_ROW;
import static io.stowage.scm.table.ContainerTableLayout.STATE_FAMILY;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.NotLeaderException;
import io.stowage.common.error.OutcomeUnknownException;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.OperatorWord;
import io.stowage.common.time.StoreClock;
import io.stowage.scm.container.ContainerRow;
import io.stowage.scm.container.ContainerStore;
import io.stowage.scm.container.LeaderEpoch;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Predicate;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hbase.Cell;
import org.apache.hadoop.hbase.CellUtil;
import org.apache.hadoop.hbase.CompareOperator;
import org.apache.hadoop.hbase.NamespaceDescriptor;
import org.apache.hadoop.hbase.NamespaceExistException;
import org.apache.hadoop.hbase.TableExistsException;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.AdvancedScanResultConsumer;
import org.apache.hadoop.hbase.client.AsyncAdmin;
import org.apache.hadoop.hbase.client.AsyncConnection;
import org.apache.hadoop.hbase.client.AsyncTable;
import org.apache.hadoop.hbase.client.CheckAndMutate;
import org.apache.hadoop.hbase.client.ColumnFamilyDescriptor;
import org.apache.hadoop.hbase.client.ColumnFamilyDescriptorBuilder;
import org.apache.hadoop.hbase.client.ConnectionFactory;
import org.apache.hadoop.hbase.client.Delete;
import org.apache.hadoop.hbase.client.Durability;
import org.apache.hadoop.hbase.client.Get;
import org.apache.hadoop.hbase.client.Put;
import org.apache.hadoop.hbase.client.Result;
import org.apache.hadoop.hbase.client.ResultScanner;
import org.apache.hadoop.hbase.client.RowMutations;
import org.apache.hadoop.hbase.client.Scan;
import org.apache.hadoop.hbase.client.TableDescriptor;
import org.apache.hadoop.hbase.client.TableDescriptorBuilder;
import org.apache.hadoop.hbase.filter.BinaryPrefixComparator;
import org.apache.hadoop.hbase.filter.SingleColumnValueFilter;
import org.apache.hadoop.hbase.security.AccessDeniedException;
import org.apache.hadoop.hbase.util.Bytes;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * {@link ContainerStore} in HBase, table {@link ContainerTableLayout}. Owns its connection.
 * Thread-safe.
 *
 * <p>HBase's client sends a mutation again when a reply is lost, so a compare-and-set may fail
 * against its own first attempt: whoever lost looks at the row, and finding exactly the bytes that
 * it wanted to write has won. Those bytes hold leader epoch, row version and stamp, which only one
 * SCM writes, and within it a repetition with equal content means the same thing.
 */
public final class HBaseContainerStore implements ContainerStore {
  /** An HBase that recovers from a region server's death answers within this; later is an error. */
  private static final long OPERATION_TIMEOUT_MILLIS = 20_000;

  /** One attempt; a region that moved is looked for anew after it. */
  private static final long RPC_TIMEOUT_MILLIS = 5_000;

  private static final int SCAN_ROWS = 2_000;

  /** Collectors' clocks are nowhere as far ahead; a row that is gone is never written again. */
  private static final long REMOVED_AHEAD_MICROS = TimeUnit.DAYS.toMicros(1);

  private final AsyncConnection connection;
  private final AsyncTable<AdvancedScanResultConsumer> table;
  private final TableName name;
  private final StoreClock clock;

  private HBaseContainerStore(AsyncConnection connection, TableName name, StoreClock clock) {
    this.connection = connection;
    this.name = name;
    this.clock = clock;
    this.table =
        connection
            .getTableBuilder(name)
            .setOperationTimeout(OPERATION_TIMEOUT_MILLIS, TimeUnit.MILLISECONDS)
            .setRpcTimeout(RPC_TIMEOUT_MILLIS, TimeUnit.MILLISECONDS)
            .setReadRpcTimeout(RPC_TIMEOUT_MILLIS, TimeUnit.MILLISECONDS)
            .setWriteRpcTimeout(RPC_TIMEOUT_MILLIS, TimeUnit.MILLISECONDS)
            .build();
  }

  /** Connects, and creates namespace and table where they are not there yet. */
  public static HBaseContainerStore open(Configuration hbase, String namespace, StoreClock clock)
      throws StoreException {
    TableName name = TableName.valueOf(namespace, ContainerTableLayout.TABLE);
    AsyncConnection connection = null;
    try {
      connection = await(ConnectionFactory.createAsyncConnection(hbase));
      AsyncAdmin admin = connection.getAdmin();
      createIfAbsent(admin, namespace, name);
      check(await(admin.getDescriptor(name)));
      return new HBaseContainerStore(connection, name, clock);
    } catch (IOException e) {
      closeQuietly(connection);
      throw e instanceof StoreException known
          ? known
          : new StoreException(
              ErrorCode.UNAVAILABLE, "Cannot open HBase table " + name + ": " + e.getMessage(), e);
    }
  }

  private static void createIfAbsent(AsyncAdmin admin, String namespace, TableName name)
      throws IOException {
    if (await(admin.tableExists(name))) {
      return;
    }
    if (!await(admin.listNamespaces()).contains(namespace)) {
      try {
        await(admin.createNamespace(NamespaceDescriptor.create(namespace).build()));
      } catch (NamespaceExistException e) {
        // another service was faster
      } catch (AccessDeniedException e) {
        // HBase's administrator makes it for us; if not, the table says so
      }
    }
    TableDescriptor descriptor =
        TableDescriptorBuilder.newBuilder(name)
            .setColumnFamily(family(STATE_FAMILY))
            .setColumnFamily(family(DEAD_BYTES_FAMILY))
            .setDurability(Durability.FSYNC_WAL)
            .setValue(FORMAT_KEY, Integer.toString(FORMAT))
            .build();
    try {
      await(admin.createTable(descriptor));
    } catch (TableExistsException e) {
      // another SCM was faster
    }
  }

  private static ColumnFamilyDescriptor family(byte[] family) {
    return ColumnFamilyDescriptorBuilder.newBuilder(family).setMaxVersions(1).build();
  }

  /** What an operator could have changed so that rows vanish or old cells show through. */
  private static void check(TableDescriptor table) throws StoreException {
    String format = table.getValue(FORMAT_KEY);
    if (format == null || !format.matches("\\d{1,6}")) {
      throw new StoreException(
          ErrorCode.FORMAT_TOO_OLD,
          "Cannot use HBase table " + table.getTableName() + ": it carries no Stowage format");
    }
    if (Integer.parseInt(format) > FORMAT) {
      throw new StoreException(
          ErrorCode.FORMAT_TOO_NEW,
          "Cannot use HBase table "
              + table.getTableName()
              + ": its format is "
              + format
              + ", this software knows up to "
              + FORMAT);
    }
    for (ColumnFamilyDescriptor family : table.getColumnFamilies()) {
      if (family.getMaxVersions() != 1
          || family.getTimeToLive() != ColumnFamilyDescriptorBuilder.DEFAULT_TTL) {
        throw new StoreException(
            ErrorCode.BAD_CONFIGURATION,
            "Cannot use HBase table "
                + table.getTableName()
                + ": family "
                + family.getNameAsString()
                + " must have VERSIONS => 1 and no TTL");
      }
    }
    if (table.getDurability() != Durability.FSYNC_WAL) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot use HBase table "
              + table.getTableName()
              + ": its DURABILITY must be FSYNC_WAL, it is "
              + table.getDurability());
    }
  }

  @Override
  public String clusterId() throws StoreException {
    byte[] value = cell(CLUSTER_ROW, CLUSTER);
    if (value == null) {
      long stamp = clock.wallMicros();
      byte[] minted = ContainerTableLayout.encodeText(stamp, UUID.randomUUID().toString());
      checkAndPut(ifAbsent(CLUSTER_ROW, CLUSTER), put(CLUSTER_ROW, CLUSTER, stamp, minted));
      value = cell(CLUSTER_ROW, CLUSTER);
    }
    return ContainerTableLayout.textOf(value);
  }

  @Override
  public LeaderEpoch raiseLeaderEpoch(String scmId, long heard) throws StoreException {
    while (true) {
      byte[] before = cell(LEADER_ROW, EPOCH);
      LeaderEpoch highest =
          before == null ? LeaderEpoch.NONE : new LeaderEpoch(ContainerTableLayout.epochOf(before));
      LeaderEpoch next = highest.next(heard);
      long stamp =
          ContainerTableLayout.nextStamp(
              before == null ? 0 : ContainerTableLayout.stampOf(before), clock.wallMicros());
      byte[] after =
          ContainerTableLayout.encodeEpoch(stamp, next.value(), scmId + " " + UUID.randomUUID());
      CheckAndMutate.Builder check =
          before == null
              ? ifAbsent(LEADER_ROW, EPOCH)
              : CheckAndMutate.newBuilder(LEADER_ROW).ifEquals(STATE_FAMILY, EPOCH, before);
      if (checkAndPut(check, put(LEADER_ROW, EPOCH, stamp, after))
          || Arrays.equals(cell(LEADER_ROW, EPOCH), after)) {
        return next;
      }
    }
  }

  @Override
  public LeaderEpoch leaderEpoch() throws StoreException {
    byte[] value = cell(LEADER_ROW, EPOCH);
    return value == null ? LeaderEpoch.NONE : new LeaderEpoch(ContainerTableLayout.epochOf(value));
  }

  @Override
  public ContainerRow read(long id) throws StoreException {
    byte[] key = ContainerTableLayout.key(id);
    byte[] value = cell(key, CONTAINER);
    return value == null ? null : ContainerTableLayout.decode(key, value);
  }

  @Override
  public Outcome write(LeaderEpoch leader, ContainerRow before, ContainerInfo after)
      throws StoreException {
    if (before != null && before.info().getLeaderEpoch() > leader.value()) {
      throw new NotLeaderException(
          "Cannot write container "
              + before.name()
              + " under "
              + leader
              + ": its row is of leader epoch "
              + before.info().getLeaderEpoch());
    }
    byte[] key = ContainerTableLayout.key(after.getId());
    ContainerRow wanted =
        ContainerTableLayout.successor(before, after, leader.value(), clock.wallMicros());
    byte[] value = ContainerTableLayout.encode(wanted);
    CheckAndMutate.Builder check =
        before == null ? ifAbsent(key, CONTAINER) : ifUnchanged(key, before);
    boolean done;
    try {
      done = checkAndPut(check, put(key, CONTAINER, wanted.stampMicros(), value));
    } catch (OutcomeUnknownException unknown) {
      if (isThere(key, value)) {
        return new Outcome.Written(wanted);
      }
      throw unknown;
    }
    if (done) {
      return new Outcome.Written(wanted);
    }
    byte[] now = cell(key, CONTAINER);
    if (Arrays.equals(now, value)) {
      return new Outcome.Written(wanted);
    }
    return new Outcome.Changed(now == null ? null : ContainerTableLayout.decode(key, now));
  }

  @Override
  public boolean remove(LeaderEpoch leader, ContainerRow row) throws StoreException {
    if (row.info().getLeaderEpoch() > leader.value()) {
      throw new NotLeaderException(
          "Cannot remove container "
              + row.name()
              + " under "
              + leader
              + ": its row is of leader epoch "
              + row.info().getLeaderEpoch());
    }
    byte[] key = ContainerTableLayout.key(row.id());
    // Above the stamps of all its cells, collectors' clocks included: nothing shows through later.
    long stamp = Math.max(row.stampMicros(), clock.wallMicros()) + REMOVED_AHEAD_MICROS;
    Delete delete = new Delete(key, stamp).setDurability(Durability.FSYNC_WAL);
    try {
      if (await(table.checkAndMutate(ifUnchanged(key, row).build(delete))).isSuccess()) {
        return true;
      }
    } catch (IOException e) {
      throw new OutcomeUnknownException(
          "Cannot tell whether container " + row.name() + " was removed: " + e.getMessage(), e);
    }
    return cell(key, CONTAINER) == null;
  }

  @Override
  public OperatorCell operatorWord() throws StoreException {
    byte[] value = cell(OPERATOR_ROW, OPERATOR);
    return value == null
        ? new OperatorCell(0, OperatorWord.getDefaultInstance())
        : new OperatorCell(
            ContainerTableLayout.stampOf(value), ContainerTableLayout.operatorWordOf(value));
  }

  @Override
  public boolean writeOperatorWord(OperatorCell before, OperatorWord after) throws StoreException {
    long stamp = ContainerTableLayout.nextStamp(before.stampMicros(), clock.wallMicros());
    byte[] value = ContainerTableLayout.encodeOperatorWord(stamp, after);
    CheckAndMutate.Builder check =
        before.stampMicros() == 0
            ? ifAbsent(OPERATOR_ROW, OPERATOR)
            : CheckAndMutate.newBuilder(OPERATOR_ROW)
                .ifEquals(
                    STATE_FAMILY,
                    OPERATOR,
                    ContainerTableLayout.encodeOperatorWord(before.stampMicros(), before.word()));
    return checkAndPut(check, put(OPERATOR_ROW, OPERATOR, stamp, value))
        || Arrays.equals(cell(OPERATOR_ROW, OPERATOR), value);
  }

  @Override
  public String hostOf(String nodeId) throws StoreException {
    byte[] value = cell(ContainerTableLayout.nodeRow(nodeId), NODE_HOST);
    return value == null ? null : ContainerTableLayout.textOf(value);
  }

  @Override
  public boolean writeHost(String nodeId, String before, String host) throws StoreException {
    byte[] row = ContainerTableLayout.nodeRow(nodeId);
    byte[] there = cell(row, NODE_HOST);
    if (!Objects.equals(before, there == null ? null : ContainerTableLayout.textOf(there))) {
      return false;
    }
    long stamp =
        ContainerTableLayout.nextStamp(
            there == null ? 0 : ContainerTableLayout.stampOf(there), clock.wallMicros());
    byte[] value = ContainerTableLayout.encodeText(stamp, host);
    CheckAndMutate.Builder check =
        there == null
            ? ifAbsent(row, NODE_HOST)
            : CheckAndMutate.newBuilder(row).ifEquals(STATE_FAMILY, NODE_HOST, there);
    return checkAndPut(check, put(row, NODE_HOST, stamp, value))
        || Arrays.equals(cell(row, NODE_HOST), value);
  }

  private boolean isThere(byte[] key, byte[] value) {
    try {
      return Arrays.equals(cell(key, CONTAINER), value);
    } catch (StoreException e) {
      return false; // as unknown as before
    }
  }

  private static CheckAndMutate.Builder ifAbsent(byte[] key, byte[] qualifier) {
    return CheckAndMutate.newBuilder(key).ifNotExists(STATE_FAMILY, qualifier);
  }

  private static CheckAndMutate.Builder ifUnchanged(byte[] key, ContainerRow before) {
    SingleColumnValueFilter samePrefix =
        new SingleColumnValueFilter(
            STATE_FAMILY,
            CONTAINER,
            CompareOperator.EQUAL,
            new BinaryPrefixComparator(ContainerTableLayout.prefix(before)));
    samePrefix.setFilterIfMissing(true);
    return CheckAndMutate.newBuilder(key).ifMatches(samePrefix);
  }

  private static Put put(byte[] key, byte[] qualifier, long stamp, byte[] value) {
    Put put = new Put(key);
    put.addColumn(STATE_FAMILY, qualifier, stamp, value);
    put.setDurability(Durability.FSYNC_WAL);
    return put;
  }

  private boolean checkAndPut(CheckAndMutate.Builder check, Put put) throws StoreException {
    try {
      return await(table.checkAndMutate(check.build(put))).isSuccess();
    } catch (IOException e) {
      throw new OutcomeUnknownException(
          "Cannot tell whether HBase table " + name + " was written: " + e.getMessage(), e);
    }
  }

  private byte[] cell(byte[] key, byte[] qualifier) throws StoreException {
    try {
      Get get = new Get(key).addColumn(STATE_FAMILY, qualifier);
      return await(table.get(get)).getValue(STATE_FAMILY, qualifier);
    } catch (IOException e) {
      throw unavailable(e);
    }
  }

  @Override
  public void scan(long afterId, long sinceMicros, Predicate<ContainerRow> more)
      throws StoreException {
    if (afterId == Long.MAX_VALUE) {
      return;
    }
    Scan scan =
        new Scan()
            .withStartRow(ContainerTableLayout.key(afterId + 1))
            .withStopRow(CONTAINERS_END)
            .addColumn(STATE_FAMILY, CONTAINER)
            .setCaching(SCAN_ROWS);
    try {
      if (sinceMicros > 0) {
        scan.setTimeRange(sinceMicros, Long.MAX_VALUE);
      }
      try (ResultScanner results = table.getScanner(scan)) {
        for (Result result = results.next(); result != null; result = results.next()) {
          byte[] value = result.getValue(STATE_FAMILY, CONTAINER);
          if (!more.test(ContainerTableLayout.decode(result.getRow(), value))) {
            return;
          }
        }
      }
    } catch (IOException e) {
      throw e instanceof StoreException known ? known : unavailable(e);
    }
  }

  @Override
  public void addDeadBytes(long id, ByteString run, long bytes) throws StoreException {
    byte[] key = ContainerTableLayout.key(id);
    byte[] qualifier = run.toByteArray();
    Put put =
        new Put(key)
            .addColumn(
                DEAD_BYTES_FAMILY,
                qualifier,
                clock.wallMicros(),
                ByteBuffer.allocate(Long.BYTES).putLong(bytes).array());
    checkAndPut(CheckAndMutate.newBuilder(key).ifNotExists(DEAD_BYTES_FAMILY, qualifier), put);
  }

  @Override
  public void scanDeadBytes(long sinceMicros, DeadBytesTaker take) throws StoreException {
    Scan scan =
        new Scan().withStopRow(CONTAINERS_END).addFamily(DEAD_BYTES_FAMILY).setCaching(SCAN_ROWS);
    try {
      if (sinceMicros > 0) {
        scan.setTimeRange(sinceMicros, Long.MAX_VALUE);
      }
      try (ResultScanner results = table.getScanner(scan)) {
        for (Result result = results.next(); result != null; result = results.next()) {
          Result all =
              sinceMicros == 0
                  ? result
                  : await(table.get(new Get(result.getRow()).addFamily(DEAD_BYTES_FAMILY)));
          long sum = 0;
          for (Cell cell : all.rawCells()) {
            sum += Bytes.toLong(cell.getValueArray(), cell.getValueOffset(), Long.BYTES);
          }
          take.take(Bytes.toLong(result.getRow()), sum, all.rawCells().length);
        }
      }
    } catch (IOException e) {
      throw e instanceof StoreException known ? known : unavailable(e);
    }
  }

  @Override
  public int foldDeadBytes(long id, long beforeMicros) throws StoreException {
    byte[] key = ContainerTableLayout.key(id);
    try {
      Result row = await(table.get(new Get(key).addFamily(DEAD_BYTES_FAMILY)));
      byte[] folded = row.getValue(DEAD_BYTES_FAMILY, FOLDED_BYTES);
      long sum = 0;
      long stamp = 0;
      Delete runs = new Delete(key).setDurability(Durability.FSYNC_WAL);
      int count = 0;
      for (Cell cell : row.rawCells()) {
        boolean isRun = !CellUtil.matchingQualifier(cell, FOLDED_BYTES);
        if (isRun && cell.getTimestamp() >= beforeMicros) {
          continue;
        }
        sum += Bytes.toLong(cell.getValueArray(), cell.getValueOffset(), Long.BYTES);
        stamp = Math.max(stamp, cell.getTimestamp() + 1);
        if (isRun) {
          runs.addColumns(DEAD_BYTES_FAMILY, CellUtil.cloneQualifier(cell), cell.getTimestamp());
          count++;
        }
      }
      if (count < 2) {
        return 0;
      }
      Put put =
          new Put(key)
              .addColumn(DEAD_BYTES_FAMILY, FOLDED_BYTES, stamp, Bytes.toBytes(sum))
              .setDurability(Durability.FSYNC_WAL);
      CheckAndMutate.Builder check =
          folded == null
              ? CheckAndMutate.newBuilder(key).ifNotExists(DEAD_BYTES_FAMILY, FOLDED_BYTES)
              : CheckAndMutate.newBuilder(key).ifEquals(DEAD_BYTES_FAMILY, FOLDED_BYTES, folded);
      RowMutations both = RowMutations.of(List.of(put, runs));
      return await(table.checkAndMutate(check.build(both))).isSuccess() ? count : 0;
    } catch (IOException e) {
      // Done or not: a hint is at stake, and whoever folds next goes by what is there.
      throw unavailable(e);
    }
  }

  private StoreException unavailable(IOException e) {
    return new StoreException(
        ErrorCode.UNAVAILABLE, "Cannot read HBase table " + name + ": " + e.getMessage(), e);
  }

  private static <T> T await(CompletableFuture<T> reply) throws IOException {
    try {
      // The client's own timeouts end the call; the margin only guards against a client that died.
      return reply.get(2 * OPERATION_TIMEOUT_MILLIS, TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      throw e.getCause() instanceof IOException io ? io : new IOException(e.getCause());
    } catch (TimeoutException e) {
      throw new IOException("no answer within " + 2 * OPERATION_TIMEOUT_MILLIS + " ms", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  @Override
  public void close() {
    closeQuietly(connection);
  }

  private static void closeQuietly(Closeable closeable) {
    try {
      if (closeable != null) {
        closeable.close();
      }
    } catch (IOException e) {
      // Nothing is buffered here; the sockets are gone either way.
    }
  }
}

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
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.common.proto.DeleteObjectsRequest;
import io.stowage.common.proto.DeletedObject;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.ListVersionsReply;
import io.stowage.common.proto.ListVersionsRequest;
import io.stowage.common.proto.ObjectToDelete;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.Versioning;
import io.stowage.common.time.StoreClock;
import io.stowage.om.table.Cell;
import io.stowage.om.table.Check;
import io.stowage.om.table.Column;
import io.stowage.om.table.ForwardingRowStore;
import io.stowage.om.table.HBaseFixture;
import io.stowage.om.table.Head;
import io.stowage.om.table.HeadState;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import io.stowage.om.table.RowChange;
import io.stowage.om.table.RowStore;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;

/**
 * What a key with very many versions costs, against one with ten: calls, cells and bytes that come
 * back, and blocks of files that the region server reads for them. With {@code
 * -Dstowage.test.versions=1000000} as many as a key may have; times are printed, and decide
 * nothing.
 */
class ManyVersionsTest {
  private static final int MANY = Integer.getInteger("stowage.test.versions", 5_000);
  private static final int FEW = 10;
  private static final int PAGE = 10;
  private static final String NAMESPACE = "versions";

  /** Each operation so often: the least is taken, since others use the same server. */
  private static final int COUNTED = 5;

  private static final int TIMED = MANY > 100_000 ? 300 : 20;

  /** What an operation cost. */
  private record Cost(long calls, long cells, long bytes, long blocks) {
    Cost least(Cost other) {
      return new Cost(
          Math.min(calls, other.calls),
          Math.min(cells, other.cells),
          Math.min(bytes, other.bytes),
          Math.min(blocks, other.blocks));
    }
  }

  /** The same table, with calls and what they answer counted. */
  private static final class Counted extends ForwardingRowStore {
    private long calls;
    private long cells;
    private long bytes;

    Counted(RowStore inner) {
      super(inner);
    }

    Cost cost() {
      return new Cost(calls, cells, bytes, HBaseFixture.blocksRead());
    }

    private Row count(Row row) {
      cells += row.cells().size();
      for (Cell cell : row.cells()) {
        bytes += cell.column().qualifier().size() + cell.value().size();
      }
      return row;
    }

    @Override
    public boolean checkAndMutate(ByteString row, Check check, RowChange change, Duration timeout)
        throws IOException {
      calls++;
      cells += change.puts().size() + change.deletes().size();
      return super.checkAndMutate(row, check, change, timeout);
    }

    @Override
    public Row get(ByteString row, List<Column> columns) throws IOException {
      calls++;
      return count(super.get(row, columns));
    }

    @Override
    public Row getRange(ByteString row, char family, ByteString from, ByteString to, int limit)
        throws IOException {
      calls++;
      return count(super.getRange(row, family, from, to, limit));
    }

    @Override
    public List<Row> scanFirst(
        ByteString from, ByteString to, String families, int perFamily, int limit)
        throws IOException {
      calls++;
      List<Row> rows = super.scanFirst(from, to, families, perFamily, limit);
      rows.forEach(this::count);
      return rows;
    }

    @Override
    public List<Row> scanHeads(
        ByteString from,
        ByteString to,
        Set<HeadState> unwanted,
        String families,
        int perFamily,
        int limit)
        throws IOException {
      calls++;
      List<Row> rows = super.scanHeads(from, to, unwanted, families, perFamily, limit);
      rows.forEach(this::count);
      return rows;
    }

    @Override
    public List<Row> scan(
        ByteString from, ByteString to, char family, ByteString qualifierPrefix, int limit)
        throws IOException {
      calls++;
      List<Row> rows = super.scan(from, to, family, qualifierPrefix, limit);
      rows.forEach(this::count);
      return rows;
    }
  }

  /**
   * Takes the changes of puts of one row, and writes what is left of them when all is collected:
   * the versions, many in one mutation, and at last the head. Confined to one thread.
   */
  private static final class Filling extends ForwardingRowStore {
    private static final int BATCH = 1_000;

    private final ByteString row;
    private Cell head;
    private RowChange last;
    private Map<Column, ByteString> versions = new LinkedHashMap<>();

    Filling(RowStore inner, ByteString row) {
      super(inner);
      this.row = row;
    }

    @Override
    public Row get(ByteString key, List<Column> columns) {
      assertEquals(row, key);
      return new Row(row, head == null ? List.of() : List.of(head));
    }

    @Override
    public boolean checkAndMutate(ByteString key, Check check, RowChange change, Duration timeout)
        throws IOException {
      assertEquals(row, key);
      assertTrue(check.holds(get(key, List.of())));
      for (Map.Entry<Column, ByteString> put : change.puts().entrySet()) {
        if (put.getKey().family() == 'v') {
          versions.put(put.getKey(), put.getValue());
        }
      }
      head =
          new Cell(ObjectRowLayout.HEAD, change.stamp(), change.puts().get(ObjectRowLayout.HEAD));
      last = change;
      if (versions.size() >= BATCH) {
        write();
      }
      return true;
    }

    private void write() throws IOException {
      RowChange all = new RowChange(last.stamp());
      versions.forEach(all::put);
      inner.mutate(row, all, Duration.ofSeconds(60));
      versions = new LinkedHashMap<>();
    }

    void end() throws IOException {
      if (!versions.isEmpty()) {
        write();
      }
      inner.mutate(
          row,
          new RowChange(head.stamp()).put(ObjectRowLayout.HEAD, head.value()),
          Duration.ofSeconds(60));
    }
  }

  private TestOm om;
  private String bucket;

  private void fill(TestOm.Tables tables, String key, int count) throws Exception {
    Filling filling = new Filling(tables.objects(), row(key));
    TestOm quick =
        new TestOm(tables.withObjects(filling), new FakeContainers(), StoreClock.system());
    for (int i = 0; i < count; i++) {
      quick.put(bucket, key, "version " + i);
    }
    filling.end();
  }

  private ByteString row(String key) throws StoreException {
    return ObjectRowLayout.row(om.bucketId(bucket), key);
  }

  private void createBucket() throws StoreException {
    bucket = "many" + System.nanoTime();
    om.om.createBucket(
        CreateBucketRequest.newBuilder()
            .setName(bucket)
            .setOwner("owner")
            .setVersioning(Versioning.ENABLED)
            .setWriteId(WriteId.random())
            .build());
  }

  private ObjectVersion get(String key, long id) throws StoreException {
    return om.om
        .getObject(
            GetObjectRequest.newBuilder()
                .setBucket(bucket)
                .setKey(key)
                .setVersionId(id)
                .setWantManifest(true)
                .build())
        .getVersion();
  }

  private DeletedObject delete(String key, long id) throws StoreException {
    return om.om
        .deleteObjects(
            DeleteObjectsRequest.newBuilder()
                .setBucket(bucket)
                .addObjects(
                    ObjectToDelete.newBuilder()
                        .setKey(key)
                        .setVersionId(id)
                        .setWriteId(WriteId.random()))
                .build())
        .getObjects(0);
  }

  private ListVersionsReply list(String key, int limit, long marker) throws StoreException {
    ListVersionsRequest.Builder request =
        ListVersionsRequest.newBuilder().setBucket(bucket).setPrefix(key).setLimit(limit);
    if (marker != 0) {
      request.setKeyMarker(key).setVersionIdMarker(marker);
    }
    return om.om.listVersions(request.build());
  }

  private interface Act {
    void on(String key) throws Exception;
  }

  /** What is measured, and what is done before and after it, so that a key has what it had. */
  private record Operation(String name, Act before, Act act, Act after) {}

  /** Ids of versions of each key: of its oldest, and of one from the middle of a page. */
  private final Map<String, Long> oldest = new LinkedHashMap<>();

  private final Map<String, Long> middle = new LinkedHashMap<>();

  private List<Operation> operations() {
    Act nothing = key -> {};
    Act put = key -> om.put(bucket, key, "one more");
    Act deleteNewest =
        key ->
            assertEquals(
                0,
                delete(key, list(key, 1, 0).getVersions(0).getVersion().getVersionId())
                    .getErrorCode());
    return List.of(
        new Operation("put", nothing, put, deleteNewest),
        new Operation("get the current one", nothing, key -> get(key, 0), nothing),
        new Operation("get the oldest", nothing, key -> get(key, oldest.get(key)), nothing),
        new Operation("get one by its id", nothing, key -> get(key, middle.get(key)), nothing),
        new Operation("list one, delete it", put, deleteNewest, nothing),
        new Operation(
            "list the first page",
            nothing,
            key -> assertEquals(PAGE, list(key, PAGE, 0).getVersionsCount()),
            nothing),
        new Operation(
            "list another page", nothing, key -> list(key, PAGE, middle.get(key)), nothing),
        new Operation("mark as deleted", nothing, key -> delete(key, 0), deleteNewest));
  }

  @Test
  void aKeyWithVeryManyVersionsCostsLessThanThriceWhatOneWithTenCosts() throws Exception {
    TestOm.Tables tables = TestOm.onHBase(NAMESPACE);
    Counted counted = new Counted(tables.objects());
    om = new TestOm(tables.withObjects(counted), new FakeContainers(), StoreClock.system());
    createBucket();
    long begin = System.nanoTime();
    fill(tables, "few", FEW);
    fill(tables, "many", MANY);
    long filled = System.nanoTime();
    HBaseFixture.compact(NAMESPACE + ":" + ObjectRowLayout.TABLE);
    System.out.printf(
        "ManyVersions: %,d versions: filled in %,d ms, flushed and compacted in %,d ms%n",
        MANY, (filled - begin) / 1_000_000, (System.nanoTime() - filled) / 1_000_000);
    for (String key : List.of("few", "many")) {
      long count = key.equals("few") ? FEW : MANY;
      Row older =
          tables
              .objects()
              .getRange(
                  row(key),
                  'v',
                  ByteString.EMPTY,
                  ObjectRowLayout.BEHIND_OLDER,
                  (int) Math.min(count, 2_000));
      middle.put(key, Head.parse(older.cells().get(older.cells().size() / 2).value()).versionId());
      oldest.put(key, oldest(tables.objects(), key, count));
    }
    operations().forEach(this::count);
    operations().forEach(this::time);
  }

  /** By pages of the lowest ids, from one that is too low. */
  private long oldest(RowStore objects, String key, long count) throws Exception {
    Head head =
        Head.parse(objects.get(row(key), List.of(ObjectRowLayout.HEAD)).cells().get(0).value());
    assertEquals(count - 1, head.record().getOlderCount());
    ByteString from = ByteString.EMPTY;
    Cell last = null;
    long seen = 0;
    while (true) {
      List<Cell> page =
          objects.getRange(row(key), 'v', from, ObjectRowLayout.BEHIND_OLDER, 10_000).cells();
      seen += page.size();
      if (page.isEmpty()) {
        assertEquals(count - 1, seen);
        return Head.parse(last.value()).versionId();
      }
      last = page.get(page.size() - 1);
      from = ObjectRowLayout.behind(last.column().qualifier());
    }
  }

  private void count(Operation operation) {
    String name = operation.name();
    Cost few = cost(operation, "few");
    Cost many = cost(operation, "many");
    System.out.printf("ManyVersions: %s: of %d %s, of %,d %s%n", name, FEW, few, MANY, many);
    assertTrue(many.calls() <= few.calls(), name + ": calls");
    assertTrue(many.cells() <= 3 * few.cells(), name + ": cells");
    assertTrue(many.bytes() <= 3 * few.bytes(), name + ": bytes");
    assertTrue(many.blocks() <= 3 * few.blocks(), name + ": blocks");
  }

  private Cost cost(Operation operation, String key) {
    Counted counted = (Counted) om.objects;
    Cost least = new Cost(Long.MAX_VALUE, Long.MAX_VALUE, Long.MAX_VALUE, Long.MAX_VALUE);
    for (int i = 0; i < COUNTED; i++) {
      run(operation.before(), key);
      Cost before = counted.cost();
      run(operation.act(), key);
      Cost after = counted.cost();
      run(operation.after(), key);
      least =
          least.least(
              new Cost(
                  after.calls() - before.calls(),
                  after.cells() - before.cells(),
                  after.bytes() - before.bytes(),
                  after.blocks() - before.blocks()));
    }
    return least;
  }

  private void time(Operation operation) {
    long[] few = new long[TIMED];
    long[] many = new long[TIMED];
    for (int i = 0; i < TIMED; i++) { // in turns, so that both have the same machine
      few[i] = nanos(operation, "few");
      many[i] = nanos(operation, "many");
    }
    Arrays.sort(few);
    Arrays.sort(many);
    System.out.printf(
        "ManyVersions: %s: median of %d versions %,d µs, of %,d %,d µs: ratio %.2f%n",
        operation.name(),
        FEW,
        few[TIMED / 2] / 1_000,
        MANY,
        many[TIMED / 2] / 1_000,
        (double) many[TIMED / 2] / few[TIMED / 2]);
  }

  private static long nanos(Operation operation, String key) {
    run(operation.before(), key);
    long begin = System.nanoTime();
    run(operation.act(), key);
    long nanos = System.nanoTime() - begin;
    run(operation.after(), key);
    return nanos;
  }

  private static void run(Act act, String key) {
    try {
      act.on(key);
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  /**
   * The head says how many there are, and who commits goes by it: so the limit needs no million.
   */
  @Test
  void beyondTheLimitNothingIsAddedAndWhatIsThereStays() throws Exception {
    TestOm.Tables tables = TestOm.Tables.inMemory();
    om = new TestOm(tables, new FakeContainers(), StoreClock.system());
    createBucket();
    List<Long> ids = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      ids.add(om.put(bucket, "full", "version " + i).getVersionId());
    }
    Head head = Head.parse(om.objects.getFamilies(row("full"), "c").value(ObjectRowLayout.HEAD));
    Head full =
        head.with(head.stamp() + 1, head.record().toBuilder().setOlderCount(1_000_000).build());
    om.objects.mutate(
        row("full"),
        new RowChange(full.stamp()).put(ObjectRowLayout.HEAD, full.cell()),
        Duration.ofSeconds(1));
    StoreException refused =
        assertThrows(StoreException.class, () -> om.put(bucket, "full", "one too many"));
    assertEquals(ErrorCode.TOO_MANY_VERSIONS, refused.code());
    assertTrue(refused.getMessage().contains("full: it has 1000001"), refused.getMessage());
    DeletedObject unmarked = delete("full", 0);
    assertEquals(ErrorCode.TOO_MANY_VERSIONS.number(), unmarked.getErrorCode());
    ByteString upload = om.createUpload(bucket, "full");
    om.putPart(bucket, "full", upload, 1, "part", 1);
    assertEquals(
        ErrorCode.TOO_MANY_VERSIONS,
        assertThrows(
                StoreException.class,
                () ->
                    om.om.completeUpload(
                        TestOm.completeRequest(bucket, "full", upload, TestOm.named(1, "part"))
                            .build()))
            .code());
    om.put(bucket, "source", "renamed");
    assertEquals(
        ErrorCode.TOO_MANY_VERSIONS,
        assertThrows(StoreException.class, () -> om.rename(bucket, "source", "full", true)).code());
    assertEquals(TestOm.md5("version 2"), get("full", 0).getMd5());
    assertEquals(0, delete("full", ids.get(0)).getErrorCode());
    om.put(bucket, "full", "room again");
    assertEquals(TestOm.md5("room again"), get("full", 0).getMd5());
    assertEquals(TestOm.md5("version 2"), get("full", ids.get(2)).getMd5());
  }
}

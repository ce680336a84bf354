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
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.id.WriteId;
import io.stowage.common.proto.HeadRecord;
import io.stowage.common.proto.ListObjectsReply;
import io.stowage.common.proto.ListUploadsReply;
import io.stowage.common.proto.ListUploadsRequest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.UploadInfo;
import io.stowage.common.time.StoreClock;
import io.stowage.om.table.Head;
import io.stowage.om.table.HeadState;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import io.stowage.om.table.RowChange;
import io.stowage.om.table.RowStore;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;

/**
 * Listings against a simple model, and what they read, in rows: what a page skips costs nothing. In
 * memory; with {@code -Dstowage.test.listed-keys=1000000} in HBase, and the times are printed.
 */
class ListingTest {
  private static final int KEYS = Integer.getInteger("stowage.test.listed-keys", 0);
  private static final int RUNS = Integer.getInteger("stowage.test.runs", 1);
  private static final int THREADS = 32;

  static final Comparator<String> ORDER =
      Comparator.comparing(
          ByteString::copyFromUtf8, ByteString.unsignedLexicographicalComparator());

  /** Few letters, so that prefixes and delimiters are met often; some outside ASCII and the BMP. */
  private static final String[] LETTERS = {"a", "b", "/", "//", "-", "é", "😀", "\uFFFD", " "};

  static final String[] DELIMITERS = {"/", "//", "-", "a", "ab", "é", "😀", "/é", "%", " "};

  private final AtomicLong scans = new AtomicLong();
  private final AtomicLong rowsRead = new AtomicLong();

  /** The same table, with scans and the rows that they answer counted. */
  private RowStore counted(RowStore inner) {
    return (RowStore)
        Proxy.newProxyInstance(
            RowStore.class.getClassLoader(),
            new Class<?>[] {RowStore.class},
            (proxy, method, arguments) -> {
              try {
                Object answer = method.invoke(inner, arguments);
                if (method.getName().startsWith("scan")) {
                  scans.incrementAndGet();
                  rowsRead.addAndGet(((List<?>) answer).size());
                }
                return answer;
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  private TestOm counting(TestOm.Tables tables) {
    return new TestOm(
        tables.withObjects(counted(tables.objects())), new FakeContainers(), StoreClock.system());
  }

  static String text(Random random, int most) {
    StringBuilder text = new StringBuilder();
    for (int i = random.nextInt(most + 1); i > 0; i--) {
      text.append(LETTERS[random.nextInt(LETTERS.length)]);
    }
    return text.toString();
  }

  // ---- the model

  /** All that a listing answers, in order: keys, and common prefixes with a bar before them. */
  private static List<String> model(
      Set<String> keys, String prefix, String delimiter, String after) {
    boolean afterIsGroup =
        !delimiter.isEmpty()
            && after.startsWith(prefix)
            && after.indexOf(delimiter, prefix.length()) >= 0
            && after.indexOf(delimiter, prefix.length()) + delimiter.length() == after.length();
    List<String> entries = new ArrayList<>();
    for (String key : keys) {
      boolean passed =
          (!after.isEmpty() && ORDER.compare(key, after) <= 0)
              || (afterIsGroup && key.startsWith(after));
      if (!key.startsWith(prefix) || passed) {
        continue;
      }
      int cut = delimiter.isEmpty() ? -1 : key.indexOf(delimiter, prefix.length());
      String entry = cut < 0 ? key : "|" + key.substring(0, cut + delimiter.length());
      if (entries.isEmpty() || !entries.get(entries.size() - 1).equals(entry)) {
        entries.add(entry);
      }
    }
    return entries;
  }

  private static List<String> entries(ListObjectsReply reply) {
    List<String> entries = new ArrayList<>();
    reply.getObjectsList().forEach(version -> entries.add(version.getKey()));
    reply.getCommonPrefixesList().forEach(common -> entries.add("|" + common));
    entries.sort(Comparator.comparing(ListingTest::bare, ORDER));
    return entries;
  }

  static String bare(String entry) {
    return entry.startsWith("|") ? entry.substring(1) : entry;
  }

  @Test
  void listsAsTheModelDoesWhateverPrefixDelimiterAndMarker() throws Exception {
    long seed = System.nanoTime();
    for (int run = 0; run < RUNS; run++) {
      Random random = new Random(seed + run);
      TestOm om = TestOm.inMemory();
      om.createBucket("model");
      TreeSet<String> keys = new TreeSet<>(ORDER);
      for (int i = 0; i < 150; i++) {
        String key = text(random, 8);
        if (!key.isEmpty() && keys.add(key)) {
          om.put("model", key, "x");
          if (random.nextInt(8) == 0) {
            om.delete("model", key);
            keys.remove(key);
          }
        }
      }
      for (int i = 0; i < 300; i++) {
        String prefix = text(random, 2);
        String delimiter =
            random.nextInt(4) == 0 ? "" : DELIMITERS[random.nextInt(DELIMITERS.length)];
        String after = random.nextInt(3) == 0 ? "" : prefix + text(random, 3);
        int limit = random.nextInt(3) == 0 ? 1 : 1 + random.nextInt(40);
        String what =
            "seed %d, prefix '%s', delimiter '%s', after '%s', limit %d"
                .formatted(seed + run, prefix, delimiter, after, limit);
        List<String> expected = model(keys, prefix, delimiter, after);
        List<String> listed = new ArrayList<>();
        ListObjectsReply page = om.list("model", prefix, delimiter, after, limit);
        while (true) {
          List<String> entries = entries(page);
          assertTrue(entries.size() <= limit, what);
          listed.addAll(entries);
          if (!page.getMore()) {
            break;
          }
          assertEquals(limit, entries.size(), what);
          assertEquals(bare(entries.get(limit - 1)), page.getLast(), what);
          page = om.list("model", prefix, delimiter, page.getLast(), limit);
        }
        assertEquals(expected, listed, what);
      }
    }
  }

  @Test
  void listsUploadsAsTheModelDoes() throws Exception {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    TestOm om = TestOm.inMemory();
    om.createBucket("uploads");
    TreeSet<String> keys = new TreeSet<>(ORDER);
    List<String> all = new ArrayList<>();
    for (int i = 0; i < 120; i++) {
      String key = text(random, 6);
      if (key.isEmpty()) {
        continue;
      }
      keys.add(key);
      for (int twice = random.nextInt(3); twice >= 0; twice--) {
        om.createUpload("uploads", key);
        all.add(key);
      }
    }
    for (int i = 0; i < 200; i++) {
      String prefix = text(random, 2);
      String delimiter =
          random.nextInt(3) == 0 ? "" : DELIMITERS[random.nextInt(DELIMITERS.length)];
      int limit = 1 + random.nextInt(20);
      String what =
          "seed %d, prefix '%s', delimiter '%s', limit %d"
              .formatted(seed, prefix, delimiter, limit);
      List<String> expected = new ArrayList<>();
      for (String entry : model(keys, prefix, delimiter, "")) {
        long times = entry.startsWith("|") ? 1 : all.stream().filter(entry::equals).count();
        for (long n = 0; n < times; n++) {
          expected.add(entry);
        }
      }
      List<String> listed = new ArrayList<>();
      TreeSet<String> ids = new TreeSet<>();
      ListUploadsRequest.Builder request =
          ListUploadsRequest.newBuilder()
              .setBucket("uploads")
              .setPrefix(prefix)
              .setDelimiter(delimiter)
              .setLimit(limit);
      while (true) {
        ListUploadsReply page = om.om.listUploads(request.build());
        List<String> entries = new ArrayList<>();
        for (UploadInfo upload : page.getUploadsList()) {
          assertTrue(ids.add(WriteId.toHex(upload.getUploadId())), what);
          entries.add(upload.getKey());
        }
        page.getCommonPrefixesList().forEach(common -> entries.add("|" + common));
        entries.sort(Comparator.comparing(ListingTest::bare, ORDER));
        listed.addAll(entries);
        if (!page.getMore()) {
          break;
        }
        assertEquals(limit, entries.size(), what);
        String last = entries.get(limit - 1);
        request.setKeyMarker(bare(last)).setUploadIdMarker(ByteString.EMPTY);
        if (!last.startsWith("|")) {
          request.setUploadIdMarker(page.getUploads(page.getUploadsCount() - 1).getUploadId());
        }
      }
      assertEquals(expected, listed, what);
    }
  }

  // ---- what it reads

  @Test
  void aPageReadsWhatItListsAndOneRowMore() throws Exception {
    TestOm om = counting(TestOm.Tables.inMemory());
    om.createBucket("pages");
    for (int i = 0; i < 5_000; i++) {
      om.put("pages", "key-%05d".formatted(i), "x");
    }
    assertReads(1, 1_001, () -> om.list("pages", "", "", "", 1_000));
    assertReads(1, 1_001, () -> om.list("pages", "", "", "key-03333", 1_000));
    assertReads(1, 11, () -> om.list("pages", "key-04", "", "", 10));
    assertReads(1, 1_000, () -> om.list("pages", "key-04", "", "", 1_000));
    assertReads(1, 0, () -> om.list("pages", "nothing", "/", "", 1_000));
  }

  @Test
  void whatLiesUnderACommonPrefixIsNotRead() throws Exception {
    TestOm om = counting(TestOm.Tables.inMemory());
    om.createBucket("prefixes");
    for (int directory = 0; directory < 20; directory++) {
      for (int i = 0; i < 1_000; i++) {
        om.put("prefixes", "dir-%02d/%04d".formatted(directory, i), "x");
      }
    }
    // The first scan finds that prefixes are deep; from then on two rows each, and a scan to see
    // that there are no more.
    assertReads(21, 16 + 19 * 2, () -> om.list("prefixes", "", "/", "", 1_000));
    assertReads(11, 16 + 10 * 2, () -> om.list("prefixes", "", "/", "", 10));
    assertReads(11, 16 + 9 * 2, () -> om.list("prefixes", "", "/", "dir-09/", 10));
  }

  private interface Call {
    void run() throws Exception;
  }

  private void assertReads(int mostScans, int mostRows, Call call) throws Exception {
    scans.set(0);
    rowsRead.set(0);
    call.run();
    assertTrue(scans.get() > 0, "nothing was counted");
    assertTrue(scans.get() <= mostScans, scans + " scans, more than " + mostScans);
    assertTrue(rowsRead.get() <= mostRows, rowsRead + " rows, more than " + mostRows);
  }

  // ---- the large ones

  @Test
  void aMillionKeysAndAHundredThousandPrefixes() throws Exception {
    int keys = KEYS == 0 ? 10_000 : KEYS;
    int prefixes = keys / 10;
    TestOm.Tables tables = KEYS == 0 ? TestOm.Tables.inMemory() : TestOm.onHBase("listing");
    TestOm om = counting(tables);
    String bucket = "large" + System.nanoTime();
    om.createBucket(bucket);
    long id = om.bucketId(bucket);
    // Half under one prefix, half spread over others, ten keys each; and some of a hundred keys.
    fill(tables.objects(), id, keys, i -> "one/%09d".formatted(i));
    fill(tables.objects(), id, keys, i -> "many/%06d/%d".formatted(i / 10, i % 10));
    fill(tables.objects(), id, prefixes, i -> "deep/%06d/%02d".formatted(i / 100, i % 100));
    walk("%,d keys under one prefix".formatted(keys), om, bucket, "one/", "", keys, 1.01);
    // A scan of 16 rows finds one prefix of ten keys, and often the next.
    walk("%,d common prefixes".formatted(prefixes), om, bucket, "many/", "/", prefixes, 16);
    walk("prefixes of a hundred keys", om, bucket, "deep/", "/", prefixes / 100, 20);
    walk("three common prefixes", om, bucket, "", "/", 3, 16);
  }

  private void walk(
      String what,
      TestOm om,
      String bucket,
      String prefix,
      String delimiter,
      int entries,
      double rowsEach)
      throws Exception {
    scans.set(0);
    rowsRead.set(0);
    long begin = System.nanoTime();
    String after = "";
    long slowest = 0;
    int listed = 0;
    while (true) {
      long pageBegin = System.nanoTime();
      ListObjectsReply page = om.list(bucket, prefix, delimiter, after, 1_000);
      slowest = Math.max(slowest, System.nanoTime() - pageBegin);
      listed += page.getObjectsCount() + page.getCommonPrefixesCount();
      if (!page.getMore()) {
        break;
      }
      after = page.getLast();
    }
    System.out.printf(
        "Listing: %s: %,d ms, slowest page %,d ms; %,d scans, %,d rows read%n",
        what,
        (System.nanoTime() - begin) / 1_000_000,
        slowest / 1_000_000,
        scans.get(),
        rowsRead.get());
    assertEquals(entries, listed, what);
    assertTrue(rowsRead.get() >= entries, rowsRead + " rows counted for " + what);
    assertTrue(rowsRead.get() <= entries * rowsEach + 32, rowsRead + " rows read for " + what);
  }

  private interface Name {
    String of(int number);
  }

  /** Writes heads straight into the table: what an upload of a million objects leaves. */
  private static void fill(RowStore table, long bucketId, int count, Name name) throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(THREADS);
    try {
      List<Future<?>> running = new ArrayList<>();
      for (int thread = 0; thread < THREADS; thread++) {
        int first = thread;
        running.add(
            threads.submit(
                () -> {
                  for (int i = first; i < count; i += THREADS) {
                    ByteString row = ObjectRowLayout.row(bucketId, name.of(i));
                    long stamp = StoreClock.system().wallMicros();
                    Head head =
                        Head.of(
                            stamp,
                            WriteId.random(),
                            HeadState.LIVE,
                            HeadRecord.newBuilder()
                                .setVersion(
                                    ObjectVersion.newBuilder()
                                        .setVersionId(stamp)
                                        .setMd5(TestOm.md5("x")))
                                .build());
                    table.mutate(
                        row,
                        new RowChange(stamp).put(ObjectRowLayout.HEAD, head.cell()),
                        Duration.ofSeconds(60));
                  }
                  return null;
                }));
      }
      for (Future<?> one : running) {
        one.get();
      }
    } finally {
      threads.shutdownNow();
    }
  }

  @Test
  void countsWhatItScans() throws Exception {
    TestOm om = counting(TestOm.Tables.inMemory());
    om.createBucket("counted");
    om.put("counted", "a", "x");
    scans.set(0);
    rowsRead.set(0);
    List<Row> rows =
        om.objects.scan(
            ObjectRowLayout.row(om.bucketId("counted"), ""),
            ObjectRowLayout.END,
            'c',
            ObjectRowLayout.HEAD.qualifier(),
            10);
    assertEquals(1, rows.size());
    assertEquals(1, scans.get());
    assertEquals(1, rowsRead.get());
  }
}

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
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.id.WriteId;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.common.proto.DeleteObjectsRequest;
import io.stowage.common.proto.DeletedObject;
import io.stowage.common.proto.ListVersionsReply;
import io.stowage.common.proto.ListVersionsRequest;
import io.stowage.common.proto.ListedVersion;
import io.stowage.common.proto.ObjectToDelete;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.Versioning;
import io.stowage.om.table.Head;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** Listings of versions against a simple model: prefixes, delimiters, both markers, page sizes. */
class VersionListingTest {
  private static final int RUNS = Integer.getInteger("stowage.test.runs", 1);
  private static final String BUCKET = "versions";

  /** A version or delete marker of a key, as the model has it. */
  private record Version(long id, boolean versioned, boolean marker) {
    static Version of(ObjectVersion told) {
      return new Version(told.getVersionId(), told.getVersioned(), told.getDeleteMarker());
    }

    String line(String key, boolean latest) {
      return key
          + " "
          + id
          + (versioned ? "" : " null")
          + (marker ? " marker" : "")
          + (latest ? " latest" : "");
    }
  }

  /** One entry of a listing: a version, or a common prefix. */
  private record Entry(String key, String line) {}

  private final TestOm om = TestOm.inMemory();

  /** Newest first, of keys in order. */
  private final TreeMap<String, List<Version>> model = new TreeMap<>(ListingTest.ORDER);

  private void set(Versioning versioning) throws Exception {
    om.setVersioning(BUCKET, versioning);
  }

  private DeletedObject delete(String key, long id) throws Exception {
    DeletedObject deleted =
        om.om
            .deleteObjects(
                DeleteObjectsRequest.newBuilder()
                    .setBucket(BUCKET)
                    .addObjects(
                        ObjectToDelete.newBuilder()
                            .setKey(key)
                            .setVersionId(id)
                            .setWriteId(WriteId.random()))
                    .build())
            .getObjects(0);
    assertEquals(0, deleted.getErrorCode(), deleted.getErrorMessage());
    return deleted;
  }

  private void change(Random random, List<String> keys) throws Exception {
    String key = keys.get(random.nextInt(keys.size()));
    List<Version> versions = model.computeIfAbsent(key, any -> new ArrayList<>());
    int what = random.nextInt(10);
    if (what < 3 && !versions.isEmpty()) {
      delete(key, versions.remove(random.nextInt(versions.size())).id());
    } else {
      ObjectVersion made = what < 5 ? delete(key, 0).getVersion() : om.put(BUCKET, key, "content");
      if (!made.getVersioned()) {
        versions.removeIf(version -> !version.versioned());
      }
      versions.add(0, Version.of(made));
    }
    if (versions.isEmpty()) {
      model.remove(key);
    }
  }

  // ---- the model

  private List<Entry> entries(String prefix, String delimiter, String keyMarker, long idMarker) {
    List<Entry> entries = new ArrayList<>();
    for (Map.Entry<String, List<Version>> one : model.entrySet()) {
      String key = one.getKey();
      if (!key.startsWith(prefix)) {
        continue;
      }
      int cut = delimiter.isEmpty() ? -1 : key.indexOf(delimiter, prefix.length());
      String common = cut < 0 ? null : key.substring(0, cut + delimiter.length());
      boolean isMarker = key.equals(keyMarker) && !keyMarker.isEmpty();
      boolean passed = !keyMarker.isEmpty() && ListingTest.ORDER.compare(key, keyMarker) <= 0;
      if (common != null) {
        boolean told =
            passed || common.equals(keyMarker) || entries.contains(new Entry(common, "|" + common));
        if (!told) {
          entries.add(new Entry(common, "|" + common));
        }
        continue;
      }
      if (passed && !(isMarker && idMarker != 0)) {
        continue;
      }
      List<Version> versions = one.getValue();
      for (int i = 0; i < versions.size(); i++) {
        Version version = versions.get(i);
        if (!isMarker || version.id() < id(versions, idMarker)) {
          entries.add(new Entry(key, version.line(key, i == 0)));
        }
      }
    }
    return entries;
  }

  /** What a marker means; that of a null version which is no more lets all of the key be told. */
  private static long id(List<Version> versions, long marker) {
    if (marker != Head.NULL_VERSION) {
      return marker;
    }
    return versions.stream()
        .filter(version -> !version.versioned())
        .mapToLong(Version::id)
        .findAny()
        .orElse(Long.MAX_VALUE);
  }

  private static List<Entry> told(ListVersionsReply page) {
    List<Entry> entries = new ArrayList<>();
    for (ListedVersion one : page.getVersionsList()) {
      ObjectVersion version = one.getVersion();
      entries.add(
          new Entry(version.getKey(), Version.of(version).line(version.getKey(), one.getLatest())));
    }
    page.getCommonPrefixesList().forEach(common -> entries.add(new Entry(common, "|" + common)));
    entries.sort(Comparator.comparing(Entry::key, ListingTest.ORDER)); // stable: ids as told
    return entries;
  }

  @Test
  void listsAsTheModelDoesWhateverPrefixDelimiterMarkersAndPage() throws Exception {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    om.om.createBucket(
        CreateBucketRequest.newBuilder()
            .setName(BUCKET)
            .setOwner("owner")
            .setVersioning(Versioning.ENABLED)
            .setWriteId(WriteId.random())
            .build());
    List<String> keys = new ArrayList<>();
    while (keys.size() < 60) {
      String key = ListingTest.text(random, 6);
      if (!key.isEmpty() && !keys.contains(key)) {
        keys.add(key);
      }
    }
    for (int run = 0; run < 3 * RUNS; run++) {
      set(run % 2 == 0 ? Versioning.ENABLED : Versioning.SUSPENDED);
      for (int i = 0; i < 250; i++) {
        change(random, keys);
      }
      // One with more than come with a scan's row, as well as many with few.
      for (int i = 0; i < 12; i++) {
        change(random, keys.subList(0, 1));
      }
      for (int i = 0; i < 150; i++) {
        String key = keys.get(random.nextInt(keys.size()));
        String prefix = random.nextInt(3) == 0 ? key.substring(0, 1) : ListingTest.text(random, 1);
        if (Character.isSurrogate(prefix.isEmpty() ? 'x' : prefix.charAt(prefix.length() - 1))) {
          prefix = "";
        }
        String delimiter =
            random.nextInt(3) == 0
                ? ""
                : ListingTest.DELIMITERS[random.nextInt(ListingTest.DELIMITERS.length)];
        String marker =
            switch (random.nextInt(3)) {
              case 0 -> "";
              case 1 -> key;
              default -> prefix + ListingTest.text(random, 3);
            };
        compare(seed, prefix, delimiter, marker, idMarker(random, marker), 1 + random.nextInt(20));
      }
    }
  }

  /** Of a version of that key, or of none that there is. */
  private long idMarker(Random random, String key) {
    List<Version> versions = model.getOrDefault(key, List.of());
    if (key.isEmpty() || versions.isEmpty() || random.nextInt(3) == 0) {
      return 0;
    }
    Version version = versions.get(random.nextInt(versions.size()));
    return switch (random.nextInt(4)) {
      case 0 -> version.id() + 1;
      case 1 -> Head.NULL_VERSION;
      default -> version.versioned() ? version.id() : Head.NULL_VERSION;
    };
  }

  private void compare(
      long seed, String prefix, String delimiter, String marker, long idMarker, int limit)
      throws Exception {
    String what =
        "seed %d, prefix '%s', delimiter '%s', markers '%s' %d, limit %d"
            .formatted(seed, prefix, delimiter, marker, idMarker, limit);
    List<Entry> expected = entries(prefix, delimiter, marker, idMarker);
    List<Entry> listed = new ArrayList<>();
    ListVersionsRequest.Builder request =
        ListVersionsRequest.newBuilder()
            .setBucket(BUCKET)
            .setPrefix(prefix)
            .setDelimiter(delimiter)
            .setKeyMarker(marker)
            .setVersionIdMarker(idMarker)
            .setLimit(limit);
    while (true) {
      ListVersionsReply page = om.om.listVersions(request.build());
      List<Entry> told = told(page);
      assertTrue(told.size() <= limit, what);
      listed.addAll(told);
      if (!page.getMore()) {
        break;
      }
      assertEquals(limit, told.size(), what);
      assertEquals(told.get(limit - 1).key(), page.getNextKey(), what);
      assertFalse(listed.size() > expected.size(), what);
      request.setKeyMarker(page.getNextKey()).setVersionIdMarker(page.getNextVersionId());
    }
    assertEquals(expected, listed, what);
  }
}

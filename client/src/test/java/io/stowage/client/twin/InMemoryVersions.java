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
package io.stowage.client.twin;

import io.stowage.common.proto.ListVersionsReply;
import io.stowage.common.proto.ListVersionsRequest;
import io.stowage.common.proto.ListedVersion;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.Versioning;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.NavigableSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.UnaryOperator;

/**
 * What a bucket of the twin holds. Current objects are in one map, all other versions and delete
 * markers, newest first, in another. Guarded by the lock of its owner.
 */
final class InMemoryVersions {
  static final long NULL_VERSION = -1;

  final TreeMap<String, ObjectVersion> objects;
  private final TreeMap<String, List<ObjectVersion>> others;

  InMemoryVersions(Comparator<String> order) {
    objects = new TreeMap<>(order);
    others = new TreeMap<>(order);
  }

  boolean isEmpty() {
    return objects.isEmpty() && others.isEmpty();
  }

  /** All versions of a key, newest first. */
  private List<ObjectVersion> of(String key) {
    List<ObjectVersion> all = new ArrayList<>();
    if (objects.containsKey(key)) {
      all.add(objects.get(key));
    }
    all.addAll(others.getOrDefault(key, List.of()));
    return all;
  }

  private void set(String key, List<ObjectVersion> all) {
    objects.remove(key);
    others.remove(key);
    List<ObjectVersion> left = new ArrayList<>(all);
    if (!left.isEmpty() && !left.get(0).getDeleteMarker()) {
      objects.put(key, left.remove(0));
    }
    if (!left.isEmpty()) {
      others.put(key, left);
    }
  }

  private static boolean is(ObjectVersion version, long id) {
    return id == NULL_VERSION ? !version.getVersioned() : version.getVersionId() == id;
  }

  /** The version of this id, or the current one for 0; null if there is none. */
  ObjectVersion find(String key, long id) {
    for (ObjectVersion version : of(key)) {
      if (id == 0 || is(version, id)) {
        return version;
      }
    }
    return null;
  }

  /** Puts a new version on top, by the rules of the bucket's versioning; returns it. */
  ObjectVersion add(Versioning versioning, ObjectVersion version) {
    boolean versioned = versioning == Versioning.ENABLED;
    ObjectVersion added = version.toBuilder().setVersioned(versioned).build();
    List<ObjectVersion> all = of(added.getKey());
    if (!versioned) {
      all.removeIf(old -> !old.getVersioned());
    }
    all.add(0, added);
    set(added.getKey(), all);
    return added;
  }

  /** Removes a version for good; returns it, or null if there is none. */
  ObjectVersion remove(String key, long id) {
    ObjectVersion gone = find(key, id);
    List<ObjectVersion> all = of(key);
    all.remove(gone);
    set(key, all);
    return gone;
  }

  /** A delete marker on top. */
  ObjectVersion mark(Versioning versioning, String key, long stamp, String owner) {
    return add(
        versioning,
        ObjectVersion.newBuilder()
            .setKey(key)
            .setStamp(stamp)
            .setVersionId(stamp)
            .setModifiedMicros(stamp)
            .setDeleteMarker(true)
            .setMetadata(ObjectMetadata.newBuilder().setOwner(owner))
            .build());
  }

  /** Replaces a version by what it becomes. */
  void replace(ObjectVersion old, ObjectVersion changed) {
    List<ObjectVersion> all = of(old.getKey());
    all.set(all.indexOf(old), changed);
    set(old.getKey(), all);
  }

  void replaceAll(UnaryOperator<ObjectVersion> change) {
    for (String key : keys()) {
      List<ObjectVersion> all = of(key);
      all.replaceAll(version -> version.getDeleteMarker() ? version : change.apply(version));
      set(key, all);
    }
  }

  private NavigableSet<String> keys() {
    NavigableSet<String> keys = new TreeSet<>(objects.comparator());
    keys.addAll(objects.keySet());
    keys.addAll(others.keySet());
    return keys;
  }

  ListVersionsReply list(ListVersionsRequest request, int limit) {
    ListVersionsReply.Builder reply = ListVersionsReply.newBuilder();
    String prefix = request.getPrefix();
    String delimiter = request.getDelimiter();
    String marker = request.getKeyMarker();
    int count = 0;
    for (String key : keys().tailSet(prefix, true)) {
      if (!key.startsWith(prefix)) {
        break;
      }
      int end = delimiter.isEmpty() ? -1 : key.indexOf(delimiter, prefix.length());
      String entry = end < 0 ? key : key.substring(0, end + delimiter.length());
      int behind = objects.comparator().compare(entry, marker);
      boolean within = behind == 0 && end < 0 && request.getVersionIdMarker() != 0;
      if ((behind <= 0 && !within) || (end >= 0 && entry.equals(reply.getNextKey()))) {
        continue;
      }
      if (end >= 0) {
        if (count++ == limit) {
          return reply.setMore(true).build();
        }
        reply.addCommonPrefixes(entry).setNextKey(entry).clearNextVersionId();
        continue;
      }
      List<ObjectVersion> all = of(key);
      ObjectVersion last = within ? find(key, request.getVersionIdMarker()) : null;
      for (int i = last == null ? 0 : all.indexOf(last) + 1; i < all.size(); i++) {
        if (count++ == limit) {
          return reply.setMore(true).build();
        }
        ObjectVersion version = all.get(i);
        reply
            .addVersions(
                ListedVersion.newBuilder()
                    .setVersion(version.toBuilder().clearManifest().clearPartLengths())
                    .setLatest(i == 0))
            .setNextKey(key)
            .setNextVersionId(version.getVersioned() ? version.getVersionId() : NULL_VERSION);
      }
    }
    return reply.build();
  }
}

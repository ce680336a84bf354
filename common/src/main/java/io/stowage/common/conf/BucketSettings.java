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
package io.stowage.common.conf;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Settings that count for one bucket alone: {@code stowage.bucket.NAME.REST} takes the place of
 * {@code stowage.REST} for whoever opens that bucket, such as a FileSystem whose job has buckets of
 * several clusters. A name may have dots: where the known key begins it ends. Stateless.
 */
public final class BucketSettings {
  public static final String PREFIX = StowageConfig.PREFIX + "bucket.";

  private BucketSettings() {}

  /** The settings that count for a bucket; those of others are left out. */
  public static Map<String, String> of(Map<String, String> all, String bucket)
      throws StoreException {
    Map<String, String> settings = new TreeMap<>();
    Map<String, String> ours = new TreeMap<>();
    for (Map.Entry<String, String> entry : all.entrySet()) {
      if (!isOfBucket(entry.getKey())) {
        settings.put(entry.getKey(), entry.getValue());
        continue;
      }
      String key = keyOf(entry.getKey());
      if (entry.getKey().equals(PREFIX + bucket + key.substring(key.indexOf('.')))) {
        ours.put(key, entry.getValue());
      }
    }
    settings.putAll(ours);
    return settings;
  }

  /** The buckets that have settings of their own. */
  public static SortedSet<String> buckets(Map<String, String> all) throws StoreException {
    SortedSet<String> buckets = new TreeSet<>();
    for (String name : all.keySet()) {
      if (isOfBucket(name)) {
        String rest = keyOf(name).substring(StowageConfig.PREFIX.length() - 1);
        buckets.add(name.substring(PREFIX.length(), name.length() - rest.length()));
      }
    }
    return buckets;
  }

  static boolean isOfBucket(String name) {
    return name.startsWith(PREFIX);
  }

  /** The key whose place a setting of a bucket takes; an error if there is none. */
  static String keyOf(String name) throws StoreException {
    // Behind a bucket's name of at least one character; the earlier, the longer the key.
    for (int dot = name.indexOf('.', PREFIX.length() + 1);
        dot >= 0;
        dot = name.indexOf('.', dot + 1)) {
      String key = StowageConfig.PREFIX + name.substring(dot + 1);
      if (Keys.find(key) != null) {
        return key;
      }
    }
    int dot = name.indexOf('.', PREFIX.length());
    String asked = StowageConfig.PREFIX + name.substring(dot + 1);
    throw new StoreException(
        ErrorCode.BAD_CONFIGURATION,
        "Cannot use the setting "
            + name
            + ": it names no bucket and a key; the nearest is "
            + Keys.nearest(asked));
  }
}

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
import java.util.TreeMap;

/**
 * The settings of a process under our prefix, checked for unknown keys. Mains and glue read it once
 * into the record that their component takes; below them nobody sees a key. Immutable.
 */
public final class StowageConfig {
  public static final String PREFIX = "stowage.";

  private final Map<String, String> settings;

  private StowageConfig(Map<String, String> settings) {
    this.settings = settings;
  }

  /**
   * Takes every setting that begins with {@link #PREFIX}; an unknown one is an error that names the
   * nearest known key. Those of single buckets are checked and left out ({@link BucketSettings}).
   */
  public static StowageConfig of(Map<String, String> all) throws StoreException {
    Map<String, String> ours = new TreeMap<>();
    for (Map.Entry<String, String> entry : all.entrySet()) {
      if (BucketSettings.isOfBucket(entry.getKey())) {
        String unused = BucketSettings.keyOf(entry.getKey());
      } else if (entry.getKey().startsWith(PREFIX)) {
        if (Keys.find(entry.getKey()) == null) {
          throw new StoreException(
              ErrorCode.BAD_CONFIGURATION,
              "Cannot use the setting "
                  + entry.getKey()
                  + ": no such key; the nearest is "
                  + Keys.nearest(entry.getKey()));
        }
        ours.put(entry.getKey(), entry.getValue());
      }
    }
    return new StowageConfig(ours);
  }

  /** A configuration with one more setting; for tests and embedded clusters. */
  public StowageConfig with(ConfigKey<?> key, String value) throws StoreException {
    Map<String, String> more = new TreeMap<>(settings);
    more.put(key.name(), value);
    return of(more);
  }

  /** Value of a key, or its default; a key without default that is not set is an error. */
  public <T> T get(ConfigKey<T> key) throws StoreException {
    String text = settings.getOrDefault(key.name(), key.defaultText());
    if (text == null) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION, "Cannot start: " + key.name() + " is not set; " + key.doc());
    }
    return key.parse(text);
  }

  public boolean isSet(ConfigKey<?> key) {
    return settings.containsKey(key.name());
  }

  /** All settings, sorted, for writing a site file. */
  public Map<String, String> settings() {
    return Map.copyOf(settings);
  }
}

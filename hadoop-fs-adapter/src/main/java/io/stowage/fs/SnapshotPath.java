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
package io.stowage.fs;

import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Locale;

/**
 * A path below {@code /.snapshot}, taken apart. Immutable. Keys of S3 that begin so are S3's alone:
 * a bucket's snapshots are reached by other requests, not by keys.
 *
 * @param name of the snapshot
 * @param key in it; "" of its root
 */
record SnapshotPath(String name, String key) {
  /** As on HDFS. */
  static final String ROOT = ".snapshot";

  private static final DateTimeFormatter NAMES =
      DateTimeFormatter.ofPattern("'s'yyyyMMdd-HHmmss.SSS", Locale.ROOT).withZone(ZoneOffset.UTC);

  /** Whether a key is there or below. */
  static boolean isWithin(String key) {
    return key.equals(ROOT) || key.startsWith(ROOT + "/");
  }

  /** Of a key below. */
  static SnapshotPath of(String key) {
    String rest = key.substring(ROOT.length() + 1);
    int slash = rest.indexOf('/');
    return slash < 0
        ? new SnapshotPath(rest, "")
        : new SnapshotPath(rest.substring(0, slash), rest.substring(slash + 1));
  }

  /** The name that HDFS would choose. */
  static String nameFor(long millis) {
    return NAMES.format(Instant.ofEpochMilli(millis));
  }
}

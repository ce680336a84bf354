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

import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.expiry.DayLength;
import java.time.Duration;

/** Settings of an object manager, validated. Immutable. */
public record OmConfig(
    String namespace,
    String defaultPolicy,
    Duration commitWindow,
    Duration clockBound,
    Duration mutationDeadline,
    Duration bucketCacheAge,
    Collecting collecting,
    Expiring expiring) {
  /**
   * When garbage in the tables is collected.
   *
   * @param margin how much longer than a mutation's deadline and the clock bound it stays
   * @param openFiles after which files are closed whose writers give no sign of life
   */
  public record Collecting(
      Duration interval, Duration margin, Duration fullInterval, Duration openFiles) {}

  /**
   * When and how fast the rules of buckets are applied.
   *
   * @param deletesPerSecond of one object manager, at most
   */
  public record Expiring(DayLength day, int deletesPerSecond) {}

  public OmConfig {
    if (collecting.margin().compareTo(mutationDeadline) < 0) {
      throw new IllegalArgumentException(
          Keys.COLLECT_MARGIN.name()
              + " ("
              + collecting.margin()
              + ") has to be at least "
              + Keys.MUTATION_DEADLINE.name()
              + " ("
              + mutationDeadline
              + "), or a request that is sent again could happen twice");
    }
    if (commitWindow.compareTo(clockBound) <= 0) {
      throw new IllegalArgumentException(
          Keys.COMMIT_WINDOW.name()
              + " ("
              + commitWindow
              + ") has to exceed "
              + Keys.CLOCK_BOUND.name()
              + " ("
              + clockBound
              + "), or nothing could be committed");
    }
  }

  /** A run of a collector ends so long ago: nothing is written below it any more. */
  Duration trail() {
    return mutationDeadline.plus(clockBound).plus(collecting.margin());
  }

  public static OmConfig from(StowageConfig config) throws StoreException {
    try {
      return new OmConfig(
          config.get(Keys.HBASE_NAMESPACE),
          config.get(Keys.DEFAULT_POLICY),
          config.get(Keys.COMMIT_WINDOW),
          config.get(Keys.CLOCK_BOUND),
          config.get(Keys.MUTATION_DEADLINE),
          config.get(Keys.BUCKET_CACHE_AGE),
          new Collecting(
              config.get(Keys.COLLECT_INTERVAL),
              config.get(Keys.COLLECT_MARGIN),
              config.get(Keys.COLLECT_FULL_INTERVAL),
              config.get(Keys.OPEN_FILE_LIMIT)),
          new Expiring(
              new DayLength(config.get(Keys.LIFECYCLE_DAY_SECONDS)),
              config.get(Keys.LIFECYCLE_RATE)));
    } catch (IllegalArgumentException e) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION, "Cannot start an object manager: " + e.getMessage(), e);
    }
  }
}

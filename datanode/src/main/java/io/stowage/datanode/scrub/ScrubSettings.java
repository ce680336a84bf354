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
package io.stowage.datanode.scrub;

import java.time.Duration;

/**
 * How fast a node reads its shards over. Immutable.
 *
 * @param bytesPerSecond of each disk; 0: as fast as it goes
 * @param interval between the starts of two cycles of a disk, if one does not take longer
 */
public record ScrubSettings(long bytesPerSecond, Duration interval) {
  public ScrubSettings {
    if (bytesPerSecond < 0 || interval.isNegative()) {
      throw new IllegalArgumentException(bytesPerSecond + " bytes a second every " + interval);
    }
  }
}

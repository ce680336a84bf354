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
package io.stowage.datanode.repair;

/**
 * How much repair a node does at once. Immutable.
 *
 * @param rebuildsPerDisk shards that are written to one disk at the same time
 * @param memoryBytes of all rebuilds under way; one always goes on
 */
public record RepairSettings(int rebuildsPerDisk, long memoryBytes) {
  public RepairSettings {
    if (rebuildsPerDisk < 1 || memoryBytes < 1) {
      throw new IllegalArgumentException(rebuildsPerDisk + " rebuilds, memory " + memoryBytes);
    }
  }
}

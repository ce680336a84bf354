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
package io.stowage.datanode.store;

/**
 * How a node treats its disks. Immutable.
 *
 * @param reservedBytes of each disk, left free
 * @param forcesData false: answered writes may be in the page cache only
 * @param writeMemoryBytes payload that may wait for its I/O, of the whole node
 * @param repairBytesPerSecond that rebuilds read from each disk and write to it; 0 for no limit
 * @param secure whether a disk that cannot be closed to this machine's other users is out
 */
public record StoreSettings(
    long reservedBytes,
    boolean forcesData,
    long writeMemoryBytes,
    long repairBytesPerSecond,
    boolean secure) {
  public StoreSettings {
    if (reservedBytes < 0 || writeMemoryBytes < 1 || repairBytesPerSecond < 0) {
      throw new IllegalArgumentException(
          "reserved " + reservedBytes + ", write memory " + writeMemoryBytes);
    }
  }

  /** Without a limit to repair, and without security. */
  public StoreSettings(long reservedBytes, boolean forcesData, long writeMemoryBytes) {
    this(reservedBytes, forcesData, writeMemoryBytes, 0, false);
  }
}

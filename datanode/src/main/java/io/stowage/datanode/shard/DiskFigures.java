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
package io.stowage.datanode.shard;

import java.util.concurrent.atomic.LongAdder;

/** What was done on one disk since the process began, for metrics. Thread-safe. */
public final class DiskFigures {
  private final LongAdder reads = new LongAdder();
  private final LongAdder bytesRead = new LongAdder();
  private final LongAdder damagedReads = new LongAdder();
  private final LongAdder writes = new LongAdder();
  private final LongAdder bytesWritten = new LongAdder();
  private final LongAdder forces = new LongAdder();
  private final LongAdder forceNanos = new LongAdder();
  private final LongAdder bytesRebuilt = new LongAdder();
  private final LongAdder bytesScrubbed = new LongAdder();

  /**
   * What a reader got.
   *
   * @param damaged some of what it asked for missed its checksum, or was marked lost
   */
  public void read(long bytes, boolean damaged) {
    reads.increment();
    bytesRead.add(bytes);
    if (damaged) {
      damagedReads.increment();
    }
  }

  /** Writes of one group, which are durable. */
  void wrote(int count, long bytes) {
    writes.add(count);
    bytesWritten.add(bytes);
  }

  /** One force of a group of writes. */
  void forced(long nanos) {
    forces.increment();
    forceNanos.add(nanos);
  }

  void rebuilt(long bytes) {
    bytesRebuilt.add(bytes);
  }

  /** Compared with their checksums by the scrubber. */
  public void scrubbed(long bytes) {
    bytesScrubbed.add(bytes);
  }

  public long reads() {
    return reads.sum();
  }

  public long bytesRead() {
    return bytesRead.sum();
  }

  public long damagedReads() {
    return damagedReads.sum();
  }

  public long writes() {
    return writes.sum();
  }

  public long bytesWritten() {
    return bytesWritten.sum();
  }

  public long forces() {
    return forces.sum();
  }

  public long forceNanos() {
    return forceNanos.sum();
  }

  public long bytesRebuilt() {
    return bytesRebuilt.sum();
  }

  public long bytesScrubbed() {
    return bytesScrubbed.sum();
  }
}

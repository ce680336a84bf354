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

import io.stowage.common.proto.SectorState;
import java.util.Arrays;

/**
 * What a rebuilt shard has in one segment, its bytes apart: at first nothing, all holes. Confined
 * to the rebuild's thread.
 */
public final class RebuiltSegment {
  private final int segment;
  private final SectorState[] states;
  private final int[] crcs;
  private final int[] used;
  private int writtenCount;
  private int lostCount;

  /**
   * @param sectors below the end of the shard
   */
  public RebuiltSegment(int segment, int sectors) {
    this.segment = segment;
    this.states = new SectorState[sectors];
    Arrays.fill(states, SectorState.NEVER_WRITTEN);
    this.crcs = new int[sectors];
    this.used = new int[sectors];
  }

  /**
   * A sector has bytes.
   *
   * @param bitmap data shards that its stripe uses
   */
  public void written(int sector, int crc, int bitmap) {
    states[sector] = SectorState.WRITTEN;
    crcs[sector] = crc;
    used[sector] = bitmap;
    writtenCount++;
  }

  /** A sector could not be decoded. */
  public void lost(int sector, int bitmap) {
    states[sector] = SectorState.LOST;
    used[sector] = bitmap;
    lostCount++;
  }

  public int segment() {
    return segment;
  }

  public int sectors() {
    return states.length;
  }

  public int writtenCount() {
    return writtenCount;
  }

  public int lostCount() {
    return lostCount;
  }

  SectorState state(int sector) {
    return states[sector];
  }

  /** First sector from one on that has another state. */
  int endOfRun(int from) {
    int to = from + 1;
    while (to < states.length && states[to] == states[from]) {
      to++;
    }
    return to;
  }

  int crc(int sector) {
    return crcs[sector];
  }

  int bitmap(int sector) {
    return used[sector];
  }
}

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

import io.stowage.common.proto.ReadShardReply;
import io.stowage.common.proto.SectorRun;
import io.stowage.common.proto.SectorState;

/** Gathers what a read found out about each sector. Confined to its reader. */
public final class SectorStates {
  private final ReadShardReply.Builder reply = ReadShardReply.newBuilder();
  private SectorState state = SectorState.NEVER_WRITTEN;
  private int run;
  private boolean damaged;

  void add(SectorState next, int crc, int used) {
    if (run > 0 && next != state) {
      endRun();
    }
    state = next;
    run++;
    reply.addCrcs(crc).addUsedShards(used);
  }

  /** A sector is lost, and not because a rebuild could not decode it. */
  void noteDamage() {
    damaged = true;
  }

  /** Something was lost that nobody may know of yet. */
  public boolean isDamaged() {
    return damaged;
  }

  private void endRun() {
    reply.addSectors(SectorRun.newBuilder().setState(state).setCount(run));
    run = 0;
  }

  public ReadShardReply reply() {
    if (run > 0) {
      endRun();
    }
    return reply.build();
  }
}

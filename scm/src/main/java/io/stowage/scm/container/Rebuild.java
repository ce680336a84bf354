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
package io.stowage.scm.container;

import io.stowage.common.proto.OrderResult;
import io.stowage.common.proto.ShardPlace;
import java.util.Set;

/** A shard that a datanode is ordered to make. Guarded by its {@link Rebuilds}. */
final class Rebuild {
  /** Why it is made. */
  enum Reason {
    REPAIR,
    /** It is there, with sectors marked lost that another copy may have. */
    MEND,
    DECOMMISSION,
    /** It is too near to others. */
    MOVE_APART,
    /** Its disk is too full beside others. */
    BALANCE;

    /** Whether it is waited for; else the shard may as well stay where it is. */
    boolean isRepair() {
      return this != MOVE_APART && this != BALANCE;
    }
  }

  /** A container's shard, of which one is made at a time. */
  record Key(long container, int index) {}

  final Key key;
  final Reason reason;

  /** What the row named when it was ordered; if it names something else, nobody waits for this. */
  final ShardPlace replaced;

  final ShardPlace target;

  /** Keys of the disks that it reads from, as far as that can be told. */
  final Set<String> sources;

  final long bytesTotal;

  /** The most that its target told: what the figures count. */
  long bytesDone;

  /** What its target told since it began last. */
  long bytesTold;

  int begunAgain;
  long orderId;
  int orderedTimes = 1;
  long lastSignNanos;
  OrderResult result; // null: not answered

  /** What the order lists, without addresses. Confined to the ticking thread. */
  Set<ShardPlace> copies = Set.of();

  Rebuild(
      Key key,
      Reason reason,
      ShardPlace replaced,
      ShardPlace target,
      Set<String> sources,
      long bytesTotal,
      long nowNanos) {
    this.key = key;
    this.reason = reason;
    this.replaced = replaced;
    this.target = target;
    this.sources = sources;
    this.bytesTotal = bytesTotal;
    this.lastSignNanos = nowNanos;
  }

  ShardInventory.ShardId shard() {
    return new ShardInventory.ShardId(key.container, key.index, target.getGeneration());
  }

  String targetDisk() {
    return diskKey(target.getNodeId(), target.getDiskId());
  }

  static String diskKey(String nodeId, String diskId) {
    return nodeId + "/" + diskId;
  }
}

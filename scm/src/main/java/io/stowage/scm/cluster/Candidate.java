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
package io.stowage.scm.cluster;

/**
 * A disk as placement sees it. Immutable.
 *
 * @param rack network location of the host, "/default-rack" where nothing is known
 * @param usedBytes by shards
 * @param freeBytes that shards may use
 * @param unfit why no new shard may go there, in words for an operator; null if one may
 * @param leaving whether its node is to be emptied, or was
 */
public record Candidate(
    String nodeId,
    String diskId,
    String host,
    String rack,
    long capacityBytes,
    long usedBytes,
    long freeBytes,
    String unfit,
    boolean leaving) {
  public boolean isFit() {
    return unfit == null;
  }

  /** The share of what shards may use that they use. */
  public double usedShare() {
    return usedShareWith(0);
  }

  /** The same with so many bytes more; less than none: with fewer. */
  public double usedShareWith(long bytes) {
    return (double) (usedBytes + bytes) / Math.max(1, usedBytes + freeBytes);
  }

  /** Whether it is this disk of this node. */
  public boolean is(String node, String disk) {
    return nodeId.equals(node) && diskId.equals(disk);
  }
}

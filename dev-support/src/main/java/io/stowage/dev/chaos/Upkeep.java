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
package io.stowage.dev.chaos;

import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ClusterStatusReply;
import io.stowage.common.proto.ClusterStatusRequest;
import io.stowage.common.proto.RepackStatusReply;
import io.stowage.common.proto.RepackStatusRequest;
import io.stowage.common.scm.ContainerManager;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.ToLongFunction;

/**
 * What the store does for itself meanwhile. SCM counts anew in every term, and terms are short
 * here, so that figures are kept by term, as they were last seen, and summed up. Thread-safe.
 */
final class Upkeep {
  private record Term(ClusterStatusReply status, RepackStatusReply repack) {}

  /** One for each election. */
  private final Map<Long, Term> byTerm = new TreeMap<>();

  /** Asks the SCM that leads; what two of them answered is left out. */
  void look(ContainerManager scm) throws StoreException {
    // Only the leader answers this, and the client goes on with who answered.
    RepackStatusReply unused = scm.repackStatus(RepackStatusRequest.getDefaultInstance());
    ClusterStatusReply before = scm.clusterStatus(ClusterStatusRequest.getDefaultInstance());
    RepackStatusReply repack = scm.repackStatus(RepackStatusRequest.getDefaultInstance());
    ClusterStatusReply after = scm.clusterStatus(ClusterStatusRequest.getDefaultInstance());
    if (before.getLeader()
        && after.getLeader()
        && before.getLeaderEpoch() == after.getLeaderEpoch()) {
      synchronized (this) {
        byTerm.put(after.getLeaderEpoch(), new Term(after, repack));
      }
    }
  }

  private synchronized long sum(ToLongFunction<Term> figure) {
    return byTerm.values().stream().mapToLong(figure).sum();
  }

  long shardsRebuilt() {
    return sum(term -> term.status.getRepair().getShardsDone());
  }

  long containersEmptied() {
    return sum(term -> term.repack.getEmptied());
  }

  /** Why it did not do its part in a run that was long enough; empty if it did. */
  String missing() {
    return (shardsRebuilt() == 0 ? "no shard was rebuilt; " : "")
        + (containersEmptied() == 0 ? "no container was emptied; " : "");
  }

  @Override
  public synchronized String toString() {
    return String.format(
        "upkeep in %d terms: %d containers emptied, %d surveyed, %d bytes freed, %d shards rebuilt"
            + " with %d bytes",
        byTerm.size(),
        containersEmptied(),
        sum(term -> term.repack.getSurveyed()),
        sum(term -> term.repack.getBytesFreed()),
        shardsRebuilt(),
        sum(term -> term.status.getRepair().getBytesDone()));
  }
}

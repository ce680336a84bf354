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

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.OperatorWord;
import io.stowage.common.time.StoreClock;
import io.stowage.scm.cluster.ClusterMap;
import java.util.function.UnaryOperator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What operators have said (modes of nodes, balancing, unknown shards), and what leaders note for
 * them and for one another, as the table keeps it. Every SCM follows it; the cluster map is told of
 * modes. Thread-safe.
 *
 * <p>Two leaders may both write it: each writes what an operator told it, by compare-and-set of the
 * whole, so that neither undoes what it has not seen.
 */
public final class OperatorWords {
  private static final Logger LOG = LoggerFactory.getLogger(OperatorWords.class);

  /** Only another SCM makes a compare-and-set fail, and operators are few. */
  private static final int MOST_ATTEMPTS = 8;

  private final ContainerStore store;
  private final ClusterMap cluster;
  private final StoreClock clock;
  private final Object changing = new Object();
  private volatile OperatorWord latest = OperatorWord.getDefaultInstance();

  public OperatorWords(ContainerStore store, ClusterMap cluster, StoreClock clock) {
    this.store = store;
    this.cluster = cluster;
    this.clock = clock;
  }

  /** Takes in what the table says. */
  public void follow() throws StoreException {
    synchronized (changing) {
      take(store.operatorWord().word());
    }
  }

  private void take(OperatorWord word) {
    latest = word;
    cluster.setModes(word.getModesList());
  }

  public OperatorWord latest() {
    return latest;
  }

  /** Changes it in the table. */
  OperatorWord change(UnaryOperator<OperatorWord> change) throws StoreException {
    synchronized (changing) {
      for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
        ContainerStore.OperatorCell before = store.operatorWord();
        OperatorWord after = change.apply(before.word());
        if (after.equals(before.word()) || store.writeOperatorWord(before, after)) {
          take(after);
          return after;
        }
      }
    }
    throw new StoreException(
        ErrorCode.UNAVAILABLE,
        "Cannot note what the operator said: somebody else keeps changing it");
  }

  /** Whether an operator said that unknown shards may be put aside, however many. */
  boolean areUnknownAccepted() {
    return areUnknownAccepted(latest);
  }

  private boolean areUnknownAccepted(OperatorWord word) {
    return word.getUnknownAcceptedUntilMicros() > clock.wallMicros();
  }

  /**
   * Notes that the table is older than the disks; durable when it returns, unless an operator's
   * word that this does not matter still holds.
   */
  public void noteTableOlder(String why) throws StoreException {
    if (latest.getTableOlderSinceMicros() != 0 || areUnknownAccepted()) {
      return;
    }
    OperatorWord now =
        change(
            word ->
                word.getTableOlderSinceMicros() != 0 || areUnknownAccepted(word)
                    ? word
                    : word.toBuilder().setTableOlderSinceMicros(clock.wallMicros()).build());
    if (now.getTableOlderSinceMicros() != 0) {
      LOG.error("The container table is older than the disks: {}", why);
    }
  }
}

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
import io.stowage.common.error.NotLeaderException;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ContainerInfo;
import java.util.function.UnaryOperator;

/**
 * The one way in which rows change: read from the map, write by compare-and-set, and on a row that
 * somebody else changed begin again from what it is now. Mutations of one container by this process
 * run one after another. Thread-safe.
 */
public final class RowMutations {
  private static final int STRIPES = 1_024;

  /** Only another SCM makes a compare-and-set fail, and there is at most one that does not know. */
  private static final int MOST_ATTEMPTS = 8;

  private final ContainerStore store;
  private final ContainerMap map;
  private final Object[] stripes = new Object[STRIPES];

  public RowMutations(ContainerStore store, ContainerMap map) {
    this.store = store;
    this.map = map;
    for (int i = 0; i < STRIPES; i++) {
      stripes[i] = new Object();
    }
  }

  /**
   * Writes a new container's row and returns it; null if the id is taken.
   *
   * @throws NotLeaderException if a higher epoch wrote the row
   */
  ContainerRow create(LeaderEpoch leader, ContainerInfo info) throws StoreException {
    synchronized (stripe(info.getId())) {
      ContainerStore.Outcome outcome = store.write(leader, null, info);
      if (outcome instanceof ContainerStore.Outcome.Written written) {
        map.put(written.row());
        return written.row();
      }
      return null;
    }
  }

  /**
   * Changes a row.
   *
   * @param change from what the row is to what it shall be; null: leave it. May be asked
   *     repeatedly.
   * @return the row as it is afterwards; null if there is none
   * @throws NotLeaderException if a higher epoch wrote the row: the caller is deposed
   */
  ContainerRow change(LeaderEpoch leader, long id, UnaryOperator<ContainerInfo> change)
      throws StoreException {
    synchronized (stripe(id)) {
      ContainerRow row = map.get(id);
      if (row == null) {
        row = store.read(id);
      }
      for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
        if (row == null) {
          return null;
        }
        map.put(row);
        if (row.info().getLeaderEpoch() > leader.value()) {
          throw new NotLeaderException(
              "Cannot change container "
                  + row.name()
                  + " under "
                  + leader
                  + ": leader epoch "
                  + row.info().getLeaderEpoch()
                  + " wrote it");
        }
        ContainerInfo after = change.apply(row.info());
        if (after == null) {
          return row;
        }
        ContainerStore.Outcome outcome = store.write(leader, row, after);
        if (outcome instanceof ContainerStore.Outcome.Changed changed) {
          row = changed.row();
          continue;
        }
        row = ((ContainerStore.Outcome.Written) outcome).row();
        map.put(row);
        return row;
      }
    }
    throw new StoreException(
        ErrorCode.UNAVAILABLE,
        "Cannot change container " + ContainerRow.nameOf(id) + ": somebody else keeps changing it");
  }

  /** On a standby: forgets containers whose rows the leader has removed. */
  public void forgetRemoved(Inspection found, int most) throws StoreException {
    for (int i = 0; i < Math.min(most, found.deleted().size()); i++) {
      ContainerRow row = map.get(found.deleted().get(i));
      if (row != null && store.read(row.id()) == null) {
        map.remove(row);
      }
    }
  }

  private Object stripe(long id) {
    return stripes[Math.floorMod(Long.hashCode(id * 0x9E3779B97F4A7C15L), STRIPES)];
  }
}

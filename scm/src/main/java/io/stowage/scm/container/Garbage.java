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
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.AddDeadBytesRequest;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.DeadBytes;
import io.stowage.common.proto.KeepContainersReply;
import io.stowage.common.proto.KeepContainersRequest;
import io.stowage.common.time.StoreClock;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * What object managers tell of containers' garbage. Thread-safe.
 *
 * <p><b>Dead bytes</b> are hints to what is worth repacking. A cell of family {@code d} for each
 * run of a collector; the first word under a run counts, so a run that is repeated by whoever takes
 * it over from a collector that died is not counted twice. The sums are kept in memory, about 80
 * bytes a container that has garbage; a leader learns them by {@link #follow}, like all else, and
 * until it has, chooses by less. Where a container has {@link #MANY} cells, the leader makes one of
 * those that are older than an hour: later nobody repeats a run, unless all object managers were
 * away for so long, and then a hint is too high.
 *
 * <p><b>Keeping</b>: an object manager found, after its mutation, that the mutation had taken
 * longer than the commit window and that the container says REPACKING. Whoever judged the needles
 * before the mutation may have overlooked it. He is to call the container empty under the holder
 * that is in the row; so that gets another holder, and whoever claims the container next judges all
 * of it again. In any other state, OPEN and SEALED, nobody has judged for good yet, and REPACKING
 * will be written later than the mutation. A DELETED container is not brought back.
 */
public final class Garbage {
  private static final int MOST_TOLD = 10_000;
  private static final int SHORTEST_RUN = 2;
  private static final int LONGEST_RUN = 32;

  /** From so many cells on it is worth a mutation to have one. */
  static final int MANY = 16;

  static final Duration FOLDED_AFTER = Duration.ofHours(1);

  /** Containers whose cells wait to be folded; more are found when this SCM leads anew. */
  private static final int MOST_TO_FOLD = 10_000;

  /** Each costs a read and a mutation of the table. */
  private static final int FOLDED_A_TICK = 16;

  private final ContainerStore store;
  private final ContainerMap map;
  private final RowMutations rows;
  private final StoreClock clock;
  private final Map<Long, Long> totals = new ConcurrentHashMap<>();

  /** When the cells of a container are to be folded; in that order. Guarded by itself. */
  private final Map<Long, Long> toFold = new LinkedHashMap<>();

  public Garbage(ContainerStore store, ContainerMap map, RowMutations rows, StoreClock clock) {
    this.store = store;
    this.map = map;
    this.rows = rows;
    this.clock = clock;
  }

  /** Takes in what other leaders were told since; 0: all that was ever told. */
  public void follow(long sinceMicros) throws StoreException {
    store.scanDeadBytes(sinceMicros, this::learn);
  }

  private void learn(long id, long bytes, int cells) {
    totals.put(id, bytes);
    if (cells >= MANY) {
      synchronized (toFold) {
        if (toFold.size() < MOST_TO_FOLD) {
          // a little later than the youngest of them is old enough
          toFold.putIfAbsent(
              id, clock.wallMicros() + FOLDED_AFTER.plusMinutes(1).toNanos() / 1_000);
        }
      }
    }
  }

  /** As leader, periodically: makes fewer cells of many. */
  void fold() throws StoreException {
    long now = clock.wallMicros();
    for (int i = 0; i < FOLDED_A_TICK; i++) {
      Long id = nextToFold(now);
      if (id == null) {
        break;
      }
      if (map.get(id) != null) {
        int unused = store.foldDeadBytes(id, now - FOLDED_AFTER.toNanos() / 1_000);
      }
    }
  }

  private Long nextToFold(long nowMicros) {
    synchronized (toFold) {
      for (Map.Entry<Long, Long> first : toFold.entrySet()) {
        if (first.getValue() > nowMicros) {
          return null;
        }
        toFold.remove(first.getKey());
        return first.getKey();
      }
      return null;
    }
  }

  /** The container is gone. */
  void forget(long id) {
    totals.remove(id);
  }

  /** All that was told of a container, as far as it is known here. */
  public long deadBytes(long id) {
    return totals.getOrDefault(id, 0L);
  }

  /** As leader. */
  public void add(AddDeadBytesRequest request) throws StoreException {
    ByteString run = request.getRun();
    if (run.size() < SHORTEST_RUN
        || run.size() > LONGEST_RUN
        || request.getContainersCount() > MOST_TOLD) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot note dead bytes of "
              + request.getContainersCount()
              + " containers under a run of "
              + run.size()
              + " bytes");
    }
    for (DeadBytes dead : request.getContainersList()) {
      if (map.get(dead.getContainer()) != null) {
        store.addDeadBytes(dead.getContainer(), run, dead.getBytes());
        // May count a repetition twice until the next look at the table.
        totals.merge(dead.getContainer(), dead.getBytes(), Long::sum);
      }
    }
  }

  /** As leader: makes whoever is emptying these containers begin again. */
  public KeepContainersReply keep(LeaderEpoch leader, KeepContainersRequest request)
      throws StoreException {
    KeepContainersReply.Builder reply = KeepContainersReply.newBuilder();
    for (long id : request.getIdsList()) {
      // From the table: a leader that is none any more may not know that another wrote REPACKING.
      ContainerRow row = store.read(id);
      if (row != null && row.info().getState() == ContainerState.REPACKING) {
        map.put(row);
        row =
            rows.change(
                leader,
                id,
                info ->
                    info.getState() == ContainerState.REPACKING
                        ? info.toBuilder().setRepackHolder(WriteId.random()).build()
                        : null);
      }
      if (row != null
          && switch (row.info().getState()) {
            case OPEN, SEALED, REPACKING -> true;
            case DELETED, CONTAINER_UNKNOWN, UNRECOGNIZED -> false;
          }) {
        reply.addKept(id);
      }
    }
    return reply.build();
  }
}

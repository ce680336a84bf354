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
package io.stowage.client;

import io.stowage.common.error.StoreException;
import io.stowage.common.proto.LocateContainersRequest;
import io.stowage.common.time.StoreClock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Containers one of whose shards was on a node that does not answer: it may have been rebuilt
 * elsewhere, which no read that could be decoded would ever find out. The object manager is made to
 * look again, behind the readers' backs, each container once in a while. Thread-safe.
 */
final class StalePlaces {
  private static final Logger LOG = LoggerFactory.getLogger(StalePlaces.class);

  private static final long AGAIN_NANOS = Duration.ofSeconds(15).toNanos();

  /** Forgotten all at once beyond this, which costs a few calls. */
  private static final int REMEMBERED = 10_000;

  /** Containers looked up by one call; more wait for the next. */
  private static final int AT_ONCE = 100;

  private final Containers containers;
  private final StoreClock clock;
  private final Map<Long, Long> askedNanos = new ConcurrentHashMap<>();
  private final Set<Long> waiting = ConcurrentHashMap.newKeySet();

  StalePlaces(Containers containers, StoreClock clock) {
    this.containers = containers;
    this.clock = clock;
  }

  void add(long container) {
    long now = clock.monotonicNanos();
    Long before = askedNanos.get(container);
    if (before != null && now - before < AGAIN_NANOS) {
      return;
    }
    if (askedNanos.size() >= REMEMBERED) {
      askedNanos.clear();
      waiting.clear();
    }
    askedNanos.put(container, now);
    waiting.add(container);
  }

  /** Has some of them looked up again. Blocks; called at short intervals, by one thread. */
  void refresh() {
    List<Long> some = new ArrayList<>();
    for (Long container : waiting) {
      if (some.size() == AT_ONCE) {
        break;
      }
      some.add(container);
    }
    if (some.isEmpty()) {
      return;
    }
    some.forEach(waiting::remove);
    try {
      containers.locateContainers(
          LocateContainersRequest.newBuilder().addAllIds(some).setRefresh(true).build());
    } catch (StoreException e) {
      LOG.debug("Places of {} containers are not looked up now: {}", some.size(), e.toString());
    }
  }
}

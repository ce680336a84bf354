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
package io.stowage.om;

import io.stowage.common.om.ObjectManager;
import io.stowage.common.time.Pause;
import io.stowage.common.time.StoreClock;
import io.stowage.om.table.CountingRowStore;
import io.stowage.om.table.MemoryRowStore;
import java.time.Duration;

/**
 * An object manager over tables in memory that count what is asked of them, for tests of what
 * stands on it. Takes grants of any age, as the data path's twin gives them. Thread-safe.
 */
public final class CountedOm implements AutoCloseable {
  private static final OmConfig CONFIG =
      new OmConfig(
          "stowage",
          "rs-3-2",
          Duration.ofDays(100_000),
          TestOm.CONFIG.clockBound(),
          TestOm.CONFIG.mutationDeadline(),
          Duration.ofHours(1), // what is counted is not the look at a bucket now and then
          TestOm.COLLECTING,
          TestOm.EXPIRING);

  private final CountingRowStore objects = new CountingRowStore(new MemoryRowStore());
  private final CountingRowStore buckets = new CountingRowStore(new MemoryRowStore());
  private final Namespace namespace =
      new Namespace(
          CONFIG,
          buckets,
          objects,
          new MemoryRowStore(),
          new FakeContainers(),
          StoreClock.system(),
          Pause.REAL);

  public ObjectManager namespace() {
    return namespace;
  }

  /** Calls so far that read rows of objects and buckets: each is a round trip to HBase. */
  public long reads() {
    return objects.reads() + buckets.reads();
  }

  /** Mutations so far, those whose check did not hold among them. */
  public long mutations() {
    return objects.mutations() + buckets.mutations();
  }

  @Override
  public void close() {
    namespace.close();
  }
}

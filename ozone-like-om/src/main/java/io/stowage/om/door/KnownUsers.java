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
package io.stowage.om.door;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.GetIdentityRequest;
import io.stowage.common.proto.Identity;
import io.stowage.common.time.StoreClock;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * S3 users by the names that Hadoop's users have, since they are the same people. A change is seen
 * within {@link #FRESH}. Thread-safe by its own lock, which is held for a look-up in memory only.
 */
final class KnownUsers {
  /** As gateways believe an identity. */
  private static final Duration FRESH = Duration.ofSeconds(5);

  /** Far more than call within seconds; about 1 KiB each. */
  private static final int CAPACITY = 4_096;

  private record Known(Identity identity, long readAtNanos) {}

  private final ObjectManager namespace;
  private final StoreClock clock;
  private final Map<String, Known> users =
      new LinkedHashMap<>(64, 0.75f, true) {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Known> eldest) {
          return size() > CAPACITY;
        }
      };

  KnownUsers(ObjectManager namespace, StoreClock clock) {
    this.namespace = namespace;
    this.clock = clock;
  }

  /** Null: no user of S3 is called so. */
  Identity find(String name) throws StoreException {
    long now = clock.monotonicNanos();
    Known known;
    synchronized (users) {
      known = users.get(name);
    }
    if (known != null && now - known.readAtNanos() < FRESH.toNanos()) {
      return known.identity();
    }
    Identity identity;
    try {
      identity =
          namespace
              .getIdentity(GetIdentityRequest.newBuilder().setUserName(name).build())
              .getIdentity();
    } catch (StoreException e) {
      if (e.code() != ErrorCode.ACCESS_DENIED && e.code().blame() != ErrorCode.Blame.CALLER) {
        throw e;
      }
      identity = null; // remembered, too
    }
    synchronized (users) {
      users.put(name, new Known(identity, now));
    }
    return identity;
  }
}

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

import io.stowage.common.time.StoreClock;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * How often each user may make calls of one kind: so many a minute, and some minutes' worth at
 * once, since the tasks of a job begin together and are all one user. Thread-safe.
 */
final class CallRates {
  /** Of one whose last call is longer ago than others' nothing is remembered. */
  private static final int MOST_USERS = 10_000;

  private static final double NANOS_OF_A_MINUTE = 60e9;

  private static final class Allowance {
    private double left;
    private long countedNanos;
    private long toldNanos;
    private boolean told;
  }

  /** Whether a call may be made. */
  enum Answer {
    YES,
    NO,
    /** And it is the first for a minute. */
    NO_AND_TELL
  }

  private final double perMinute;
  private final double most;
  private final StoreClock clock;

  private final Map<String, Allowance> users =
      new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Allowance> eldest) {
          return size() > MOST_USERS;
        }
      };

  /**
   * @param perMinute 0: as many as anybody likes
   * @param minutesAtOnce what may be saved up
   */
  CallRates(int perMinute, int minutesAtOnce, StoreClock clock) {
    this.perMinute = perMinute;
    this.most = (double) perMinute * minutesAtOnce;
    this.clock = clock;
  }

  /** Takes one call of a user's. */
  synchronized Answer take(String user) {
    if (perMinute == 0) {
      return Answer.YES;
    }
    long now = clock.monotonicNanos();
    Allowance allowance = users.get(user);
    if (allowance == null) {
      allowance = new Allowance();
      allowance.left = most;
      allowance.countedNanos = now;
      users.put(user, allowance);
    }
    double more = (now - allowance.countedNanos) / NANOS_OF_A_MINUTE * perMinute;
    allowance.left = Math.min(most, allowance.left + more);
    allowance.countedNanos = now;
    if (allowance.left >= 1) {
      allowance.left--;
      return Answer.YES;
    }
    if (allowance.told && now - allowance.toldNanos < NANOS_OF_A_MINUTE) {
      return Answer.NO;
    }
    allowance.told = true;
    allowance.toldNanos = now;
    return Answer.NO_AND_TELL;
  }
}

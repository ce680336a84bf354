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
package io.stowage.om.delegation;

import io.stowage.common.conf.Keys;
import java.time.Duration;

/**
 * How long delegation tokens and their keys live. Immutable.
 *
 * @param life from issue to the last moment to which a token can be renewed
 * @param renewInterval from issue, or a renewal, to when it has to be renewed
 * @param keyInterval from one key to the next
 * @param clockBound by how much clocks of object managers differ at most
 */
public record DelegationSettings(
    Duration life, Duration renewInterval, Duration keyInterval, Duration clockBound) {
  public DelegationSettings {
    if (life.dividedBy(keyInterval) + 2 > SigningKeys.MOST_KEYS) {
      throw new IllegalArgumentException(
          Keys.DELEGATION_KEY_INTERVAL.name()
              + " ("
              + keyInterval
              + ") is too short for "
              + Keys.DELEGATION_TOKEN_LIFE.name()
              + " ("
              + life
              + "): more than "
              + SigningKeys.MOST_KEYS
              + " keys would be kept");
    }
  }

  /** How long a key holds that another has just replaced. */
  Duration keyOutlives() {
    return life.plus(SigningKeys.REFRESH).plus(clockBound);
  }

  static long micros(Duration duration) {
    return duration.toNanos() / 1_000;
  }
}

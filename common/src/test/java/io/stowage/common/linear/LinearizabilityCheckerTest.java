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
package io.stowage.common.linear;

import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.function.Function;
import org.junit.jupiter.api.Test;

/** A register of one integer shows what the checker accepts and refuses. */
class LinearizabilityCheckerTest {
  private final History<Integer> history = new History<>();

  private static Function<Integer, Integer> write(int value) {
    return state -> value;
  }

  private static Function<Integer, Integer> read(int seen) {
    return state -> state == seen ? state : null;
  }

  @Test
  void overlappingWritesMayTakeEffectInEitherOrder() {
    long first = history.now();
    long second = history.now();
    history.returned("write 1", first, write(1));
    history.returned("write 2", second, write(2));
    history.returned("read 1", history.now(), read(1));
    assertNull(LinearizabilityChecker.violation(history, 0));
  }

  @Test
  void aReadAfterTheReturnOfAWriteMustSeeIt() {
    history.returned("write 1", history.now(), write(1));
    history.returned("read 0", history.now(), read(0));
    String violation = LinearizabilityChecker.violation(history, 0);
    assertNotNull(violation);
    assertTrue(violation.contains("read 0"), violation);
  }

  @Test
  void aValueThatWasReadMustNotBeUnreadLater() {
    long writing = history.now();
    history.returned("read 1", history.now(), read(1));
    history.returned("read 0", history.now(), read(0));
    history.returned("write 1", writing, write(1));
    assertNotNull(LinearizabilityChecker.violation(history, 0));
  }

  @Test
  void anUnknownOutcomeMayHaveHappenedOrNot() {
    history.unknown("write 1", history.now(), write(1));
    history.returned("read 0", history.now(), read(0));
    assertNull(LinearizabilityChecker.violation(history, 0));
    history.returned("read 1", history.now(), read(1));
    assertNull(LinearizabilityChecker.violation(history, 0));
    history.returned("read 0 again", history.now(), read(0));
    assertNotNull(LinearizabilityChecker.violation(history, 0));
  }

  @Test
  void aFailedCompareAndSetMustHaveHadAReason() {
    history.returned("write 5", history.now(), write(5));
    history.returned("compare 5 failed", history.now(), state -> state == 5 ? null : state);
    assertNotNull(LinearizabilityChecker.violation(history, 0));
  }
}

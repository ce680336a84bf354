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
package io.stowage.common.lifecycle;

import java.util.concurrent.atomic.AtomicReference;

/** State of a component that starts and stops once. Thread-safe; transitions only go forwards. */
public final class Lifecycle {
  /** In the order in which a component passes them. */
  public enum State {
    NEW,
    STARTING,
    RUNNING,
    STOPPING,
    STOPPED
  }

  private final String component;
  private final AtomicReference<State> state = new AtomicReference<>(State.NEW);

  public Lifecycle(String component) {
    this.component = component;
  }

  /** Moves to a later state. A component that is already there or beyond is a bug in its owner. */
  public void moveTo(State next) {
    State before = state.getAndUpdate(now -> next.compareTo(now) > 0 ? next : now);
    if (next.compareTo(before) <= 0) {
      throw new IllegalStateException(
          "Cannot move " + component + " to " + next + ": it is " + before);
    }
  }

  /** Moves to STOPPING; false if somebody else did so before, who then stops the component. */
  public boolean beginStop() {
    State before =
        state.getAndUpdate(now -> now.compareTo(State.STOPPING) < 0 ? State.STOPPING : now);
    return before.compareTo(State.STOPPING) < 0;
  }

  public State state() {
    return state.get();
  }

  public boolean isRunning() {
    return state.get() == State.RUNNING;
  }
}

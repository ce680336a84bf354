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

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;

/**
 * What concurrent clients did and saw, in real time: each operation has the instants of its call
 * and its return, and says which states it may lead to. Recording is thread-safe; checking comes
 * after all threads have ended.
 *
 * @param <S> state of the thing under test; immutable, with equals and hashCode
 */
public final class History<S> {
  /**
   * Return time of an operation whose outcome is unknown: it may take effect at any later time, or
   * never.
   */
  static final long NEVER = Long.MAX_VALUE;

  /**
   * One operation.
   *
   * @param description for the message of a failed check
   * @param called instant of the call
   * @param returned instant of the return, or {@link #NEVER}
   * @param step state after the operation if it took effect on a state with the outcome that its
   *     caller saw; null if it cannot have
   */
  record Operation<S>(String description, long called, long returned, Function<S, S> step) {}

  private final AtomicLong instants = new AtomicLong();
  private final List<Operation<S>> operations = new ArrayList<>();

  /** An instant, later than all before it; taken before a call. */
  public long now() {
    return instants.incrementAndGet();
  }

  /** An operation that returned. */
  public void returned(String description, long called, Function<S, S> step) {
    add(new Operation<>(description, called, now(), step));
  }

  /**
   * An operation of which nobody knows whether it happened or yet will; a read of that kind need
   * not be recorded.
   */
  public void unknown(String description, long called, Function<S, S> step) {
    add(new Operation<>(description + " (outcome unknown)", called, NEVER, step));
  }

  private synchronized void add(Operation<S> operation) {
    operations.add(operation);
  }

  synchronized List<Operation<S>> operations() {
    return List.copyOf(operations);
  }
}

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
package io.stowage.om.row;

import io.stowage.common.error.OutcomeUnknownException;
import io.stowage.common.error.StoreException;

/**
 * Whether a request has sent a change that may be its effect. From then on a failure of anything
 * else that it does, a read among them, no longer says that nothing happened. For one thread.
 */
public final class Sent {
  private boolean any;

  private Sent() {}

  /** A request's steps, which {@link #mark} before they send. */
  @FunctionalInterface
  public interface Steps<T> {
    T run(Sent sent) throws StoreException;
  }

  /** Runs a request. Where the store fails after a change was sent, the outcome is unknown. */
  public static <T> T track(Steps<T> steps) throws StoreException {
    Sent sent = new Sent();
    try {
      return steps.run(sent);
    } catch (StoreException e) {
      throw sent.any ? unknown(e) : e;
    }
  }

  /** The next thing done is to send a change. */
  public void mark() {
    any = true;
  }

  public boolean any() {
    return any;
  }

  private static StoreException unknown(StoreException e) {
    return switch (e.code()) {
      case INTERNAL, UNAVAILABLE, NOT_LEADER, TIMEOUT, OVERLOADED, CLOCK_SKEW ->
          new OutcomeUnknownException("Cannot tell what came of it: " + e.getMessage(), e);
      default -> e; // says for certain what became of the change, or knows no more itself
    };
  }
}

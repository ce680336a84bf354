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
package io.stowage.om.table;

import java.io.IOException;
import java.time.Duration;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** A table that lets a test do something right before or after a mutation, once. */
public final class HookedRowStore extends ForwardingRowStore {
  /** What a test does, and on which mutation. */
  public interface Hook {
    /** Whether this is the mutation. */
    boolean matches(ByteString row, RowChange change);

    void act() throws IOException;
  }

  private volatile Hook before;
  private volatile Hook after;

  public HookedRowStore(RowStore inner) {
    super(inner);
  }

  public void before(Hook hook) {
    before = hook;
  }

  public void after(Hook hook) {
    after = hook;
  }

  /** Whether no hook waits for its mutation any more. */
  public boolean isDone() {
    return before == null && after == null;
  }

  private void runBefore(ByteString row, RowChange change) throws IOException {
    Hook hook = before;
    if (hook != null && hook.matches(row, change)) {
      before = null;
      hook.act();
    }
  }

  private void runAfter(ByteString row, RowChange change) throws IOException {
    Hook hook = after;
    if (hook != null && hook.matches(row, change)) {
      after = null;
      hook.act();
    }
  }

  @Override
  public boolean checkAndMutate(ByteString row, Check check, RowChange change, Duration timeout)
      throws IOException {
    runBefore(row, change);
    boolean applied = inner.checkAndMutate(row, check, change, timeout);
    runAfter(row, change);
    return applied;
  }

  @Override
  public void mutate(ByteString row, RowChange change, Duration timeout) throws IOException {
    runBefore(row, change);
    inner.mutate(row, change, timeout);
    runAfter(row, change);
  }
}

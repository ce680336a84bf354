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

import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.delegation.DelegationTokens;
import io.stowage.common.error.StoreException;
import io.stowage.common.rpc.Administrators;
import io.stowage.om.door.Door;
import java.util.function.Supplier;

/**
 * Whom an object manager with security on sees in calls over RPC, for tests that serve some.
 * Immutable.
 */
public final class VisitorsOfCalls implements Supplier<Door.Visitor> {
  private final Visitors visitors;

  private VisitorsOfCalls(Visitors visitors) {
    this.visitors = visitors;
  }

  /** Of an object manager that the user of the moment starts. */
  public static VisitorsOfCalls with(StowageConfig config) throws StoreException {
    return new VisitorsOfCalls(
        new Visitors(Administrators.of(config), config.get(Keys.SUPERUSER_GROUP), true, true));
  }

  /** Of the call that this thread serves. */
  @Override
  public Door.Visitor get() {
    return visitors.ofThisCall();
  }

  /** A desk as it is served. */
  public DelegationTokens noted(DelegationTokens desk, Door door) {
    return OmServer.noted(desk, door, visitors);
  }
}

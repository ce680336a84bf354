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
import io.stowage.common.error.StoreException;
import io.stowage.common.rpc.Administrators;
import io.stowage.om.door.Door;
import java.util.function.Supplier;

/** Whom an object manager sees in calls over RPC, for tests that serve some. Stateless. */
public final class VisitorsOfCalls {
  private VisitorsOfCalls() {}

  /**
   * With security on, of an object manager that the user of the moment starts; gives the visitor of
   * the call that a thread serves.
   */
  public static Supplier<Door.Visitor> with(StowageConfig config) throws StoreException {
    return new Visitors(Administrators.of(config), config.get(Keys.SUPERUSER_GROUP), true, true)
        ::ofThisCall;
  }
}

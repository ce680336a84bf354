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
package io.stowage.common.rpc;

import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.io.IOException;
import org.apache.hadoop.ipc.Server;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.security.authorize.AccessControlList;

/**
 * Who may do to a service what could show secrets or lose data: the user that it runs as, and those
 * whom {@code stowage.administrators} names. Immutable.
 */
public final class Administrators {
  private final String self;
  private final AccessControlList named;

  private Administrators(String self, AccessControlList named) {
    this.self = self;
    this.named = named;
  }

  /** Those of a service that the user of the moment starts. */
  public static Administrators of(StowageConfig config) throws StoreException {
    try {
      // A text without a space names users; the class wants the space.
      String named = config.get(Keys.ADMINISTRATORS);
      return new Administrators(
          UserGroupInformation.getCurrentUser().getShortUserName(),
          new AccessControlList(named.isEmpty() ? " " : named));
    } catch (IOException e) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION, "Cannot tell which user we run as: " + e.getMessage(), e);
    }
  }

  public boolean include(UserGroupInformation user) {
    return self.equals(user.getShortUserName()) || named.isUserAllowed(user);
  }

  /**
   * Lets the RPC of the moment go on only if an administrator makes it.
   *
   * @throws StoreException ACCESS_DENIED
   */
  public void check(String call) throws StoreException {
    UserGroupInformation caller = Server.getRemoteUser();
    if (caller == null || !include(caller)) {
      throw new StoreException(
          ErrorCode.ACCESS_DENIED,
          "Cannot " + call + " over RPC: " + caller + " is no administrator");
    }
  }
}

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
package io.stowage.s3.auth;

import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.ListUsersReply;
import io.stowage.common.proto.ListUsersRequest;
import io.stowage.common.proto.User;
import io.stowage.common.time.StoreClock;
import io.stowage.s3.access.AclDocuments;
import java.util.ArrayList;
import java.util.List;

/**
 * Users by canonical id and e-mail address, for access control lists: all of them, read anew when
 * older than a few seconds. Thread-safe.
 */
public final class UserDirectory implements AclDocuments.Users {
  /** Beyond, users are found no more by e-mail address; about 200 bytes each. */
  private static final int MOST_USERS = 100_000;

  private record Read(List<User> users, long atNanos) {}

  private final ObjectManager objectManager;
  private final StoreClock clock;
  private volatile Read last;

  public UserDirectory(ObjectManager objectManager, StoreClock clock) {
    this.objectManager = objectManager;
    this.clock = clock;
  }

  @Override
  public String idOfEmail(String email) throws StoreException {
    for (User user : users()) {
      if (!email.isEmpty() && user.getEmail().equalsIgnoreCase(email)) {
        return user.getCanonicalId();
      }
    }
    return null;
  }

  @Override
  public boolean exists(String canonicalId) throws StoreException {
    return find(canonicalId) != null;
  }

  @Override
  public String displayName(String canonicalId) throws StoreException {
    User user = find(canonicalId);
    return user == null ? canonicalId : user.getName();
  }

  private User find(String canonicalId) throws StoreException {
    for (User user : users()) {
      if (user.getCanonicalId().equals(canonicalId)) {
        return user;
      }
    }
    return null;
  }

  private List<User> users() throws StoreException {
    Read known = last;
    long now = clock.monotonicNanos();
    if (known != null && now - known.atNanos < AccessKeys.FRESH.toNanos()) {
      return known.users;
    }
    List<User> users = new ArrayList<>();
    ListUsersReply page;
    String after = "";
    do {
      page = objectManager.listUsers(ListUsersRequest.newBuilder().setAfter(after).build());
      for (User user : page.getUsersList()) {
        users.add(user.toBuilder().clearPolicies().clearAccessKeys().build());
        after = user.getName();
      }
    } while (page.getMore() && users.size() < MOST_USERS);
    last = new Read(List.copyOf(users), now);
    return users;
  }
}

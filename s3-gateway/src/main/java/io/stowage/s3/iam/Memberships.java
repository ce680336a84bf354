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
package io.stowage.s3.iam;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.Entity;
import io.stowage.common.proto.EntityKind;
import io.stowage.common.proto.ListUsersReply;
import io.stowage.common.proto.ListUsersRequest;
import io.stowage.common.proto.UpdateUserRequest;
import io.stowage.common.proto.User;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Who is in which group. The users say it, with the group's name and id: so nobody is in a group
 * that was made anew under an old name. Thread-safe.
 *
 * <p><b>Groups and users are renamed meanwhile.</b> Each is a row of its own. Whoever has written
 * that a user is in a group, under a new name of the user, too, looks at the group after that
 * ({@link #settle}): if it is there no more, he does what its rename, or its removal, did to the
 * others. If it still is, the rename looks at the users later than he wrote, and finds the user.
 * Who takes out, or moves, does so only to who says that he is in that very group: whoever was
 * taken out meanwhile does not come back.
 */
final class Memberships {
  private final ObjectManager namespace;
  private final Entities groups;

  Memberships(ObjectManager namespace) {
    this.namespace = namespace;
    this.groups = new Entities(namespace, EntityKind.GROUP, "group");
  }

  private static boolean isIn(User user, Entity group) {
    return group.getId().equals(user.getGroupsMap().get(group.getName()));
  }

  /** Those in a group, by what they say. */
  List<User> members(Entity group) throws StoreException {
    List<User> members = new ArrayList<>();
    String after = "";
    ListUsersReply page;
    do {
      page = namespace.listUsers(ListUsersRequest.newBuilder().setAfter(after).build());
      for (User user : page.getUsersList()) {
        if (isIn(user, group)) {
          members.add(user);
        }
        after = user.getName();
      }
    } while (page.getMore());
    return members;
  }

  /** The groups that a user is in: of one that is no more, what the user says means nothing. */
  List<Entity> of(User user) throws StoreException {
    List<Entity> in = new ArrayList<>();
    for (String name : new TreeMap<>(user.getGroupsMap()).keySet()) {
      Entity group = groups.look(name);
      if (group != null && isIn(user, group)) {
        in.add(group);
      }
    }
    return in;
  }

  void add(User user, Entity group) throws IamException, StoreException {
    try {
      namespace.updateUser(
          UpdateUserRequest.newBuilder()
              .setName(user.getName())
              .putPutGroups(group.getName(), group.getId())
              .build());
    } catch (StoreException e) {
      if (e.code() == ErrorCode.NO_SUCH_KEY) {
        throw IamException.noSuchEntity("user", user.getName());
      }
      throw e;
    }
    if (!settle(user, group)) {
      throw IamException.noSuchEntity("group", group.getName());
    }
  }

  void remove(User user, Entity group) throws IamException, StoreException {
    if (!isIn(user, group) || !take(user.getName(), group, null)) {
      throw new IamException(
          404,
          "NoSuchEntity",
          "The user with name " + user.getName() + " is not in group " + group.getName() + ".");
    }
  }

  /** Each is in the group under either name, and in no moment in none. */
  void moveAll(Entity old, String newName) throws StoreException {
    for (List<User> left = members(old); !left.isEmpty(); left = members(old)) {
      for (User user : left) {
        move(user, old, newName);
      }
    }
  }

  /** A group was removed: who came to it meanwhile is in none. */
  void removed(Entity group) throws StoreException {
    for (User user : members(group)) {
      var unused = settle(user, group);
    }
  }

  /** A user was given another name. */
  void renamed(User user) throws StoreException {
    for (Map.Entry<String, String> said : user.getGroupsMap().entrySet()) {
      var unused =
          settle(user, Entity.newBuilder().setName(said.getKey()).setId(said.getValue()).build());
    }
  }

  /**
   * What becomes of one who says that he is in a group, if that is not called so any more; false:
   * there is none of its id.
   */
  private boolean settle(User user, Entity said) throws StoreException {
    Entity group = said;
    while (!groups.isThere(group)) {
      Entity now = groups.withId(group.getId());
      move(user, group, now == null ? null : now.getName());
      if (now == null) {
        return false;
      }
      group = now;
    }
    return true;
  }

  /**
   * Moves one user, whatever his name is by now, or takes him out.
   *
   * @param to the group's other name; null: none
   */
  private void move(User user, Entity from, String to) throws StoreException {
    String name = user.getName();
    while (name != null && !take(name, from, to)) {
      name = nameIn(from, user);
    }
  }

  /** What a user is called by now; null: he is not in the group, or there no more. */
  private String nameIn(Entity group, User was) throws StoreException {
    for (User user : members(group)) {
      if (user.getId().equals(was.getId()) && user.getCanonicalId().equals(was.getCanonicalId())) {
        return user.getName();
      }
    }
    return null;
  }

  /** False: nobody of that name says that he is in it. */
  private boolean take(String name, Entity from, String to) throws StoreException {
    UpdateUserRequest.Builder change =
        UpdateUserRequest.newBuilder()
            .setName(name)
            .putOnlyIfGroups(from.getName(), from.getId())
            .addRemoveGroups(from.getName());
    if (to != null) {
      change.putPutGroups(to, from.getId());
    }
    try {
      namespace.updateUser(change.build());
      return true;
    } catch (StoreException e) {
      return switch (e.code()) {
        case NO_SUCH_KEY, PRECONDITION_FAILED -> false;
        default -> throw e;
      };
    }
  }
}

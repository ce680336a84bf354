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
import io.stowage.common.time.Pause;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Who is in which group. The users say it, by the group's id, which no other group ever has. The
 * name beside it is only where the group is looked for first: if it is not there, it is looked for
 * by its id ({@link Entities#now}; the object manager, which gathers policies, does the same). An
 * id that no group has means nothing. Thread-safe.
 *
 * <p><b>Groups and users are renamed meanwhile</b>, each a row of its own, by somebody who may die
 * at any step. So none relies on another:
 *
 * <ul>
 *   <li>A name that is behind, since whoever renamed or removed the group died before he looked at
 *       its members, or looked past one who was added or renamed just then, costs a search. The
 *       next change of the user's groups puts it right.
 *   <li>All that a user says changes at once, if he still says what was read ({@link #change}). Of
 *       a rename's settling, an addition and a removal each therefore sees what was before it:
 *       whoever is taken out is so under every name, and nobody who read him earlier brings him
 *       back.
 *   <li>A name that another group has by now is not lost when that is written: what the first is
 *       called by now is written with it.
 *   <li>Whoever added a user looks at the group after that: if it was removed, he says so, and what
 *       he wrote is taken back, by him or by who removed it. Where both die it means nothing.
 * </ul>
 */
final class Memberships {
  private static final int MOST_GROUPS = 10;

  /** Rivals that change the same user's groups; each lost attempt means one won. */
  private static final int MOST_ATTEMPTS = 50;

  private final ObjectManager namespace;
  private final Entities groups;

  Memberships(ObjectManager namespace) {
    this.namespace = namespace;
    this.groups = new Entities(namespace, EntityKind.GROUP, "group");
  }

  /** Those in a group, by what they say. */
  List<User> members(Entity group) throws StoreException {
    List<User> members = new ArrayList<>();
    String after = "";
    ListUsersReply page;
    do {
      page = namespace.listUsers(ListUsersRequest.newBuilder().setAfter(after).build());
      for (User user : page.getUsersList()) {
        if (user.getGroupsMap().containsValue(group.getId())) {
          members.add(user);
        }
        after = user.getName();
      }
    } while (page.getMore());
    return members;
  }

  /** The groups that a user is in, each once. */
  List<Entity> of(User user) throws StoreException {
    List<Entity> in = new ArrayList<>();
    Set<String> ids = new HashSet<>();
    for (Map.Entry<String, String> said : new TreeMap<>(user.getGroupsMap()).entrySet()) {
      Entity group = ids.add(said.getValue()) ? groups.now(said.getKey(), said.getValue()) : null;
      if (group != null) {
        in.add(group);
      }
    }
    return in;
  }

  void add(User user, Entity group) throws IamException, StoreException {
    change(
        user.getName(),
        Set.of(),
        in -> {
          if (has(in, group)) {
            return in;
          }
          if (in.size() >= MOST_GROUPS) {
            throw IamException.limit("Cannot exceed quota for GroupsPerUser: " + MOST_GROUPS);
          }
          List<Entity> more = new ArrayList<>(in);
          more.add(now(group));
          return more;
        });
    try {
      var unused = now(group);
    } catch (IamException e) {
      settle(user, Set.of(group.getId()));
      throw e;
    }
  }

  void remove(User user, Entity group) throws IamException, StoreException {
    change(
        user.getName(),
        Set.of(),
        in -> {
          if (!has(in, group)) {
            throw new IamException(
                404,
                "NoSuchEntity",
                "The user with name "
                    + user.getName()
                    + " is not in group "
                    + group.getName()
                    + ".");
          }
          return in.stream().filter(other -> !other.getId().equals(group.getId())).toList();
        });
  }

  /** A group was given another name: its members say that from now on. */
  void renamed(Entity group) throws StoreException {
    for (User user : members(group)) {
      settle(user, Set.of());
    }
  }

  /** A group was removed: who came to it meanwhile is in none. */
  void removed(Entity group) throws StoreException {
    for (User user : members(group)) {
      settle(user, Set.of(group.getId()));
    }
  }

  private void settle(User user, Set<String> gone) throws StoreException {
    try {
      change(user.getName(), gone, in -> in);
    } catch (IamException e) {
      // nobody is called so any more: the other name says the same, and means as much
    }
  }

  private static boolean has(List<Entity> in, Entity group) {
    return in.stream().anyMatch(each -> each.getId().equals(group.getId()));
  }

  private Entity now(Entity group) throws IamException, StoreException {
    Entity now = groups.now(group.getName(), group.getId());
    if (now == null) {
      throw IamException.noSuchEntity("group", group.getName());
    }
    return now;
  }

  /** The groups that a user is to be in, by those that he is in. */
  private interface Change {
    List<Entity> of(List<Entity> in) throws IamException, StoreException;
  }

  /**
   * Changes what a user says, and writes what his groups are called by now. An id that was not
   * found stays, since a listing may miss a group: only who knows that it is gone takes it out.
   *
   * @param gone ids of groups that were removed
   */
  private void change(String name, Set<String> gone, Change change)
      throws IamException, StoreException {
    for (int attempt = 1; ; attempt++) {
      User user = UserActions.find(namespace, name);
      List<Entity> in = of(user);
      Map<String, String> next = new TreeMap<>(user.getGroupsMap());
      next.values().removeAll(gone);
      next.values().removeAll(in.stream().map(Entity::getId).toList());
      Map<String, String> called = new TreeMap<>();
      List<Entity> willBeIn = change.of(in);
      willBeIn.forEach(each -> called.put(each.getName(), each.getId()));
      next.putAll(called);
      boolean isOneMoment = called.size() == willBeIn.size(); // else one got another's name by now
      if (isOneMoment
          && (next.equals(user.getGroupsMap()) || swap(name, user.getGroupsMap(), next))) {
        return;
      }
      if (attempt == MOST_ATTEMPTS) {
        throw new StoreException(
            ErrorCode.CONFLICT, "Cannot change the groups of " + name + ": they change meanwhile");
      }
      Pause.REAL.backOff(attempt);
    }
  }

  /** False: the user says something else by now. */
  private boolean swap(String name, Map<String, String> said, Map<String, String> next)
      throws IamException, StoreException {
    UpdateUserRequest.Builder change = UpdateUserRequest.newBuilder().setName(name);
    next.keySet().forEach(group -> change.putOnlyIfGroups(group, ""));
    change.putAllOnlyIfGroups(said).addAllRemoveGroups(said.keySet()).putAllPutGroups(next);
    try {
      namespace.updateUser(change.build());
      return true;
    } catch (StoreException e) {
      switch (e.code()) {
        case PRECONDITION_FAILED -> {
          return false;
        }
        case NO_SUCH_KEY -> throw IamException.noSuchEntity("user", name);
        default -> throw e;
      }
    }
  }
}

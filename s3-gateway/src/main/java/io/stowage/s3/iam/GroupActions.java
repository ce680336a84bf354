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

import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.Entity;
import io.stowage.common.proto.EntityKind;
import io.stowage.common.proto.User;
import io.stowage.common.time.StoreClock;
import io.stowage.s3.iam.Actions.Action;
import io.stowage.s3.xml.XmlOut;
import java.util.Map;
import java.util.TreeMap;

/** Groups, who is in them, and their policies. Thread-safe. */
final class GroupActions {
  private static final int LONGEST_NAME = 128;
  private static final int MOST_POLICY_CHARS = 5_120;

  private final ObjectManager namespace;
  private final StoreClock clock;
  private final Entities groups;
  private final Memberships memberships;

  GroupActions(ObjectManager namespace, StoreClock clock, Memberships memberships) {
    this.namespace = namespace;
    this.clock = clock;
    this.groups = new Entities(namespace, EntityKind.GROUP, "group");
    this.memberships = memberships;
  }

  void addTo(Map<String, Action> actions) {
    actions.put("CreateGroup", new Action(this::newGroup, true, this::create));
    actions.put("GetGroup", new Action(this::group, true, this::get));
    actions.put(
        "ListGroups",
        new Action(
            call -> Actions.arn("group", "/", "*"),
            true,
            call -> groups.list(call, "Groups", (c, group) -> write(c.out(), "member", group))));
    actions.put(
        "UpdateGroup", new Action(this::group, false, this::update).alsoAbout(this::renamed));
    actions.put("DeleteGroup", new Action(this::group, false, this::delete));
    actions.put("AddUserToGroup", new Action(this::group, false, this::addUser));
    actions.put("RemoveUserFromGroup", new Action(this::group, false, this::removeUser));
    actions.put("ListGroupsForUser", new Action(this::user, true, this::listForUser));
    actions.put("PutGroupPolicy", new Action(this::group, false, this::putPolicy));
    actions.put("GetGroupPolicy", new Action(this::group, true, this::getPolicy));
    actions.put("DeleteGroupPolicy", new Action(this::group, false, this::deletePolicy));
    actions.put(
        "ListGroupPolicies",
        new Action(
            this::group,
            true,
            call ->
                Actions.listPolicies(call, new TreeMap<>(asked(call).getPoliciesMap()).keySet())));
    actions.put(
        "ListAttachedGroupPolicies",
        new Action(this::group, true, call -> Actions.none(call, "AttachedPolicies")));
  }

  private Entity asked(IamCall call) throws IamException, StoreException {
    return groups.find(call.need("GroupName"));
  }

  private String newGroup(IamCall call) throws IamException {
    return Actions.arn("group", call.path(), call.needName("GroupName", LONGEST_NAME));
  }

  private String group(IamCall call) throws IamException, StoreException {
    String name = call.need("GroupName");
    try {
      return Actions.arn("group", groups.find(name).getPath(), name);
    } catch (IamException e) {
      return Actions.arn("group", "/", name);
    }
  }

  private String user(IamCall call) throws IamException, StoreException {
    String name = call.need("UserName");
    try {
      return Actions.arn("user", UserActions.find(namespace, name).getPath(), name);
    } catch (IamException e) {
      return Actions.arn("user", "/", name);
    }
  }

  private void create(IamCall call) throws IamException, StoreException {
    write(
        call.out(),
        "Group",
        groups.create(
            Entity.newBuilder()
                .setName(call.needName("GroupName", LONGEST_NAME))
                .setPath(call.path())
                .setId(Actions.id("AGPA", 21))
                .setCreatedMicros(clock.wallMicros())));
  }

  private static void write(XmlOut out, String element, Entity group) {
    out.open(element)
        .text("Path", group.getPath())
        .text("GroupName", group.getName())
        .text("GroupId", group.getId())
        .text("Arn", Actions.arn("group", group.getPath(), group.getName()))
        .text("CreateDate", Actions.time(group.getCreatedMicros()))
        .close();
  }

  private void get(IamCall call) throws IamException, StoreException {
    Entity group = asked(call);
    XmlOut out = call.out();
    write(out, "Group", group);
    out.open("Users");
    for (User user : memberships.members(group)) {
      UserActions.write(out, "member", user);
    }
    out.close();
    out.text("IsTruncated", false);
  }

  private void update(IamCall call) throws IamException, StoreException {
    String path = call.newPath();
    Entities.Change change =
        group -> {
          if (path != null) {
            group.setPath(path);
          }
        };
    String name = call.need("GroupName");
    String newName =
        call.param("NewGroupName") == null ? name : call.needName("NewGroupName", LONGEST_NAME);
    if (newName.equals(name)) {
      groups.change(name, change);
    } else {
      memberships.renamed(groups.rename(name, newName, change));
    }
  }

  /** What the group is to be called: whoever may change the one must be allowed the other, too. */
  private String renamed(IamCall call) throws IamException, StoreException {
    Entity group = asked(call);
    String name = call.param("NewGroupName");
    String path = call.newPath();
    return Actions.arn(
        "group", path == null ? group.getPath() : path, name == null ? group.getName() : name);
  }

  private void delete(IamCall call) throws IamException, StoreException {
    Entity asked = asked(call);
    if (!memberships.members(asked).isEmpty()) {
      throw IamException.conflict("Cannot delete entity, must remove users from group first.");
    }
    groups.remove(
        asked.getName(),
        group -> {
          if (!group.getId().equals(asked.getId())) { // made anew meanwhile
            throw IamException.noSuchEntity("group", group.getName());
          }
          if (group.getPoliciesCount() > 0) {
            throw IamException.conflict("Cannot delete entity, must delete policies first.");
          }
        });
    memberships.removed(asked);
  }

  private void addUser(IamCall call) throws IamException, StoreException {
    Entity group = asked(call);
    User user = UserActions.find(namespace, call.need("UserName"));
    memberships.add(user, group);
  }

  private void removeUser(IamCall call) throws IamException, StoreException {
    Entity group = asked(call);
    User user = UserActions.find(namespace, call.need("UserName"));
    memberships.remove(user, group);
  }

  private void listForUser(IamCall call) throws IamException, StoreException {
    User user = UserActions.find(namespace, call.need("UserName"));
    XmlOut out = call.out();
    out.open("Groups");
    for (Entity group : memberships.of(user)) {
      write(out, "member", group);
    }
    out.close();
    out.text("IsTruncated", false);
  }

  private void putPolicy(IamCall call) throws IamException, StoreException {
    String name = call.needName("PolicyName", LONGEST_NAME);
    String json = Actions.policy(call.need("PolicyDocument"));
    groups.change(
        call.need("GroupName"),
        group -> {
          group.putPolicies(name, json);
          Actions.checkSize(group.getPoliciesMap(), MOST_POLICY_CHARS, "group", group.getName());
        });
  }

  private void getPolicy(IamCall call) throws IamException, StoreException {
    String name = call.need("PolicyName");
    String json = asked(call).getPoliciesMap().get(name);
    if (json == null) {
      throw IamException.noSuchEntity("group policy", name);
    }
    call.out()
        .text("GroupName", call.need("GroupName"))
        .text("PolicyName", name)
        .text("PolicyDocument", Actions.encoded(json));
  }

  private void deletePolicy(IamCall call) throws IamException, StoreException {
    String name = call.need("PolicyName");
    groups.change(
        call.need("GroupName"),
        group -> {
          if (!group.containsPolicies(name)) {
            throw IamException.noSuchEntity("group policy", name);
          }
          group.removePolicies(name);
        });
  }
}

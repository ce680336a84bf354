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
import io.stowage.common.id.WriteId;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.CreateUserRequest;
import io.stowage.common.proto.DeleteUserRequest;
import io.stowage.common.proto.GetIdentityRequest;
import io.stowage.common.proto.Identity;
import io.stowage.common.proto.ListUsersReply;
import io.stowage.common.proto.ListUsersRequest;
import io.stowage.common.proto.UpdateUserRequest;
import io.stowage.common.proto.User;
import io.stowage.s3.iam.Actions.Action;
import io.stowage.s3.xml.XmlOut;
import java.util.Map;
import java.util.TreeMap;

/** Users, their access keys and policies. Thread-safe. */
final class UserActions {
  private static final int LONGEST_NAME = 64;
  private static final int LONGEST_POLICY_NAME = 128;
  private static final int MOST_KEYS = 2;
  private static final int MOST_POLICY_CHARS = 2_048;

  private final ObjectManager namespace;
  private final Memberships memberships;

  UserActions(ObjectManager namespace, Memberships memberships) {
    this.namespace = namespace;
    this.memberships = memberships;
  }

  void addTo(Map<String, Action> actions) {
    actions.put("CreateUser", new Action(this::newUser, true, this::create));
    actions.put("GetUser", new Action(this::user, true, this::get));
    actions.put("ListUsers", new Action(call -> Actions.arn("user", "/", "*"), true, this::list));
    actions.put("UpdateUser", new Action(this::user, false, this::update).alsoAbout(this::renamed));
    actions.put("DeleteUser", new Action(this::user, false, this::delete));
    actions.put("TagUser", new Action(this::user, false, this::tag));
    actions.put("UntagUser", new Action(this::user, false, this::untag));
    actions.put("ListUserTags", new Action(this::user, true, this::listTags));
    actions.put("ListAccountAliases", new Action(call -> "*", true, this::listAliases));
    actions.put("GetAccessKeyLastUsed", new Action(this::userOfKey, true, this::lastUsed));
    actions.put("CreateAccessKey", new Action(this::user, true, this::createKey));
    actions.put("ListAccessKeys", new Action(this::user, true, this::listKeys));
    actions.put("UpdateAccessKey", new Action(this::user, false, this::updateKey));
    actions.put("DeleteAccessKey", new Action(this::user, false, this::deleteKey));
    actions.put("PutUserPolicy", new Action(this::user, false, this::putPolicy));
    actions.put("GetUserPolicy", new Action(this::user, true, this::getPolicy));
    actions.put("DeleteUserPolicy", new Action(this::user, false, this::deletePolicy));
    actions.put(
        "ListUserPolicies",
        new Action(
            this::user,
            true,
            call ->
                Actions.listPolicies(call, new TreeMap<>(asked(call).getPoliciesMap()).keySet())));
    actions.put(
        "ListAttachedUserPolicies",
        new Action(this::user, true, call -> Actions.none(call, "AttachedPolicies")));
  }

  /** The user that a call is about: the caller if it names none. */
  private User asked(IamCall call) throws IamException, StoreException {
    String name = call.param("UserName");
    if (name == null) {
      name = call.caller().identity().getUserName();
      if (name.isEmpty()) {
        throw IamException.validation(
            "Must specify userName when calling with non-User credentials");
      }
    }
    return find(namespace, name);
  }

  static User find(ObjectManager namespace, String name) throws IamException, StoreException {
    ListUsersReply found = namespace.listUsers(ListUsersRequest.newBuilder().setOnly(name).build());
    if (found.getUsersCount() == 0) {
      throw IamException.noSuchEntity("user", name);
    }
    return found.getUsers(0);
  }

  private String newUser(IamCall call) throws IamException {
    return Actions.arn("user", call.path(), call.needName("UserName", LONGEST_NAME));
  }

  /** Of one that is not there by its name alone: to whom that may be told is decided by it. */
  private String user(IamCall call) throws IamException, StoreException {
    try {
      User user = asked(call);
      return Actions.arn("user", user.getPath(), user.getName());
    } catch (IamException e) {
      if (call.param("UserName") == null) {
        throw e;
      }
      return Actions.arn("user", "/", call.param("UserName"));
    }
  }

  private void create(IamCall call) throws IamException, StoreException {
    String name = call.needName("UserName", LONGEST_NAME);
    User user;
    try {
      user =
          namespace
              .createUser(
                  CreateUserRequest.newBuilder()
                      .setUser(
                          User.newBuilder()
                              .setName(name)
                              .setPath(call.path())
                              .setId(Actions.id("AIDA", 21))
                              .putAllTags(call.tags()))
                      .setWriteId(WriteId.random())
                      .build())
              .getUser();
    } catch (StoreException e) {
      if (e.code() == ErrorCode.KEY_EXISTS) {
        throw IamException.exists("User", name);
      }
      throw e;
    }
    write(call.out(), "User", user);
  }

  static void write(XmlOut out, String element, User user) {
    out.open(element);
    out.text("Path", user.getPath().isEmpty() ? "/" : user.getPath());
    out.text("UserName", user.getName());
    out.text("UserId", user.getId().isEmpty() ? user.getCanonicalId() : user.getId());
    out.text("Arn", Actions.arn("user", user.getPath(), user.getName()));
    out.text("CreateDate", Actions.time(user.getCreatedMicros()));
    Actions.tags(out, new TreeMap<>(user.getTagsMap()));
    out.close();
  }

  private void get(IamCall call) throws IamException, StoreException {
    write(call.out(), "User", asked(call));
  }

  private void list(IamCall call) throws IamException, StoreException {
    String prefix = call.param("PathPrefix") == null ? "/" : call.param("PathPrefix");
    int limit = call.maxItems();
    String after = call.param("Marker") == null ? "" : call.param("Marker");
    XmlOut out = call.out();
    out.open("Users");
    int listed = 0;
    String more = null;
    ListUsersReply page;
    do {
      page = namespace.listUsers(ListUsersRequest.newBuilder().setAfter(after).build());
      for (User user : page.getUsersList()) {
        if (!(user.getPath().isEmpty() ? "/" : user.getPath()).startsWith(prefix)) {
          after = user.getName();
          continue;
        }
        if (listed == limit) {
          more = after;
          break;
        }
        write(out, "member", user);
        listed++;
        after = user.getName();
      }
    } while (page.getMore() && more == null);
    out.close();
    out.text("IsTruncated", more != null);
    out.textIfAny("Marker", more);
  }

  private UpdateUserRequest.Builder change(IamCall call) throws IamException, StoreException {
    return UpdateUserRequest.newBuilder().setName(asked(call).getName());
  }

  private void apply(UpdateUserRequest.Builder change) throws IamException, StoreException {
    try {
      namespace.updateUser(change.build());
    } catch (StoreException e) {
      if (e.code() == ErrorCode.NO_SUCH_KEY) {
        throw IamException.noSuchEntity("user", change.getName());
      }
      throw e;
    }
  }

  private void update(IamCall call) throws IamException, StoreException {
    call.need("UserName");
    UpdateUserRequest.Builder change = change(call);
    String path = call.newPath();
    if (path != null) {
      change.setPath(path);
    }
    if (call.param("NewUserName") != null) {
      change.setNewName(call.needName("NewUserName", LONGEST_NAME));
    }
    try {
      apply(change);
    } catch (StoreException e) {
      if (e.code() == ErrorCode.KEY_EXISTS) {
        throw IamException.exists("User", change.getNewName());
      }
      throw e;
    }
  }

  /** What the user is to be called: whoever may change the one must be allowed the other, too. */
  private String renamed(IamCall call) throws IamException, StoreException {
    User user = asked(call);
    String name = call.param("NewUserName");
    String path = call.newPath();
    return Actions.arn(
        "user", path == null ? user.getPath() : path, name == null ? user.getName() : name);
  }

  private void tag(IamCall call) throws IamException, StoreException {
    apply(change(call).putAllPutTags(call.tags()));
  }

  private void untag(IamCall call) throws IamException, StoreException {
    apply(change(call).addAllRemoveTags(call.members("TagKeys")));
  }

  private void listTags(IamCall call) throws IamException, StoreException {
    Map<String, String> tags = new TreeMap<>(asked(call).getTagsMap());
    if (tags.isEmpty()) {
      Actions.none(call, "Tags");
      return;
    }
    Actions.tags(call.out(), tags);
    call.out().text("IsTruncated", false);
  }

  /** The account of this store has no other name. */
  private void listAliases(IamCall call) {
    Actions.none(call, "AccountAliases");
  }

  /** Of no key that there is, any user: whether there is one is told to who may ask, alone. */
  private String userOfKey(IamCall call) throws IamException, StoreException {
    User user = ofKey(call);
    return user == null
        ? Actions.arn("user", "/", "*")
        : Actions.arn("user", user.getPath(), user.getName());
  }

  /** When keys were used is in the audit log alone: answered as of one that never was. */
  private void lastUsed(IamCall call) throws IamException, StoreException {
    User user = ofKey(call);
    if (user == null) {
      throw noSuchKey(call.need("AccessKeyId"));
    }
    call.out()
        .text("UserName", user.getName())
        .open("AccessKeyLastUsed")
        .text("ServiceName", "N/A")
        .text("Region", "N/A")
        .close();
  }

  /**
   * Whose key a call is about, by the users: a key that does not count for now tells nothing
   * itself. Null: nobody's.
   */
  private User ofKey(IamCall call) throws IamException, StoreException {
    String key = call.need("AccessKeyId");
    return call.once(() -> ofKey(key));
  }

  private User ofKey(String key) throws StoreException {
    String after = "";
    ListUsersReply page;
    do {
      page = namespace.listUsers(ListUsersRequest.newBuilder().setAfter(after).build());
      for (User user : page.getUsersList()) {
        if (user.getAccessKeysList().contains(key)) {
          return user;
        }
        after = user.getName();
      }
    } while (page.getMore());
    return null;
  }

  private static IamException noSuchKey(String key) {
    return new IamException(
        404, "NoSuchEntity", "The Access Key with id " + key + " cannot be found.");
  }

  private void delete(IamCall call) throws IamException, StoreException {
    call.need("UserName");
    User user = asked(call);
    if (user.getAccessKeysCount() > 0) {
      throw IamException.conflict("Cannot delete entity, must delete access keys first.");
    }
    if (user.getPoliciesCount() > 0) {
      throw IamException.conflict("Cannot delete entity, must delete policies first.");
    }
    if (!memberships.of(user).isEmpty()) {
      throw IamException.conflict("Cannot delete entity, must remove users from group first.");
    }
    namespace.deleteUser(DeleteUserRequest.newBuilder().setName(user.getName()).build());
  }

  private void createKey(IamCall call) throws IamException, StoreException {
    User user = asked(call);
    String accessKey = Actions.id("AKIA", 20);
    String secret = Actions.secret();
    if (user.getAccessKeysCount() >= MOST_KEYS) {
      throw tooManyKeys();
    }
    try {
      apply(
          change(call)
              .setMostKeys(MOST_KEYS)
              .addAddKeys(
                  Identity.newBuilder().setAccessKey(accessKey).setSecretKey(secret).build()));
    } catch (StoreException e) {
      if (e.code() == ErrorCode.TOO_LARGE) {
        throw tooManyKeys();
      }
      throw e;
    }
    call.out()
        .open("AccessKey")
        .text("UserName", user.getName())
        .text("AccessKeyId", accessKey)
        .text("Status", "Active")
        .text("SecretAccessKey", secret)
        .text("CreateDate", created(user, accessKey))
        .close();
  }

  private static IamException tooManyKeys() {
    return IamException.limit("Cannot exceed quota for AccessKeysPerUser: " + MOST_KEYS);
  }

  /** Of a key that does not count for now that of its user, which is all that is told then. */
  private String created(User user, String accessKey) throws StoreException {
    long micros = 0;
    try {
      micros =
          namespace
              .getIdentity(GetIdentityRequest.newBuilder().setAccessKey(accessKey).build())
              .getIdentity()
              .getCreatedMicros();
    } catch (StoreException e) {
      if (e.code() != ErrorCode.ACCESS_DENIED) {
        throw e;
      }
    }
    return Actions.time(micros == 0 ? user.getCreatedMicros() : micros);
  }

  private void listKeys(IamCall call) throws IamException, StoreException {
    User user = asked(call);
    XmlOut out = call.out();
    out.open("AccessKeyMetadata");
    for (String key : user.getAccessKeysList()) {
      out.open("member")
          .text("UserName", user.getName())
          .text("AccessKeyId", key)
          .text("Status", user.getInactiveKeysList().contains(key) ? "Inactive" : "Active")
          .text("CreateDate", created(user, key))
          .close();
    }
    out.close();
    out.text("UserName", user.getName());
    out.text("IsTruncated", false);
  }

  private String key(IamCall call) throws IamException, StoreException {
    String key = call.need("AccessKeyId");
    if (!asked(call).getAccessKeysList().contains(key)) {
      throw noSuchKey(key);
    }
    return key;
  }

  private void updateKey(IamCall call) throws IamException, StoreException {
    String key = key(call);
    switch (call.need("Status")) {
      case "Active" -> apply(change(call).addActivateKeys(key));
      case "Inactive" -> apply(change(call).addDeactivateKeys(key));
      default ->
          throw IamException.validation(
              "1 validation error detected: Value at 'status' failed to satisfy constraint: Member"
                  + " must satisfy enum value set: [Active, Inactive]");
    }
  }

  private void deleteKey(IamCall call) throws IamException, StoreException {
    apply(change(call).addRemoveKeys(key(call)));
  }

  private void putPolicy(IamCall call) throws IamException, StoreException {
    call.need("UserName");
    String name = call.needName("PolicyName", LONGEST_POLICY_NAME);
    String json = Actions.policy(call.need("PolicyDocument"));
    User user = asked(call);
    Map<String, String> policies = new TreeMap<>(user.getPoliciesMap());
    policies.put(name, json);
    Actions.checkSize(policies, MOST_POLICY_CHARS, "user", user.getName());
    apply(change(call).putPutPolicies(name, json));
  }

  private String policy(IamCall call) throws IamException, StoreException {
    call.need("UserName");
    String name = call.need("PolicyName");
    String json = asked(call).getPoliciesMap().get(name);
    if (json == null) {
      throw IamException.noSuchEntity("user policy", name);
    }
    return json;
  }

  private void getPolicy(IamCall call) throws IamException, StoreException {
    String json = policy(call);
    call.out()
        .text("UserName", call.need("UserName"))
        .text("PolicyName", call.need("PolicyName"))
        .text("PolicyDocument", Actions.encoded(json));
  }

  private void deletePolicy(IamCall call) throws IamException, StoreException {
    policy(call);
    apply(change(call).addRemovePolicies(call.need("PolicyName")));
  }
}

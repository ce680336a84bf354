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
import io.stowage.common.time.StoreClock;
import io.stowage.s3.iam.Actions.Action;
import io.stowage.s3.xml.XmlOut;
import java.util.Map;
import java.util.TreeMap;

/** Roles: who may assume them, and what those may do. Thread-safe. */
final class RoleActions {
  private static final int LONGEST_NAME = 64;
  private static final int LONGEST_POLICY_NAME = 128;
  private static final int MOST_POLICY_CHARS = 10_240;
  private static final int MOST_TRUST_CHARS = 2_048;
  static final int LEAST_SESSION_SECONDS = 900;
  private static final int SESSION_SECONDS = 3_600;
  private static final int MOST_SESSION_SECONDS = 43_200;

  private final StoreClock clock;
  private final Entities roles;

  RoleActions(ObjectManager namespace, StoreClock clock) {
    this.clock = clock;
    this.roles = new Entities(namespace, EntityKind.ROLE, "role");
  }

  void addTo(Map<String, Action> actions) {
    actions.put("CreateRole", new Action(this::newRole, true, this::create));
    actions.put(
        "GetRole", new Action(this::role, true, call -> write(call.out(), "Role", asked(call))));
    actions.put(
        "ListRoles",
        new Action(
            call -> Actions.arn("role", "/", "*"),
            true,
            call -> roles.list(call, "Roles", (c, role) -> write(c.out(), "member", role))));
    actions.put("DeleteRole", new Action(this::role, false, this::delete));
    actions.put("UpdateAssumeRolePolicy", new Action(this::role, false, this::updateTrust));
    actions.put("PutRolePolicy", new Action(this::role, false, this::putPolicy));
    actions.put("GetRolePolicy", new Action(this::role, true, this::getPolicy));
    actions.put("DeleteRolePolicy", new Action(this::role, false, this::deletePolicy));
    actions.put(
        "ListRolePolicies",
        new Action(
            this::role,
            true,
            call ->
                Actions.listPolicies(call, new TreeMap<>(asked(call).getPoliciesMap()).keySet())));
    actions.put(
        "ListAttachedRolePolicies",
        new Action(this::role, true, call -> Actions.none(call, "AttachedPolicies")));
    actions.put(
        "ListInstanceProfilesForRole",
        new Action(this::role, true, call -> Actions.none(call, "InstanceProfiles")));
  }

  Entity find(String name) throws IamException, StoreException {
    return roles.find(name);
  }

  private Entity asked(IamCall call) throws IamException, StoreException {
    return roles.find(call.need("RoleName"));
  }

  private String newRole(IamCall call) throws IamException {
    return Actions.arn("role", call.path(), call.needName("RoleName", LONGEST_NAME));
  }

  private String role(IamCall call) throws IamException, StoreException {
    String name = call.need("RoleName");
    try {
      return Actions.arn("role", roles.find(name).getPath(), name);
    } catch (IamException e) {
      return Actions.arn("role", "/", name);
    }
  }

  private static String trust(IamCall call, String parameter) throws IamException {
    String json = Actions.trustPolicy(call.need(parameter));
    if (json.length() > MOST_TRUST_CHARS) {
      throw IamException.limit("Cannot exceed quota for ACLSizePerRole: " + MOST_TRUST_CHARS);
    }
    return json;
  }

  private void create(IamCall call) throws IamException, StoreException {
    write(
        call.out(),
        "Role",
        roles.create(
            Entity.newBuilder()
                .setName(call.needName("RoleName", LONGEST_NAME))
                .setPath(call.path())
                .setId(Actions.id("AROA", 21))
                .setCanonicalId(Actions.canonicalId())
                .setTrustPolicy(trust(call, "AssumeRolePolicyDocument"))
                .setDescription(call.param("Description") == null ? "" : call.param("Description"))
                .setMaxSessionSeconds(
                    call.integer(
                        "MaxSessionDuration",
                        SESSION_SECONDS,
                        SESSION_SECONDS,
                        MOST_SESSION_SECONDS))
                .putAllTags(call.tags())
                .setCreatedMicros(clock.wallMicros())));
  }

  private static void write(XmlOut out, String element, Entity role) {
    out.open(element)
        .text("Path", role.getPath())
        .text("RoleName", role.getName())
        .text("RoleId", role.getId())
        .text("Arn", Actions.arn("role", role.getPath(), role.getName()))
        .text("CreateDate", Actions.time(role.getCreatedMicros()))
        .text("AssumeRolePolicyDocument", Actions.encoded(role.getTrustPolicy()))
        .textIfAny("Description", role.getDescription())
        .text("MaxSessionDuration", role.getMaxSessionSeconds());
    Actions.tags(out, new TreeMap<>(role.getTagsMap()));
    out.close();
  }

  private void delete(IamCall call) throws IamException, StoreException {
    roles.remove(
        call.need("RoleName"),
        role -> {
          if (role.getPoliciesCount() > 0) {
            throw IamException.conflict("Cannot delete entity, must delete policies first.");
          }
        });
  }

  private void updateTrust(IamCall call) throws IamException, StoreException {
    String json = trust(call, "PolicyDocument");
    roles.change(call.need("RoleName"), role -> role.setTrustPolicy(json));
  }

  private void putPolicy(IamCall call) throws IamException, StoreException {
    String name = call.needName("PolicyName", LONGEST_POLICY_NAME);
    String json = Actions.policy(call.need("PolicyDocument"));
    roles.change(
        call.need("RoleName"),
        role -> {
          role.putPolicies(name, json);
          Actions.checkSize(role.getPoliciesMap(), MOST_POLICY_CHARS, "role", role.getName());
        });
  }

  private void getPolicy(IamCall call) throws IamException, StoreException {
    String name = call.need("PolicyName");
    String json = asked(call).getPoliciesMap().get(name);
    if (json == null) {
      throw IamException.noSuchEntity("role policy", name);
    }
    call.out()
        .text("RoleName", call.need("RoleName"))
        .text("PolicyName", name)
        .text("PolicyDocument", Actions.encoded(json));
  }

  private void deletePolicy(IamCall call) throws IamException, StoreException {
    String name = call.need("PolicyName");
    roles.change(
        call.need("RoleName"),
        role -> {
          if (!role.containsPolicies(name)) {
            throw IamException.noSuchEntity("role policy", name);
          }
          role.removePolicies(name);
        });
  }
}

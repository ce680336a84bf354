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
package io.stowage.common.policy;

import java.util.ArrayList;
import java.util.List;

/**
 * An access control list of S3: who owns a bucket or an object and what is granted to whom.
 * Immutable.
 *
 * <p>Kept as texts, one a grant, {@code READ id=CANONICAL-ID} or {@code READ uri=GROUP}; no texts
 * mean what S3 calls private, full control for the owner alone.
 */
public record Acl(String owner, List<Grant> grants) {
  public static final String ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers";
  public static final String AUTHENTICATED_USERS =
      "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
  public static final String LOG_DELIVERY = "http://acs.amazonaws.com/groups/s3/LogDelivery";

  private static final String NOBODY = "-";

  public enum Permission {
    READ,
    WRITE,
    READ_ACP,
    WRITE_ACP,
    FULL_CONTROL
  }

  /**
   * One grant.
   *
   * @param grantee canonical id of a user, or a group's URI
   */
  public record Grant(String grantee, boolean group, Permission permission) {
    public static Grant toUser(String id, Permission permission) {
      return new Grant(id, false, permission);
    }

    public static Grant toGroup(String uri, Permission permission) {
      return new Grant(uri, true, permission);
    }

    boolean isPublic() {
      return group && (grantee.equals(ALL_USERS) || grantee.equals(AUTHENTICATED_USERS));
    }

    private boolean reaches(Question.Principal who) {
      if (!group) {
        return !who.anonymous() && grantee.equals(who.canonicalId());
      }
      if (grantee.equals(LOG_DELIVERY)) {
        return who.arns().contains(Question.Principal.SERVICE + "logging.s3.amazonaws.com");
      }
      return grantee.equals(ALL_USERS) || (grantee.equals(AUTHENTICATED_USERS) && !who.anonymous());
    }
  }

  public static Acl ofOwner(String owner) {
    return new Acl(owner, List.of(Grant.toUser(owner, Permission.FULL_CONTROL)));
  }

  /** The list that texts mean. */
  public static Acl of(String owner, List<String> texts) {
    if (texts.isEmpty()) {
      return ofOwner(owner);
    }
    List<Grant> grants = new ArrayList<>();
    for (String text : texts) {
      if (text.equals(NOBODY)) {
        continue;
      }
      int space = text.indexOf(' ');
      int equals = text.indexOf('=', space);
      grants.add(
          new Grant(
              text.substring(equals + 1),
              text.substring(space + 1, equals).equals("uri"),
              Permission.valueOf(text.substring(0, space))));
    }
    return new Acl(owner, grants);
  }

  /** Texts to keep; none for a private one. */
  public List<String> texts() {
    if (equals(ofOwner(owner))) {
      return List.of();
    }
    if (grants.isEmpty()) {
      return List.of(NOBODY);
    }
    return grants.stream()
        .map(g -> g.permission() + (g.group() ? " uri=" : " id=") + g.grantee())
        .toList();
  }

  /** Whether somebody may do something. */
  public boolean allows(Question.Principal who, Permission permission, boolean ignorePublic) {
    for (Grant grant : grants) {
      if ((grant.permission() == permission || grant.permission() == Permission.FULL_CONTROL)
          && !(ignorePublic && grant.isPublic())
          && grant.reaches(who)) {
        return true;
      }
    }
    return false;
  }

  public boolean isPublic() {
    return grants.stream().anyMatch(Grant::isPublic);
  }
}

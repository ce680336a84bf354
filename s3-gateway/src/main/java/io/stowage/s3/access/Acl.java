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
package io.stowage.s3.access;

import static io.stowage.s3.xml.XmlShape.element;
import static io.stowage.s3.xml.XmlShape.text;

import io.netty.handler.codec.http.HttpHeaders;
import io.stowage.common.error.StoreException;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.xml.XmlElement;
import io.stowage.s3.xml.XmlOut;
import io.stowage.s3.xml.XmlShape;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * An access control list: who owns a bucket or an object and what is granted to whom. Immutable.
 *
 * <p>Kept as texts, one a grant, {@code READ id=CANONICAL-ID} or {@code READ uri=GROUP}; no texts
 * mean what S3 calls private, full control for the owner alone.
 */
public record Acl(String owner, List<Grant> grants) {
  public static final String ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers";
  public static final String AUTHENTICATED_USERS =
      "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
  static final String LOG_DELIVERY = "http://acs.amazonaws.com/groups/s3/LogDelivery";

  private static final int MOST_GRANTS = 100;

  private static final Map<String, Permission> GRANT_HEADERS =
      Map.of(
          "x-amz-grant-read", Permission.READ,
          "x-amz-grant-write", Permission.WRITE,
          "x-amz-grant-read-acp", Permission.READ_ACP,
          "x-amz-grant-write-acp", Permission.WRITE_ACP,
          "x-amz-grant-full-control", Permission.FULL_CONTROL);

  private static final XmlShape SHAPE =
      element(
          "AccessControlPolicy",
          element("Owner", text("ID"), text("DisplayName").optional()).optional(),
          element(
              "AccessControlList",
              element(
                      "Grant",
                      element(
                          "Grantee",
                          text("ID").optional(),
                          text("DisplayName").optional(),
                          text("EmailAddress").optional(),
                          text("URI").optional()),
                      XmlShape.word(
                          "Permission", "READ", "WRITE", "READ_ACP", "WRITE_ACP", "FULL_CONTROL"))
                  .times(0, MOST_GRANTS)));

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
    static Grant toUser(String id, Permission permission) {
      return new Grant(id, false, permission);
    }

    static Grant toGroup(String uri, Permission permission) {
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
        return who.canonicalId().equals(Question.Principal.SERVICE + "logging.s3.amazonaws.com");
      }
      return grantee.equals(ALL_USERS) || (grantee.equals(AUTHENTICATED_USERS) && !who.anonymous());
    }
  }

  /** Finds users that grants name. */
  public interface Users {
    /** Canonical id of the user with an e-mail address; null if there is none. */
    String idOfEmail(String email) throws StoreException;

    /** Whether there is a user of that canonical id. */
    boolean exists(String canonicalId) throws StoreException;

    /** What to call a user of that canonical id. */
    String displayName(String canonicalId) throws StoreException;
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

  private static final String NOBODY = "-";

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

  /** Whether the headers of a request say anything of a list. */
  public static boolean isAskedFor(HttpHeaders headers) {
    return headers.contains("x-amz-acl")
        || GRANT_HEADERS.keySet().stream().anyMatch(headers::contains);
  }

  /**
   * The list that x-amz-acl or the x-amz-grant headers ask for; private if they do not.
   *
   * @param bucketOwner for the canned lists that mean it
   */
  public static Acl ofHeaders(HttpHeaders headers, String owner, String bucketOwner, Users users)
      throws S3Exception, StoreException {
    String canned = headers.get("x-amz-acl");
    List<Grant> grants = new ArrayList<>();
    for (Map.Entry<String, Permission> header : GRANT_HEADERS.entrySet()) {
      String value = headers.get(header.getKey());
      if (value != null) {
        addGrants(grants, value, header.getValue(), users);
      }
    }
    if (canned == null) {
      return grants.isEmpty() ? ofOwner(owner) : new Acl(owner, List.copyOf(grants));
    }
    if (!grants.isEmpty()) {
      throw new S3Exception(
          S3Error.INVALID_REQUEST, "Specifying both Canned ACLs and Header Grants is not allowed");
    }
    return ofCanned(canned, owner, bucketOwner);
  }

  private static Acl ofCanned(String canned, String owner, String bucketOwner) throws S3Exception {
    List<Grant> grants = new ArrayList<>();
    grants.add(Grant.toUser(owner, Permission.FULL_CONTROL));
    switch (canned) {
      case "private" -> {}
      case "public-read" -> grants.add(Grant.toGroup(ALL_USERS, Permission.READ));
      case "public-read-write" -> {
        grants.add(Grant.toGroup(ALL_USERS, Permission.READ));
        grants.add(Grant.toGroup(ALL_USERS, Permission.WRITE));
      }
      case "authenticated-read" -> grants.add(Grant.toGroup(AUTHENTICATED_USERS, Permission.READ));
      case "bucket-owner-read" -> {
        if (!bucketOwner.equals(owner)) {
          grants.add(Grant.toUser(bucketOwner, Permission.READ));
        }
      }
      case "bucket-owner-full-control" -> {
        if (!bucketOwner.equals(owner)) {
          grants.add(Grant.toUser(bucketOwner, Permission.FULL_CONTROL));
        }
      }
      case "log-delivery-write" -> {
        grants.add(Grant.toGroup(LOG_DELIVERY, Permission.WRITE));
        grants.add(Grant.toGroup(LOG_DELIVERY, Permission.READ_ACP));
      }
      case "aws-exec-read" -> {}
      default ->
          throw new S3Exception(S3Error.INVALID_ARGUMENT)
              .with("ArgumentName", "x-amz-acl")
              .with("ArgumentValue", canned);
    }
    return new Acl(owner, List.copyOf(grants));
  }

  /** Adds what a header grants: {@code id="…", uri="…", emailAddress="…"}. */
  private static void addGrants(
      List<Grant> grants, String header, Permission permission, Users users)
      throws S3Exception, StoreException {
    for (String item : header.split(",", -1)) {
      int equals = item.indexOf('=');
      String kind = equals < 0 ? "" : item.substring(0, equals).strip();
      String value = equals < 0 ? "" : item.substring(equals + 1).strip();
      if (value.length() >= 2 && value.startsWith("\"") && value.endsWith("\"")) {
        value = value.substring(1, value.length() - 1);
      }
      grants.add(
          switch (kind) {
            case "id" -> Grant.toUser(known(value, users), permission);
            case "uri" -> Grant.toGroup(group(value), permission);
            case "emailAddress" -> Grant.toUser(ofEmail(value, users), permission);
            default ->
                throw new S3Exception(S3Error.INVALID_ARGUMENT, "Argument format not recognized");
          });
    }
  }

  /** The list that a document describes; its owner must be who owns the thing already. */
  public static Acl ofDocument(XmlElement document, String owner, Users users)
      throws S3Exception, StoreException {
    try {
      SHAPE.check(document);
    } catch (S3Exception e) {
      throw new S3Exception(S3Error.MALFORMED_ACL, S3Error.MALFORMED_ACL.message(), e);
    }
    for (XmlElement said : document.children("Owner")) {
      if (!said.childText("ID").equals(owner)) {
        throw new S3Exception(S3Error.ACCESS_DENIED);
      }
    }
    List<Grant> grants = new ArrayList<>();
    for (XmlElement grant : document.children("AccessControlList").get(0).children("Grant")) {
      XmlElement grantee = grant.children("Grantee").get(0);
      Permission permission = Permission.valueOf(grant.childText("Permission"));
      String id = grantee.childText("ID");
      String uri = grantee.childText("URI");
      String email = grantee.childText("EmailAddress");
      if (id != null) {
        grants.add(Grant.toUser(id.equals(owner) ? id : known(id, users), permission));
      } else if (uri != null) {
        grants.add(Grant.toGroup(group(uri), permission));
      } else if (email != null) {
        grants.add(Grant.toUser(ofEmail(email, users), permission));
      } else {
        throw new S3Exception(S3Error.MALFORMED_ACL);
      }
    }
    return new Acl(owner, List.copyOf(grants));
  }

  private static String known(String id, Users users) throws S3Exception, StoreException {
    if (!users.exists(id)) {
      throw new S3Exception(S3Error.INVALID_ARGUMENT, "Invalid id")
          .with("ArgumentName", "CanonicalUser/ID")
          .with("ArgumentValue", id);
    }
    return id;
  }

  private static String group(String uri) throws S3Exception {
    if (!uri.equals(ALL_USERS) && !uri.equals(AUTHENTICATED_USERS) && !uri.equals(LOG_DELIVERY)) {
      throw new S3Exception(S3Error.INVALID_ARGUMENT, "Invalid group uri")
          .with("ArgumentName", "uri")
          .with("ArgumentValue", uri);
    }
    return uri;
  }

  private static String ofEmail(String email, Users users) throws S3Exception, StoreException {
    String id = users.idOfEmail(email);
    if (id == null) {
      throw new S3Exception(S3Error.UNRESOLVABLE_GRANT_BY_EMAIL_ADDRESS);
    }
    return id;
  }

  /** Whether somebody may do something. */
  boolean allows(Question.Principal who, Permission permission, boolean ignorePublic) {
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

  /** The document that a GET answers. */
  public String document(Users users) throws StoreException {
    XmlOut out = XmlOut.document("AccessControlPolicy");
    out.open("Owner").text("ID", owner).text("DisplayName", users.displayName(owner)).close();
    out.open("AccessControlList");
    for (Grant grant : grants) {
      out.open("Grant");
      if (grant.group()) {
        out.openTyped("Grantee", "Group").text("URI", grant.grantee()).close();
      } else {
        out.openTyped("Grantee", "CanonicalUser").text("ID", grant.grantee());
        out.text("DisplayName", users.displayName(grant.grantee())).close();
      }
      out.text("Permission", grant.permission().name()).close();
    }
    return out.finish();
  }
}

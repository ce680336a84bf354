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
import io.stowage.common.policy.Acl;
import io.stowage.common.policy.Acl.Grant;
import io.stowage.common.policy.Acl.Permission;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.xml.XmlElement;
import io.stowage.s3.xml.XmlOut;
import io.stowage.s3.xml.XmlShape;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Access control lists as requests bring them, in headers and documents, and as answers show them.
 */
public final class AclDocuments {
  private static final int MOST_GRANTS = 100;

  /** In the order of permissions, in which the grants of headers are kept and shown. */
  private static final Map<Permission, String> GRANT_HEADERS = new EnumMap<>(Permission.class);

  static {
    for (Permission permission : Permission.values()) {
      GRANT_HEADERS.put(
          permission,
          "x-amz-grant-" + permission.name().toLowerCase(Locale.ROOT).replace('_', '-'));
    }
  }

  private static final XmlShape SHAPE =
      element(
          "AccessControlPolicy",
          element("Owner", text("ID"), text("DisplayName").optional()),
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

  private AclDocuments() {}

  /** Finds users that grants name. */
  public interface Users {
    /** Canonical id of the user with an e-mail address; null if there is none. */
    String idOfEmail(String email) throws StoreException;

    /** Whether there is a user of that canonical id. */
    boolean exists(String canonicalId) throws StoreException;

    /** What to call a user of that canonical id. */
    String displayName(String canonicalId) throws StoreException;
  }

  /** Whether the headers of a request say anything of a list. */
  public static boolean isAskedFor(HttpHeaders headers) {
    return headers.contains("x-amz-acl")
        || GRANT_HEADERS.values().stream().anyMatch(headers::contains);
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
    for (Map.Entry<Permission, String> header : GRANT_HEADERS.entrySet()) {
      String value = headers.get(header.getValue());
      if (value != null) {
        addGrants(grants, value, header.getKey(), users);
      }
    }
    if (canned == null) {
      return grants.isEmpty() ? Acl.ofOwner(owner) : new Acl(owner, List.copyOf(grants));
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
      case "public-read" -> grants.add(Grant.toGroup(Acl.ALL_USERS, Permission.READ));
      case "public-read-write" -> {
        grants.add(Grant.toGroup(Acl.ALL_USERS, Permission.READ));
        grants.add(Grant.toGroup(Acl.ALL_USERS, Permission.WRITE));
      }
      case "authenticated-read" ->
          grants.add(Grant.toGroup(Acl.AUTHENTICATED_USERS, Permission.READ));
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
        grants.add(Grant.toGroup(Acl.LOG_DELIVERY, Permission.WRITE));
        grants.add(Grant.toGroup(Acl.LOG_DELIVERY, Permission.READ_ACP));
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
        known(said.childText("ID"), users);
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
    if (!uri.equals(Acl.ALL_USERS)
        && !uri.equals(Acl.AUTHENTICATED_USERS)
        && !uri.equals(Acl.LOG_DELIVERY)) {
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

  /** The document that a GET answers; groups come first: S3 promises no order, and this is read. */
  public static String document(Acl acl, Users users) throws StoreException {
    XmlOut out = XmlOut.document("AccessControlPolicy");
    out.open("Owner")
        .text("ID", acl.owner())
        .text("DisplayName", users.displayName(acl.owner()))
        .close();
    out.open("AccessControlList");
    List<Grant> grants = new ArrayList<>(acl.grants());
    grants.sort(Comparator.comparing(grant -> !grant.group()));
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

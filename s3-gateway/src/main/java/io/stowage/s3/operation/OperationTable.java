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
package io.stowage.s3.operation;

import io.netty.handler.codec.http.HttpHeaders;
import io.stowage.s3.auth.Authenticator;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.operation.S3Address.Level;
import io.stowage.s3.setting.BucketSetting;
import io.stowage.s3.setting.BucketSettings;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Which operation a request is: one row each, the more particular before the more general. A new
 * operation is a class and a row here. Immutable.
 */
public final class OperationTable {
  /** Query parameters that make a request another operation, whether we have that one or not. */
  private static final Set<String> SUB_RESOURCES =
      Set.of(
          "abac",
          "accelerate",
          "acl",
          "analytics",
          "annotation",
          "attributes",
          "cors",
          "delete",
          "encryption",
          "intelligent-tiering",
          "inventory",
          "legal-hold",
          "lifecycle",
          "location",
          "logging",
          "metadataAnnotationTable",
          "metadataConfiguration",
          "metadataInventoryTable",
          "metadataJournalTable",
          "metadataTable",
          "metrics",
          "notification",
          "object-lock",
          "ownershipControls",
          "policy",
          "policyStatus",
          "publicAccessBlock",
          "renameObject",
          "replication",
          "requestPayment",
          "restore",
          "retention",
          "select",
          "session",
          "tagging",
          "torrent",
          "uploadId",
          "uploads",
          "versioning",
          "versions",
          "website");

  /**
   * One row.
   *
   * @param query parameters that must be there; {@code name=value} or just a name
   * @param copies whether x-amz-copy-source must be there
   */
  private record Row(
      String method, Level level, Set<String> query, boolean copies, Operation operation) {
    boolean matches(String otherMethod, Level otherLevel, Map<String, String> q, HttpHeaders h) {
      if (!method.equals(otherMethod) || level != otherLevel) {
        return false;
      }
      for (String condition : query) {
        int equals = condition.indexOf('=');
        boolean holds =
            equals < 0
                ? q.containsKey(condition)
                : condition.substring(equals + 1).equals(q.get(condition.substring(0, equals)));
        if (!holds) {
          return false;
        }
      }
      return !copies || h.contains(CopySource.HEADER);
    }
  }

  private final List<Row> rows = new ArrayList<>();
  private final IdentityHashMap<Operation, String> names = new IdentityHashMap<>();

  public OperationTable(Backend backend, Authenticator authenticator) {
    row("GET", Level.SERVICE, new ListBuckets(backend));

    row("GET", Level.BUCKET, new BucketAcl.Get(backend), "acl");
    row("PUT", Level.BUCKET, new BucketAcl.Put(backend), "acl");
    row("GET", Level.BUCKET, new BucketPolicy.Get(), "policy");
    row("PUT", Level.BUCKET, new BucketPolicy.Put(backend), "policy");
    row("DELETE", Level.BUCKET, new BucketPolicy.Delete(backend), "policy");
    row("GET", Level.BUCKET, new BucketPolicy.Status(), "policyStatus");
    row("GET", Level.BUCKET, new BucketLifecycle.Get(), "lifecycle");
    row("PUT", Level.BUCKET, new BucketLifecycle.Put(backend), "lifecycle");
    row("DELETE", Level.BUCKET, new BucketLifecycle.Delete(backend), "lifecycle");
    row("GET", Level.BUCKET, new BucketObjectLock.Get(), "object-lock");
    row("PUT", Level.BUCKET, new BucketObjectLock.Put(backend), "object-lock");
    row("GET", Level.OBJECT, new ObjectRetention.GetRetention(backend), "retention");
    row("PUT", Level.OBJECT, new ObjectRetention.PutRetention(backend), "retention");
    row("GET", Level.OBJECT, new ObjectRetention.GetLegalHold(backend), "legal-hold");
    row("PUT", Level.OBJECT, new ObjectRetention.PutLegalHold(backend), "legal-hold");
    row("GET", Level.OBJECT, new GetObjectAttributes(backend), "attributes");
    row("GET", Level.OBJECT, new ObjectSettings.GetAcl(backend), "acl");
    row("PUT", Level.OBJECT, new ObjectSettings.PutAcl(backend), "acl");
    row("GET", Level.OBJECT, new ObjectSettings.GetTags(backend), "tagging");
    row("PUT", Level.OBJECT, new ObjectSettings.PutTags(backend), "tagging");
    row("DELETE", Level.OBJECT, new ObjectSettings.DeleteTags(backend), "tagging");
    for (BucketSetting setting : BucketSettings.ALL) {
      row("GET", Level.BUCKET, new BucketDocuments.Get(setting), setting.name());
      row("PUT", Level.BUCKET, new BucketDocuments.Put(backend, setting), setting.name());
      if (setting.removable()) {
        row("DELETE", Level.BUCKET, new BucketDocuments.Delete(backend, setting), setting.name());
      }
    }

    row("GET", Level.BUCKET, new BucketDocuments.Get(BucketSettings.LOGGING), "logging");
    row("PUT", Level.BUCKET, new BucketLogging.Put(backend), "logging");
    row("GET", Level.BUCKET, new BucketDocuments.Get(BucketSettings.NOTIFICATION), "notification");
    row("PUT", Level.BUCKET, new BucketNotification(backend), "notification");
    notKept(backend);

    row("PUT", Level.BUCKET, new BucketVersioning.Put(backend), "versioning");
    row("PUT", Level.BUCKET, new CreateBucket(backend));
    row("HEAD", Level.BUCKET, new HeadBucket(backend));
    row("DELETE", Level.BUCKET, new DeleteBucket(backend));
    row("POST", Level.BUCKET, new DeleteObjects(backend), "delete");
    row("POST", Level.BUCKET, new PostObject(backend, authenticator));
    row("GET", Level.BUCKET, new GetBucketLocation(backend), "location");
    row("GET", Level.BUCKET, new BucketVersioning.Get(), "versioning");
    row("GET", Level.BUCKET, new ListObjectVersions(backend), "versions");
    row("GET", Level.BUCKET, new ListMultipartUploads(backend), "uploads");
    row("GET", Level.BUCKET, ListObjects.v2(backend), "list-type=2");
    row("GET", Level.BUCKET, ListObjects.v1(backend));

    copyRow("PUT", Level.OBJECT, new UploadPartCopy(backend), "partNumber", "uploadId");
    row("PUT", Level.OBJECT, new UploadPart(backend), "partNumber", "uploadId");
    row("PUT", Level.OBJECT, halfOfAPart("partNumber"), "uploadId");
    row("PUT", Level.OBJECT, halfOfAPart("uploadId"), "partNumber");
    copyRow("PUT", Level.OBJECT, new CopyObject(backend));
    row("PUT", Level.OBJECT, new PutObject(backend));
    row("GET", Level.OBJECT, new ListParts(backend), "uploadId");
    row("GET", Level.OBJECT, GetObject.get(backend));
    row("HEAD", Level.OBJECT, GetObject.head(backend));
    row("POST", Level.OBJECT, new CreateMultipartUpload(backend), "uploads");
    row("POST", Level.OBJECT, new CompleteMultipartUpload(backend), "uploadId");
    row("DELETE", Level.OBJECT, new AbortMultipartUpload(backend), "uploadId");
    row("DELETE", Level.OBJECT, new DeleteObject(backend));
  }

  /** A part that does not say which of which upload it is must not become the object. */
  private static Operation halfOfAPart(String missing) {
    return new NotKept.Refused(
        "s3:PutObject",
        S3Error.INVALID_ARGUMENT,
        "A part needs both partNumber and uploadId; " + missing + " is missing");
  }

  /** What S3 has and this store has no use for. */
  private void notKept(Backend backend) {
    for (String name : NotKept.LISTS.keySet()) {
      row("GET", Level.BUCKET, new NotKept.ListOrGet(name, false), name);
      row("DELETE", Level.BUCKET, new NotKept.ListOrGet(name, true), name);
    }
    row("GET", Level.BUCKET, new NotKept.Abac(), "abac");
    row("GET", Level.BUCKET, new NotKept.Replication(), "replication");
    row("DELETE", Level.BUCKET, new NotKept.DeleteReplication(), "replication");
    row(
        "GET",
        Level.OBJECT,
        new NotKept.Refused(
            "s3:GetObjectTorrent",
            S3Error.METHOD_NOT_ALLOWED,
            "The BitTorrent protocol is no longer supported"),
        "torrent");
    row("POST", Level.OBJECT, new NotKept.Restore(backend), "restore");
    row(
        "POST",
        Level.OBJECT,
        new NotKept.Refused(
            "s3:GetObject",
            S3Error.METHOD_NOT_ALLOWED,
            "SelectObjectContent is not available to new customers"),
        "select",
        "select-type");
  }

  private void row(String method, Level level, Operation operation, String... query) {
    rows.add(new Row(method, level, Set.of(query), false, operation));
    names.put(operation, nameOf(method, level, operation, query));
  }

  private void copyRow(String method, Level level, Operation operation, String... query) {
    rows.add(new Row(method, level, Set.of(query), true, operation));
    names.put(operation, nameOf(method, level, operation, query));
  }

  /** As S3 calls it: its class, or for one of several in a class what is asked for how. */
  private static String nameOf(String method, Level level, Operation operation, String... query) {
    Class<?> type = operation.getClass();
    String own = type.getSimpleName();
    if (type.getEnclosingClass() == null && type != GetObject.class && !own.startsWith("Bucket")) {
      return own;
    }
    StringBuilder name = new StringBuilder(capitalized(method.toLowerCase(Locale.ROOT)));
    name.append(level == Level.BUCKET ? "Bucket" : "Object");
    if (query.length > 0) {
      for (String word : query[0].split("-", -1)) {
        name.append(capitalized(word));
      }
    }
    return name.toString();
  }

  private static String capitalized(String word) {
    return Character.toUpperCase(word.charAt(0)) + word.substring(1);
  }

  /** One of few names, for metrics. */
  String nameOf(Operation found) {
    return names.get(found);
  }

  /** The operation, or NotImplemented for one of S3's that is not here. */
  Operation find(String method, Level level, Map<String, String> query, HttpHeaders headers)
      throws S3Exception {
    if (level == Level.OBJECT) {
      refuseWhatIsOfBuckets(method, query, headers);
    }
    for (Row row : rows) {
      if (row.matches(method, level, query, headers)) {
        for (String name : query.keySet()) {
          if (SUB_RESOURCES.contains(name) && !row.query.contains(name)) {
            throw notServed(method, level, query, name);
          }
        }
        return row.operation;
      }
    }
    for (String name : query.keySet()) {
      if (SUB_RESOURCES.contains(name)) {
        throw notServed(method, level, query, name);
      }
    }
    throw notAllowed(method, level);
  }

  /** What S3 refuses with words of its own. */
  private static void refuseWhatIsOfBuckets(
      String method, Map<String, String> query, HttpHeaders headers) throws S3Exception {
    if (method.equals("GET") && query.containsKey("uploads")) {
      throw new S3Exception(
          S3Error.INVALID_REQUEST, "Key is not expected for the GET method ?uploads subresource");
    }
    if (method.equals("GET") && query.containsKey("versions")) {
      throw new S3Exception(
          S3Error.INVALID_REQUEST,
          "There is no such thing as the ?versions sub-resource for a key");
    }
    if (headers.contains(CopySource.HEADER) && !method.equals("PUT") && !method.equals("POST")) {
      throw S3Call.invalid(
          CopySource.HEADER,
          headers.get(CopySource.HEADER),
          "You can only specify a copy source header for copy requests.");
    }
  }

  private static S3Exception notAllowed(String method, Level level) {
    return new S3Exception(S3Error.METHOD_NOT_ALLOWED)
        .with("Method", method)
        .with("ResourceType", level.name());
  }

  /** Why there is no operation for a sub-resource: what is written may be one that S3 has. */
  private S3Exception notServed(
      String method, Level level, Map<String, String> query, String name) {
    List<String> named = query.keySet().stream().filter(SUB_RESOURCES::contains).sorted().toList();
    if (named.size() > 1) {
      return new S3Exception(
          S3Error.INVALID_REQUEST,
          "Conflicting query string parameters: " + String.join(", ", named));
    }
    boolean mayBeOfS3 = method.equals("PUT") || method.equals("POST");
    boolean known = rows.stream().anyMatch(row -> row.level == level && row.query.contains(name));
    return known && !mayBeOfS3
        ? notAllowed(method, level)
        : new S3Exception(S3Error.NOT_IMPLEMENTED).with("SubResource", name);
  }
}

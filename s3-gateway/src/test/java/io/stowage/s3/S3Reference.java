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
package io.stowage.s3;

import io.stowage.s3.suite.RawS3;
import java.io.IOException;
import java.lang.reflect.Field;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Writes {@code docs/S3.md}: every action of the S3 API, and what a gateway makes of it. Whether an
 * action is there is found by asking a gateway over HTTP, so the page cannot say more than is true;
 * what an action does less than in S3 is said in {@link #NOTES}. The bucket asked is there, the key
 * is not.
 */
final class S3Reference {
  static final String BUCKET = "reference";

  /** One action: how it is asked for. Headers are {@code name: value}, separated by semicolons. */
  private record Action(String name, String method, String target, String headers) {}

  private static final List<Action> ACTIONS =
      List.of(
          bucket("CreateBucket", "PUT", ""),
          bucket("DeleteBucket", "DELETE", ""),
          bucket("HeadBucket", "HEAD", ""),
          new Action("ListBuckets", "GET", "/", ""),
          new Action("ListDirectoryBuckets", "GET", "/?x-id=ListDirectoryBuckets", "none"),
          bucket("GetBucketLocation", "GET", "location="),
          bucket("CreateSession", "GET", "session="),
          bucket("GetBucketAcl", "GET", "acl="),
          bucket("PutBucketAcl", "PUT", "acl="),
          bucket("GetBucketCors", "GET", "cors="),
          bucket("PutBucketCors", "PUT", "cors="),
          bucket("DeleteBucketCors", "DELETE", "cors="),
          bucket("GetBucketEncryption", "GET", "encryption="),
          bucket("PutBucketEncryption", "PUT", "encryption="),
          bucket("DeleteBucketEncryption", "DELETE", "encryption="),
          bucket("GetBucketLifecycleConfiguration", "GET", "lifecycle="),
          bucket("PutBucketLifecycleConfiguration", "PUT", "lifecycle="),
          bucket("DeleteBucketLifecycle", "DELETE", "lifecycle="),
          bucket("GetBucketLogging", "GET", "logging="),
          bucket("PutBucketLogging", "PUT", "logging="),
          bucket("GetBucketNotificationConfiguration", "GET", "notification="),
          bucket("PutBucketNotificationConfiguration", "PUT", "notification="),
          bucket("GetObjectLockConfiguration", "GET", "object-lock="),
          bucket("PutObjectLockConfiguration", "PUT", "object-lock="),
          bucket("GetBucketOwnershipControls", "GET", "ownershipControls="),
          bucket("PutBucketOwnershipControls", "PUT", "ownershipControls="),
          bucket("DeleteBucketOwnershipControls", "DELETE", "ownershipControls="),
          bucket("GetBucketPolicy", "GET", "policy="),
          bucket("PutBucketPolicy", "PUT", "policy="),
          bucket("DeleteBucketPolicy", "DELETE", "policy="),
          bucket("GetBucketPolicyStatus", "GET", "policyStatus="),
          bucket("GetPublicAccessBlock", "GET", "publicAccessBlock="),
          bucket("PutPublicAccessBlock", "PUT", "publicAccessBlock="),
          bucket("DeletePublicAccessBlock", "DELETE", "publicAccessBlock="),
          bucket("GetBucketRequestPayment", "GET", "requestPayment="),
          bucket("PutBucketRequestPayment", "PUT", "requestPayment="),
          bucket("GetBucketTagging", "GET", "tagging="),
          bucket("PutBucketTagging", "PUT", "tagging="),
          bucket("DeleteBucketTagging", "DELETE", "tagging="),
          bucket("GetBucketVersioning", "GET", "versioning="),
          bucket("PutBucketVersioning", "PUT", "versioning="),
          bucket("GetBucketWebsite", "GET", "website="),
          bucket("PutBucketWebsite", "PUT", "website="),
          bucket("DeleteBucketWebsite", "DELETE", "website="),
          bucket("GetBucketAccelerateConfiguration", "GET", "accelerate="),
          bucket("PutBucketAccelerateConfiguration", "PUT", "accelerate="),
          bucket("GetBucketAbac", "GET", "abac="),
          bucket("PutBucketAbac", "PUT", "abac="),
          bucket("GetBucketReplication", "GET", "replication="),
          bucket("PutBucketReplication", "PUT", "replication="),
          bucket("DeleteBucketReplication", "DELETE", "replication="),
          bucket("GetBucketAnalyticsConfiguration", "GET", "analytics=&id=a"),
          bucket("PutBucketAnalyticsConfiguration", "PUT", "analytics=&id=a"),
          bucket("DeleteBucketAnalyticsConfiguration", "DELETE", "analytics=&id=a"),
          bucket("ListBucketAnalyticsConfigurations", "GET", "analytics="),
          bucket("GetBucketIntelligentTieringConfiguration", "GET", "id=a&intelligent-tiering="),
          bucket("PutBucketIntelligentTieringConfiguration", "PUT", "id=a&intelligent-tiering="),
          bucket(
              "DeleteBucketIntelligentTieringConfiguration", "DELETE", "id=a&intelligent-tiering="),
          bucket("ListBucketIntelligentTieringConfigurations", "GET", "intelligent-tiering="),
          bucket("GetBucketInventoryConfiguration", "GET", "id=a&inventory="),
          bucket("PutBucketInventoryConfiguration", "PUT", "id=a&inventory="),
          bucket("DeleteBucketInventoryConfiguration", "DELETE", "id=a&inventory="),
          bucket("ListBucketInventoryConfigurations", "GET", "inventory="),
          bucket("GetBucketMetricsConfiguration", "GET", "id=a&metrics="),
          bucket("PutBucketMetricsConfiguration", "PUT", "id=a&metrics="),
          bucket("DeleteBucketMetricsConfiguration", "DELETE", "id=a&metrics="),
          bucket("ListBucketMetricsConfigurations", "GET", "metrics="),
          bucket("CreateBucketMetadataConfiguration", "POST", "metadataConfiguration="),
          bucket("GetBucketMetadataConfiguration", "GET", "metadataConfiguration="),
          bucket("DeleteBucketMetadataConfiguration", "DELETE", "metadataConfiguration="),
          bucket("CreateBucketMetadataTableConfiguration", "POST", "metadataTable="),
          bucket("GetBucketMetadataTableConfiguration", "GET", "metadataTable="),
          bucket("DeleteBucketMetadataTableConfiguration", "DELETE", "metadataTable="),
          bucket(
              "UpdateBucketMetadataInventoryTableConfiguration", "PUT", "metadataInventoryTable="),
          bucket("UpdateBucketMetadataJournalTableConfiguration", "PUT", "metadataJournalTable="),
          bucket(
              "UpdateBucketMetadataAnnotationTableConfiguration",
              "PUT",
              "metadataAnnotationTable="),
          bucket("ListObjects", "GET", ""),
          bucket("ListObjectsV2", "GET", "list-type=2"),
          bucket("ListObjectVersions", "GET", "versions="),
          bucket("ListMultipartUploads", "GET", "uploads="),
          bucket("DeleteObjects", "POST", "delete="),
          new Action(
              "PostObject", "POST", "/" + BUCKET, "content-type: multipart/form-data; boundary=x"),
          object("PutObject", "PUT", "", ""),
          object("GetObject", "GET", "", ""),
          object("HeadObject", "HEAD", "", ""),
          object("DeleteObject", "DELETE", "", ""),
          object("CopyObject", "PUT", "", "x-amz-copy-source: " + BUCKET + "/none"),
          object(
              "RenameObject", "PUT", "renameObject=", "x-amz-rename-source: " + BUCKET + "/none"),
          object("GetObjectAttributes", "GET", "attributes=", "x-amz-object-attributes: ETag"),
          object("GetObjectAcl", "GET", "acl=", ""),
          object("PutObjectAcl", "PUT", "acl=", "x-amz-acl: private"),
          object("GetObjectTagging", "GET", "tagging=", ""),
          object("PutObjectTagging", "PUT", "tagging=", ""),
          object("DeleteObjectTagging", "DELETE", "tagging=", ""),
          object("GetObjectLegalHold", "GET", "legal-hold=", ""),
          object("PutObjectLegalHold", "PUT", "legal-hold=", ""),
          object("GetObjectRetention", "GET", "retention=", ""),
          object("PutObjectRetention", "PUT", "retention=", ""),
          object("GetObjectAnnotation", "GET", "annotation=&annotationName=a", ""),
          object("PutObjectAnnotation", "PUT", "annotation=&annotationName=a", ""),
          object("DeleteObjectAnnotation", "DELETE", "annotation=&annotationName=a", ""),
          object("ListObjectAnnotations", "GET", "annotation=", ""),
          object("UpdateObjectEncryption", "PUT", "encryption=", ""),
          object("GetObjectTorrent", "GET", "torrent=", ""),
          new Action("RestoreObject", "POST", "/" + BUCKET + "/archived?restore=", ""),
          object("SelectObjectContent", "POST", "select=&select-type=2", ""),
          object("CreateMultipartUpload", "POST", "uploads=", ""),
          object("UploadPart", "PUT", "partNumber=1&uploadId=0", ""),
          object(
              "UploadPartCopy",
              "PUT",
              "partNumber=1&uploadId=0",
              "x-amz-copy-source: " + BUCKET + "/none"),
          object("ListParts", "GET", "uploadId=0", ""),
          object("CompleteMultipartUpload", "POST", "uploadId=0", ""),
          object("AbortMultipartUpload", "DELETE", "uploadId=0", ""),
          new Action("WriteGetObjectResponse", "POST", "/WriteGetObjectResponse", "none"));

  /** What an action that is there does less than in S3, or does in its own way. */
  private static final Map<String, String> NOTES = new TreeMap<>();

  /** Actions of services that Stowage has not: nothing to refuse. */
  private static final Map<String, String> NOT_APPLICABLE =
      Map.of(
          "ListDirectoryBuckets", "directory buckets are of S3 Express",
          "CreateSession", "directory buckets are of S3 Express",
          "RenameObject", "directory buckets are of S3 Express",
          "WriteGetObjectResponse", "Object Lambda is a service of its own");

  /** Settings that are checked, kept and given back, and have no effect. */
  private static final Set<String> STORED_ONLY =
      Set.of("PutBucketAccelerateConfiguration", "PutBucketWebsite");

  static {
    NOTES.put(
        "CreateBucket",
        "in us-east-1, one's own bucket again is 200 and resets its ACL; the region may be named or"
            + " not, wherever it is; `x-amz-bucket-namespace: account-regional` is refused (501)");
    NOTES.put(
        "GetBucketEncryption",
        "404 until one is put: nothing is encrypted by default, where S3 says AES256 since 2023");
    NOTES.put("PutBucketEncryption", "`BlockedEncryptionTypes` may block SSE-C");
    NOTES.put("GetPublicAccessBlock", "404 until one is put: nothing is blocked in a new bucket");
    NOTES.put("GetBucketOwnershipControls", "404 until some are put: lists count in a new bucket");
    NOTES.put("PutBucketLifecycleConfiguration", "objects expire; none is moved to another class");
    NOTES.put("AbortMultipartUpload", "whoever began the upload may, unless something denies it");
    NOTES.put("ListParts", "whoever began the upload may, unless something denies it");
    NOTES.put(
        "GetObjectAttributes",
        "parts are told one by one if the upload named a composite checksum, else their number");
    NOTES.put(
        "ListObjects", "`Delimiter` may be any string; keys are listed by the bytes of UTF-8");
    NOTES.put("ListObjectsV2", "as ListObjects; an empty token is the beginning");
    NOTES.put("PutBucketAccelerateConfiguration", "nothing is any faster");
    NOTES.put("PutBucketRequestPayment", "others have to say that they pay; nobody is billed");
    NOTES.put("PutBucketWebsite", "no port serves pages by it");
    NOTES.put("DeleteObject", "[conditions](VERSIONS.md#conditions-of-writes)");
    NOTES.put("DeleteObjects", "[conditions](VERSIONS.md#conditions-of-writes) of each object");
    NOTES.put("GetObjectTorrent", "as S3 does since 2022");
    NOTES.put("SelectObjectContent", "as S3 does for new customers");
    NOTES.put("RestoreObject", "no object is archived, whatever its storage class is called");
    NOTES.put("CopyObject", "storage classes are kept and given back; all are stored alike");
    NOTES.put(
        "PutObject",
        "storage classes are kept and given back; all are stored alike. Checksums are CRC32,"
            + " CRC32C, CRC64NVME, SHA1 and SHA256; `x-amz-checksum-` headers of others are refused"
            + " (501)");
  }

  /** One bound: the constant that holds it, so that the page cannot say another. */
  private record Limit(String of, String type, String constant, boolean bytes) {}

  private static final List<Limit> LIMITS =
      List.of(
          new Limit("an object", "om.upload.Completion", "LARGEST_OBJECT", true),
          new Limit("a PUT, a part of an upload", "s3.operation.PutObject", "LARGEST_BODY", true),
          new Limit("a part but the last, at least", "s3.operation.Uploads", "SMALLEST_PART", true),
          new Limit("parts of an upload", "s3.operation.Uploads", "MOST_PARTS", false),
          new Limit("a key, in UTF-8", "om.table.ObjectRowLayout", "MAX_KEY_BYTES", true),
          new Limit(
              "a name in a FILE_SYSTEM path", "om.directory.PathName", "MOST_NAME_BYTES", true),
          new Limit("user metadata", "s3.operation.ObjectHeaders", "MOST_USER_BYTES", true),
          new Limit("tags of an object", "s3.setting.Tags", "MOST_OF_AN_OBJECT", false),
          new Limit("tags of a bucket", "s3.setting.Tags", "MOST_OF_A_BUCKET", false),
          new Limit("a bucket's policy", "common.policy.Policy", "LONGEST", true),
          new Limit("grants of a list", "s3.access.AclDocuments", "MOST_GRANTS", false),
          new Limit("rules of CORS", "s3.setting.CorsRules", "MOST_RULES", false),
          new Limit("rules of notifications", "s3.setting.NotificationRules", "MOST_RULES", false),
          new Limit("rules of lifecycle", "s3.setting.LifecycleConfiguration", "MOST_RULES", false),
          new Limit("keys of a DeleteObjects", "s3.operation.DeleteObjects", "MOST_KEYS", false),
          new Limit("keys of a page of a listing", "om.object.Listing", "MOST_RESULTS", false),
          new Limit("buckets of a page", "s3.operation.ListBuckets", "MOST_BUCKETS", false),
          new Limit(
              "versions and delete markers of a key, beside the current one",
              "om.object.Succession",
              "MOST_OLDER",
              false),
          new Limit("snapshots of a bucket", "om.object.Snapshots", "MOST_SNAPSHOTS", false));

  private S3Reference() {}

  private static Action bucket(String name, String method, String query) {
    return new Action(name, method, "/" + BUCKET + (query.isEmpty() ? "" : "?" + query), "");
  }

  private static Action object(String name, String method, String query, String headers) {
    String target = "/" + BUCKET + "/none" + (query.isEmpty() ? "" : "?" + query);
    return new Action(name, method, target, headers);
  }

  static List<String> names() {
    return ACTIONS.stream().map(Action::name).toList();
  }

  /** The page, as a gateway answers now. */
  static String render(RawS3 s3) throws IOException, ReflectiveOperationException {
    StringBuilder out = new StringBuilder();
    out.append("# S3 actions\n\n");
    out.append(
        """
        Every action of the S3 API and its state in a gateway. Generated by `S3ReferenceTest`, which asks a gateway for each of
        them and fails when this page says something else; written anew by

            ./mvnw -Pquick -pl s3-gateway -am test -Dtest=S3ReferenceTest -Dstowage.regenerate=true \\
              -Dsurefire.failIfNoSpecifiedTests=false

        *served*: does what S3 documents, with what the note says. *stored only*: is checked, kept and given back, and has no
        effect. *refused*: is answered with the error that is named, and changes
        nothing. *not applicable*: belongs to another product behind the same API.

        Buckets are addressed by path, or by host below `stowage.s3.domains` (default `localhost`: against 127.0.0.1 by path
        only). More: [HTTP](HTTP.md), [versions and conditions](VERSIONS.md), [users, policies, IAM and STS](ACCESS.md),
        [events](EVENTS.md), [errors](ERRORS.md), [limits](#limits).

        | action | state | note |
        |---|---|---|
        """);
    int served = 0;
    for (Action action : ACTIONS) {
      String state = NOT_APPLICABLE.containsKey(action.name) ? "not applicable" : state(s3, action);
      served += state.equals("served") ? 1 : 0;
      String note = NOT_APPLICABLE.getOrDefault(action.name, NOTES.getOrDefault(action.name, ""));
      out.append("| `").append(action.name).append("` | ").append(state);
      out.append(note.isEmpty() ? " | |\n" : " | " + note + " |\n");
    }
    out.append("\n").append(served).append(" of ").append(ACTIONS.size()).append(" are served.\n");
    out.append("\n## Limits\n\n| of | limit |\n|---|---|\n");
    for (Limit limit : LIMITS) {
      out.append("| ").append(limit.of).append(" | ").append(valueOf(limit)).append(" |\n");
    }
    return out.toString();
  }

  private static String valueOf(Limit limit) throws ReflectiveOperationException {
    Field field = Class.forName("io.stowage." + limit.type).getDeclaredField(limit.constant);
    field.setAccessible(true);
    long value = ((Number) field.get(null)).longValue();
    int unit = 0;
    while (limit.bytes && unit < 4 && value >= 2_048 && value % 1_024 == 0) {
      value /= 1_024;
      unit++;
    }
    String number = String.format(Locale.ROOT, "%,d", value);
    return limit.bytes
        ? number + " " + List.of("bytes", "KiB", "MiB", "GiB", "TiB").get(unit)
        : number;
  }

  private static String state(RawS3 s3, Action action) throws IOException {
    prepare(s3);
    RawS3.Call call = s3.call(action.method, action.target);
    for (String header : action.headers.isEmpty() ? new String[0] : new String[] {action.headers}) {
      int colon = header.indexOf(": ");
      call.header(header.substring(0, colon), header.substring(colon + 2));
    }
    RawS3.Reply reply = call.send();
    boolean refused =
        List.of("NotImplemented", "MethodNotAllowed", "InvalidObjectState").contains(reply.code());
    if (refused) {
      return "refused: " + reply.status() + " `" + reply.code() + "`";
    }
    return STORED_ONLY.contains(action.name) ? "stored only" : "served";
  }

  /** What an action before may have taken away. */
  private static void prepare(RawS3 s3) throws IOException {
    s3.call("PUT", "/" + BUCKET).send();
    s3.call("DELETE", "/" + BUCKET + "/none").send();
    s3.call("PUT", "/" + BUCKET + "/archived").header("x-amz-storage-class", "GLACIER").send();
  }
}

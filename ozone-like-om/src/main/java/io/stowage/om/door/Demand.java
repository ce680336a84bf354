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
package io.stowage.om.door;

import io.stowage.common.access.ExtendedAttributes;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.policy.Acl;
import io.stowage.common.proto.AbortUploadRequest;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.BucketLayout;
import io.stowage.common.proto.CompleteUploadRequest;
import io.stowage.common.proto.CreateUploadRequest;
import io.stowage.common.proto.DeleteDirectoryRequest;
import io.stowage.common.proto.FindPathRequest;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.ListObjectsRequest;
import io.stowage.common.proto.ListPartsRequest;
import io.stowage.common.proto.ListUploadsRequest;
import io.stowage.common.proto.ListVersionsRequest;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectToDelete;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.OpenFileRequest;
import io.stowage.common.proto.PlaceObjectRequest;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.PutPartRequest;
import io.stowage.common.proto.RecoverFileRequest;
import io.stowage.common.proto.RenameObjectRequest;
import io.stowage.common.proto.RenamePrefixRequest;
import io.stowage.common.proto.SetObjectMetadataRequest;
import io.stowage.common.proto.SyncFileRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.thirdparty.protobuf.Message;

/**
 * What a call of an object manager does, in the words of S3's actions, which are those of policies:
 * so a bucket that is shared over S3 is shared over Hadoop's RPC, too. Immutable.
 *
 * @param actions any of them will do
 * @param key null: it is about the bucket
 * @param below about every key that begins with the key
 * @param facts for conditions
 * @param versionId 0: the current one
 * @param snapshot what a key held then; empty: holds now
 */
record Demand(
    List<String> actions,
    String key,
    boolean below,
    Map<String, String> facts,
    long versionId,
    String snapshot) {
  static final String UPDATE_BUCKET = "stowage:UpdateBucket";
  static final String SET_OWNER = "stowage:SetOwner";

  /** Of extended attributes outside of "user.": superusers' alone, whatever a policy allows. */
  static final String SET_TRUSTED = "stowage:SetTrustedAttribute";

  private static final String GET = "s3:GetObject";
  private static final String GET_VERSION = "s3:GetObjectVersion";
  private static final String PUT = "s3:PutObject";
  private static final String PUT_ACL = "s3:PutObjectAcl";
  private static final String PUT_VERSION_ACL = "s3:PutObjectVersionAcl";
  private static final String DELETE = "s3:DeleteObject";
  private static final String LIST = "s3:ListBucket";
  private static final String LIST_VERSIONS = "s3:ListBucketVersions";

  private static Demand of(String action, String key) {
    return new Demand(List.of(action), key, false, Map.of(), 0, "");
  }

  private static Demand below(String action, String prefix) {
    return new Demand(List.of(action), prefix, true, Map.of(), 0, "");
  }

  private static Demand ofBucket(String action) {
    return of(action, null);
  }

  private Demand of(long version) {
    return new Demand(actions, key, below, facts, version, snapshot);
  }

  private Demand with(Map<String, String> said) {
    return new Demand(actions, key, below, said, versionId, snapshot);
  }

  private Demand at(String moment) {
    return new Demand(actions, key, below, facts, versionId, moment);
  }

  /** To see that something is there and what it is: whoever may read it or list it. */
  private static Demand look(String key, boolean past) {
    return new Demand(
        past ? List.of(GET_VERSION, LIST_VERSIONS) : List.of(GET, LIST),
        key,
        false,
        Map.of("s3:prefix", key),
        0,
        "");
  }

  private static Demand list(String action, String prefix, String delimiter, int limit) {
    Map<String, String> facts = new TreeMap<>();
    facts.put("s3:prefix", prefix);
    facts.put("s3:max-keys", Integer.toString(limit == 0 ? 1_000 : limit));
    if (!delimiter.isEmpty()) {
      facts.put("s3:delimiter", delimiter);
    }
    return new Demand(List.of(action), null, false, Map.copyOf(facts), 0, "");
  }

  /**
   * What a call demands, all of it; null: the call is none that a user makes.
   *
   * <p>Of a change of metadata by anybody but a superuser: {@link #changed}.
   */
  static List<Demand> of(Message request, BucketInfo bucket) throws StoreException {
    boolean tree = bucket.getLayout() == BucketLayout.FILE_SYSTEM;
    if (request instanceof GetObjectRequest get) {
      boolean past = get.getVersionId() != 0 || !get.getSnapshot().isEmpty();
      Demand demand =
          get.getWantManifest()
              ? of(past ? GET_VERSION : GET, get.getKey())
              : look(get.getKey(), past);
      return List.of(demand.of(get.getVersionId()).at(get.getSnapshot()));
    }
    if (request instanceof FindPathRequest find) {
      String path = pathOf(find.getPath(), tree);
      boolean past = !find.getSnapshot().isEmpty();
      List<Demand> all = new ArrayList<>();
      all.add(look(path, past).at(find.getSnapshot()));
      if ((find.getWanted() & 4) != 0) { // to list a name is not to read what is there
        all.add(of(past ? GET_VERSION : GET, path).at(find.getSnapshot()));
      }
      if ((find.getWanted() & 2) != 0) {
        all.add(of(PUT, path));
      }
      return all;
    }
    if (request instanceof PutObjectRequest put) {
      return written(put.getKey(), put.getMetadata());
    }
    if (request instanceof CreateUploadRequest upload) {
      return written(upload.getKey(), upload.getMetadata());
    }
    if (request instanceof PutPartRequest part) {
      return List.of(of(PUT, part.getKey()));
    }
    if (request instanceof CompleteUploadRequest complete) {
      return List.of(of(PUT, complete.getKey()));
    }
    if (request instanceof PlaceObjectRequest place) {
      return List.of(of(PUT, place.getKey()));
    }
    if (request instanceof OpenFileRequest open) {
      return List.of(of(PUT, open.getKey()), of(GET, open.getKey()));
    }
    if (request instanceof SyncFileRequest sync) {
      return List.of(of(PUT, sync.getKey()));
    }
    if (request instanceof RecoverFileRequest recover) {
      return List.of(of(PUT, recover.getKey()));
    }
    if (request instanceof AbortUploadRequest abort) {
      return List.of(of("s3:AbortMultipartUpload", abort.getKey()));
    }
    if (request instanceof ListPartsRequest parts) {
      return List.of(of("s3:ListMultipartUploadParts", parts.getKey()));
    }
    if (request instanceof ListUploadsRequest uploads) {
      return List.of(
          list(
              "s3:ListBucketMultipartUploads",
              uploads.getPrefix(),
              uploads.getDelimiter(),
              uploads.getLimit()));
    }
    if (request instanceof ListObjectsRequest list) {
      String action = list.getSnapshot().isEmpty() ? LIST : LIST_VERSIONS;
      return List.of(list(action, list.getPrefix(), list.getDelimiter(), list.getLimit()));
    }
    if (request instanceof ListVersionsRequest list) {
      return List.of(list(LIST_VERSIONS, list.getPrefix(), list.getDelimiter(), list.getLimit()));
    }
    if (request instanceof RenameObjectRequest rename) {
      return moved(pathOf(rename.getSource(), tree), pathOf(rename.getTarget(), tree), tree);
    }
    if (request instanceof RenamePrefixRequest rename) {
      return List.of(
          below(GET, rename.getSourcePrefix()),
          below(DELETE, rename.getSourcePrefix()),
          below(PUT, rename.getTargetPrefix()));
    }
    if (request instanceof DeleteDirectoryRequest delete) {
      return List.of(below(DELETE, pathOf(delete.getPath(), tree) + "/"));
    }
    if (request instanceof SetObjectMetadataRequest change) {
      return List.of(of(PUT, change.getKey())); // of a superuser: others' changes are looked at
    }
    return null;
  }

  /**
   * What a path means, by one name: calls that take a path take it with a slash at its end, too,
   * and a tree holds the same under both. What a policy denies of either name the rules deny of
   * this one.
   */
  static String pathOf(String path, boolean tree) {
    return tree && path.endsWith("/") ? path.substring(0, path.length() - 1) : path;
  }

  private static List<Demand> moved(String source, String target, boolean tree) {
    List<Demand> all = new ArrayList<>();
    all.add(of(GET, source));
    all.add(of(DELETE, source));
    all.add(of(PUT, target));
    if (tree) { // it may be a directory, with all that is in it
      all.add(below(GET, source + "/"));
      all.add(below(DELETE, source + "/"));
      all.add(below(PUT, target + "/"));
    }
    return all;
  }

  /** Of calls that work on a bucket as a whole; null: the call is none of them. */
  static Demand ofBucketCall(String name) {
    return switch (name) {
      case "deleteBucket" -> ofBucket("s3:DeleteBucket");
      case "updateBucket", "createSnapshot", "renameSnapshot", "deleteSnapshot" ->
          ofBucket(UPDATE_BUCKET);
      case "getBucketUsage", "listSnapshots" -> ofBucket("stowage:LookAtBucket");
      default -> null;
    };
  }

  /**
   * To be told that a key is not there, or that a path is no file, where keys imply directories:
   * what their listing takes. Null for calls that tell neither to who could not know it else, as
   * puts with a condition, which S3 answers to who may put.
   */
  static Demand ofAbsence(Message request) {
    if (request instanceof FindPathRequest find) {
      String prefix = find.getPath().isEmpty() ? "" : find.getPath() + "/";
      return list(find.getSnapshot().isEmpty() ? LIST : LIST_VERSIONS, prefix, "", 1);
    }
    if (request instanceof GetObjectRequest get) {
      boolean past = get.getVersionId() != 0 || !get.getSnapshot().isEmpty();
      return list(past ? LIST_VERSIONS : LIST, get.getKey(), "", 1);
    }
    if (request instanceof OpenFileRequest open) {
      return list(LIST, open.getKey(), "", 1);
    }
    if (request instanceof RecoverFileRequest recover) {
      return list(LIST, recover.getKey(), "", 1);
    }
    if (request instanceof RenameObjectRequest rename) {
      return list(LIST, rename.getSource(), "", 1);
    }
    return null;
  }

  /** To change anything at all of what a key says of itself. */
  static Demand ofChanging(SetObjectMetadataRequest change) {
    boolean past = change.getVersionId() != 0;
    return new Demand(
            List.of(
                PUT,
                past ? PUT_VERSION_ACL : PUT_ACL,
                past ? "s3:PutObjectVersionTagging" : "s3:PutObjectTagging",
                "s3:PutObjectRetention",
                "s3:PutObjectLegalHold"),
            change.getKey(),
            false,
            Map.of(),
            0,
            "")
        .of(change.getVersionId());
  }

  /** To learn whether there is something that could be changed. */
  static Demand ofLooking(SetObjectMetadataRequest change) {
    return look(change.getKey(), change.getVersionId() != 0).of(change.getVersionId());
  }

  static List<Demand> of(ObjectToDelete delete) {
    List<Demand> all = new ArrayList<>();
    boolean version = delete.getVersionId() != 0;
    all.add(
        of(version ? "s3:DeleteObjectVersion" : DELETE, delete.getKey()).of(delete.getVersionId()));
    if (delete.getBypassGovernance()) {
      all.add(of("s3:BypassGovernanceRetention", delete.getKey()));
    }
    return all;
  }

  /** What else a put takes for a list or tags, the rules ask by its facts, as of one over S3. */
  private static List<Demand> written(String key, ObjectMetadata metadata) throws StoreException {
    List<Demand> all = new ArrayList<>();
    all.add(of(PUT, key).with(factsOf(metadata)));
    if (metadata.hasLock()) {
      all.add(of("s3:PutObjectRetention", key));
      all.add(of("s3:PutObjectLegalHold", key));
    }
    if (ExtendedAttributes.trustedChange(Map.of(), metadata.getXattrsMap()) != null) {
      all.add(of(SET_TRUSTED, key));
    }
    return all;
  }

  /** As a request of S3 would say it in headers. */
  private static Map<String, String> factsOf(ObjectMetadata metadata) throws StoreException {
    Map<String, String> facts = new TreeMap<>(tagsOf(metadata));
    if (!metadata.getStorageClass().isEmpty()) {
      facts.put("s3:x-amz-storage-class", metadata.getStorageClass());
    }
    if (metadata.getGrantsCount() > 0) {
      addGrants(metadata, facts);
    }
    switch (metadata.getEncryption().getMode()) {
      case SSE_S3 -> facts.put("s3:x-amz-server-side-encryption", "AES256");
      case SSE_KMS -> facts.put("s3:x-amz-server-side-encryption", "aws:kms");
      case SSE_C -> facts.put("s3:x-amz-server-side-encryption-customer-algorithm", "AES256");
      case ENCRYPTION_NONE, UNRECOGNIZED -> {}
    }
    return Map.copyOf(facts);
  }

  private static Map<String, String> tagsOf(ObjectMetadata metadata) {
    Map<String, String> facts = new TreeMap<>();
    metadata.getTagsMap().forEach((tag, value) -> facts.put("s3:RequestObjectTag/" + tag, value));
    return facts;
  }

  private static void addGrants(ObjectMetadata metadata, Map<String, String> facts)
      throws StoreException {
    Acl list;
    try {
      list = Acl.of(metadata.getOwner(), metadata.getGrantsList());
    } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot read the access control list " + metadata.getGrantsList(),
          e);
    }
    if (list.grants().isEmpty()) {
      facts.put("s3:x-amz-acl", "none"); // nobody, its owner included: no list that S3 names
    }
    for (Acl.Grant grant : list.grants()) {
      String header = grant.permission().name().toLowerCase(Locale.ROOT).replace('_', '-');
      String to = (grant.group() ? "uri=\"" : "id=\"") + grant.grantee() + '"';
      facts.merge("s3:x-amz-grant-" + header, to, (one, more) -> one + ", " + more);
    }
  }

  /**
   * By what of the metadata is another than what it is now.
   *
   * @param before what it is now
   */
  static List<Demand> changed(SetObjectMetadataRequest change, ObjectMetadata before)
      throws StoreException {
    String key = change.getKey();
    ObjectMetadata after = change.getMetadata();
    boolean past = change.getVersionId() != 0;
    List<Demand> all = new ArrayList<>();
    if (!before.getOwner().equals(after.getOwner())
        || !before.getFile().getOwner().equals(after.getFile().getOwner())) {
      all.add(of(SET_OWNER, key));
    }
    boolean rights =
        !before.getGrantsList().equals(after.getGrantsList())
            || !before.getAclList().equals(after.getAclList())
            || before.getFile().getHasAcl() != after.getFile().getHasAcl()
            || !before.getFile().getGroup().equals(after.getFile().getGroup())
            || before.getFile().getPermissionPlusOne() != after.getFile().getPermissionPlusOne();
    if (rights) {
      all.add(of(past ? PUT_VERSION_ACL : PUT_ACL, key));
    }
    if (!before.getTagsMap().equals(after.getTagsMap())) {
      all.add(
          of(past ? "s3:PutObjectVersionTagging" : "s3:PutObjectTagging", key)
              .with(Map.copyOf(tagsOf(after))));
    }
    if (!before.getLock().equals(after.getLock())) {
      all.add(of("s3:PutObjectRetention", key));
      all.add(of("s3:PutObjectLegalHold", key));
    }
    if (change.getBypassGovernance()) {
      all.add(of("s3:BypassGovernanceRetention", key));
    }
    if (ExtendedAttributes.trustedChange(before.getXattrsMap(), after.getXattrsMap()) != null) {
      all.add(of(SET_TRUSTED, key));
    }
    if (all.isEmpty() || !bare(before).equals(bare(after))) {
      all.add(of(PUT, key));
    }
    all.replaceAll(demand -> demand.of(change.getVersionId()));
    return all;
  }

  /** What is said now, all of it, of what a change was made from; CONFLICT if it is another. */
  static ObjectMetadata before(
      SetObjectMetadataRequest change, BucketInfo bucket, ObjectManager namespace)
      throws StoreException {
    String key = change.getKey();
    if (bucket.getLayout() == BucketLayout.FILE_SYSTEM) {
      String path = pathOf(key, true);
      ObjectVersion found =
          namespace
              .findPath(
                  FindPathRequest.newBuilder()
                      .setBucket(change.getBucket())
                      .setPath(path)
                      .setWantAll(true)
                      .build())
              .getVersion();
      return asRead(change, found);
    }
    ObjectVersion found =
        namespace
            .getObject(
                GetObjectRequest.newBuilder()
                    .setBucket(change.getBucket())
                    .setKey(key)
                    .setVersionId(change.getVersionId())
                    .build())
            .getVersion();
    return asRead(change, found);
  }

  /** What is compared here has to be what the change is made from. */
  private static ObjectMetadata asRead(SetObjectMetadataRequest change, ObjectVersion found)
      throws StoreException {
    if (change.getStamp() != found.getStamp()) {
      throw new StoreException(
          ErrorCode.CONFLICT,
          "Cannot change what " + change.getKey() + " says of itself: it changed meanwhile");
    }
    return found.getMetadata();
  }

  private static ObjectMetadata bare(ObjectMetadata metadata) {
    return metadata.toBuilder()
        .clearOwner()
        .clearGrants()
        .clearAcl()
        .clearTags()
        .clearLock()
        .setFile(
            metadata.getFile().toBuilder()
                .clearOwner()
                .clearGroup()
                .clearPermissionPlusOne()
                .clearHasAcl())
        .build();
  }
}

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

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.GetObjectReply;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.Versioning;
import io.stowage.s3.access.VersionIds;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import java.util.Map;
import java.util.Set;

/** What a request says of versions, and what its answer does. Stateless. */
final class Versions {
  static final String PARAMETER = "versionId";
  static final String HEADER = "x-amz-version-id";
  static final String DELETE_MARKER = "x-amz-delete-marker";

  /** What it takes to do to a version what the action does to the current one. */
  private static final Map<String, String> OF_VERSIONS =
      Map.of(
          "s3:GetObject", "s3:GetObjectVersion",
          "s3:DeleteObject", "s3:DeleteObjectVersion",
          "s3:GetObjectAttributes", "s3:GetObjectVersionAttributes",
          "s3:GetObjectTagging", "s3:GetObjectVersionTagging",
          "s3:PutObjectTagging", "s3:PutObjectVersionTagging",
          "s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging",
          "s3:GetObjectAcl", "s3:GetObjectVersionAcl",
          "s3:PutObjectAcl", "s3:PutObjectVersionAcl");

  /** Actions that are the same with a version id. */
  private static final Set<String> OF_BOTH =
      Set.of(
          "s3:GetObjectRetention",
          "s3:PutObjectRetention",
          "s3:GetObjectLegalHold",
          "s3:PutObjectLegalHold",
          "s3:RestoreObject");

  private Versions() {}

  /** The version that a request names in its query. */
  static long asked(S3Call call) throws S3Exception {
    return VersionIds.parse(PARAMETER, call.param(PARAMETER));
  }

  /** The action that a caller must be allowed, by whether a version is named. */
  static String action(String action, Map<String, String> query) throws S3Exception {
    String version = query.get(PARAMETER);
    if (version == null || action == null) {
      return action;
    }
    if (OF_BOTH.contains(action)) {
      return action;
    }
    String ofVersion = OF_VERSIONS.get(action);
    if (ofVersion == null) {
      throw S3Call.invalid(PARAMETER, version, "This operation does not accept a version-id.");
    }
    return ofVersion;
  }

  /** The version that a request means, with what a reader of its bytes needs if that is asked. */
  static GetObjectReply find(Backend backend, S3Call call, boolean withManifest)
      throws S3Exception, StoreException {
    try {
      return find(backend, call.bucket(), call.key(), asked(call), withManifest);
    } catch (S3Exception e) {
      if (e.error() == S3Error.NO_SUCH_KEY && isRead(call)) {
        requireMayKnow(backend, call, call.bucket(), e);
      }
      throw e.error() == S3Error.METHOD_NOT_ALLOWED ? e.with("Method", call.method()) : e;
    } catch (StoreException e) {
      if (e.code() == ErrorCode.NO_SUCH_KEY && isRead(call)) {
        requireMayKnow(backend, call, call.bucket(), e);
      }
      throw e;
    }
  }

  private static boolean isRead(S3Call call) {
    return call.method().equals("GET") || call.method().equals("HEAD");
  }

  /** As in S3, that there is no such key is told only to those who may list the bucket. */
  static void requireMayKnow(Backend backend, S3Call call, BucketInfo in, Exception absent)
      throws S3Exception, StoreException {
    if (!backend.authorizer().mayKnowOfAbsence(call.caller().subject(), in, call.facts())) {
      throw new S3Exception(S3Error.ACCESS_DENIED, S3Error.ACCESS_DENIED.message(), absent);
    }
  }

  static GetObjectReply find(
      Backend backend, BucketInfo bucket, String key, long version, boolean withManifest)
      throws S3Exception, StoreException {
    GetObjectReply found = look(backend, bucket, key, version, withManifest);
    if (found.getVersion().getDeleteMarker()) {
      throw marked(key, version == VersionIds.CURRENT, found.getVersion());
    }
    return found;
  }

  /**
   * The version whose tags a request means. A delete marker has none (405): S3 says so of a current
   * one, too, of which it says everywhere else that the key is not there.
   */
  static ObjectVersion findTagged(Backend backend, S3Call call) throws S3Exception, StoreException {
    ObjectVersion found = look(backend, call.bucket(), call.key(), asked(call), false).getVersion();
    if (found.getDeleteMarker()) {
      throw marked(call.key(), false, found).with("Method", call.method());
    }
    return found;
  }

  private static GetObjectReply look(
      Backend backend, BucketInfo bucket, String key, long version, boolean withManifest)
      throws StoreException {
    return backend
        .namespace()
        .getObject(
            GetObjectRequest.newBuilder()
                .setBucket(bucket.getName())
                .setKey(key)
                .setVersionId(version)
                .setWantManifest(withManifest)
                .setWantDeleteMarker(true)
                .build());
  }

  /** A delete marker has nothing to read: it is not there, or, by its id, cannot be read. */
  private static S3Exception marked(String key, boolean isAbsent, ObjectVersion marker) {
    S3Exception refusal;
    if (isAbsent) {
      refusal = new S3Exception(S3Error.NO_SUCH_KEY).with("Key", key);
    } else {
      refusal =
          new S3Exception(S3Error.METHOD_NOT_ALLOWED)
              .with("Method", "GET")
              .with("ResourceType", "DeleteMarker")
              .withHeader("allow", "DELETE")
              .withHeader("last-modified", Times.http(marker.getModifiedMicros()));
    }
    return refusal.withHeader(DELETE_MARKER, "true").withHeader(HEADER, text(marker));
  }

  /** A version's id as clients see it. */
  static String text(ObjectVersion version) {
    return VersionIds.text(version.getVersionId(), version.getVersioned());
  }

  /** Says which version an answer is about, in a bucket that has ever had versioning. */
  static Response identify(Response response, BucketInfo bucket, ObjectVersion version) {
    if (isConfigured(bucket)) {
      response.header(HEADER, text(version));
    }
    return response;
  }

  /**
   * The same for an answer to what made the version: a null version has an id, by which it is read
   * and listed, but S3 does not tell it to who writes one.
   */
  static Response identifyNew(Response response, BucketInfo bucket, ObjectVersion version) {
    return bucket.getVersioning() == Versioning.ENABLED
        ? identify(response, bucket, version)
        : response;
  }

  /** What a deletion is told as: of a version, or of a key by a delete marker. */
  static String deletionEvent(BucketInfo bucket, long asked) {
    return isConfigured(bucket) && asked == VersionIds.CURRENT
        ? "ObjectRemoved:DeleteMarkerCreated"
        : "ObjectRemoved:Delete";
  }

  static boolean isConfigured(BucketInfo bucket) {
    return bucket.getVersioning() != Versioning.UNVERSIONED;
  }
}

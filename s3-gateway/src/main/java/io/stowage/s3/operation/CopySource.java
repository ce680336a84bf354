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

import io.stowage.client.crypt.ObjectCipher;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.GetBucketRequest;
import io.stowage.common.proto.GetObjectReply;
import io.stowage.s3.access.VersionIds;
import io.stowage.s3.auth.UriEncoding;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The object that x-amz-copy-source names, found, authorised, and with its conditions checked.
 * Immutable.
 *
 * @param version id as the request names it; null: the current one
 * @param cipher that it was encrypted with; null: none
 */
record CopySource(
    BucketInfo in, String key, String version, GetObjectReply found, ObjectCipher cipher) {
  static final String HEADER = "x-amz-copy-source";

  static CopySource find(Backend backend, S3Call call) throws S3Exception, StoreException {
    String header = call.header(HEADER);
    int question = header.indexOf("?versionId=");
    String version = null;
    if (question >= 0) {
      version = UriEncoding.decodeText(header.substring(question + 11), true);
      header = header.substring(0, question);
    }
    long versionId = VersionIds.parse(HEADER, version);
    // As S3 reads it: a plus that is meant comes as %2B.
    String path = UriEncoding.decodeText(header, true);
    if (path.startsWith("/")) {
      path = path.substring(1);
    }
    int slash = path.indexOf('/');
    if (slash <= 0 || slash == path.length() - 1) {
      throw S3Call.invalid(
          HEADER,
          call.header(HEADER),
          "Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
    }
    String bucket = path.substring(0, slash);
    String key = path.substring(slash + 1);
    BucketNames.check(bucket);
    S3Address.checkKey(key);
    BucketInfo in = bucket(backend, bucket);
    Dispatcher.checkExpectedOwner(call.header("x-amz-source-expected-bucket-owner"), in);
    authorize(
        backend, call, version == null ? "s3:GetObject" : "s3:GetObjectVersion", in, key, version);
    GetObjectReply found = find(backend, call, in, key, versionId);
    ObjectCipher cipher = backend.encryption().toCopy(call, in.getId(), found.getVersion());
    Preconditions.checkCopySource(call.headers(), found.getVersion(), backend.clock().wallMicros());
    return new CopySource(in, key, version, found, cipher);
  }

  private static void authorize(
      Backend backend, S3Call call, String action, BucketInfo in, String key, String version)
      throws S3Exception, StoreException {
    Map<String, List<String>> facts = new HashMap<>(call.facts());
    if (version != null) {
      facts.put("s3:versionid", List.of(version));
    }
    backend.authorizer().authorize(call.caller().subject(), action, in, key, facts);
  }

  /** That its tags may be read, which are copied with it. */
  void requireTags(Backend backend, S3Call call) throws S3Exception, StoreException {
    authorize(
        backend,
        call,
        version == null ? "s3:GetObjectTagging" : "s3:GetObjectVersionTagging",
        in,
        key,
        version);
  }

  /** The bucket of the source: if it is not there, the answer names it, not that of the target. */
  private static BucketInfo bucket(Backend backend, String name)
      throws S3Exception, StoreException {
    try {
      return backend
          .namespace()
          .getBucket(GetBucketRequest.newBuilder().setName(name).build())
          .getBucket();
    } catch (StoreException e) {
      if (e.code() != ErrorCode.NO_SUCH_BUCKET) {
        throw e;
      }
      throw S3Exception.of(e).with("BucketName", name);
    }
  }

  private static GetObjectReply find(
      Backend backend, S3Call call, BucketInfo in, String key, long versionId)
      throws S3Exception, StoreException {
    try {
      return Versions.find(backend, in, key, versionId, true);
    } catch (StoreException e) {
      S3Exception error = S3Exception.of(e);
      if (e.code() == ErrorCode.NO_SUCH_KEY) {
        Versions.requireMayKnow(backend, call, in, e);
        throw error.with("Key", key);
      }
      if (e.code() == ErrorCode.NO_SUCH_VERSION) {
        throw error.with("Key", key).with("VersionId", VersionIds.text(versionId, true));
      }
      throw e;
    } catch (S3Exception e) {
      if (e.error() != S3Error.METHOD_NOT_ALLOWED) {
        Versions.requireMayKnow(backend, call, in, e);
        throw e;
      }
      throw new S3Exception(
          S3Error.INVALID_REQUEST,
          "The source of a copy request may not specifically refer to a delete marker by"
              + " version id.",
          e);
    }
  }

  String bucket() {
    return in.getName();
  }

  /** Says which version was copied. */
  Response identify(Response response) {
    if (Versions.isConfigured(in)) {
      response.header("x-amz-copy-source-version-id", Versions.text(found.getVersion()));
    }
    return response;
  }

  /** Its plain bytes. */
  ObjectSource bytes(Backend backend, ByteRange range) throws StoreException {
    return new ObjectSource(backend, bucket(), found, cipher, range);
  }
}

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
import io.stowage.common.policy.AccessSettings;
import io.stowage.common.policy.Acl;
import io.stowage.common.proto.EventNote;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.SetObjectMetadataRequest;
import io.stowage.s3.access.AclDocuments;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.setting.Tags;
import java.util.Map;
import java.util.function.UnaryOperator;

/** What can be said of an object after it was written: its tags and its access control list. */
final class ObjectSettings {
  private static final int LARGEST_TAGGING = 64 << 10;

  /** Rivals that change the same object at the same time; each lost attempt means one won. */
  private static final int MOST_ATTEMPTS = 100;

  private ObjectSettings() {}

  private static ObjectVersion find(Backend backend, S3Call call)
      throws S3Exception, StoreException {
    return call.query().containsKey("tagging")
        ? Versions.findTagged(backend, call)
        : Versions.find(backend, call, false).getVersion();
  }

  /** A version as it was and as it is. */
  record Changed(ObjectVersion seen, ObjectVersion now) {}

  /**
   * Changes the metadata of the version that a request names, whoever else does so meanwhile.
   *
   * @param how what the change needs besides version and metadata
   */
  static Changed change(
      Backend backend,
      S3Call call,
      SetObjectMetadataRequest.Builder how,
      UnaryOperator<ObjectMetadata> change)
      throws S3Exception, StoreException {
    for (int attempt = 1; ; attempt++) {
      ObjectVersion seen = find(backend, call);
      how.setBucket(call.bucketName())
          .setKey(call.key())
          .setVersionId(seen.getVersionId())
          .setStamp(seen.getStamp())
          .setMetadata(change.apply(seen.getMetadata()));
      try {
        return new Changed(seen, backend.namespace().setObjectMetadata(how.build()).getVersion());
      } catch (StoreException e) {
        boolean lost = e.code() == ErrorCode.CONFLICT || e.code() == ErrorCode.NO_SUCH_VERSION;
        if (!lost || attempt == MOST_ATTEMPTS) {
          throw e;
        }
      }
    }
  }

  /** The same, told as an event. Returns the version as it was. */
  private static ObjectVersion change(
      Backend backend, S3Call call, String event, UnaryOperator<ObjectMetadata> change)
      throws S3Exception, StoreException {
    EventNote note = Events.note(backend, call, event, call.key());
    Changed changed =
        change(backend, call, SetObjectMetadataRequest.newBuilder().setEvent(note), change);
    Events.happened(backend, call, note, call.key(), changed.now(), changed.now().getStamp());
    return changed.seen();
  }

  /** GetObjectTagging. */
  record GetTags(Backend backend) implements Operation {
    @Override
    public String action() {
      return "s3:GetObjectTagging";
    }

    @Override
    public Response handle(S3Call call) throws S3Exception, StoreException {
      ObjectVersion version = find(backend, call);
      return Versions.identify(
          Response.xml(200, Tags.document(version.getMetadata().getTagsMap())),
          call.bucket(),
          version);
    }
  }

  /** PutObjectTagging. */
  record PutTags(Backend backend) implements Operation {
    private static final String ACTION = "s3:PutObjectTagging";

    @Override
    public String action() {
      return null;
    }

    @Override
    public Response handle(S3Call call) throws S3Exception, StoreException {
      Map<String, String> tags =
          SaidInBody.authorized(
              backend,
              call,
              ACTION,
              () -> Tags.of(call.document("Tagging", LARGEST_TAGGING), Tags.MOST_OF_AN_OBJECT),
              said -> RequestFacts.withTags(call.facts(), said));
      ObjectVersion changed =
          change(
              backend,
              call,
              "ObjectTagging:Put",
              metadata -> metadata.toBuilder().clearTags().putAllTags(tags).build());
      return Versions.identify(Response.empty(200), call.bucket(), changed);
    }
  }

  /** DeleteObjectTagging. */
  record DeleteTags(Backend backend) implements Operation {
    @Override
    public String action() {
      return "s3:DeleteObjectTagging";
    }

    @Override
    public Response handle(S3Call call) throws S3Exception, StoreException {
      ObjectVersion changed =
          change(
              backend,
              call,
              "ObjectTagging:Delete",
              metadata -> metadata.toBuilder().clearTags().build());
      return Versions.identify(Response.empty(204), call.bucket(), changed);
    }
  }

  /** GetObjectAcl. */
  record GetAcl(Backend backend) implements Operation {
    @Override
    public String action() {
      return "s3:GetObjectAcl";
    }

    @Override
    public Response handle(S3Call call) throws S3Exception, StoreException {
      ObjectVersion version = find(backend, call);
      ObjectMetadata metadata = version.getMetadata();
      boolean disabled = new AccessSettings(call.bucket()).disablesLists();
      Acl acl =
          disabled
              ? Acl.ofOwner(call.bucket().getOwner())
              : Acl.of(metadata.getOwner(), metadata.getGrantsList());
      return Versions.identify(
          Response.xml(200, AclDocuments.document(acl, backend.users())), call.bucket(), version);
    }
  }

  /** PutObjectAcl. */
  record PutAcl(Backend backend) implements Operation {
    @Override
    public String action() {
      return "s3:PutObjectAcl";
    }

    @Override
    public Response handle(S3Call call) throws S3Exception, StoreException {
      String owner = find(backend, call).getMetadata().getOwner();
      Acl acl =
          BucketAcl.asked(
              backend, call, owner, call.bucket().getOwner(), new AccessSettings(call.bucket()));
      ObjectVersion changed =
          change(
              backend,
              call,
              "ObjectAcl:Put",
              metadata -> metadata.toBuilder().clearGrants().addAllGrants(acl.texts()).build());
      return Versions.identify(Response.empty(200), call.bucket(), changed);
    }
  }
}

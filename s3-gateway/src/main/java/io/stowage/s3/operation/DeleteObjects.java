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
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.Condition;
import io.stowage.common.proto.DeleteObjectsReply;
import io.stowage.common.proto.DeleteObjectsRequest;
import io.stowage.common.proto.DeleteObjectsRequestOrBuilder;
import io.stowage.common.proto.DeletedObject;
import io.stowage.common.proto.ObjectToDelete;
import io.stowage.s3.access.VersionIds;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.xml.XmlElement;
import io.stowage.s3.xml.XmlOut;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * POST ?delete on a bucket: up to 1,000 keys, each with an outcome of its own. Content-MD5 or a
 * checksum is verified if it is sent. S3 insists on one; here the signature's SHA-256 or TLS
 * vouches for the body, as for every other document.
 */
final class DeleteObjects implements Operation {
  private static final int MOST_KEYS = 1000;
  private static final int LARGEST_DOCUMENT = 2 << 20;

  private final Backend backend;

  DeleteObjects(Backend backend) {
    this.backend = backend;
  }

  @Override
  public String action() {
    return null;
  }

  @Override
  public Response handle(S3Call call) throws S3Exception, StoreException {
    XmlElement document = call.document("Delete", LARGEST_DOCUMENT);
    if (document == null) {
      throw new S3Exception(S3Error.MALFORMED_XML);
    }
    boolean quiet = "true".equalsIgnoreCase(document.childText("Quiet"));
    DeleteObjectsRequest.Builder request =
        DeleteObjectsRequest.newBuilder().setBucket(call.bucketName());
    XmlOut out = XmlOut.document("DeleteResult");
    List<XmlElement> objects = document.children("Object");
    if (objects.isEmpty() || objects.size() > MOST_KEYS) {
      throw new S3Exception(S3Error.MALFORMED_XML);
    }
    List<Refused> refused = new ArrayList<>();
    List<String> asked = new ArrayList<>();
    for (XmlElement object : objects) {
      String key = object.childText("Key");
      if (key == null || key.isEmpty()) {
        throw new S3Exception(S3Error.MALFORMED_XML);
      }
      String version = object.childText("VersionId");
      if (version != null && version.isEmpty()) {
        version = null;
      }
      long versionId;
      boolean bypass;
      Condition condition;
      try {
        versionId = versionId(version);
        S3Address.checkKey(key);
        authorize(call, key, version, object.childText("ETag"));
        condition = Preconditions.ofDelete(object, version);
        if (Preconditions.comparesTags(condition)) {
          backend
              .authorizer()
              .authorize(call.caller().subject(), "s3:GetObject", call.bucket(), key, call.facts());
        }
        bypass = LockHeaders.bypasses(backend, call, key);
      } catch (S3Exception e) {
        refused.add(new Refused(key, version, e.error().code(), e.getMessage()));
        continue;
      }
      asked.add(version);
      request.addObjects(
          ObjectToDelete.newBuilder()
              .setKey(key)
              .setVersionId(versionId)
              .setOwner(call.caller().user())
              .setWriteId(WriteId.random())
              .setBypassGovernance(bypass)
              .setEvent(
                  Events.note(backend, call, Versions.deletionEvent(call.bucket(), versionId), key))
              .setCondition(condition));
    }
    if (request.getObjectsCount() > 0) {
      DeleteObjectsReply reply = backend.namespace().deleteObjects(request.build());
      tell(call, request, reply, asked, quiet, out);
      for (int i = 0; i < reply.getObjectsCount(); i++) {
        DeletedObject deleted = reply.getObjects(i);
        if (deleted.getErrorCode() == 0 && deleted.getStamp() != 0) {
          Events.happened(
              backend,
              call,
              request.getObjects(i).getEvent(),
              deleted.getKey(),
              Events.told(deleted),
              deleted.getStamp());
        }
      }
    }
    for (Refused one : refused) {
      tellError(out, one);
    }
    return Response.xml(200, out.finish());
  }

  private record Refused(String key, String version, String code, String message) {}

  /** A text that is no version id is that of no version, here. */
  private static long versionId(String version) throws S3Exception {
    try {
      return VersionIds.parse("VersionId", version);
    } catch (S3Exception e) {
      throw new S3Exception(S3Error.NO_SUCH_VERSION, S3Error.NO_SUCH_VERSION.message(), e);
    }
  }

  private void authorize(S3Call call, String key, String version, String etag)
      throws S3Exception, StoreException {
    Map<String, List<String>> facts = call.facts();
    if (version != null || etag != null) {
      facts = new HashMap<>(facts);
      if (version != null) {
        facts.put("s3:versionid", List.of(version));
      }
      if (etag != null) {
        facts.put("s3:if-match", List.of(etag));
      }
    }
    String action = version == null ? "s3:DeleteObject" : "s3:DeleteObjectVersion";
    backend.authorizer().authorize(call.caller().subject(), action, call.bucket(), key, facts);
  }

  private static void tell(
      S3Call call,
      DeleteObjectsRequestOrBuilder request,
      DeleteObjectsReply reply,
      List<String> asked,
      boolean quiet,
      XmlOut out) {
    for (int i = 0; i < reply.getObjectsCount(); i++) {
      DeletedObject object = reply.getObjects(i);
      if (object.getErrorCode() != 0) {
        ErrorCode code = ErrorCode.ofNumber(object.getErrorCode());
        boolean conditional = request.getObjects(i).getCondition().getSerializedSize() > 0;
        S3Error error =
            code == ErrorCode.CONFLICT ? Preconditions.lostTurn(conditional) : S3Error.of(code);
        String why =
            code == ErrorCode.ACCESS_DENIED
                ? LockHeaders.refusal(call, StoreException.of(code, object.getErrorMessage()))
                    .getMessage()
                : error.message();
        tellError(out, new Refused(object.getKey(), asked.get(i), error.code(), why));
      } else if (!quiet) {
        out.open("Deleted").text("Key", object.getKey());
        out.textIfAny("VersionId", asked.get(i));
        if (object.getVersion().getDeleteMarker()) {
          out.text("DeleteMarker", true);
          out.text("DeleteMarkerVersionId", Versions.text(object.getVersion()));
        }
        out.close();
      }
    }
  }

  private static void tellError(XmlOut out, Refused refused) {
    out.open("Error").text("Key", refused.key()).textIfAny("VersionId", refused.version());
    out.text("Code", refused.code()).text("Message", refused.message()).close();
  }
}

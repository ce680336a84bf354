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
import io.stowage.common.proto.DeletedObject;
import io.stowage.common.proto.ObjectToDelete;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.xml.XmlElement;
import io.stowage.s3.xml.XmlOut;
import java.util.ArrayList;
import java.util.List;

/** POST ?delete on a bucket: up to 1,000 keys, each with an outcome of its own. */
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
    XmlElement document = call.vouchedDocument("Delete", LARGEST_DOCUMENT);
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
    List<String[]> refused = new ArrayList<>();
    for (XmlElement object : objects) {
      String key = object.childText("Key");
      if (key == null || key.isEmpty()) {
        throw new S3Exception(S3Error.MALFORMED_XML);
      }
      String version = object.childText("VersionId");
      if (version != null && !version.isEmpty() && !version.equals("null")) {
        refused.add(new String[] {key, S3Error.NO_SUCH_VERSION.code(), "No such version"});
        continue;
      }
      try {
        S3Address.checkKey(key);
      } catch (S3Exception e) {
        refused.add(new String[] {key, e.error().code(), e.getMessage()});
        continue;
      }
      boolean bypass;
      try {
        backend
            .authorizer()
            .authorize(
                call.caller().subject(), "s3:DeleteObject", call.bucket(), key, call.facts());
        bypass = LockHeaders.bypasses(backend, call, key);
      } catch (S3Exception e) {
        refused.add(new String[] {key, e.error().code(), e.getMessage()});
        continue;
      }
      Condition.Builder condition = Condition.newBuilder();
      String etag = object.childText("ETag");
      if (etag != null && !etag.isEmpty()) {
        condition.setIfMatchEtag(Etags.unquote(etag));
      }
      request.addObjects(
          ObjectToDelete.newBuilder()
              .setKey(key)
              .setWriteId(WriteId.random())
              .setBypassGovernance(bypass)
              .setEvent(Events.note(backend, call, "ObjectRemoved:Delete", key))
              .setCondition(condition));
    }
    if (request.getObjectsCount() > 0) {
      DeleteObjectsReply reply = backend.namespace().deleteObjects(request.build());
      tell(reply, quiet, out);
      for (int i = 0; i < reply.getObjectsCount(); i++) {
        DeletedObject deleted = reply.getObjects(i);
        if (deleted.getErrorCode() == 0 && deleted.getStamp() != 0) {
          Events.happened(
              backend,
              call,
              request.getObjects(i).getEvent(),
              deleted.getKey(),
              null,
              deleted.getStamp());
        }
      }
    }
    for (String[] error : refused) {
      tellError(out, error[0], error[1], error[2]);
    }
    return Response.xml(200, out.finish());
  }

  private static void tell(DeleteObjectsReply reply, boolean quiet, XmlOut out) {
    for (DeletedObject object : reply.getObjectsList()) {
      if (object.getErrorCode() != 0) {
        S3Error error = S3Error.of(ErrorCode.ofNumber(object.getErrorCode()));
        tellError(out, object.getKey(), error.code(), error.message());
      } else if (!quiet) {
        out.open("Deleted").text("Key", object.getKey()).close();
      }
    }
  }

  private static void tellError(XmlOut out, String key, String code, String message) {
    out.open("Error").text("Key", key).text("Code", code).text("Message", message).close();
  }
}

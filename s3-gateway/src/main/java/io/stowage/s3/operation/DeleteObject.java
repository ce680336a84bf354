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
import io.stowage.common.proto.DeleteObjectsRequest;
import io.stowage.common.proto.DeletedObject;
import io.stowage.common.proto.EventNote;
import io.stowage.common.proto.ObjectToDelete;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;

/** DELETE of a key: done, too, if it was not there. */
final class DeleteObject implements Operation {
  private final Backend backend;

  DeleteObject(Backend backend) {
    this.backend = backend;
  }

  @Override
  public String action() {
    return "s3:DeleteObject";
  }

  @Override
  public Response handle(S3Call call) throws S3Exception, StoreException {
    LockHeaders.refuseBypassInVain(call);
    Condition condition = Preconditions.ofDelete(call.headers(), call.param(Versions.PARAMETER));
    if (Preconditions.comparesTags(condition)) {
      // Whether an entity tag matches is told only to who may read it.
      backend
          .authorizer()
          .authorize(
              call.caller().subject(), "s3:GetObject", call.bucket(), call.key(), call.facts());
    }
    EventNote event =
        Events.note(
            backend, call, Versions.deletionEvent(call.bucket(), Versions.asked(call)), call.key());
    DeletedObject deleted =
        backend
            .namespace()
            .deleteObjects(
                DeleteObjectsRequest.newBuilder()
                    .setBucket(call.bucketName())
                    .addObjects(
                        ObjectToDelete.newBuilder()
                            .setKey(call.key())
                            .setVersionId(Versions.asked(call))
                            .setOwner(call.caller().user())
                            .setWriteId(WriteId.random())
                            .setBypassGovernance(LockHeaders.bypasses(backend, call, call.key()))
                            .setEvent(event)
                            .setCondition(condition))
                    .build())
            .getObjects(0);
    if (deleted.getErrorCode() != 0) {
      StoreException refused =
          StoreException.of(ErrorCode.ofNumber(deleted.getErrorCode()), deleted.getErrorMessage());
      if (refused.code() == ErrorCode.ACCESS_DENIED) {
        throw LockHeaders.refusal(call, refused);
      }
      throw refused;
    }
    if (deleted.getStamp() != 0) {
      Events.happened(backend, call, event, call.key(), Events.told(deleted), deleted.getStamp());
    }
    return told(call, deleted);
  }

  private static Response told(S3Call call, DeletedObject deleted) throws S3Exception {
    Response response = Response.empty(204);
    String asked = call.param(Versions.PARAMETER);
    if (asked != null && Versions.isConfigured(call.bucket())) {
      response.header(Versions.HEADER, asked);
    }
    if (deleted.hasVersion()) {
      Versions.identify(response, call.bucket(), deleted.getVersion());
      if (deleted.getVersion().getDeleteMarker()) {
        response.header(Versions.DELETE_MARKER, "true");
      }
    }
    return response;
  }
}

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

import static io.stowage.s3.xml.XmlShape.element;
import static io.stowage.s3.xml.XmlShape.text;
import static io.stowage.s3.xml.XmlShape.word;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.LegalHold;
import io.stowage.common.proto.LockMode;
import io.stowage.common.proto.ObjectLock;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.SetObjectMetadataRequest;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.xml.XmlElement;
import io.stowage.s3.xml.XmlOut;
import io.stowage.s3.xml.XmlShape;
import java.util.function.UnaryOperator;

/**
 * Retention and legal hold of a version. Whether a change is allowed is decided by the object
 * manager, on the cell that the change is compared with.
 */
final class ObjectRetention {
  private static final int LARGEST_DOCUMENT = 16 << 10;

  private static final XmlShape RETENTION =
      element(
          "Retention",
          word("Mode", "GOVERNANCE", "COMPLIANCE").optional(),
          text("RetainUntilDate", date -> LockHeaders.parse(date) >= 0).optional());
  private static final XmlShape LEGAL_HOLD =
      element("LegalHold", word("Status", "ON", "OFF").optional());

  private ObjectRetention() {}

  private static ObjectVersion find(Backend backend, S3Call call)
      throws S3Exception, StoreException {
    return Versions.find(backend, call, false).getVersion();
  }

  private static ObjectLock lock(Backend backend, S3Call call) throws S3Exception, StoreException {
    LockHeaders.requireEnabled(call);
    return find(backend, call).getMetadata().getLock();
  }

  private static Response change(
      Backend backend, S3Call call, boolean bypass, UnaryOperator<ObjectLock> change)
      throws S3Exception, StoreException {
    ObjectVersion seen;
    try {
      seen =
          ObjectSettings.change(
                  backend,
                  call,
                  SetObjectMetadataRequest.newBuilder().setBypassGovernance(bypass),
                  metadata ->
                      metadata.toBuilder().setLock(change.apply(metadata.getLock())).build())
              .seen();
    } catch (StoreException e) {
      if (e.code() != ErrorCode.ACCESS_DENIED) {
        throw e;
      }
      throw LockHeaders.refusal(call, e);
    }
    return Versions.identify(Response.empty(200), call.bucket(), seen);
  }

  private static XmlElement document(S3Call call, XmlShape shape) throws S3Exception {
    LockHeaders.requireEnabled(call);
    XmlElement document = call.document(shape.name(), LARGEST_DOCUMENT);
    if (document == null) {
      throw new S3Exception(S3Error.MALFORMED_XML);
    }
    shape.check(document);
    return document;
  }

  /** GetObjectRetention. */
  record GetRetention(Backend backend) implements Operation {
    @Override
    public String action() {
      return "s3:GetObjectRetention";
    }

    @Override
    public Response handle(S3Call call) throws S3Exception, StoreException {
      ObjectLock lock = lock(backend, call);
      if (lock.getMode() == LockMode.UNLOCKED) {
        throw new S3Exception(S3Error.NO_SUCH_OBJECT_LOCK_CONFIGURATION);
      }
      XmlOut out = XmlOut.document("Retention");
      out.text("Mode", lock.getMode().name());
      out.text("RetainUntilDate", Times.iso(lock.getRetainUntilMicros()));
      return Response.xml(200, out.finish());
    }
  }

  /** PutObjectRetention; an empty document takes the retention away. */
  record PutRetention(Backend backend) implements Operation {
    private static final String ACTION = "s3:PutObjectRetention";

    /** What is asked for; nulls where the retention is to be taken away. */
    private record Asked(String mode, String until) {
      static Asked of(XmlElement document) throws S3Exception {
        Asked asked = new Asked(document.childText("Mode"), document.childText("RetainUntilDate"));
        if ((asked.mode == null) != (asked.until == null)) {
          throw new S3Exception(S3Error.MALFORMED_XML).with("Element", "Retention");
        }
        return asked;
      }
    }

    @Override
    public String action() {
      return null;
    }

    @Override
    public Response handle(S3Call call) throws S3Exception, StoreException {
      Asked asked =
          SaidInBody.authorized(
              backend,
              call,
              ACTION,
              () -> Asked.of(document(call, RETENTION)),
              said ->
                  RequestFacts.withLock(
                      call.facts(), said.mode, said.until, null, backend.clock().wallMicros()));
      long micros = asked.until == null ? 0 : LockHeaders.parse(asked.until);
      if (asked.until != null) {
        LockHeaders.requireFuture(backend, micros, "RetainUntilDate", asked.until);
      }
      LockMode locked = asked.mode == null ? LockMode.UNLOCKED : LockMode.valueOf(asked.mode);
      return change(
          backend,
          call,
          LockHeaders.bypasses(backend, call, call.key()),
          lock -> lock.toBuilder().setMode(locked).setRetainUntilMicros(micros).build());
    }
  }

  /** GetObjectLegalHold. */
  record GetLegalHold(Backend backend) implements Operation {
    @Override
    public String action() {
      return "s3:GetObjectLegalHold";
    }

    @Override
    public Response handle(S3Call call) throws S3Exception, StoreException {
      ObjectLock lock = lock(backend, call);
      if (lock.getLegalHold() == LegalHold.HOLD_NEVER_SET) {
        throw new S3Exception(S3Error.NO_SUCH_OBJECT_LOCK_CONFIGURATION);
      }
      XmlOut out = XmlOut.document("LegalHold");
      out.text("Status", LockHeaders.text(lock.getLegalHold()));
      return Response.xml(200, out.finish());
    }
  }

  /** PutObjectLegalHold. */
  record PutLegalHold(Backend backend) implements Operation {
    private static final String ACTION = "s3:PutObjectLegalHold";

    @Override
    public String action() {
      return null;
    }

    private static String status(S3Call call) throws S3Exception {
      String status = document(call, LEGAL_HOLD).childText("Status");
      if (status == null) {
        throw new S3Exception(S3Error.MALFORMED_XML).with("Element", "LegalHold");
      }
      return status;
    }

    @Override
    public Response handle(S3Call call) throws S3Exception, StoreException {
      String status =
          SaidInBody.authorized(
              backend,
              call,
              ACTION,
              () -> status(call),
              said ->
                  RequestFacts.withLock(
                      call.facts(), null, null, said, backend.clock().wallMicros()));
      LegalHold hold = status.equals("ON") ? LegalHold.HOLD_ON : LegalHold.HOLD_OFF;
      return change(backend, call, false, lock -> lock.toBuilder().setLegalHold(hold).build());
    }
  }
}

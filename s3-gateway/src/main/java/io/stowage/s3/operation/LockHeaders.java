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
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.expiry.Retention;
import io.stowage.common.proto.LegalHold;
import io.stowage.common.proto.LockMode;
import io.stowage.common.proto.ObjectLock;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.payload.Payload;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.OffsetDateTime;

/** Object lock in headers of requests and answers. Stateless. */
final class LockHeaders {
  static final String MODE = "x-amz-object-lock-mode";
  static final String UNTIL = "x-amz-object-lock-retain-until-date";
  static final String HOLD = "x-amz-object-lock-legal-hold";
  private static final String PROTECTED = "Access Denied because object protected by object lock.";
  private static final String BYPASS = "x-amz-bypass-governance-retention";

  private LockHeaders() {}

  /** Adds the lock that a request's headers ask for to the metadata of what it makes. */
  static void add(Backend backend, S3Call call, ObjectMetadata.Builder metadata)
      throws S3Exception, StoreException {
    HttpHeaders headers = call.headers();
    String mode = headers.get(MODE);
    String until = headers.get(UNTIL);
    String hold = headers.get(HOLD);
    if (mode == null && until == null && hold == null) {
      return;
    }
    requireEnabled(call);
    ObjectLock.Builder lock = ObjectLock.newBuilder();
    if (mode != null || until != null) {
      if (mode == null || until == null) {
        throw new S3Exception(
                S3Error.INVALID_ARGUMENT, UNTIL + " and " + MODE + " must both be supplied")
            .with("ArgumentName", mode == null ? MODE : UNTIL);
      }
      if (!mode.equals("GOVERNANCE") && !mode.equals("COMPLIANCE")) {
        throw S3Call.invalid(MODE, mode, "Unknown wormMode directive.");
      }
      long micros = parse(until);
      if (micros < 0) {
        throw S3Call.invalid(
            UNTIL, until, "The retain until date must be provided in ISO 8601 format");
      }
      requireFuture(backend, micros, UNTIL, until);
      authorize(backend, call, "s3:PutObjectRetention");
      lock.setMode(LockMode.valueOf(mode)).setRetainUntilMicros(micros);
    }
    if (hold != null) {
      if (!hold.equals("ON") && !hold.equals("OFF")) {
        throw S3Call.invalid(HOLD, hold, "Legal Hold must be either of 'ON' or 'OFF'");
      }
      authorize(backend, call, "s3:PutObjectLegalHold");
      lock.setLegalHold(hold.equals("ON") ? LegalHold.HOLD_ON : LegalHold.HOLD_OFF);
    }
    metadata.setLock(lock);
  }

  static void requireEnabled(S3Call call) throws S3Exception {
    if (!Retention.isEnabled(call.bucket())) {
      throw new S3Exception(S3Error.INVALID_REQUEST, "Bucket is missing Object Lock Configuration");
    }
  }

  /**
   * Refuses bytes that a lock would keep though nobody vouches for them: by headers, or by the
   * bucket's default. The hash in the signature does not count, as in S3.
   */
  static void requireVouched(S3Call call, ObjectMetadata metadata, Payload payload, String what)
      throws S3Exception {
    boolean locked =
        metadata.hasLock() || call.bucket().containsSettings(Retention.DEFAULT_SETTING);
    if (locked && !payload.isVouchedFor()) {
      throw new S3Exception(
          S3Error.INVALID_REQUEST,
          "Content-MD5 OR x-amz-checksum- HTTP header is required for "
              + what
              + " requests with Object Lock parameters");
    }
  }

  /** The date may stand in a header or in an element of a document. */
  static void requireFuture(Backend backend, long micros, String name, String text)
      throws S3Exception {
    if (micros <= backend.clock().wallMicros()) {
      throw S3Call.invalid(name, text, "The retain until date must be in the future!");
    }
  }

  /** What is told of a change that the store refused for the sake of a lock. */
  static S3Exception refusal(S3Call call, StoreException e) {
    boolean locked = e.code() == ErrorCode.ACCESS_DENIED && Retention.isEnabled(call.bucket());
    return locked ? new S3Exception(S3Error.ACCESS_DENIED, PROTECTED, e) : S3Exception.of(e);
  }

  private static void authorize(Backend backend, S3Call call, String action)
      throws S3Exception, StoreException {
    backend
        .authorizer()
        .authorize(call.caller().subject(), action, call.bucket(), call.key(), call.facts());
  }

  /** Refuses to do without what the bucket does not have, as S3 does where one key is deleted. */
  static void refuseBypassInVain(S3Call call) throws S3Exception {
    if (call.header(BYPASS) != null && !Retention.isEnabled(call.bucket())) {
      throw new S3Exception(
              S3Error.INVALID_ARGUMENT,
              BYPASS + " is only applicable to Object Lock enabled buckets.")
          .with("ArgumentName", BYPASS);
    }
  }

  /** Whether the caller wants to do without governance; refused if he may not. */
  static boolean bypasses(Backend backend, S3Call call, String key)
      throws S3Exception, StoreException {
    if (!"true".equalsIgnoreCase(call.header(BYPASS))) {
      return false;
    }
    backend
        .authorizer()
        .authorize(
            call.caller().subject(),
            "s3:BypassGovernanceRetention",
            call.bucket(),
            key,
            call.facts());
    return true;
  }

  /** Microseconds of a date as S3 writes it; -1 if it is none, or beyond what a number holds. */
  static long parse(String text) {
    try {
      Instant until = OffsetDateTime.parse(text.strip()).toInstant();
      return Math.addExact(
          Math.multiplyExact(until.getEpochSecond(), 1_000_000L), until.getNano() / 1_000);
    } catch (DateTimeException | ArithmeticException e) {
      return -1;
    }
  }

  /** Adds what keeps a version to the answer about it. */
  static void describe(ObjectMetadata metadata, Response response) {
    ObjectLock lock = metadata.getLock();
    if (lock.getMode() != LockMode.UNLOCKED) {
      response.header(MODE, lock.getMode().name());
      response.header(UNTIL, Times.iso(lock.getRetainUntilMicros()));
    }
    if (lock.getLegalHold() != LegalHold.HOLD_NEVER_SET) {
      response.header(HOLD, text(lock.getLegalHold()));
    }
  }

  static String text(LegalHold hold) {
    return hold == LegalHold.HOLD_ON ? "ON" : "OFF";
  }
}

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

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.HttpHeaders;
import io.stowage.common.access.Origin;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.policy.AccessSettings;
import io.stowage.common.policy.Acl;
import io.stowage.common.policy.Acl.Permission;
import io.stowage.common.policy.Question;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.GetBucketRequest;
import io.stowage.common.proto.Identity;
import io.stowage.s3.access.Authorizer;
import io.stowage.s3.auth.Caller;
import io.stowage.s3.auth.PayloadSigning;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.BodySource;
import io.stowage.s3.http.Course;
import io.stowage.s3.http.Request;
import io.stowage.s3.http.Response;
import io.stowage.s3.log.AccessLogs;
import io.stowage.s3.payload.HashKind;
import io.stowage.s3.setting.BucketSettings;
import io.stowage.s3.setting.LoggingTarget;
import io.stowage.s3.xml.XmlElement;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Access logs of buckets: where they go, and how they get there. */
final class BucketLogging {
  private static final Logger LOG = LoggerFactory.getLogger(BucketLogging.class);
  private static final int LARGEST = 64 << 10;

  /** As a bucket's policy names who delivers logs. */
  private static final Question.Principal DELIVERER =
      Question.Principal.service("logging.s3.amazonaws.com");

  private BucketLogging() {}

  /** PutBucketLogging. */
  record Put(Backend backend) implements Operation {
    @Override
    public String action() {
      return BucketSettings.LOGGING.putAction();
    }

    @Override
    public Response handle(S3Call call) throws S3Exception, StoreException {
      XmlElement document = call.document(BucketSettings.LOGGING.shape().name(), LARGEST);
      if (document == null) {
        throw new S3Exception(S3Error.MALFORMED_XML);
      }
      String kept = BucketSettings.LOGGING.accept(document);
      LoggingTarget target = LoggingTarget.of(document);
      if (target == null) {
        BucketDocuments.remove(backend, call, BucketSettings.LOGGING.name());
        return Response.empty(200);
      }
      BucketInfo to;
      try {
        to = bucket(backend, target.bucket());
      } catch (StoreException e) {
        if (e.code() != ErrorCode.NO_SUCH_BUCKET && e.code() != ErrorCode.INVALID_NAME) {
          throw e;
        }
        throw invalidTarget(target, "The target bucket for logging does not exist");
      }
      if (!to.getOwner().equals(call.bucket().getOwner())) {
        throw invalidTarget(
            target,
            "The owner for the bucket to be logged and the target bucket must be the same.");
      }
      if (!mayLetIn(new AccessSettings(to))) {
        throw invalidTarget(
            target,
            "You must give the log-delivery group WRITE and READ_ACP permissions to the target"
                + " bucket");
      }
      BucketDocuments.keep(backend, call, BucketSettings.LOGGING.name(), kept);
      return Response.empty(200);
    }

    /**
     * Whether logs may be let in: by a policy, which is asked at each delivery, or by the list of a
     * bucket that says that it goes by lists. Of one that says nothing S3 does not ask it either.
     */
    private static boolean mayLetIn(AccessSettings settings) {
      return !settings.leavesObjectsToWriters()
          || !settings.policyText().isEmpty()
          || Acl.of("", settings.grants()).allows(DELIVERER, Permission.WRITE, false);
    }

    private static S3Exception invalidTarget(LoggingTarget target, String why) {
      return new S3Exception(S3Error.INVALID_TARGET_BUCKET_FOR_LOGGING, why)
          .with("TargetBucket", target.bucket());
    }
  }

  private static BucketInfo bucket(Backend backend, String name) throws StoreException {
    return backend
        .namespace()
        .getBucket(GetBucketRequest.newBuilder().setName(name).build())
        .getBucket();
  }

  /** Writes logs by the operation that puts objects, with all that the target bucket asks for. */
  static AccessLogs.Delivery delivery(Backend backend) {
    PutObject put = new PutObject(backend);
    return (route, key, lines) -> {
      try {
        deliver(backend, put, route, key, lines);
      } catch (S3Exception e) {
        if (e.error().status() >= 500) {
          throw new IOException(e.getMessage(), e);
        }
        refused(route, key, e);
      } catch (StoreException e) {
        if (e.code().blame() != ErrorCode.Blame.CALLER) {
          throw e;
        }
        refused(route, key, e);
      }
    };
  }

  private static void refused(AccessLogs.Route route, String key, Exception why) {
    LOG.warn(
        "Cannot write the access log of bucket {} to {}/{}; its lines are lost: {}",
        route.bucket(),
        route.target().bucket(),
        key,
        why.getMessage());
  }

  private static void deliver(
      Backend backend, PutObject put, AccessLogs.Route route, String key, byte[] lines)
      throws S3Exception, StoreException {
    BucketInfo target = bucket(backend, route.target().bucket());
    if (!target.getOwner().equals(route.owner())) {
      throw new S3Exception(S3Error.ACCESS_DENIED, "the target bucket has another owner");
    }
    Map<String, List<String>> facts =
        new Question.Facts()
            .put("aws:SourceArn", Question.resourceOf(route.bucket(), null))
            .put("aws:SourceAccount", route.owner())
            .put("aws:PrincipalServiceName", "logging.s3.amazonaws.com")
            .done();
    backend
        .authorizer()
        .authorize(
            new Authorizer.Subject(DELIVERER, null, false, List.of(), List.of(), Origin.INSIDE),
            "s3:PutObject",
            target,
            key,
            facts);
    HttpHeaders headers = new DefaultHttpHeaders();
    headers.set("content-type", "text/plain");
    headers.set("content-length", lines.length);
    headers.set("content-md5", md5(lines)); // which a bucket with default retention asks for
    Request request =
        new Request(
            "",
            "PUT",
            "/",
            headers,
            new Bytes(lines),
            Origin.INSIDE.address(),
            null,
            known -> {},
            Course.UNTOLD);
    Caller owner =
        new Caller(
            Identity.newBuilder().setAccessKey("inside").setUser(target.getOwner()).build(),
            new PayloadSigning.Unsigned());
    put.handle(
            new S3Call(
                request,
                owner,
                new S3Address(target.getName(), key),
                Map.of(),
                target,
                facts,
                backend.hashThreads()))
        .discard();
  }

  private static String md5(byte[] lines) {
    HashKind.Hasher hasher = HashKind.MD5.newHasher();
    hasher.update(ByteBuffer.wrap(lines));
    return Base64.getEncoder().encodeToString(hasher.digest());
  }

  /** A body that is at hand. */
  private static final class Bytes implements BodySource {
    private final int length;
    private ByteBuf left;

    Bytes(byte[] bytes) {
      this.length = bytes.length;
      this.left = bytes.length == 0 ? null : Unpooled.wrappedBuffer(bytes);
    }

    @Override
    public ByteBuf next() {
      ByteBuf all = left;
      left = null;
      return all;
    }

    @Override
    public long declaredLength() {
      return length;
    }

    @Override
    public void close() {
      if (left != null) {
        left.release();
        left = null;
      }
    }
  }
}

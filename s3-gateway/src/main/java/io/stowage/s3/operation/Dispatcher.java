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

import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import io.stowage.common.access.Origin;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.policy.Question;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.GetBucketRequest;
import io.stowage.s3.auth.Authenticator;
import io.stowage.s3.auth.Caller;
import io.stowage.s3.auth.RequestTarget;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.LoggedTarget;
import io.stowage.s3.http.Request;
import io.stowage.s3.http.RequestHandler;
import io.stowage.s3.http.Response;
import io.stowage.s3.iam.QueryApi;
import io.stowage.s3.log.Access;
import io.stowage.s3.log.AccessLogs;
import io.stowage.s3.operation.S3Address.Level;
import io.stowage.s3.xml.XmlOut;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The way of every request: address, authentication, operation, bucket, authorisation, operation's
 * own work; and the way of every error into S3's document. Thread-safe.
 */
public final class Dispatcher implements RequestHandler {
  private static final Logger LOG = LoggerFactory.getLogger(Dispatcher.class);
  static final String ANONYMOUS = "anonymous";

  private final Backend backend;
  private final Authenticator authenticator;
  private final QueryApi queryApi;
  private final OperationTable operations;
  private final List<String> domains;
  private final AccessLogs accessLogs;

  /**
   * @param domains for virtual-host style
   * @param logInterval between two deliveries of buckets' access logs
   */
  public Dispatcher(
      Backend backend,
      Authenticator authenticator,
      QueryApi queryApi,
      List<String> domains,
      Duration logInterval) {
    this.backend = backend;
    this.authenticator = authenticator;
    this.queryApi = queryApi;
    this.operations = new OperationTable(backend, authenticator);
    this.domains = domains;
    this.accessLogs =
        new AccessLogs(
            backend.clock(), backend.region(), logInterval, BucketLogging.delivery(backend));
  }

  @Override
  public Response handle(Request request) throws S3Exception {
    Access access = new Access(request, backend.clock().wallMicros());
    try {
      Response response = answer(request, access);
      log(access, response.status(), access.error(), response.length(), response.headers());
      return identified(request.id(), response);
    } catch (StoreException e) {
      S3Exception answered = named(S3Exception.of(e), request);
      log(access, answered.error().status(), answered.error().code(), 0, null);
      throw answered;
    } catch (S3Exception e) {
      log(access, e.error().status(), e.error().code(), 0, null);
      throw named(e, request);
    }
  }

  /** What is not there is named in the answer, as S3 does. */
  private S3Exception named(S3Exception e, Request request) {
    boolean isNamedByAddress =
        switch (e.error()) {
          case NO_SUCH_KEY,
              NO_SUCH_VERSION,
              NO_SUCH_UPLOAD,
              NO_SUCH_BUCKET,
              BUCKET_NOT_EMPTY,
              BUCKET_ALREADY_EXISTS,
              BUCKET_ALREADY_OWNED_BY_YOU ->
              true;
          default -> false;
        };
    // The source of a copy has said its own name.
    if (!isNamedByAddress || e.facts().containsKey("Key") || e.facts().containsKey("BucketName")) {
      return e;
    }
    try {
      RequestTarget target = RequestTarget.parse(request.target());
      S3Address address =
          S3Address.of(request.headers().get(HttpHeaderNames.HOST), target.path(), domains);
      return switch (e.error()) {
        case NO_SUCH_KEY -> address.key() == null ? e : e.with("Key", address.key());
        case NO_SUCH_VERSION ->
            e.with("Key", address.key())
                .with("VersionId", target.query().getOrDefault(Versions.PARAMETER, ""));
        case NO_SUCH_UPLOAD -> e.with("UploadId", target.query().getOrDefault("uploadId", ""));
        default -> e.with("BucketName", address.bucket());
      };
    } catch (S3Exception unreadable) {
      return e;
    }
  }

  private void log(Access access, int status, String code, long sent, HttpHeaders answer) {
    access.done(
        accessLogs, backend.hostId(), status, code, sent, answer, backend.clock().wallMicros());
  }

  /** Access logs of buckets; closed with the gateway. */
  public AccessLogs accessLogs() {
    return accessLogs;
  }

  private Response answer(Request request, Access access) throws S3Exception, StoreException {
    RequestTarget target = RequestTarget.parse(request.target());
    if (request.method().equals("OPTIONS")) {
      request.course().is("Preflight");
      return preflight(request, target);
    }
    if (QueryApi.isFor(request)) {
      request.course().is("Iam");
      return queryApi.handle(request, target);
    }
    String host = request.headers().get(HttpHeaderNames.HOST);
    Caller caller;
    try {
      caller = authenticate(request, target, S3Address.bucketOfHost(host, domains));
    } catch (S3Exception e) {
      if (!request.headers().contains(HttpHeaderNames.ORIGIN)) {
        throw e;
      }
      return readable(e, request, access, bucketOrNull(host, target));
    }
    S3Address address = S3Address.of(host, target.path(), domains);
    Level level = address.level();
    Operation operation =
        operations.find(request.method(), level, target.query(), request.headers());
    request.course().is(operations.nameOf(operation));
    BucketInfo bucket = null;
    if (level != Level.SERVICE) {
      BucketNames.check(address.bucket());
      if (!(operation instanceof CreateBucket)) {
        bucket = bucket(address.bucket());
        access.about(
            bucket, address.key(), caller.user(), caller.origin().mechanism(), target.query());
        checkExpectedOwner(request.headers().get("x-amz-expected-bucket-owner"), bucket);
      }
    }
    Map<String, List<String>> facts =
        RequestFacts.of(backend, request, target.query(), caller, operation.action());
    S3Call call =
        new S3Call(request, caller, address, target.query(), bucket, facts, backend.hashThreads());
    Response response;
    try {
      String action =
          level == Level.OBJECT
              ? Versions.action(operation.action(), target.query())
              : operation.action();
      response =
          backend
              .authorizer()
              .as(
                  caller.subject(),
                  () -> {
                    if (action != null) {
                      operation.authorize(backend, call, action);
                    }
                    return work(operation, call);
                  });
    } catch (S3Exception | StoreException e) {
      if (!request.headers().contains(HttpHeaderNames.ORIGIN)) {
        throw e;
      }
      return readable(e, request, access, bucket);
    }
    return call.completed(response);
  }

  /** An answer by which a page of another origin may read why, if it may read at all. */
  private Response readable(Exception e, Request request, Access access, BucketInfo bucket)
      throws S3Exception {
    S3Exception error =
        named(e instanceof StoreException store ? S3Exception.of(store) : (S3Exception) e, request);
    access.failed(error.error().code());
    return Cors.decorate(
        failure(request.id(), request.method(), request.target(), error),
        request.method(),
        request.headers(),
        bucket);
  }

  /** Whose rules say which pages may read a refusal; null: the address is of none that there is. */
  private BucketInfo bucketOrNull(String host, RequestTarget target) {
    try {
      S3Address address = S3Address.of(host, target.path(), domains);
      return address.level() == Level.SERVICE ? null : bucket(address.bucket());
    } catch (S3Exception | StoreException e) {
      return null;
    }
  }

  private static Response work(Operation operation, S3Call call)
      throws S3Exception, StoreException {
    try {
      return operation.handle(call);
    } catch (StoreException e) {
      if (S3Error.of(e.code()) == S3Error.PRECONDITION_FAILED) {
        throw Preconditions.failedWrite(call.headers(), e);
      }
      if (e.code() != ErrorCode.CONFLICT) {
        throw e;
      }
      S3Error error =
          Preconditions.lostTurn(Preconditions.isConditionalWrite(call.method(), call.headers()));
      throw new S3Exception(error, error.message(), e);
    }
  }

  /** Who sent it; whoever cannot prove it is written down, too. */
  private Caller authenticate(Request request, RequestTarget target, String hostBucket)
      throws S3Exception, StoreException {
    String mechanism = mechanism(request.headers(), target.query());
    try {
      Caller caller =
          authenticator.authenticate(request.method(), target, request.headers(), hostBucket);
      return caller.in(
          new Origin(
              request.id(),
              request.remoteAddress(),
              caller.isAnonymous() ? ANONYMOUS : mechanism,
              caller.identity().getAccessKey()));
    } catch (S3Exception e) {
      String claimed = e.facts().getOrDefault("AWSAccessKeyId", "");
      backend
          .authorizer()
          .audit()
          .refused(
              new Origin(request.id(), request.remoteAddress(), mechanism, claimed),
              "authenticate",
              e.error().code());
      throw e;
    }
  }

  /** How a request says that it proves who sent it. */
  private static String mechanism(HttpHeaders headers, Map<String, String> query) {
    if (Authenticator.isSignedByHeader(headers)) {
      return headers.get(HttpHeaderNames.AUTHORIZATION).startsWith("AWS ")
          ? "SigV2-header"
          : "SigV4-header";
    }
    if (query.containsKey("X-Amz-Algorithm")) {
      return "SigV4-query";
    }
    return query.containsKey("AWSAccessKeyId") ? "SigV2-query" : ANONYMOUS;
  }

  private Response preflight(Request request, RequestTarget target)
      throws S3Exception, StoreException {
    S3Address address =
        S3Address.of(request.headers().get(HttpHeaderNames.HOST), target.path(), domains);
    if (address.level() == Level.SERVICE) {
      throw new S3Exception(S3Error.METHOD_NOT_ALLOWED).with("Method", request.method());
    }
    return Cors.preflight(request.headers(), bucket(address.bucket()), address.level());
  }

  private BucketInfo bucket(String name) throws StoreException {
    return backend
        .namespace()
        .getBucket(GetBucketRequest.newBuilder().setName(name).build())
        .getBucket();
  }

  /** Expected is the owner's canonical id, or this store's account, of which all users are. */
  static void checkExpectedOwner(String expected, BucketInfo bucket) throws S3Exception {
    if (expected != null
        && !expected.equals(bucket.getOwner())
        && !expected.equals(Question.ACCOUNT)) {
      throw new S3Exception(S3Error.ACCESS_DENIED);
    }
  }

  @Override
  public Response failure(String requestId, String method, String target, Throwable cause) {
    S3Exception error;
    if (cause instanceof S3Exception known) {
      error = known;
    } else if (cause instanceof StoreException store) {
      error = S3Exception.of(store);
    } else {
      LOG.error("Request {} failed: {} {}", requestId, method, LoggedTarget.of(target), cause);
      error = new S3Exception(S3Error.INTERNAL_ERROR);
    }
    int status = error.error().status();
    if (status >= 500 && error.getCause() != null) {
      LOG.warn(
          "Request {} is answered {}: {} {}: {}",
          requestId,
          error.error().code(),
          method,
          LoggedTarget.of(target),
          error.getCause().toString());
    }
    // HEAD has no body to put the reason in, and 304 must not have one.
    Response response =
        method.equals("HEAD") || status == 304
            ? Response.empty(status)
            : Response.xml(status, document(requestId, target, error));
    if (error.error() == S3Error.INVALID_RANGE) {
      String size = error.facts().get("ActualObjectSize");
      if (size != null) {
        response.header(HttpHeaderNames.CONTENT_RANGE, "bytes */" + size);
      }
    }
    if (error.error() == S3Error.SLOW_DOWN || error.error() == S3Error.SERVICE_UNAVAILABLE) {
      response.header(HttpHeaderNames.RETRY_AFTER, "1");
    }
    error.headers().forEach(response::header);
    return identified(requestId, response);
  }

  @Override
  public Response beginning(String requestId) {
    return identified(requestId, Response.xml(200, XmlOut.DECLARATION));
  }

  private String document(String requestId, String target, S3Exception error) {
    XmlOut out = XmlOut.plainDocument("Error");
    out.text("Code", error.error().code());
    out.text("Message", error.getMessage());
    for (Map.Entry<String, String> fact : error.facts().entrySet()) {
      out.text(fact.getKey(), fact.getValue());
    }
    int mark = target.indexOf('?');
    out.text("Resource", mark < 0 ? target : target.substring(0, mark));
    out.text("RequestId", requestId);
    out.text("HostId", backend.hostId());
    return out.finish();
  }

  private Response identified(String requestId, Response response) {
    return response.header("x-amz-request-id", requestId).header("x-amz-id-2", backend.hostId());
  }
}

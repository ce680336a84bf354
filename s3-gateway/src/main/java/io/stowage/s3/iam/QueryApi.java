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
package io.stowage.s3.iam;

import io.netty.buffer.ByteBuf;
import io.stowage.common.access.Origin;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.time.StoreClock;
import io.stowage.s3.access.Authorizer;
import io.stowage.s3.auth.Authenticator;
import io.stowage.s3.auth.Caller;
import io.stowage.s3.auth.GlobalFacts;
import io.stowage.s3.auth.RequestTarget;
import io.stowage.s3.auth.Sessions;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Request;
import io.stowage.s3.http.Response;
import io.stowage.s3.iam.Actions.Action;
import io.stowage.s3.xml.XmlOut;
import java.io.ByteArrayOutputStream;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * IAM and STS: requests that are signed for these services. Authentication, authorisation, the
 * action's work, the answer; errors as these services write them. Thread-safe.
 *
 * <p>Only administrators, and those whom a policy allows the action, may call IAM; sessions of
 * users may not, as on AWS without a second factor. Changes are seen by all gateways within
 * seconds, as those of users.
 */
public final class QueryApi {
  private static final Logger LOG = LoggerFactory.getLogger(QueryApi.class);

  /** Policies are the largest parameters, and have at most 10 KiB, before encoding. */
  private static final int LARGEST_BODY = 256 << 10;

  /** A service: how its documents are named, and what it can do. */
  private enum Service {
    IAM("iam", "https://iam.amazonaws.com/doc/2010-05-08/"),
    STS("sts", "https://sts.amazonaws.com/doc/2011-06-15/");

    private final String signedFor;
    private final String namespace;

    Service(String signedFor, String namespace) {
      this.signedFor = signedFor;
      this.namespace = namespace;
    }
  }

  private final Authenticator authenticator;
  private final Authorizer authorizer;
  private final String region;
  private final StoreClock clock;
  private final Map<Service, Map<String, Action>> actions =
      Map.of(Service.IAM, new HashMap<>(), Service.STS, new HashMap<>());

  public QueryApi(
      ObjectManager namespace,
      Authenticator authenticator,
      Authorizer authorizer,
      Sessions sessions,
      String region,
      StoreClock clock) {
    this.authenticator = authenticator;
    this.authorizer = authorizer;
    this.region = region;
    this.clock = clock;
    RoleActions roles = new RoleActions(namespace, clock);
    Memberships memberships = new Memberships(namespace);
    new UserActions(namespace, memberships).addTo(actions.get(Service.IAM));
    new GroupActions(namespace, clock, memberships).addTo(actions.get(Service.IAM));
    roles.addTo(actions.get(Service.IAM));
    new SessionActions(authorizer, sessions, roles, clock).addTo(actions.get(Service.STS));
  }

  /** Whether a request is signed for one of these services. */
  public static boolean isFor(Request request) {
    String service = Authenticator.serviceOf(request.headers());
    return Service.IAM.signedFor.equals(service) || Service.STS.signedFor.equals(service);
  }

  /** Answers a request; never throws what the caller did wrong. */
  public Response handle(Request request, RequestTarget target) {
    Service service =
        Service.IAM.signedFor.equals(Authenticator.serviceOf(request.headers()))
            ? Service.IAM
            : Service.STS;
    try {
      return answer(request, target, service);
    } catch (IamException e) {
      return error(service, request, e);
    } catch (S3Exception e) {
      return error(service, request, authenticationError(e));
    } catch (StoreException e) {
      LOG.warn("Request {} to {} failed: {}", request.id(), service, e.toString());
      return error(
          service,
          request,
          new IamException(503, "ServiceUnavailable", "The request has failed; try again"));
    }
  }

  /** Errors that S3 calls otherwise. */
  private static IamException authenticationError(S3Exception e) {
    return switch (e.error()) {
      case INVALID_ACCESS_KEY_ID, INVALID_TOKEN ->
          new IamException(
              403,
              "InvalidClientTokenId",
              "The security token included in the request is invalid.");
      case EXPIRED_TOKEN ->
          new IamException(
              403, "ExpiredToken", "The security token included in the request is expired");
      case REQUEST_TIME_TOO_SKEWED ->
          new IamException(403, "SignatureDoesNotMatch", "Signature expired: " + e.getMessage());
      default -> new IamException(e.error().status(), e.error().code(), e.getMessage());
    };
  }

  private Response answer(Request request, RequestTarget target, Service service)
      throws IamException, S3Exception, StoreException {
    if (!request.method().equals("POST")) {
      throw new IamException(405, "MethodNotAllowed", "The query protocol is spoken by POST");
    }
    byte[] body = body(request);
    Caller caller = authenticate(request, target, service, body);
    Map<String, String> form = form(body);
    String name = form.getOrDefault("Action", "");
    Action action = actions.get(service).get(name);
    if (action == null) {
      throw new IamException(400, "InvalidAction", "Could not find operation " + name);
    }
    XmlOut out = XmlOut.document(name + "Response", service.namespace);
    if (action.hasResult()) {
      out.open(name + "Result");
    }
    IamCall call =
        new IamCall(
            form, caller, () -> GlobalFacts.of(request, caller, region, clock.wallMicros()), out);
    authorize(service, name, action, call);
    action.work().on(call);
    if (action.hasResult()) {
      out.close();
    }
    out.open("ResponseMetadata").text("RequestId", request.id()).close();
    return Response.xml(200, out.finish()).header("x-amzn-RequestId", request.id());
  }

  private Caller authenticate(Request request, RequestTarget target, Service service, byte[] body)
      throws S3Exception, StoreException {
    String sha256 = HexFormat.of().formatHex(sha256(body));
    String said = request.headers().get("x-amz-content-sha256");
    Origin origin = new Origin(request.id(), request.remoteAddress(), "SigV4-header", "");
    try {
      if (said != null && !said.equals(sha256)) {
        throw new S3Exception(S3Error.X_AMZ_CONTENT_SHA256_MISMATCH);
      }
      Caller caller =
          authenticator.authenticate(
              request.method(), target, request.headers(), service.signedFor, sha256);
      return caller.in(
          new Origin(
              origin.requestId(),
              origin.address(),
              origin.mechanism(),
              caller.identity().getAccessKey()));
    } catch (S3Exception e) {
      String claimed = e.facts().getOrDefault("AWSAccessKeyId", "");
      authorizer
          .audit()
          .refused(
              new Origin(origin.requestId(), origin.address(), origin.mechanism(), claimed),
              "authenticate",
              e.error().code());
      throw e;
    }
  }

  private void authorize(Service service, String name, Action action, IamCall call)
      throws IamException, S3Exception, StoreException {
    if (action.resource() == null) {
      return;
    }
    authorize(service.signedFor + ":" + name, action.resource().of(call), call);
    if (action.second() != null) {
      authorize(service.signedFor + ":" + name, action.second().of(call), call);
    }
  }

  private void authorize(String full, String resource, IamCall call)
      throws IamException, S3Exception, StoreException {
    Caller caller = call.caller();
    boolean userSession = caller.session().isTemporary() && !caller.session().isOfRole();
    boolean allowed =
        authorizer.allows(caller.subject(), full, resource, call.facts().done()) && !userSession;
    if (!allowed) {
      throw new IamException(
          403,
          "AccessDenied",
          "User: "
              + caller.arn()
              + " is not authorized to perform: "
              + full
              + " on resource: "
              + resource);
    }
  }

  private static byte[] body(Request request) throws IamException, S3Exception {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    for (ByteBuf piece; (piece = request.body().next()) != null; ) {
      byte[] some = new byte[piece.readableBytes()];
      piece.readBytes(some);
      piece.release();
      if (bytes.size() + some.length > LARGEST_BODY) {
        throw new IamException(413, "RequestEntityTooLarge", "The request is too large");
      }
      bytes.writeBytes(some);
    }
    return bytes.toByteArray();
  }

  private static Map<String, String> form(byte[] body) throws IamException {
    Map<String, String> form = new HashMap<>();
    String text = new String(body, StandardCharsets.UTF_8);
    for (String pair : text.split("&", -1)) {
      int equals = pair.indexOf('=');
      try {
        form.put(
            URLDecoder.decode(
                equals < 0 ? pair : pair.substring(0, equals), StandardCharsets.UTF_8),
            equals < 0
                ? ""
                : URLDecoder.decode(pair.substring(equals + 1), StandardCharsets.UTF_8));
      } catch (IllegalArgumentException e) {
        throw new IamException(400, "MalformedQueryString", "The form cannot be read");
      }
    }
    return form;
  }

  private static byte[] sha256(byte[] body) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(body);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }

  private static Response error(Service service, Request request, IamException e) {
    XmlOut out = XmlOut.document("ErrorResponse", service.namespace);
    out.open("Error")
        .text("Type", e.status() < 500 ? "Sender" : "Receiver")
        .text("Code", e.code())
        .text("Message", e.getMessage())
        .close();
    out.text("RequestId", request.id());
    return Response.xml(e.status(), out.finish()).header("x-amzn-RequestId", request.id());
  }
}

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

import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import io.stowage.common.access.Origin;
import io.stowage.common.error.StoreException;
import io.stowage.s3.auth.Authenticator;
import io.stowage.s3.auth.Caller;
import io.stowage.s3.auth.PostPolicy;
import io.stowage.s3.auth.UriEncoding;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.BodySource;
import io.stowage.s3.http.Request;
import io.stowage.s3.http.Response;
import io.stowage.s3.payload.MultipartForm;
import io.stowage.s3.setting.Tags;
import io.stowage.s3.xml.XmlElement;
import io.stowage.s3.xml.XmlOut;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * POST of a form to a bucket: an upload by a browser, which carries its proof in fields. The fields
 * are read, the signer is found, the policy checked; then the file goes the way of a put with the
 * headers that the fields stand for, so that all of {@link PutObject}'s rules are one form's too.
 *
 * @see <a href="https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html">POST
 *     Object</a>
 */
final class PostObject implements Operation {
  /** Fields that become headers under their own names, besides all of x-amz-. */
  private static final Set<String> HEADERS =
      Set.of(
          "cache-control",
          "content-type",
          "content-disposition",
          "content-encoding",
          "content-language",
          "expires");

  /** The proof, and nothing of the object. */
  private static final Set<String> PROOF =
      Set.of(
          "x-amz-algorithm",
          "x-amz-credential",
          "x-amz-date",
          "x-amz-security-token",
          "x-amz-signature");

  /** Of the request itself, for the conditions of policies. */
  private static final List<CharSequence> KEPT =
      List.of(HttpHeaderNames.HOST, HttpHeaderNames.USER_AGENT, HttpHeaderNames.REFERER);

  private final Backend backend;
  private final Authenticator authenticator;
  private final PutObject put;

  PostObject(Backend backend, Authenticator authenticator) {
    this.backend = backend;
    this.authenticator = authenticator;
    this.put = new PutObject(backend);
  }

  /** Asked for by itself, as the signer, once the form has told who that is. */
  @Override
  public String action() {
    return null;
  }

  @Override
  public Response handle(S3Call call) throws S3Exception, StoreException {
    String contentType = call.header("content-type");
    if (!MultipartForm.isForm(contentType)) {
      throw new S3Exception(S3Error.PRECONDITION_FAILED)
          .with("Condition", "Bucket POST must be of the enclosure-type multipart/form-data");
    }
    try (MultipartForm form = MultipartForm.open(call.request().body(), contentType)) {
      return upload(call, form);
    }
  }

  private Response upload(S3Call call, MultipartForm form) throws S3Exception, StoreException {
    Map<String, String> fields = new LinkedHashMap<>(form.fields());
    String key = fields.get("key");
    if (key == null || key.isEmpty()) {
      throw S3Call.invalid(
          "key",
          "",
          "Bucket POST must contain a field named 'key'.  If it is specified, please check the"
              + " order of the fields.");
    }
    key = key.replace("${filename}", form.fileName());
    fields.put("key", key);
    Caller signer = signer(call.request(), fields);
    long minBytes = 0;
    long maxBytes = PutObject.LARGEST_BODY;
    if (fields.containsKey("policy")) {
      PostPolicy policy = PostPolicy.parse(fields.get("policy"));
      policy.check(
          fields,
          call.bucketName(),
          Instant.ofEpochSecond(0, backend.clock().wallMicros() * 1_000));
      minBytes = policy.minBytes();
      maxBytes = Math.min(maxBytes, policy.maxBytes());
    }
    if (key.isEmpty()) {
      throw S3Call.invalid("key", "", "User key must have a length greater than 0.");
    }
    S3Address.checkKey(key);
    S3Call asPut = asPut(call, signer, key, fields, form.file(minBytes, maxBytes));
    String named = key;
    Response stored =
        backend
            .authorizer()
            .as(
                signer.subject(),
                () -> {
                  backend
                      .authorizer()
                      .authorize(
                          signer.subject(), put.action(), call.bucket(), named, asPut.facts());
                  return put.handle(asPut);
                });
    Response response = answer(call, key, fields, stored);
    stored.headers().forEach(header -> response.header(header.getKey(), header.getValue()));
    return response;
  }

  /** Who signed the form; whoever cannot prove it is written down, too. */
  private Caller signer(Request request, Map<String, String> fields)
      throws S3Exception, StoreException {
    String mechanism =
        fields.containsKey("x-amz-algorithm")
            ? "SigV4-form"
            : fields.containsKey("policy") ? "SigV2-form" : Dispatcher.ANONYMOUS;
    try {
      Caller signer = authenticator.authenticateForm(fields);
      return signer.in(
          new Origin(
              request.id(), request.remoteAddress(), mechanism, signer.identity().getAccessKey()));
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

  private S3Call asPut(
      S3Call call, Caller signer, String key, Map<String, String> fields, BodySource file)
      throws S3Exception {
    HttpHeaders headers = new DefaultHttpHeaders();
    for (CharSequence name : KEPT) {
      String value = call.headers().get(name);
      if (value != null) {
        headers.set(name, value);
      }
    }
    for (Map.Entry<String, String> field : fields.entrySet()) {
      String name = field.getKey();
      String value = field.getValue();
      if (name.equals("acl")) {
        set(headers, "x-amz-acl", value);
      } else if (name.equals("tagging")) {
        set(headers, "x-amz-tagging", tagging(value));
      } else if (HEADERS.contains(name) || (name.startsWith("x-amz-") && !PROOF.contains(name))) {
        set(headers, name, value);
      }
    }
    Request request = call.request();
    Request described =
        new Request(
            request.id(),
            request.method(),
            request.target(),
            headers,
            file,
            request.remoteAddress(),
            request.tlsVersion(),
            request.patience(),
            request.course());
    return call.asPutBy(
        signer, key, described, RequestFacts.ofForm(backend, described, fields, signer));
  }

  private static void set(HttpHeaders headers, String name, String value) throws S3Exception {
    try {
      // One char a byte, as headers come in.
      headers.set(
          name,
          new String(value.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1).trim());
    } catch (IllegalArgumentException e) {
      throw S3Call.invalid(name, value, "The value of the field cannot be a header");
    }
  }

  /** A Tagging document in the form that x-amz-tagging has. */
  private static String tagging(String document) throws S3Exception {
    StringBuilder out = new StringBuilder();
    Tags.of(
            XmlElement.parse(document.getBytes(StandardCharsets.UTF_8), "Tagging"),
            Tags.MOST_OF_AN_OBJECT)
        .forEach(
            (key, value) ->
                out.append(out.length() == 0 ? "" : "&")
                    .append(UriEncoding.encode(key, false))
                    .append('=')
                    .append(UriEncoding.encode(value, false)));
    return out.toString();
  }

  // ---- the answer

  private Response answer(S3Call call, String key, Map<String, String> fields, Response stored) {
    String etag = stored.headers().get(HttpHeaderNames.ETAG);
    String redirect = fields.getOrDefault("success_action_redirect", fields.get("redirect"));
    if (redirect != null) {
      Response response = redirection(call, key, redirect, etag);
      if (response != null) {
        return response;
      }
    }
    String location = location(call, key);
    return switch (fields.getOrDefault("success_action_status", "204")) {
      case "200" -> Response.empty(200).header(HttpHeaderNames.LOCATION, location);
      case "201" ->
          Response.xml(
                  201,
                  XmlOut.plainDocument("PostResponse")
                      .text("Location", location)
                      .text("Bucket", call.bucketName())
                      .text("Key", key)
                      .text("ETag", etag)
                      .finish())
              .header(HttpHeaderNames.LOCATION, location);
      default -> Response.empty(204).header(HttpHeaderNames.LOCATION, location);
    };
  }

  /** Null if that is nowhere to send a browser: then the field counts as absent, as in S3. */
  private static Response redirection(S3Call call, String key, String redirect, String etag) {
    try {
      URI target = new URI(redirect);
      if (target.getScheme() == null || !target.getScheme().startsWith("http")) {
        return null;
      }
      return Response.empty(303)
          .header(
              HttpHeaderNames.LOCATION,
              redirect
                  + (target.getRawQuery() == null ? "?" : "&")
                  + "bucket="
                  + UriEncoding.encode(call.bucketName(), false)
                  + "&key="
                  + UriEncoding.encode(key, false)
                  + "&etag="
                  + UriEncoding.encode(etag, false));
    } catch (URISyntaxException | IllegalArgumentException e) {
      return null;
    }
  }

  private static String location(S3Call call, String key) {
    String host = call.header("host");
    boolean hostStyle =
        host != null && host.toLowerCase(Locale.ROOT).startsWith(call.bucketName() + ".");
    return (call.request().secure() ? "https://" : "http://")
        + (host == null ? "" : host)
        + (hostStyle ? "" : "/" + call.bucketName())
        + "/"
        + UriEncoding.encode(key, true);
  }
}

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
package io.stowage.s3.console;

import io.netty.handler.codec.http.HttpHeaderNames;
import io.stowage.s3.auth.SignatureV4;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Request;
import io.stowage.s3.http.RequestHandler;
import io.stowage.s3.http.Response;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Serves the console: its files below {@code /_console/}, which no bucket can be named, and the S3
 * API beside them for the page's own requests, so that no other origin has to be let in. Immutable.
 *
 * <p>Objects are other people's bytes under the page's origin, where a script among them could read
 * the keys that a user has entered. So, at this port,
 *
 * <ol>
 *   <li>S3 answers only requests with an Authorization header, which a browser never sends by
 *       itself: no link, frame, image or script element can load an object;
 *   <li>every answer of S3 says that it is to be shown, if at all, in a sandbox without origin, and
 *       is never taken for a script or a style;
 *   <li>the page itself takes scripts and styles from its own files alone, talks to its own origin
 *       alone, and cannot be framed.
 * </ol>
 *
 * <p>Links that the page shares lead to the S3 port.
 */
public final class Console implements RequestHandler {
  static final String ROOT = "/_console/";

  private static final Map<String, String> FILES =
      Map.of(
          "index.html", "text/html; charset=utf-8",
          "console.css", "text/css; charset=utf-8",
          "console.js", "text/javascript; charset=utf-8",
          "s3.js", "text/javascript; charset=utf-8",
          "sigv4.js", "text/javascript; charset=utf-8",
          "icon.svg", "image/svg+xml");

  private static final String PAGE_POLICY =
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
          + " base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

  private static final String OBJECT_POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'";

  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record File(byte[] bytes, String type, String etag) {}

  private final RequestHandler s3;
  private final Map<String, File> files = new LinkedHashMap<>();
  private final int s3Port;
  private final String region;
  private final String endpoint;

  /**
   * @param s3 what answers at the S3 port
   * @param endpoint URL at which others reach S3; empty: this machine's name as the browser has it,
   *     and the S3 port
   */
  public Console(RequestHandler s3, int s3Port, String region, String endpoint) {
    this.s3 = s3;
    this.s3Port = s3Port;
    this.region = region;
    this.endpoint = endpoint;
    FILES.forEach((name, type) -> files.put(name, read(name, type)));
  }

  private static File read(String name, String type) {
    try (InputStream in = Console.class.getResourceAsStream(name)) {
      if (in == null) {
        throw new IllegalStateException("Cannot find " + name + ", which is a part of the console");
      }
      byte[] bytes = in.readAllBytes();
      return new File(bytes, type, '"' + SignatureV4.sha256Hex(bytes).substring(0, 32) + '"');
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot read " + name + " of the console", e);
    }
  }

  @Override
  public Response handle(Request request) throws S3Exception {
    if (request.headers().contains(HttpHeaderNames.AUTHORIZATION)) {
      return ofStore(s3.handle(request));
    }
    int mark = request.target().indexOf('?');
    String path = mark < 0 ? request.target() : request.target().substring(0, mark);
    boolean reads = request.method().equals("GET") || request.method().equals("HEAD");
    if (reads && (path.equals("/") || path.equals("/_console"))) {
      return Response.empty(302).header(HttpHeaderNames.LOCATION, ROOT);
    }
    if (!path.startsWith(ROOT)) {
      throw new S3Exception(
          S3Error.ACCESS_DENIED, "Only the console's own requests are answered at its port.");
    }
    if (!reads) {
      throw new S3Exception(S3Error.METHOD_NOT_ALLOWED).with("Method", request.method());
    }
    return ofPage(page(request, path.substring(ROOT.length())));
  }

  private Response page(Request request, String name) {
    if (name.equals("config.json")) {
      return Response.json(200, config()).header(HttpHeaderNames.CACHE_CONTROL, "no-store");
    }
    File file = files.get(name.isEmpty() ? "index.html" : name);
    if (file == null) {
      return Response.empty(404);
    }
    boolean known = file.etag.equals(request.headers().get(HttpHeaderNames.IF_NONE_MATCH));
    Response response;
    if (known) {
      response = Response.empty(304);
    } else if (request.method().equals("HEAD")) {
      response = Response.headOnly(200, file.bytes.length);
    } else {
      response = Response.bytes(200, file.bytes, file.type);
    }
    return response
        .header(HttpHeaderNames.CONTENT_TYPE, file.type)
        .header(HttpHeaderNames.ETAG, file.etag)
        // Asked for again each time, which is answered 304: a new gateway's page is seen at once.
        .header(HttpHeaderNames.CACHE_CONTROL, "no-cache");
  }

  /** A region and an endpoint are checked when the gateway starts: neither holds a quote. */
  private String config() {
    return "{\"region\":\""
        + region
        + "\",\"s3Port\":"
        + s3Port
        + ",\"endpoint\":\""
        + endpoint
        + "\"}";
  }

  private static Response ofPage(Response response) {
    return response
        .header(HttpHeaderNames.CONTENT_SECURITY_POLICY, PAGE_POLICY)
        .header("x-content-type-options", "nosniff")
        .header("x-frame-options", "DENY")
        .header("referrer-policy", "no-referrer")
        .header("cross-origin-opener-policy", "same-origin");
  }

  private static Response ofStore(Response response) {
    return response
        .header(HttpHeaderNames.CONTENT_SECURITY_POLICY, OBJECT_POLICY)
        .header("x-content-type-options", "nosniff")
        .header("cross-origin-resource-policy", "same-origin");
  }

  @Override
  public Response failure(String requestId, String method, String target, Throwable cause) {
    return ofStore(s3.failure(requestId, method, target, cause));
  }

  @Override
  public Response beginning(String requestId) {
    return ofStore(s3.beginning(requestId));
  }
}

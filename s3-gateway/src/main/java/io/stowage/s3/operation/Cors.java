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
import io.stowage.common.proto.BucketInfo;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.operation.S3Address.Level;
import io.stowage.s3.setting.BucketSettings;
import io.stowage.s3.setting.CorsRules;
import io.stowage.s3.xml.XmlElement;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Applies a bucket's CORS rules: answers preflights, which carry no signature, and adds to other
 * answers what lets a page of another origin see them. Stateless.
 */
final class Cors {
  private static final String VARY =
      "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

  private Cors() {}

  /** Answers OPTIONS. */
  static Response preflight(HttpHeaders headers, BucketInfo bucket, Level level)
      throws S3Exception {
    String origin = headers.get(HttpHeaderNames.ORIGIN);
    String method = headers.get(HttpHeaderNames.ACCESS_CONTROL_REQUEST_METHOD);
    if (origin == null) {
      throw new S3Exception(
          S3Error.BAD_REQUEST, "Insufficient information. Origin request header needed.");
    }
    if (method == null) {
      throw new S3Exception(S3Error.BAD_REQUEST, "Invalid Access-Control-Request-Method: null");
    }
    CorsRules.Match match =
        find(bucket, origin, method, headers.get(HttpHeaderNames.ACCESS_CONTROL_REQUEST_HEADERS));
    if (match == null) {
      throw new S3Exception(
              S3Error.ACCESS_FORBIDDEN,
              bucket.containsSettings(BucketSettings.CORS.name())
                  ? "CORSResponse: This CORS request is not allowed. This is usually because the"
                      + " evalution of Origin, request method / Access-Control-Request-Method or"
                      + " Access-Control-Request-Headers are not whitelisted by the resource's CORS"
                      + " spec."
                  : "CORSResponse: CORS is not enabled for this bucket.")
          .with("Method", method)
          .with("ResourceType", level.name());
    }
    Response response = Response.empty(200);
    allow(response, match);
    String requested = headers.get(HttpHeaderNames.ACCESS_CONTROL_REQUEST_HEADERS);
    if (requested != null) {
      response.header(HttpHeaderNames.ACCESS_CONTROL_ALLOW_HEADERS, requested);
    }
    if (match.rule().maxAgeSeconds() != null) {
      response.header(HttpHeaderNames.ACCESS_CONTROL_MAX_AGE, match.rule().maxAgeSeconds());
    }
    return response;
  }

  /** Adds to an answer what the rules say of the request's origin, if it names one. */
  static Response decorate(Response response, String method, HttpHeaders headers, BucketInfo bucket)
      throws S3Exception {
    String origin = headers.get(HttpHeaderNames.ORIGIN);
    if (origin == null || bucket == null) {
      return response;
    }
    // Who says by this header what is meant is taken at their word in any request, as by S3.
    String meant = headers.get(HttpHeaderNames.ACCESS_CONTROL_REQUEST_METHOD, method);
    CorsRules.Match match = find(bucket, origin, meant, null);
    if (match != null) {
      allow(response, match);
    }
    return response;
  }

  private static void allow(Response response, CorsRules.Match match) {
    response.header(HttpHeaderNames.ACCESS_CONTROL_ALLOW_ORIGIN, match.origin());
    response.header(
        HttpHeaderNames.ACCESS_CONTROL_ALLOW_METHODS, String.join(", ", match.rule().methods()));
    if (!match.rule().exposed().isEmpty()) {
      response.header(
          HttpHeaderNames.ACCESS_CONTROL_EXPOSE_HEADERS, String.join(", ", match.rule().exposed()));
    }
    if (!match.origin().equals("*")) {
      response.header(HttpHeaderNames.ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
    response.header(HttpHeaderNames.VARY, VARY);
  }

  private static CorsRules.Match find(
      BucketInfo bucket, String origin, String method, String requestHeaders) throws S3Exception {
    ByteString kept = bucket.getSettingsMap().get(BucketSettings.CORS.name());
    if (kept == null) {
      return null;
    }
    List<String> wanted = new ArrayList<>();
    if (requestHeaders != null) {
      for (String name : requestHeaders.split(",", -1)) {
        if (!name.isBlank()) {
          wanted.add(name.strip());
        }
      }
    }
    byte[] document = kept.toByteArray();
    return CorsRules.of(XmlElement.parse(document, "CORSConfiguration"))
        .find(origin, method, wanted);
  }
}

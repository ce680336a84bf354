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
package io.stowage.s3.log;

import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import io.stowage.common.proto.BucketInfo;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.LoggedTarget;
import io.stowage.s3.http.Request;
import io.stowage.s3.setting.BucketSettings;
import io.stowage.s3.setting.LoggingTarget;
import io.stowage.s3.xml.XmlElement;
import java.util.Locale;
import java.util.Map;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * What is learnt of one request on its way, for the access log of its bucket. Confined to the
 * request's worker.
 */
public final class Access {
  private static final Map<String, String> RESOURCES =
      Map.ofEntries(
          Map.entry("acl", "ACL"),
          Map.entry("cors", "CORS"),
          Map.entry("delete", "MULTI_OBJECT_DELETE"),
          Map.entry("encryption", "ENCRYPTION"),
          Map.entry("legal-hold", "LEGAL_HOLD"),
          Map.entry("lifecycle", "LIFECYCLE"),
          Map.entry("location", "LOCATION"),
          Map.entry("logging", "LOGGING_STATUS"),
          Map.entry("notification", "NOTIFICATION"),
          Map.entry("object-lock", "OBJECT_LOCK_CONFIGURATION"),
          Map.entry("ownershipControls", "OWNERSHIP_CONTROLS"),
          Map.entry("policy", "BUCKETPOLICY"),
          Map.entry("policyStatus", "BUCKETPOLICYSTATUS"),
          Map.entry("publicAccessBlock", "PUBLIC_ACCESS_BLOCK"),
          Map.entry("requestPayment", "REQUEST_PAYMENT"),
          Map.entry("retention", "OBJECT_LOCK_RETENTION"),
          Map.entry("tagging", "TAGGING"),
          Map.entry("uploads", "UPLOADS"),
          Map.entry("versioning", "VERSIONING"),
          Map.entry("versions", "BUCKETVERSIONS"),
          Map.entry("website", "WEBSITE"));

  private final Request request;
  private final long beginMicros;
  private BucketInfo bucket;
  private String key;
  private String requester = "";
  private String mechanism = "";
  private Map<String, String> query = Map.of();
  private String error;

  public Access(Request request, long beginMicros) {
    this.request = request;
    this.beginMicros = beginMicros;
  }

  /** What the request is about, once that is known. */
  public void about(
      BucketInfo inBucket,
      String ofKey,
      String fromRequester,
      String byMechanism,
      Map<String, String> withQuery) {
    this.bucket = inBucket;
    this.key = ofKey;
    this.requester = fromRequester;
    this.mechanism = byMechanism;
    this.query = withQuery;
  }

  /** That it is answered by an error. */
  public void failed(String errorCode) {
    this.error = errorCode;
  }

  /** Code of the error that it is answered by; null if all went well. */
  public String error() {
    return error;
  }

  /**
   * Writes the line, if the bucket is logged.
   *
   * @param errorCode null if all went well
   */
  public void done(
      AccessLogs logs,
      String hostId,
      int status,
      String errorCode,
      long sent,
      HttpHeaders answer,
      long nowMicros) {
    ByteString kept =
        bucket == null ? null : bucket.getSettingsMap().get(BucketSettings.LOGGING.name());
    if (kept == null) {
      return;
    }
    LoggingTarget target;
    try {
      target =
          LoggingTarget.of(
              XmlElement.parse(kept.toByteArray(), BucketSettings.LOGGING.shape().name()));
    } catch (S3Exception e) {
      throw new IllegalStateException("a logging configuration that was checked", e);
    }
    if (target == null) {
      return;
    }
    HttpHeaders headers = request.headers();
    boolean anonymous = requester.isEmpty();
    logs.add(
        bucket.getOwner(),
        target,
        new AccessLine(
            bucket.getOwner(),
            bucket.getName(),
            beginMicros,
            request.remoteAddress(),
            requester,
            request.id(),
            operation(),
            key,
            request.method() + " " + LoggedTarget.of(request.target()) + " HTTP/1.1",
            status,
            errorCode,
            request.method().equals("HEAD") ? 0 : sent,
            objectSize(sent, answer),
            (nowMicros - beginMicros) / 1_000,
            referer(headers),
            headers.get(HttpHeaderNames.USER_AGENT),
            query.get("versionId"),
            hostId,
            anonymous ? null : mechanism.substring(0, 5),
            null,
            anonymous ? null : mechanism.endsWith("query") ? "QueryString" : "AuthHeader",
            headers.get(HttpHeaderNames.HOST),
            null));
  }

  /** What a presigned page leads to comes with the page's link. */
  private static String referer(HttpHeaders headers) {
    String referer = headers.get(HttpHeaderNames.REFERER);
    return referer == null ? null : LoggedTarget.of(referer);
  }

  private String operation() {
    String resource = null;
    for (Map.Entry<String, String> known : RESOURCES.entrySet()) {
      if (query.containsKey(known.getKey())) {
        resource = known.getValue();
      }
    }
    if (resource == null && query.containsKey("uploadId")) {
      resource = query.containsKey("partNumber") ? "PART" : "UPLOAD";
    }
    if (resource == null) {
      resource = key == null ? "BUCKET" : "OBJECT";
    } else if (key != null && resource.equals("TAGGING")) {
      resource = "OBJECT_TAGGING";
    }
    boolean copies = request.headers().contains("x-amz-copy-source");
    return "REST." + (copies ? "COPY" : request.method().toUpperCase(Locale.ROOT)) + "." + resource;
  }

  private long objectSize(long sent, HttpHeaders answer) {
    if (key == null) {
      return -1;
    }
    String range = answer == null ? null : answer.get(HttpHeaderNames.CONTENT_RANGE);
    if (range != null) {
      try {
        return Long.parseLong(range.substring(range.indexOf('/') + 1));
      } catch (NumberFormatException e) {
        return -1;
      }
    }
    boolean reads = request.method().equals("GET") || request.method().equals("HEAD");
    if (reads && answer != null && answer.contains(HttpHeaderNames.ETAG)) {
      return sent;
    }
    return request.method().equals("PUT") ? request.body().declaredLength() : -1;
  }
}

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
import io.stowage.common.policy.Question;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.s3.auth.Caller;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Request;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.AbstractMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;

/**
 * What a request says that conditions of policies may ask for: the global keys of IAM and those of
 * Amazon S3 ("Actions, resources, and condition keys for Amazon S3"). Stateless.
 */
final class RequestFacts {
  private static final List<String> HEADERS =
      List.of(
          "x-amz-acl",
          "x-amz-content-sha256",
          "x-amz-copy-source",
          "x-amz-grant-full-control",
          "x-amz-grant-read",
          "x-amz-grant-read-acp",
          "x-amz-grant-write",
          "x-amz-grant-write-acp",
          "x-amz-metadata-directive",
          "x-amz-request-payer",
          "x-amz-server-side-encryption",
          "x-amz-server-side-encryption-aws-kms-key-id",
          "x-amz-server-side-encryption-customer-algorithm",
          "x-amz-storage-class",
          "x-amz-website-redirect-location");

  private static final Map<String, String> PARAMETERS =
      Map.of(
          "prefix", "s3:prefix",
          "x-amz-request-payer", "s3:x-amz-request-payer",
          "delimiter", "s3:delimiter",
          "max-keys", "s3:max-keys",
          "versionId", "s3:VersionId");

  private RequestFacts() {}

  /** The facts, gathered when the first is asked for: most requests meet no policy. */
  static Map<String, List<String>> of(
      Request request, Map<String, String> query, Caller caller, long nowMicros) {
    return new Lazy(() -> gather(request, query, caller, nowMicros));
  }

  /** A map that is made when it is looked into. Thread-safe. */
  private static final class Lazy extends AbstractMap<String, List<String>> {
    private Supplier<Map<String, List<String>>> how;
    private Map<String, List<String>> made;

    Lazy(Supplier<Map<String, List<String>>> how) {
      this.how = how;
    }

    private synchronized Map<String, List<String>> made() {
      if (made == null) {
        made = how.get();
        how = null;
      }
      return made;
    }

    @Override
    public List<String> get(Object key) {
      return made().get(key);
    }

    @Override
    public Set<Entry<String, List<String>>> entrySet() {
      return made().entrySet();
    }
  }

  private static Map<String, List<String>> gather(
      Request request, Map<String, String> query, Caller caller, long nowMicros) {
    HttpHeaders headers = request.headers();
    Instant now = Instant.ofEpochSecond(nowMicros / 1_000_000);
    Question.Facts facts =
        new Question.Facts()
            .put("aws:SourceIp", request.remoteAddress())
            .put("aws:SecureTransport", Boolean.toString(request.secure()))
            .put("aws:CurrentTime", now.truncatedTo(ChronoUnit.SECONDS).toString())
            .put("aws:EpochTime", Long.toString(now.getEpochSecond()))
            .put("aws:UserAgent", headers.get(HttpHeaderNames.USER_AGENT))
            .put("aws:Referer", headers.get(HttpHeaderNames.REFERER))
            .put("aws:PrincipalType", principalType(caller))
            .put("s3:signatureversion", signatureVersion(request, query, caller))
            .put("s3:authType", authType(query, caller));
    if (!caller.isAnonymous()) {
      facts
          .put("aws:username", caller.session().isOfRole() ? null : caller.displayName())
          .put("aws:userid", caller.session().isOfRole() ? caller.uniqueId() : caller.user())
          .put("aws:PrincipalArn", caller.arn())
          .put("aws:PrincipalAccount", Question.ACCOUNT);
    }
    for (String name : HEADERS) {
      facts.put("s3:" + name, headers.get(name));
    }
    PARAMETERS.forEach((name, key) -> facts.put(key, query.get(name)));
    String tags = headers.get("x-amz-tagging");
    if (tags != null) {
      ObjectMetadata.Builder tagged = ObjectMetadata.newBuilder();
      try {
        ObjectHeaders.addTags(tags, tagged);
      } catch (S3Exception e) {
        tagged.clear(); // the operation that would keep them refuses them
      }
      tagged.getTagsMap().forEach((tag, value) -> facts.put("s3:RequestObjectTag/" + tag, value));
    }
    return facts.done();
  }

  /** The facts of a put that an upload form describes. */
  static Map<String, List<String>> ofForm(
      Request put, Map<String, String> fields, Caller signer, long nowMicros) {
    Map<String, List<String>> facts = new HashMap<>(gather(put, Map.of(), signer, nowMicros));
    if (!signer.isAnonymous()) {
      facts.put("s3:authtype", List.of("POST"));
      facts.put(
          "s3:signatureversion",
          List.of(fields.containsKey("x-amz-algorithm") ? "AWS4-HMAC-SHA256" : "AWS"));
    }
    return Map.copyOf(facts);
  }

  private static String signatureVersion(
      Request request, Map<String, String> query, Caller caller) {
    if (caller.isAnonymous()) {
      return null;
    }
    String authorization = request.headers().get(HttpHeaderNames.AUTHORIZATION);
    boolean version2 =
        authorization == null
            ? query.containsKey("AWSAccessKeyId")
            : authorization.startsWith("AWS ");
    return version2 ? "AWS" : "AWS4-HMAC-SHA256";
  }

  private static String authType(Map<String, String> query, Caller caller) {
    if (caller.isAnonymous()) {
      return null;
    }
    return query.containsKey("X-Amz-Algorithm") || query.containsKey("AWSAccessKeyId")
        ? "REST-QUERY-STRING"
        : "REST-HEADER";
  }

  private static String principalType(Caller caller) {
    if (caller.isAnonymous()) {
      return "Anonymous";
    }
    return caller.session().isOfRole() ? "AssumedRole" : "User";
  }
}

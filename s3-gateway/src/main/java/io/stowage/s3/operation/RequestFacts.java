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
import io.stowage.s3.auth.Authenticator;
import io.stowage.s3.auth.Caller;
import io.stowage.s3.auth.GlobalFacts;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Request;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.time.Instant;
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
          "if-match",
          "if-none-match",
          "x-amz-acl",
          "x-amz-content-sha256",
          "x-amz-copy-source",
          "x-amz-grant-full-control",
          "x-amz-grant-read",
          "x-amz-grant-read-acp",
          "x-amz-grant-write",
          "x-amz-grant-write-acp",
          "x-amz-metadata-directive",
          "x-amz-object-ownership",
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

  private static final long MICROS_A_DAY = 86_400_000_000L;

  private RequestFacts() {}

  /**
   * The facts, gathered when the first is asked for: most requests meet no policy.
   *
   * @param action of the operation; null if it asks by itself
   */
  static Map<String, List<String>> of(
      Backend backend, Request request, Map<String, String> query, Caller caller, String action) {
    return new Lazy(() -> gather(backend, request, query, caller, action).done());
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
    public boolean containsKey(Object key) {
      return made().containsKey(key);
    }

    @Override
    public Set<Entry<String, List<String>>> entrySet() {
      return made().entrySet();
    }
  }

  private static Question.Facts gather(
      Backend backend, Request request, Map<String, String> query, Caller caller, String action) {
    HttpHeaders headers = request.headers();
    long nowMicros = backend.clock().wallMicros();
    Question.Facts facts =
        GlobalFacts.of(request, caller, backend.region(), nowMicros)
            .put("s3:ResourceAccount", Question.ACCOUNT)
            .put("s3:TlsVersion", request.tlsVersion())
            .put("s3:signatureversion", signatureVersion(request, query, caller))
            .put("s3:authType", authType(query, caller));
    if (!caller.isAnonymous()) {
      addSignatureAge(Authenticator.signedAt(headers, query), nowMicros, facts);
    }
    if (action != null) {
      addOf(action, request, query, facts);
    }
    for (String name : HEADERS) {
      facts.put("s3:" + name, headers.get(name));
    }
    PARAMETERS.forEach((name, key) -> facts.put(key, query.get(name)));
    String tags = headers.get("x-amz-tagging");
    if (tags != null && !CopyObject.copiesTags(headers)) {
      ObjectMetadata.Builder tagged = ObjectMetadata.newBuilder();
      try {
        ObjectHeaders.addTags(tags, tagged);
      } catch (S3Exception e) {
        tagged.clear(); // the operation that would keep them refuses them
      }
      addTags(tagged.getTagsMap(), facts);
    }
    addLock(
        headers.get(LockHeaders.MODE),
        headers.get(LockHeaders.UNTIL),
        headers.get(LockHeaders.HOLD),
        nowMicros,
        facts);
    return facts;
  }

  /** In milliseconds. A signature that does not say when it was made can be of any age. */
  private static void addSignatureAge(Instant signed, long nowMicros, Question.Facts facts) {
    if (signed == null) {
      facts.unknown("s3:signatureAge");
    } else {
      facts.put(
          "s3:signatureAge", Long.toString(Math.max(0, nowMicros / 1_000 - signed.toEpochMilli())));
    }
  }

  /** What is said of some actions only. */
  private static void addOf(
      String action, Request request, Map<String, String> query, Question.Facts facts) {
    if (action.equals("s3:PutObject")) {
      boolean ofUpload = query.containsKey("uploadId") && !request.method().equals("POST");
      facts.put(
          "s3:ObjectCreationOperation",
          Boolean.toString(!ofUpload && !query.containsKey("uploads")));
    }
    if (action.equals("s3:CreateBucket")) {
      facts.unknown("s3:LocationConstraint"); // it stands in the body, which nobody has read
    }
  }

  private static void addTags(Map<String, String> tags, Question.Facts facts) {
    tags.forEach((tag, value) -> facts.put("s3:RequestObjectTag/" + tag, value));
    facts.putAll("s3:RequestObjectTagKeys", List.copyOf(tags.keySet()));
  }

  /** What a lock is to be; nulls where nothing is said. */
  private static void addLock(
      String mode, String until, String hold, long nowMicros, Question.Facts facts) {
    facts
        .put("s3:object-lock-mode", mode)
        .put("s3:object-lock-retain-until-date", until)
        .put("s3:object-lock-legal-hold", hold);
    long micros = until == null ? -1 : LockHeaders.parse(until);
    if (micros >= 0) {
      BigDecimal days =
          BigDecimal.valueOf(micros - nowMicros)
              .divide(BigDecimal.valueOf(MICROS_A_DAY), 6, RoundingMode.HALF_UP);
      facts.put("s3:object-lock-remaining-retention-days", days.toPlainString());
    }
  }

  /** The same, with these tags as those that the request has for what it writes. */
  static Map<String, List<String>> withTags(
      Map<String, List<String>> facts, Map<String, String> tags) {
    Question.Facts with = new Question.Facts();
    addTags(tags, with);
    return replaced(facts, "s3:requestobjecttag", with);
  }

  /** The same, with this lock as the one that the request asks for; nulls where none is said. */
  static Map<String, List<String>> withLock(
      Map<String, List<String>> facts, String mode, String until, String hold, long nowMicros) {
    Question.Facts with = new Question.Facts();
    addLock(mode, until, hold, nowMicros, with);
    return replaced(facts, "s3:object-lock-", with);
  }

  private static Map<String, List<String>> replaced(
      Map<String, List<String>> facts, String prefix, Question.Facts by) {
    Map<String, List<String>> all = new HashMap<>(facts);
    all.keySet().removeIf(key -> key.startsWith(prefix));
    all.putAll(by.done());
    return all;
  }

  /** The facts of a put that an upload form describes. */
  static Map<String, List<String>> ofForm(
      Backend backend, Request put, Map<String, String> fields, Caller signer) {
    Question.Facts facts = gather(backend, put, Map.of(), signer, "s3:PutObject");
    if (!signer.isAnonymous()) {
      facts
          .put("s3:authType", "POST")
          .put(
              "s3:signatureversion",
              fields.containsKey("x-amz-algorithm") ? "AWS4-HMAC-SHA256" : "AWS");
      addSignatureAge(Authenticator.signedAt(fields), backend.clock().wallMicros(), facts);
    }
    return facts.done();
  }

  private static String signatureVersion(
      Request request, Map<String, String> query, Caller caller) {
    if (caller.isAnonymous()) {
      return null;
    }
    boolean version2 =
        Authenticator.isSignedByHeader(request.headers())
            ? request.headers().get(HttpHeaderNames.AUTHORIZATION).startsWith("AWS ")
            : query.containsKey("AWSAccessKeyId");
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
}

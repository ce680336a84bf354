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
package io.stowage.s3.auth;

import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.Identity;
import io.stowage.common.secret.AccessKeyIds;
import io.stowage.common.time.StoreClock;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.HttpDates;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Proves who sent a request by its signature, in the Authorization header or in the query string
 * (presigned). How the signature goes on over the body is handed on as {@link PayloadSigning}.
 * Thread-safe.
 */
public final class Authenticator {
  private static final Duration MOST_SKEW = Duration.ofMinutes(15);
  private static final long LONGEST_EXPIRY_SECONDS = 604_800;

  /** Twice as long as any; signing keys are kept by region, whoever asked for them. */
  private static final int LONGEST_REGION = 64;

  private static final DateTimeFormatter TIMESTAMP =
      DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'", Locale.ROOT);

  private static final String CONTENT_SHA256 = "x-amz-content-sha256";
  private static final String UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD";
  private static final String UNSIGNED_CHUNKS = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
  private static final Set<String> SIGNED_CHUNKS =
      Set.of("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER");

  /** access key / date / region / service / aws4_request. */
  private record Scope(String accessKey, String date, String region, String service) {
    String text() {
      return date + "/" + region + "/" + service + "/aws4_request";
    }
  }

  private record Claim(
      Scope scope, List<String> signedHeaders, String signature, String timestamp, Instant time) {}

  private static final String S3 = "s3";
  private static final String TOKEN = "x-amz-security-token";

  private final AccessKeys keys;
  private final Sessions sessions;
  private final String region;
  private final StoreClock clock;

  /**
   * @param region the one that scopes must name
   */
  public Authenticator(AccessKeys keys, Sessions sessions, String region, StoreClock clock) {
    this.keys = keys;
    this.sessions = sessions;
    this.region = region;
    this.clock = clock;
  }

  /**
   * Who sent the request. May ask the store for the identity.
   *
   * @param hostBucket bucket that the host names, which version 2 covers; null in path style
   */
  public Caller authenticate(
      String method, RequestTarget target, HttpHeaders headers, String hostBucket)
      throws S3Exception, StoreException {
    String authorization = headers.get(HttpHeaderNames.AUTHORIZATION);
    boolean queryV4 = target.query().containsKey("X-Amz-Algorithm");
    boolean queryV2 = target.query().containsKey("AWSAccessKeyId");
    if (isSignedByHeader(headers)) {
      if (queryV4 || queryV2) {
        throw new S3Exception(
            S3Error.INVALID_ARGUMENT,
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature"
                + " query string parameter or the Authorization header should be specified");
      }
      return authorization.startsWith("AWS ")
          ? byHeaderV2(authorization, method, target, headers, hostBucket)
          : byHeader(authorization, method, target, headers);
    }
    if (queryV4) {
      return byQuery(method, target, headers);
    }
    if (queryV2) {
      return byQueryV2(method, target, headers, hostBucket);
    }
    // Nobody known; what that may do is decided elsewhere.
    return Caller.anonymous(unsignedPayload(headers));
  }

  /** Whether it is by a header that a request says who sends it: an empty one says nothing. */
  public static boolean isSignedByHeader(HttpHeaders headers) {
    String authorization = headers.get(HttpHeaderNames.AUTHORIZATION);
    return authorization != null && !authorization.isBlank();
  }

  /** Which service a request's header says that it is signed for; null if it says none. */
  public static String serviceOf(HttpHeaders headers) {
    String authorization = headers.get(HttpHeaderNames.AUTHORIZATION);
    if (authorization == null || !authorization.startsWith(SignatureV4.ALGORITHM)) {
      return null;
    }
    int credential = authorization.indexOf("Credential=");
    int end = authorization.indexOf("/aws4_request", credential);
    return credential < 0 || end < 0
        ? null
        : authorization.substring(authorization.lastIndexOf('/', end - 1) + 1, end);
  }

  /**
   * Who sent a request to another service than S3, whose signature covers the hash of its body,
   * said in a header or not.
   *
   * @param sha256 of the body, hex
   */
  public Caller authenticate(
      String method, RequestTarget target, HttpHeaders headers, String service, String sha256)
      throws S3Exception, StoreException {
    Claim claim = headerClaim(headers.get(HttpHeaderNames.AUTHORIZATION), headers, service);
    checkSkew(claim.time, claim.timestamp);
    checkScope(claim, S3Error.AUTHORIZATION_HEADER_MALFORMED);
    return prove(claim, method, target, headers, sha256);
  }

  /**
   * What a request without a signature of version 4 says of its body. Signed chunks are framed, and
   * there is no signature that theirs could go on from: to take them for plain bytes would store
   * the frames.
   */
  private static PayloadSigning unsignedPayload(HttpHeaders headers) throws S3Exception {
    String claimed = headers.get(CONTENT_SHA256);
    if (claimed == null || claimed.equals(UNSIGNED_PAYLOAD)) {
      return new PayloadSigning.Unsigned();
    }
    if (claimed.equals(UNSIGNED_CHUNKS)) {
      return new PayloadSigning.UnsignedChunks();
    }
    if (SIGNED_CHUNKS.contains(claimed)) {
      throw new S3Exception(
          S3Error.INVALID_REQUEST, "The value of x-amz-content-sha256 header is invalid.");
    }
    return wholeBody(claimed);
  }

  private static PayloadSigning wholeBody(String sha256) throws S3Exception {
    if (!isHex256(sha256)) {
      throw new S3Exception(
          S3Error.INVALID_ARGUMENT,
          "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER,"
              + " STREAMING-AWS4-HMAC-SHA256-PAYLOAD,"
              + " STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.");
    }
    return new PayloadSigning.WholeBody(sha256.toLowerCase(Locale.ROOT));
  }

  /**
   * Who signed an upload form; nobody known if it has no policy.
   *
   * @param fields of the form by lower-case name
   */
  public Caller authenticateForm(Map<String, String> fields) throws S3Exception, StoreException {
    String policy = fields.get("policy");
    boolean version4 =
        fields.containsKey("x-amz-algorithm") || fields.containsKey("x-amz-signature");
    boolean version2 = fields.containsKey("awsaccesskeyid") || fields.containsKey("signature");
    if (policy == null && !version4 && !version2) {
      return Caller.anonymous(new PayloadSigning.Unsigned());
    }
    String policyText = formField(fields, "policy");
    if (!version4) {
      String accessKey = formField(fields, "AWSAccessKeyId");
      return proveV2(
          accessKey,
          fields.get(TOKEN),
          List.of(policyText),
          formField(fields, "Signature"),
          new PayloadSigning.Unsigned());
    }
    if (!SignatureV4.ALGORITHM.equals(formField(fields, "X-Amz-Algorithm"))) {
      throw new S3Exception(
              S3Error.INVALID_ARGUMENT, "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"")
          .with("ArgumentName", "X-Amz-Algorithm")
          .with("ArgumentValue", fields.get("x-amz-algorithm"));
    }
    Scope scope = scope(formField(fields, "X-Amz-Credential"), S3, S3Error.INVALID_ARGUMENT);
    String timestamp = formField(fields, "X-Amz-Date");
    String given = formField(fields, "X-Amz-Signature");
    Instant time = instant(timestamp);
    if (time == null) {
      throw new S3Exception(
          S3Error.ACCESS_DENIED,
          "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
    }
    checkScope(
        new Claim(scope, List.of(), given, timestamp, time),
        S3Error.AUTHORIZATION_HEADER_MALFORMED);
    Sessions.Opened opened = identity(scope.accessKey, fields.get(TOKEN));
    Identity identity = opened.identity();
    SigningKey key = keys.signingKey(identity, scope.date, scope.region, scope.service);
    if (!SignatureV4.matches(key.sign(policyText), given)) {
      throw mismatch(scope.accessKey, policyText, given);
    }
    return opened.caller(new PayloadSigning.Unsigned());
  }

  private static String formField(Map<String, String> fields, String name) throws S3Exception {
    String value = fields.get(name.toLowerCase(Locale.ROOT));
    if (value == null) {
      throw new S3Exception(
              S3Error.INVALID_ARGUMENT,
              "Bucket POST must contain a field named '"
                  + name
                  + "'.  If it is specified, please check the order of the fields.")
          .with("ArgumentName", name)
          .with("ArgumentValue", "");
    }
    return value;
  }

  // ---- version 2

  private Caller byHeaderV2(
      String authorization,
      String method,
      RequestTarget target,
      HttpHeaders headers,
      String hostBucket)
      throws S3Exception, StoreException {
    String credentials = authorization.substring("AWS ".length()).trim();
    int colon = credentials.lastIndexOf(':');
    if (colon <= 0 || colon == credentials.length() - 1) {
      throw new S3Exception(
          S3Error.INVALID_ARGUMENT,
          "AWS authorization header is invalid. Expected AwsAccessKeyId:signature");
    }
    String date = headers.get(HttpHeaderNames.DATE, "");
    String amzDate = headers.get("x-amz-date");
    Instant time = amzDate == null ? httpDate(date) : httpDate(amzDate);
    if (time == null && amzDate != null) {
      time = instant(amzDate);
    }
    if (time == null) {
      throw new S3Exception(
          S3Error.ACCESS_DENIED, "AWS authentication requires a valid Date or x-amz-date header");
    }
    checkSkew(time, amzDate == null ? date : amzDate);
    List<String> toSign =
        SignatureV2.stringsToSign(
            method, target, headers, amzDate == null ? date : "", hostBucket, SignatureV2.LATE);
    return proveV2(
        credentials.substring(0, colon),
        token(target, headers),
        toSign,
        credentials.substring(colon + 1),
        unsignedPayload(headers));
  }

  private Caller byQueryV2(
      String method, RequestTarget target, HttpHeaders headers, String hostBucket)
      throws S3Exception, StoreException {
    Map<String, String> query = target.query();
    String signature = query.get("Signature");
    String expires = query.get("Expires");
    if (signature == null || expires == null) {
      throw new S3Exception(
          S3Error.ACCESS_DENIED,
          "Query-string authentication requires the Signature, Expires and AWSAccessKeyId"
              + " parameters");
    }
    if (!expires.matches("[0-9]{1,12}")) {
      throw new S3Exception(
          S3Error.ACCESS_DENIED, "Invalid date (should be seconds since epoch): " + expires);
    }
    Instant end = Instant.ofEpochSecond(Long.parseLong(expires));
    if (now().isAfter(end)) {
      throw new S3Exception(S3Error.ACCESS_DENIED, "Request has expired")
          .with("Expires", end.toString())
          .with("ServerTime", now().toString());
    }
    return proveV2(
        query.get("AWSAccessKeyId"),
        token(target, headers),
        SignatureV2.stringsToSign(method, target, headers, expires, hostBucket, Set.of()),
        signature,
        unsignedPayload(headers));
  }

  private Caller proveV2(
      String accessKey, String token, List<String> toSign, String given, PayloadSigning payload)
      throws S3Exception, StoreException {
    Sessions.Opened opened = identity(accessKey, token);
    Identity identity = opened.identity();
    for (String text : toSign) {
      if (SignatureV4.matches(SignatureV2.sign(identity.getSecretKey(), text), given)) {
        return opened.caller(payload);
      }
    }
    throw mismatch(accessKey, toSign.get(0), given);
  }

  /** What lets somebody find out why: what was signed here, to compare with what was there. */
  private static S3Exception mismatch(String accessKey, String toSign, String given) {
    return new S3Exception(S3Error.SIGNATURE_DOES_NOT_MATCH)
        .with("AWSAccessKeyId", accessKey)
        .with("StringToSign", toSign)
        .with("SignatureProvided", given)
        .with("StringToSignBytes", bytes(toSign));
  }

  private static String bytes(String text) {
    return HexFormat.ofDelimiter(" ").formatHex(SignatureV4.wireBytes(text));
  }

  /**
   * Whom an access key stands for, and with which secret: every signature is checked against what
   * this answers.
   *
   * @param token of temporary credentials; null for others
   */
  private Sessions.Opened identity(String accessKey, String token)
      throws S3Exception, StoreException {
    if (!AccessKeyIds.isWellFormed(accessKey)) {
      throw invalid(accessKey);
    }
    Sessions.Opened opened =
        token == null
            ? new Sessions.Opened(keys.find(accessKey), Session.NONE)
            : sessions.open(accessKey, token);
    Identity identity = opened.identity();
    // Without a secret of its own it signs nothing: anybody can sign with the empty one.
    if (identity == null
        || identity.getSecretKey().isEmpty()
        || !identity.getAccessKey().equals(accessKey)) {
      throw invalid(accessKey);
    }
    return opened;
  }

  private static S3Exception invalid(String accessKey) {
    return new S3Exception(S3Error.INVALID_ACCESS_KEY_ID).with("AWSAccessKeyId", accessKey);
  }

  private static String token(RequestTarget target, HttpHeaders headers) {
    String token = headers.get(TOKEN);
    if (token == null) {
      token = target.query().get("X-Amz-Security-Token");
    }
    return token == null ? target.query().get(TOKEN) : token;
  }

  // ---- version 4

  private Caller byHeader(
      String authorization, String method, RequestTarget target, HttpHeaders headers)
      throws S3Exception, StoreException {
    Claim claim = headerClaim(authorization, headers, S3);
    String payloadHash = headers.get(CONTENT_SHA256);
    if (payloadHash == null) {
      throw new S3Exception(
          S3Error.INVALID_REQUEST,
          "Missing required header for this request: x-amz-content-sha256");
    }
    checkSkew(claim.time, claim.timestamp);
    checkScope(claim, S3Error.AUTHORIZATION_HEADER_MALFORMED);
    return prove(claim, method, target, headers, payloadHash);
  }

  private void checkSkew(Instant time, String text) throws S3Exception {
    Duration skew = Duration.between(time, now()).abs();
    if (skew.compareTo(MOST_SKEW) > 0) {
      throw new S3Exception(S3Error.REQUEST_TIME_TOO_SKEWED)
          .with("RequestTime", text)
          .with("ServerTime", now().toString())
          .with("MaxAllowedSkewMilliseconds", Long.toString(MOST_SKEW.toMillis()));
    }
  }

  private Caller byQuery(String method, RequestTarget target, HttpHeaders headers)
      throws S3Exception, StoreException {
    Map<String, String> query = target.query();
    if (!SignatureV4.ALGORITHM.equals(query.get("X-Amz-Algorithm"))) {
      throw queryError("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"");
    }
    for (String name :
        List.of(
            "X-Amz-Credential",
            "X-Amz-Signature",
            "X-Amz-Date",
            "X-Amz-SignedHeaders",
            "X-Amz-Expires")) {
      if (!query.containsKey(name)) {
        throw queryError(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential,"
                + " X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires"
                + " parameters.");
      }
    }
    long expires;
    try {
      expires = Long.parseLong(query.get("X-Amz-Expires"));
    } catch (NumberFormatException e) {
      throw queryError("X-Amz-Expires should be a number");
    }
    if (expires < 0) {
      throw queryError("X-Amz-Expires must be non-negative");
    }
    if (expires > LONGEST_EXPIRY_SECONDS) {
      throw queryError("X-Amz-Expires must be less than a week (in seconds) that is 604800");
    }
    Instant time = instant(query.get("X-Amz-Date"));
    if (time == null) {
      throw queryError("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
    }
    Claim claim =
        new Claim(
            scope(query.get("X-Amz-Credential"), S3, S3Error.AUTHORIZATION_QUERY_PARAMETERS_ERROR),
            Arrays.asList(query.get("X-Amz-SignedHeaders").split(";", -1)),
            query.get("X-Amz-Signature"),
            query.get("X-Amz-Date"),
            time);
    if (Duration.between(now(), time).compareTo(MOST_SKEW) > 0) {
      throw new S3Exception(S3Error.ACCESS_DENIED, "Request is not valid yet")
          .with("ServerTime", now().toString());
    }
    Instant end = time.plusSeconds(expires);
    if (now().isAfter(end)) {
      throw new S3Exception(S3Error.ACCESS_DENIED, "Request has expired")
          .with("X-Amz-Expires", Long.toString(expires))
          .with("Expires", end.toString())
          .with("ServerTime", now().toString());
    }
    String payloadHash = query.get("X-Amz-Content-Sha256");
    if (payloadHash == null) {
      payloadHash = headers.get(CONTENT_SHA256);
    }
    checkScope(claim, S3Error.AUTHORIZATION_QUERY_PARAMETERS_ERROR);
    return prove(
        claim, method, target, headers, payloadHash == null ? UNSIGNED_PAYLOAD : payloadHash);
  }

  private Caller prove(
      Claim claim, String method, RequestTarget target, HttpHeaders headers, String payloadHash)
      throws S3Exception, StoreException {
    checkSignedHeaders(claim, headers);
    Sessions.Opened opened = identity(claim.scope.accessKey, token(target, headers));
    Identity identity = opened.identity();
    String canonical =
        SignatureV4.canonicalRequest(method, target, headers, claim.signedHeaders, payloadHash);
    String toSign = SignatureV4.stringToSign(claim.timestamp, claim.scope.text(), canonical);
    SigningKey key =
        keys.signingKey(identity, claim.scope.date, claim.scope.region, claim.scope.service);
    String signature = key.sign(toSign);
    if (!SignatureV4.matches(signature, claim.signature)) {
      throw mismatch(claim.scope.accessKey, toSign, claim.signature)
          .with("CanonicalRequest", canonical)
          .with("CanonicalRequestBytes", bytes(canonical));
    }
    return opened.caller(payloadSigning(payloadHash, claim, key, signature));
  }

  private static PayloadSigning payloadSigning(
      String payloadHash, Claim claim, SigningKey key, String signature) throws S3Exception {
    switch (payloadHash) {
      case UNSIGNED_PAYLOAD -> {
        return new PayloadSigning.Unsigned();
      }
      case UNSIGNED_CHUNKS -> {
        return new PayloadSigning.UnsignedChunks();
      }
      default -> {
        return SIGNED_CHUNKS.contains(payloadHash)
            ? new PayloadSigning.SignedChunks(
                key,
                claim.timestamp,
                claim.scope.text(),
                signature,
                payloadHash.endsWith("-TRAILER"))
            : wholeBody(payloadHash);
      }
    }
  }

  private static boolean isHex256(String text) {
    if (text.length() != 64) {
      return false;
    }
    for (int i = 0; i < 64; i++) {
      if (Character.digit(text.charAt(i), 16) < 0 || text.charAt(i) >= 0x80) {
        return false;
      }
    }
    return true;
  }

  // ---- reading what the request claims

  private Claim headerClaim(String authorization, HttpHeaders headers, String service)
      throws S3Exception {
    if (!authorization.startsWith(SignatureV4.ALGORITHM)) {
      throw new S3Exception(S3Error.INVALID_ARGUMENT, "Unsupported Authorization Type")
          .with("ArgumentName", "Authorization")
          .with("ArgumentValue", authorization);
    }
    String credential = null;
    String signedHeaders = null;
    String signature = null;
    for (String field : authorization.substring(SignatureV4.ALGORITHM.length()).split(",", -1)) {
      String text = field.trim();
      if (text.startsWith("Credential=")) {
        credential = text.substring("Credential=".length());
      } else if (text.startsWith("SignedHeaders=")) {
        signedHeaders = text.substring("SignedHeaders=".length());
      } else if (text.startsWith("Signature=")) {
        signature = text.substring("Signature=".length());
      }
    }
    if (credential == null || signedHeaders == null || signature == null) {
      throw new S3Exception(
          S3Error.AUTHORIZATION_HEADER_MALFORMED,
          "The authorization header is malformed; it requires Credential, SignedHeaders and"
              + " Signature.");
    }
    Scope scope = scope(credential, service, S3Error.AUTHORIZATION_HEADER_MALFORMED);
    String timestamp = headers.get("x-amz-date");
    Instant time;
    if (timestamp != null) {
      time = instant(timestamp);
    } else {
      time = httpDate(headers.get(HttpHeaderNames.DATE));
      timestamp = time == null ? null : TIMESTAMP.format(time.atOffset(ZoneOffset.UTC));
    }
    if (time == null) {
      throw new S3Exception(
          S3Error.ACCESS_DENIED, "AWS authentication requires a valid Date or x-amz-date header");
    }
    return new Claim(
        scope, Arrays.asList(signedHeaders.split(";", -1)), signature, timestamp, time);
  }

  private static Scope scope(String credential, String service, S3Error error) throws S3Exception {
    // An access key may hold slashes; the scope behind it does not.
    String[] parts = credential.split("/", -1);
    int n = parts.length;
    if (n < 5 || !parts[n - 1].equals("aws4_request")) {
      throw new S3Exception(
          error,
          "Error parsing the Credential; it should be <access-key>/<date>/<region>/<service>/"
              + "aws4_request.");
    }
    if (!parts[n - 2].equals(service)) {
      throw new S3Exception(
          error, "Error parsing the Credential; incorrect service \"" + parts[n - 2] + "\".");
    }
    String accessKey = String.join("/", Arrays.asList(parts).subList(0, n - 4));
    if (accessKey.isEmpty()) {
      throw new S3Exception(error, "Error parsing the Credential; the access key is empty.");
    }
    return new Scope(accessKey, parts[n - 4], parts[n - 3], service);
  }

  /**
   * @param error by whether a header or the query makes the claim
   */
  private void checkScope(Claim claim, S3Error error) throws S3Exception {
    String where =
        error == S3Error.AUTHORIZATION_HEADER_MALFORMED
            ? "The authorization header is malformed"
            : "Error parsing the X-Amz-Credential parameter";
    // Services without regions are signed for whichever the client believes they are in.
    boolean wrong =
        claim.scope.service.equals(S3)
            ? !claim.scope.region.equals(region)
            : claim.scope.region.length() > LONGEST_REGION;
    if (wrong) {
      throw new S3Exception(
              error,
              where
                  + "; the region '"
                  + claim.scope.region
                  + "' is wrong; expecting '"
                  + region
                  + "'")
          .with("Region", region);
    }
    if (!claim.timestamp.startsWith(claim.scope.date)) {
      throw new S3Exception(
          error,
          where
              + "; Invalid credential date \""
              + claim.scope.date
              + "\". This date is not the same as X-Amz-Date.");
    }
  }

  /**
   * The host and every x-amz header must be under the signature: whoever could add one to a signed
   * request could change what it does.
   */
  private static void checkSignedHeaders(Claim claim, HttpHeaders headers) throws S3Exception {
    String previous = "";
    for (String name : claim.signedHeaders) {
      if (name.compareTo(previous) <= 0 || !name.equals(name.toLowerCase(Locale.ROOT))) {
        throw new S3Exception(
            S3Error.AUTHORIZATION_HEADER_MALFORMED,
            "The authorization header is malformed; SignedHeaders must be sorted, distinct and in"
                + " lower case.");
      }
      previous = name;
    }
    if (!claim.signedHeaders.contains("host")) {
      throw new S3Exception(
          S3Error.SIGNATURE_DOES_NOT_MATCH, "The host header must be among the SignedHeaders");
    }
    for (Map.Entry<String, String> header : headers) {
      String name = header.getKey().toLowerCase(Locale.ROOT);
      if (name.startsWith("x-amz-")
          && !name.equals(CONTENT_SHA256)
          && !claim.signedHeaders.contains(name)) {
        throw new S3Exception(
                S3Error.ACCESS_DENIED,
                "There were headers present in the request which were not signed")
            .with("HeadersNotSigned", name);
      }
    }
  }

  /**
   * When a request was signed, which its signature covers; null if nothing says so, as in a link of
   * version 2 or an unsigned request.
   */
  public static Instant signedAt(HttpHeaders headers, Map<String, String> query) {
    if (isSignedByHeader(headers)) {
      String amzDate = headers.get("x-amz-date");
      Instant time = amzDate == null ? null : instant(amzDate);
      return time != null
          ? time
          : httpDate(amzDate == null ? headers.get(HttpHeaderNames.DATE) : amzDate);
    }
    return query.containsKey("X-Amz-Date") ? instant(query.get("X-Amz-Date")) : null;
  }

  /** When an upload form was signed; null if nothing says so. */
  public static Instant signedAt(Map<String, String> fields) {
    String timestamp = fields.get("x-amz-date");
    return timestamp == null ? null : instant(timestamp);
  }

  private static Instant instant(String timestamp) {
    try {
      return sinceEpoch(LocalDateTime.parse(timestamp, TIMESTAMP).toInstant(ZoneOffset.UTC));
    } catch (DateTimeException e) {
      return null;
    }
  }

  private static Instant httpDate(String text) {
    return sinceEpoch(HttpDates.parse(text));
  }

  /** A time before 1970 is none, as in S3. */
  private static Instant sinceEpoch(Instant time) {
    return time == null || time.isBefore(Instant.EPOCH) ? null : time;
  }

  private Instant now() {
    return Instant.ofEpochSecond(0, clock.wallMicros() * 1_000);
  }

  private static S3Exception queryError(String message) {
    return new S3Exception(S3Error.AUTHORIZATION_QUERY_PARAMETERS_ERROR, message);
  }
}

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
import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import io.stowage.common.policy.AccessSettings;
import io.stowage.common.proto.BucketInfo;
import io.stowage.s3.auth.Caller;
import io.stowage.s3.auth.PayloadSigning;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Request;
import io.stowage.s3.http.Response;
import io.stowage.s3.payload.HashKind;
import io.stowage.s3.payload.HashThreads;
import io.stowage.s3.payload.Payload;
import io.stowage.s3.xml.XmlElement;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;

/** One authenticated call of an operation. Immutable but for the body. */
public final class S3Call {
  private static final String AGREES_TO_PAY = "s3:x-amz-request-payer";
  private static final List<String> FRAMING =
      List.of("x-amz-decoded-content-length", "content-md5", "x-amz-trailer");

  private final Request request;
  private final Caller caller;
  private final S3Address address;
  private final Map<String, String> query;
  private final BucketInfo bucket;
  private final Map<String, List<String>> facts;
  private final HashThreads hashThreads;

  S3Call(
      Request request,
      Caller caller,
      S3Address address,
      Map<String, String> query,
      BucketInfo bucket,
      Map<String, List<String>> facts,
      HashThreads hashThreads) {
    this.request = request;
    this.caller = caller;
    this.address = address;
    this.query = query;
    this.bucket = bucket;
    this.facts = facts;
    this.hashThreads = hashThreads;
  }

  /** The same bucket, asked for the put that an upload form describes. */
  S3Call asPutBy(Caller signer, String key, Request put, Map<String, List<String>> factsOfPut) {
    return new S3Call(
        put,
        signer,
        new S3Address(address.bucket(), key),
        Map.of(),
        bucket,
        factsOfPut,
        hashThreads);
  }

  /**
   * Says that the answer may take long, so that the client may be sent white space before it. After
   * this an error can find itself in a body under status 200. May be said again when more is known.
   *
   * @param known an answer with the headers that this one will have as far as is known by now: they
   *     go before the white space, and what is found out later has no place any more
   */
  void mayTakeLong(Response known) throws S3Exception {
    request.patience().accept(completed(known).headers());
  }

  /** An answer with what the bucket says of all: who pays, and which pages may read it. */
  Response completed(Response response) throws S3Exception {
    if (bucket != null
        && new AccessSettings(bucket).requesterPays()
        && !caller.user().equals(bucket.getOwner())
        && facts.containsKey(AGREES_TO_PAY)) { // last: facts are gathered for it
      response.header("x-amz-request-charged", "requester");
    }
    return Cors.decorate(response, request.method(), request.headers(), bucket);
  }

  /** The request as HTTP has it. */
  Request request() {
    return request;
  }

  public Caller caller() {
    return caller;
  }

  /** Name as asked for, also of a bucket that is yet to be made. */
  public String bucketName() {
    return address.bucket();
  }

  /** The bucket that the operation works in. */
  public BucketInfo bucket() {
    return bucket;
  }

  public String key() {
    return address.key();
  }

  /** The request's path as it was sent, without the query. */
  public String path() {
    String target = request.target();
    int mark = target.indexOf('?');
    return mark < 0 ? target : target.substring(0, mark);
  }

  public String method() {
    return request.method();
  }

  public HttpHeaders headers() {
    return request.headers();
  }

  /** A header's value; null if it was not sent. */
  public String header(String name) {
    return request.headers().get(name);
  }

  /** A query parameter; null if it was not sent. */
  public String param(String name) {
    return query.get(name);
  }

  /** A query parameter, or the empty text. */
  public String paramOrEmpty(String name) {
    return query.getOrDefault(name, "");
  }

  /** A query parameter that is a number; {@code absent} if it was not sent. */
  public int intParam(String name, int absent, int min, int max) throws S3Exception {
    String text = query.get(name);
    if (text == null || text.isEmpty()) {
      return absent;
    }
    try {
      long value = Long.parseLong(text);
      if (value >= min && value <= max) {
        return (int) value;
      }
    } catch (NumberFormatException e) {
      throw invalid(name, text, "Provided " + name + " not an integer or within integer range");
    }
    throw invalid(
        name, text, "Argument " + name + " must be an integer between " + min + " and " + max);
  }

  static S3Exception invalid(String name, String value, String message) {
    return new S3Exception(S3Error.INVALID_ARGUMENT, message)
        .with("ArgumentName", name)
        .with("ArgumentValue", value);
  }

  /** Whether listings are to be percent-encoded. */
  public boolean wantsUrlEncoding() throws S3Exception {
    String encoding = query.get("encoding-type");
    if (encoding == null) {
      return false;
    }
    if (!encoding.equals("url")) {
      throw invalid("encoding-type", encoding, "Invalid Encoding Method specified in Request");
    }
    return true;
  }

  /**
   * The body as an object's bytes: MD5 and a checksum come with it.
   *
   * @param fallback checksum to compute if the request declares none
   */
  public Payload objectPayload(HashKind fallback, long maxLength) throws S3Exception {
    requireLength();
    return Payload.open(
        request.body(),
        request.headers(),
        caller.payload(),
        EnumSet.of(HashKind.MD5),
        fallback,
        maxLength,
        hashThreads);
  }

  /**
   * The body as a part's bytes, with one more checksum, whether or not the request declares
   * another.
   */
  public Payload partPayload(HashKind kind, long maxLength) throws S3Exception {
    requireLength();
    return Payload.open(
        request.body(),
        request.headers(),
        caller.payload(),
        EnumSet.of(HashKind.MD5, kind),
        kind,
        maxLength,
        hashThreads);
  }

  /** An object without a body is empty only if the client says so. */
  private void requireLength() throws S3Exception {
    if (!request.body().tellsItsEnd()
        && !request.headers().contains(HttpHeaderNames.CONTENT_LENGTH)
        && !request.headers().contains(HttpHeaderNames.TRANSFER_ENCODING)) {
      throw new S3Exception(S3Error.MISSING_CONTENT_LENGTH);
    }
  }

  /** The whole body as a document; null if it is empty. */
  public XmlElement document(String root, int maxBytes) throws S3Exception {
    return document(root, maxBytes, request.headers());
  }

  /** The same, for an operation whose checksum headers describe something else than this body. */
  public XmlElement documentUnvouched(String root, int maxBytes) throws S3Exception {
    HttpHeaders framing = new DefaultHttpHeaders();
    for (String name : FRAMING) {
      framing.set(name, request.headers().getAll(name));
    }
    return document(root, maxBytes, framing);
  }

  private XmlElement document(String root, int maxBytes, HttpHeaders claims) throws S3Exception {
    byte[] bytes = body(maxBytes, claims);
    return bytes.length == 0 ? null : XmlElement.parse(bytes, root);
  }

  /** The whole body of a request that is no object. */
  public byte[] body(int maxBytes) throws S3Exception {
    return body(maxBytes, request.headers());
  }

  private byte[] body(int maxBytes, HttpHeaders claims) throws S3Exception {
    if (caller.payload() instanceof PayloadSigning.UnsignedChunks) {
      // S3 takes them for objects and parts only.
      throw new S3Exception(
          S3Error.INVALID_REQUEST, "The value of x-amz-content-sha256 header is invalid.");
    }
    try (Payload payload =
        Payload.open(
            request.body(),
            claims,
            caller.payload(),
            EnumSet.noneOf(HashKind.class),
            null,
            Long.MAX_VALUE,
            hashThreads)) {
      if (payload.length() > maxBytes) {
        throw new S3Exception(S3Error.MAX_MESSAGE_LENGTH_EXCEEDED)
            .with("MaxMessageLengthBytes", Integer.toString(maxBytes));
      }
      byte[] bytes = new byte[(int) payload.length()];
      int filled = 0;
      for (ByteBuf piece; (piece = payload.next()) != null; ) {
        int length = piece.readableBytes();
        piece.readBytes(bytes, filled, length);
        filled += length;
        piece.release();
      }
      return bytes;
    }
  }

  /** What conditions of policies may ask for. */
  public Map<String, List<String>> facts() {
    return facts;
  }

  /** Address of the peer, without port. */
  String remoteAddress() {
    return request.remoteAddress();
  }

  /** Whether it came over TLS. */
  boolean isSecure() {
    return request.secure();
  }

  /** All query parameters. */
  public Map<String, String> query() {
    return query;
  }

  HashThreads hashThreads() {
    return hashThreads;
  }
}

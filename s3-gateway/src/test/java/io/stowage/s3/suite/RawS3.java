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
package io.stowage.s3.suite;

import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.HttpHeaders;
import io.stowage.s3.auth.RequestTarget;
import io.stowage.s3.auth.SignatureV4;
import io.stowage.s3.auth.SigningKey;
import io.stowage.s3.error.S3Exception;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Requests written byte by byte: right by default, and every piece of them can be made wrong. Keeps
 * no connection. Thread-safe.
 */
public final class RawS3 {
  private static final DateTimeFormatter TIMESTAMP =
      DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'", Locale.ROOT).withZone(ZoneOffset.UTC);

  private final URI endpoint;
  private final String accessKey;
  private final String secretKey;
  private final String region;

  public RawS3(URI endpoint, String accessKey, String secretKey, String region) {
    this.endpoint = endpoint;
    this.accessKey = accessKey;
    this.secretKey = secretKey;
    this.region = region;
  }

  /** An answer. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  public record Reply(int status, Map<String, String> headers, byte[] body) {
    public String text() {
      return new String(body, StandardCharsets.UTF_8);
    }

    /** Text of the first element of that name; empty if there is none. */
    public String element(String name) {
      Matcher matcher =
          Pattern.compile("<" + name + ">(.*?)</" + name + ">", Pattern.DOTALL).matcher(text());
      return matcher.find() ? matcher.group(1) : "";
    }

    /** S3's error code; empty if this is not an error document. */
    public String code() {
      return element("Code");
    }
  }

  /** One request in the making. Confined to one thread. */
  public final class Call {
    private final String method;
    private final String target;
    private final Map<String, String> headers = new TreeMap<>();
    private final Map<String, String> unsigned = new TreeMap<>();
    private byte[] body = new byte[0];
    private String payloadHash;
    private Instant time = Instant.now();
    private String scopeRegion = region;
    private String scopeService = "s3";
    private String key = accessKey;
    private String secret = secretKey;
    private boolean contentLength = true;
    private boolean closeAfterBody;

    private Call(String method, String target) {
      this.method = method;
      this.target = target;
      headers.put("host", endpoint.getHost() + ":" + endpoint.getPort());
    }

    /** A header under the signature. */
    public Call header(String name, String value) {
      headers.put(name, value);
      return this;
    }

    /** A header that the signature does not cover. */
    public Call unsignedHeader(String name, String value) {
      unsigned.put(name, value);
      return this;
    }

    public Call body(byte[] bytes) {
      body = bytes;
      return this;
    }

    public Call body(String text) {
      return body(text.getBytes(StandardCharsets.UTF_8));
    }

    public Call payloadHash(String hash) {
      payloadHash = hash;
      return this;
    }

    public Call at(Instant when) {
      time = when;
      return this;
    }

    public Call scope(String inRegion, String service) {
      scopeRegion = inRegion;
      scopeService = service;
      return this;
    }

    public Call as(String otherKey, String otherSecret) {
      key = otherKey;
      secret = otherSecret;
      return this;
    }

    public Call withoutContentLength() {
      contentLength = false;
      return this;
    }

    /** Ends the sending side after the body, however much of it the headers promised. */
    public Call closeAfterBody() {
      closeAfterBody = true;
      return this;
    }

    /** The signature of the head, which chunks' signatures go on from. */
    public String sign() {
      if (payloadHash == null) {
        payloadHash = SignatureV4.sha256Hex(body);
      }
      headers.put("x-amz-date", TIMESTAMP.format(time));
      headers.put("x-amz-content-sha256", payloadHash);
      HttpHeaders signed = new DefaultHttpHeaders();
      headers.forEach(signed::set);
      List<String> names = new ArrayList<>(headers.keySet());
      try {
        String canonical =
            SignatureV4.canonicalRequest(
                method, RequestTarget.parse(target), signed, names, payloadHash);
        String signature =
            signingKey().sign(SignatureV4.stringToSign(TIMESTAMP.format(time), scope(), canonical));
        headers.put(
            "authorization",
            "AWS4-HMAC-SHA256 Credential="
                + key
                + "/"
                + scope()
                + ",SignedHeaders="
                + String.join(";", names)
                + ",Signature="
                + signature);
        return signature;
      } catch (S3Exception e) {
        throw new IllegalStateException(e);
      }
    }

    private SigningKey signingKey() {
      return SigningKey.derive(
          secret, TIMESTAMP.format(time).substring(0, 8), scopeRegion, scopeService);
    }

    private String scope() {
      return TIMESTAMP.format(time).substring(0, 8)
          + "/"
          + scopeRegion
          + "/"
          + scopeService
          + "/aws4_request";
    }

    /** Headers of the signed call, for another client to send. */
    public Map<String, String> signedHeaders() {
      sign();
      return Map.copyOf(headers);
    }

    /** Signs, if not done yet, and sends. */
    public Reply send() throws IOException {
      if (!headers.containsKey("authorization")) {
        sign();
      }
      return sendAsIs();
    }

    /** Sends without signing what is not signed. */
    public Reply sendAsIs() throws IOException {
      return exchange(wire(), closeAfterBody);
    }

    public byte[] wire() {
      StringBuilder head = new StringBuilder(method + " " + target + " HTTP/1.1\r\n");
      headers.forEach((n, v) -> head.append(n).append(": ").append(v).append("\r\n"));
      unsigned.forEach((n, v) -> head.append(n).append(": ").append(v).append("\r\n"));
      if (contentLength
          && !headers.containsKey("content-length")
          && !unsigned.containsKey("content-length")) {
        head.append("content-length: ").append(body.length).append("\r\n");
      }
      head.append("\r\n");
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      out.writeBytes(head.toString().getBytes(StandardCharsets.ISO_8859_1));
      out.writeBytes(body);
      return out.toByteArray();
    }

    /** Makes the body aws-chunked and signs it: head, chunks, trailer. */
    public ChunkedBody chunked(boolean signedChunks, String trailerName, String trailerValue) {
      return new ChunkedBody(this, signedChunks, trailerName, trailerValue);
    }
  }

  /** An aws-chunked body in the making. */
  public static final class ChunkedBody {
    private final Call call;
    private final boolean signed;
    private final String trailerName;
    private final String trailerValue;
    private final List<byte[]> chunks = new ArrayList<>();
    private int corruptChunk = -1;
    private boolean corruptTrailer;
    private boolean dropTrailer;
    private String declaredLength;

    private ChunkedBody(Call call, boolean signed, String trailerName, String trailerValue) {
      this.call = call;
      this.signed = signed;
      this.trailerName = trailerName;
      this.trailerValue = trailerValue;
    }

    public ChunkedBody chunk(byte[] bytes) {
      chunks.add(bytes);
      return this;
    }

    public ChunkedBody corruptSignatureOf(int chunk) {
      corruptChunk = chunk;
      return this;
    }

    public ChunkedBody corruptTrailerSignature() {
      corruptTrailer = true;
      return this;
    }

    public ChunkedBody dropTrailer() {
      dropTrailer = true;
      return this;
    }

    public ChunkedBody declare(String length) {
      declaredLength = length;
      return this;
    }

    /** Puts everything into the call and signs it. */
    public Call build() {
      long length = chunks.stream().mapToLong(chunk -> chunk.length).sum();
      call.payloadHash =
          signed
              ? "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" + (trailerName == null ? "" : "-TRAILER")
              : "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
      call.header("content-encoding", "aws-chunked");
      if (declaredLength == null || !declaredLength.isEmpty()) {
        call.header(
            "x-amz-decoded-content-length",
            declaredLength == null ? Long.toString(length) : declaredLength);
      }
      if (trailerName != null) {
        call.header("x-amz-trailer", trailerName);
      }
      String previous = call.sign();
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      List<byte[]> all = new ArrayList<>(chunks);
      all.add(new byte[0]);
      for (int i = 0; i < all.size(); i++) {
        byte[] chunk = all.get(i);
        String line = Integer.toHexString(chunk.length);
        if (signed) {
          previous =
              call.signingKey()
                  .sign(
                      SignatureV4.chunkStringToSign(
                          TIMESTAMP.format(call.time),
                          call.scope(),
                          previous,
                          SignatureV4.sha256Hex(chunk)));
          line += ";chunk-signature=" + (i == corruptChunk ? flip(previous) : previous);
        }
        out.writeBytes((line + "\r\n").getBytes(StandardCharsets.US_ASCII));
        if (chunk.length > 0) {
          out.writeBytes(chunk);
          out.writeBytes("\r\n".getBytes(StandardCharsets.US_ASCII));
        }
      }
      if (trailerName != null && !dropTrailer) {
        String field = trailerName + ":" + trailerValue;
        out.writeBytes((field + "\r\n").getBytes(StandardCharsets.US_ASCII));
        if (signed) {
          String signature =
              call.signingKey()
                  .sign(
                      SignatureV4.trailerStringToSign(
                          TIMESTAMP.format(call.time),
                          call.scope(),
                          previous,
                          SignatureV4.sha256Hex((field + "\n").getBytes(StandardCharsets.UTF_8))));
          out.writeBytes(
              ("x-amz-trailer-signature:" + (corruptTrailer ? flip(signature) : signature) + "\r\n")
                  .getBytes(StandardCharsets.US_ASCII));
        }
      }
      out.writeBytes("\r\n".getBytes(StandardCharsets.US_ASCII));
      return call.body(out.toByteArray());
    }

    private static String flip(String hex) {
      return (hex.charAt(0) == '0' ? '1' : '0') + hex.substring(1);
    }
  }

  String accessKey() {
    return accessKey;
  }

  public Call call(String method, String target) {
    return new Call(method, target);
  }

  /** A presigned target: the query signed, nothing of the body. */
  public String presign(String method, String target, Instant time, String expires) {
    String timestamp = TIMESTAMP.format(time);
    String scope = timestamp.substring(0, 8) + "/" + region + "/s3/aws4_request";
    String query =
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
            + accessKey
            + "%2F"
            + scope.replace("/", "%2F")
            + "&X-Amz-Date="
            + timestamp
            + "&X-Amz-Expires="
            + expires
            + "&X-Amz-SignedHeaders=host";
    String whole = target + (target.indexOf('?') < 0 ? "?" : "&") + query;
    HttpHeaders headers = new DefaultHttpHeaders();
    headers.set("host", endpoint.getHost() + ":" + endpoint.getPort());
    try {
      String canonical =
          SignatureV4.canonicalRequest(
              method, RequestTarget.parse(whole), headers, List.of("host"), "UNSIGNED-PAYLOAD");
      SigningKey key = SigningKey.derive(secretKey, timestamp.substring(0, 8), region, "s3");
      return whole
          + "&X-Amz-Signature="
          + key.sign(SignatureV4.stringToSign(timestamp, scope, canonical));
    } catch (S3Exception e) {
      throw new IllegalStateException(e);
    }
  }

  /** Sends bytes as they are and reads one answer; status 0 if there was none. */
  public Reply exchange(byte[] wire, boolean closeAfter) throws IOException {
    try (Socket socket = open()) {
      OutputStream out = socket.getOutputStream();
      try {
        out.write(wire);
        out.flush();
        if (closeAfter) {
          socket.shutdownOutput();
        }
      } catch (IOException e) {
        // The server may have answered and closed before it had read everything.
      }
      return readReply(new BufferedInputStream(socket.getInputStream()), isHead(wire));
    }
  }

  public Socket open() throws IOException {
    Socket socket = new Socket(endpoint.getHost(), endpoint.getPort());
    socket.setSoTimeout(30_000);
    return socket;
  }

  private static boolean isHead(byte[] wire) {
    return wire.length > 5 && new String(wire, 0, 5, StandardCharsets.US_ASCII).equals("HEAD ");
  }

  /** Reads one answer. */
  public static Reply readReply(InputStream in, boolean head) throws IOException {
    String statusLine = readLine(in);
    if (statusLine == null) {
      return new Reply(0, Map.of(), new byte[0]);
    }
    int status = Integer.parseInt(statusLine.substring(9, 12));
    Map<String, String> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
    for (String line; (line = readLine(in)) != null && !line.isEmpty(); ) {
      int colon = line.indexOf(':');
      headers.put(line.substring(0, colon), line.substring(colon + 1).trim());
    }
    if (status == 100) {
      return readReply(in, head);
    }
    int length = Integer.parseInt(headers.getOrDefault("content-length", "0"));
    return new Reply(status, headers, head ? new byte[0] : in.readNBytes(length));
  }

  private static String readLine(InputStream in) throws IOException {
    ByteArrayOutputStream line = new ByteArrayOutputStream();
    try {
      for (int b; (b = in.read()) >= 0; ) {
        if (b == '\n') {
          return line.toString(StandardCharsets.ISO_8859_1).replace("\r", "");
        }
        line.write(b);
      }
    } catch (IOException e) {
      return null; // reset
    }
    return line.size() == 0 ? null : line.toString(StandardCharsets.ISO_8859_1);
  }
}

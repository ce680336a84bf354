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
package io.stowage.dev.s3;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import javax.net.ssl.SSLSocketFactory;

/**
 * One HTTP/1.1 connection to an S3 endpoint, path style, kept alive and opened again after a
 * failure. A request is sent once: whoever measures wants to see failures, not have them hidden.
 * Confined to one thread.
 */
public final class S3Connection implements Closeable {
  /** No S3 operation is silent for longer unless something is broken. */
  private static final int TIMEOUT_MILLIS = 60_000;

  private static final int BUFFER_BYTES = 128 * 1024;

  /** Error bodies are small; a longer one is cut. */
  private static final int ERROR_TEXT_LIMIT = 4096;

  /** A header line longer than this is not S3. */
  private static final int LINE_LIMIT = 16 * 1024;

  /** The bytes of a request; written twice when the payload is signed. */
  public interface Body {
    long lengthBytes();

    void writeTo(OutputStream out) throws IOException;
  }

  /** Takes a response's bytes as they arrive; the array is reused after the call. */
  public interface Sink {
    void accept(byte[] bytes, int offset, int count) throws IOException;
  }

  private static final Body NO_BODY =
      new Body() {
        @Override
        public long lengthBytes() {
          return 0;
        }

        @Override
        public void writeTo(OutputStream out) {}
      };

  private final URI endpoint;
  private final S3Signer signer;
  private final boolean signPayload;
  private final InstantSource clock;
  private final byte[] chunk = new byte[BUFFER_BYTES];
  private Socket socket;
  private InputStream in;
  private OutputStream out;

  public S3Connection(
      URI endpoint, S3Credentials credentials, boolean signPayload, InstantSource clock) {
    this.endpoint = endpoint;
    this.signer = new S3Signer(credentials);
    this.signPayload = signPayload;
    this.clock = clock;
  }

  public S3Response createBucket(String bucket) throws IOException {
    return request("PUT", bucket, "", new TreeMap<>(), Map.of(), NO_BODY, null);
  }

  public S3Response put(String bucket, String key, Body body) throws IOException {
    return request("PUT", bucket, key, new TreeMap<>(), Map.of(), body, null);
  }

  /** With headers of its own: conditions. */
  public S3Response put(String bucket, String key, Body body, Map<String, String> headers)
      throws IOException {
    return request("PUT", bucket, key, new TreeMap<>(), headers, body, null);
  }

  /** CopyObject within a bucket; the new ETag is in the XML that the sink gets. */
  public S3Response copy(String bucket, String source, String key, Sink sink) throws IOException {
    Map<String, String> from =
        Map.of("x-amz-copy-source", S3Signer.encode("/" + bucket + "/" + source, true));
    return request("PUT", bucket, key, new TreeMap<>(), from, NO_BODY, sink);
  }

  public S3Response get(String bucket, String key, Sink sink) throws IOException {
    return request("GET", bucket, key, new TreeMap<>(), Map.of(), NO_BODY, sink);
  }

  /** Bytes {@code offset} to {@code offset + length - 1} of the object. */
  public S3Response getRange(String bucket, String key, long offset, long length, Sink sink)
      throws IOException {
    Map<String, String> range = Map.of("range", "bytes=" + offset + "-" + (offset + length - 1));
    return request("GET", bucket, key, new TreeMap<>(), range, NO_BODY, sink);
  }

  public S3Response head(String bucket, String key) throws IOException {
    return request("HEAD", bucket, key, new TreeMap<>(), Map.of(), NO_BODY, null);
  }

  /** CreateMultipartUpload; the upload's id is in the XML that the sink gets. */
  public S3Response createUpload(String bucket, String key, Sink sink) throws IOException {
    SortedMap<String, String> query = new TreeMap<>(Map.of("uploads", ""));
    return request("POST", bucket, key, query, Map.of(), NO_BODY, sink);
  }

  public S3Response putPart(String bucket, String key, String uploadId, int number, Body part)
      throws IOException {
    SortedMap<String, String> query =
        new TreeMap<>(Map.of("partNumber", Integer.toString(number), "uploadId", uploadId));
    return request("PUT", bucket, key, query, Map.of(), part, null);
  }

  public S3Response abortUpload(String bucket, String key, String uploadId) throws IOException {
    SortedMap<String, String> query = new TreeMap<>(Map.of("uploadId", uploadId));
    return request("DELETE", bucket, key, query, Map.of(), NO_BODY, null);
  }

  /**
   * CompleteMultipartUpload.
   *
   * @param etags of parts 1, 2, …, as putPart's responses gave them
   */
  public S3Response completeUpload(
      String bucket, String key, String uploadId, List<String> etags, Sink sink)
      throws IOException {
    StringBuilder xml = new StringBuilder("<CompleteMultipartUpload>");
    for (int i = 0; i < etags.size(); i++) {
      xml.append("<Part><PartNumber>")
          .append(i + 1)
          .append("</PartNumber><ETag>")
          .append(etags.get(i))
          .append("</ETag></Part>");
    }
    byte[] body =
        xml.append("</CompleteMultipartUpload>").toString().getBytes(StandardCharsets.UTF_8);
    SortedMap<String, String> query = new TreeMap<>(Map.of("uploadId", uploadId));
    return request("POST", bucket, key, query, Map.of(), bytes(body), sink);
  }

  private static Body bytes(byte[] content) {
    return new Body() {
      @Override
      public long lengthBytes() {
        return content.length;
      }

      @Override
      public void writeTo(OutputStream out) throws IOException {
        out.write(content);
      }
    };
  }

  public S3Response delete(String bucket, String key) throws IOException {
    return request("DELETE", bucket, key, new TreeMap<>(), Map.of(), NO_BODY, null);
  }

  /** One page of ListObjectsV2. */
  public S3Response list(String bucket, String prefix, String startAfter, int maxKeys, Sink sink)
      throws IOException {
    SortedMap<String, String> query = new TreeMap<>();
    query.put("list-type", "2");
    query.put("max-keys", Integer.toString(maxKeys));
    query.put("prefix", prefix);
    if (!startAfter.isEmpty()) {
      query.put("start-after", startAfter);
    }
    return request("GET", bucket, "", query, Map.of(), NO_BODY, sink);
  }

  @Override
  public void close() {
    Socket open = socket;
    socket = null;
    if (open != null) {
      try {
        open.close();
      } catch (IOException e) {
        // Nothing of ours is in it any more; the next request opens another.
        return;
      }
    }
  }

  private S3Response request(
      String method,
      String bucket,
      String key,
      SortedMap<String, String> query,
      Map<String, String> extraHeaders,
      Body body,
      Sink sink)
      throws IOException {
    boolean whole = false;
    try {
      if (socket == null) {
        connect();
      }
      send(method, bucket, key, query, extraHeaders, body);
      S3Response response = receive(method, sink);
      whole = !"close".equalsIgnoreCase(response.headers().get("connection"));
      return response;
    } finally {
      if (!whole) {
        close();
      }
    }
  }

  private void connect() throws IOException {
    boolean tls = "https".equals(endpoint.getScheme());
    int port = endpoint.getPort() >= 0 ? endpoint.getPort() : tls ? 443 : 80;
    Socket opened = tls ? SSLSocketFactory.getDefault().createSocket() : new Socket();
    opened.setTcpNoDelay(true);
    opened.setSoTimeout(TIMEOUT_MILLIS);
    opened.connect(new InetSocketAddress(endpoint.getHost(), port), TIMEOUT_MILLIS);
    socket = opened;
    in = new BufferedInputStream(opened.getInputStream(), BUFFER_BYTES);
    out = new BufferedOutputStream(opened.getOutputStream(), BUFFER_BYTES);
  }

  private void send(
      String method,
      String bucket,
      String key,
      SortedMap<String, String> query,
      Map<String, String> extraHeaders,
      Body body)
      throws IOException {
    String path = S3Signer.encode(key.isEmpty() ? "/" + bucket : "/" + bucket + "/" + key, true);
    StringBuilder canonicalQuery = new StringBuilder();
    query.forEach(
        (name, value) ->
            canonicalQuery
                .append(canonicalQuery.isEmpty() ? "" : "&")
                .append(S3Signer.encode(name, false))
                .append('=')
                .append(S3Signer.encode(value, false)));
    String payloadHash = payloadHash(body);
    SortedMap<String, String> headers = new TreeMap<>(extraHeaders);
    headers.put("host", endpoint.getRawAuthority());
    headers.put("x-amz-content-sha256", payloadHash);
    headers.put("x-amz-date", S3Signer.amzDate(clock.instant()));
    String authorization =
        signer.authorization(method, path, canonicalQuery.toString(), headers, payloadHash);

    StringBuilder head = new StringBuilder(512);
    head.append(method).append(' ').append(path);
    if (!canonicalQuery.isEmpty()) {
      head.append('?').append(canonicalQuery);
    }
    head.append(" HTTP/1.1\r\n");
    headers.forEach((name, value) -> head.append(name).append(": ").append(value).append("\r\n"));
    head.append("authorization: ").append(authorization).append("\r\n");
    if (method.equals("PUT") || method.equals("POST")) {
      head.append("content-length: ").append(body.lengthBytes()).append("\r\n");
    }
    head.append("\r\n");
    out.write(head.toString().getBytes(StandardCharsets.ISO_8859_1));
    body.writeTo(out);
    out.flush();
  }

  private String payloadHash(Body body) throws IOException {
    if (body.lengthBytes() == 0) {
      return S3Signer.EMPTY_PAYLOAD;
    }
    if (!signPayload) {
      return S3Signer.UNSIGNED_PAYLOAD;
    }
    try {
      MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
      body.writeTo(
          new OutputStream() {
            @Override
            public void write(int b) {
              sha256.update((byte) b);
            }

            @Override
            public void write(byte[] bytes, int offset, int count) {
              sha256.update(bytes, offset, count);
            }
          });
      return HexFormat.of().formatHex(sha256.digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  private S3Response receive(String method, Sink sink) throws IOException {
    String statusLine = readLine();
    if (!statusLine.startsWith("HTTP/1.1 ") || statusLine.length() < 12) {
      throw new IOException("Cannot read a response: it starts with '" + statusLine + "'");
    }
    int status = Integer.parseInt(statusLine.substring(9, 12));
    Map<String, String> headers = new HashMap<>();
    for (String line = readLine(); !line.isEmpty(); line = readLine()) {
      int colon = line.indexOf(':');
      if (colon > 0) {
        headers.put(
            line.substring(0, colon).toLowerCase(Locale.ROOT), line.substring(colon + 1).strip());
      }
    }
    StringBuilder errorText = new StringBuilder();
    Sink taker =
        status < 300
            ? sink
            : (bytes, offset, count) -> {
              int room = Math.min(count, ERROR_TEXT_LIMIT - errorText.length());
              errorText.append(new String(bytes, offset, room, StandardCharsets.UTF_8));
            };
    long bodyBytes;
    if (status == 204 || status == 304 || method.equals("HEAD")) {
      bodyBytes = 0;
    } else if ("chunked".equalsIgnoreCase(headers.get("transfer-encoding"))) {
      bodyBytes = receiveChunked(taker);
    } else {
      String length = headers.get("content-length");
      if (length == null) {
        throw new IOException("Cannot read a response: neither a length nor chunks");
      }
      bodyBytes = Long.parseLong(length);
      receiveExactly(bodyBytes, taker);
    }
    return new S3Response(status, headers, bodyBytes, errorText.toString());
  }

  private long receiveChunked(Sink sink) throws IOException {
    long total = 0;
    while (true) {
      String size = readLine();
      int end = size.indexOf(';');
      long count = Long.parseLong(end < 0 ? size : size.substring(0, end), 16);
      if (count == 0) {
        String trailer = readLine();
        while (!trailer.isEmpty()) {
          trailer = readLine(); // trailers say nothing that is measured
        }
        return total;
      }
      receiveExactly(count, sink);
      total += count;
      readLine();
    }
  }

  private void receiveExactly(long count, Sink sink) throws IOException {
    long left = count;
    while (left > 0) {
      int read = in.read(chunk, 0, (int) Math.min(left, chunk.length));
      if (read < 0) {
        throw new EOFException("Cannot read a body: " + left + " of " + count + " bytes missing");
      }
      if (sink != null) {
        sink.accept(chunk, 0, read);
      }
      left -= read;
    }
  }

  private String readLine() throws IOException {
    StringBuilder line = new StringBuilder(80);
    while (line.length() < LINE_LIMIT) {
      int c = in.read();
      if (c < 0) {
        throw new EOFException("Cannot read a response: the connection was closed");
      }
      if (c == '\n') {
        return line.toString();
      }
      if (c != '\r') {
        line.append((char) c);
      }
    }
    throw new IOException("Cannot read a response: a line longer than " + LINE_LIMIT + " bytes");
  }
}

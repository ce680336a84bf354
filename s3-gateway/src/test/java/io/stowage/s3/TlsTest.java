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
package io.stowage.s3;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.conf.Keys;
import io.stowage.common.error.StoreException;
import io.stowage.s3.suite.RawS3;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.zip.CRC32;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.TrustManagerFactory;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** HTTPS by PEM files, HTTP/2 over it and without it. */
class TlsTest {
  private static final char[] PASSWORD = "changeit".toCharArray();

  @TempDir Path dir;

  /** A key and its certificate, made by the JDK's own tool. */
  private Certificate makePems(String name) throws Exception {
    Path store = dir.resolve(name + ".p12");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-genkeypair",
                "-alias",
                "a",
                "-keyalg",
                "EC",
                "-groupname",
                "secp256r1",
                "-dname",
                "CN=" + name,
                "-ext",
                "san=dns:localhost,ip:127.0.0.1",
                "-validity",
                "30",
                "-storetype",
                "PKCS12",
                "-keystore",
                store.toString(),
                "-storepass",
                new String(PASSWORD))
            .redirectErrorStream(true)
            .start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertTrue(process.waitFor(60, TimeUnit.SECONDS) && process.exitValue() == 0, said);
    KeyStore keys = KeyStore.getInstance("PKCS12");
    try (InputStream in = Files.newInputStream(store)) {
      keys.load(in, PASSWORD);
    }
    Certificate certificate = keys.getCertificate("a");
    writePem("key.pem", "PRIVATE KEY", keys.getKey("a", PASSWORD).getEncoded());
    writePem("cert.pem", "CERTIFICATE", certificate.getEncoded());
    return certificate;
  }

  private void writePem(String file, String what, byte[] bytes) throws IOException {
    Path next = dir.resolve(file + ".next");
    Files.writeString(
        next,
        "-----BEGIN "
            + what
            + "-----\n"
            + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(bytes)
            + "\n-----END "
            + what
            + "-----\n");
    Files.move(next, dir.resolve(file), StandardCopyOption.REPLACE_EXISTING);
  }

  private InMemoryTarget start(Map<String, String> more) throws Exception {
    Map<String, String> settings = new HashMap<>(more);
    settings.put(Keys.S3_TLS_CERTIFICATE.name(), dir.resolve("cert.pem").toString());
    settings.put(Keys.S3_TLS_KEY.name(), dir.resolve("key.pem").toString());
    return new InMemoryTarget(settings);
  }

  private static HttpClient client(Certificate trusted, HttpClient.Version version)
      throws Exception {
    return client(trusted, version, "TLSv1.3");
  }

  private static HttpClient client(Certificate trusted, HttpClient.Version version, String tls)
      throws Exception {
    KeyStore trust = KeyStore.getInstance("PKCS12");
    trust.load(null, null);
    trust.setCertificateEntry("gateway", trusted);
    TrustManagerFactory managers =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    managers.init(trust);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, managers.getTrustManagers(), null);
    return HttpClient.newBuilder()
        .sslContext(context)
        .sslParameters(new SSLParameters(null, new String[] {tls}))
        .version(version)
        .build();
  }

  private static RawS3 raw(int port) {
    return new RawS3(
        URI.create("https://127.0.0.1:" + port),
        InMemoryTarget.ACCESS_KEY,
        InMemoryTarget.SECRET_KEY,
        "us-east-1");
  }

  private static HttpRequest request(int port, String method, String target, byte[] body) {
    RawS3.Call call = raw(port).call(method, target).body(body);
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create("https://127.0.0.1:" + port + target))
            .method(method, HttpRequest.BodyPublishers.ofByteArray(body));
    call.signedHeaders()
        .forEach(
            (name, value) -> {
              if (!name.equals("host")) {
                request.header(name, value);
              }
            });
    return request.build();
  }

  private static HttpResponse<byte[]> send(
      HttpClient client, int port, String method, String target, byte[] body) throws Exception {
    return client.send(
        request(port, method, target, body), HttpResponse.BodyHandlers.ofByteArray());
  }

  private static byte[] bytes(int length, long seed) {
    byte[] bytes = new byte[length];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  @Test
  void bothVersionsOfHttpAreServedOverTls() throws Exception {
    Certificate certificate = makePems("one");
    try (InMemoryTarget target = start(Map.of())) {
      int port = target.gateway.port();
      for (HttpClient.Version version : HttpClient.Version.values()) {
        HttpClient client = client(certificate, version);
        String bucket = "/bucket-" + version.name().toLowerCase(Locale.ROOT).replace('_', '-');
        assertEquals(200, send(client, port, "PUT", bucket, new byte[0]).statusCode());
        for (int length : new int[] {0, 10, 100_000, 8 << 20}) {
          byte[] content = bytes(length, length);
          HttpResponse<byte[]> put = send(client, port, "PUT", bucket + "/k" + length, content);
          assertEquals(200, put.statusCode(), () -> new String(put.body(), StandardCharsets.UTF_8));
          assertEquals(version, put.version());
          assertEquals(16, put.headers().firstValue("x-amz-request-id").orElse("").length());
          HttpResponse<byte[]> got = send(client, port, "GET", bucket + "/k" + length, new byte[0]);
          assertArrayEquals(content, got.body());
        }
        HttpResponse<byte[]> none = send(client, port, "GET", bucket + "/none", new byte[0]);
        assertEquals(404, none.statusCode());
        assertTrue(new String(none.body(), StandardCharsets.UTF_8).contains("NoSuchKey"));
        assertEquals(404, send(client, port, "HEAD", bucket + "/none", new byte[0]).statusCode());
        assertEquals(204, send(client, port, "DELETE", bucket + "/k10", new byte[0]).statusCode());
      }
    }
  }

  @Test
  void policiesAskForTheVersionOfTls() throws Exception {
    Certificate certificate = makePems("one");
    String policy =
        """
        {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*",
         "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*",
         "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.3"}}}}
        """;
    try (InMemoryTarget target = start(Map.of())) {
      int port = target.gateway.port();
      HttpClient owner = client(certificate, HttpClient.Version.HTTP_1_1);
      send(owner, port, "PUT", "/bucket", new byte[0]);
      send(owner, port, "PUT", "/bucket/k", new byte[1]);
      byte[] document = policy.getBytes(StandardCharsets.UTF_8);
      assertEquals(204, send(owner, port, "PUT", "/bucket?policy", document).statusCode());
      for (HttpClient.Version version : HttpClient.Version.values()) {
        HttpClient older = client(certificate, version, "TLSv1.2");
        assertEquals(403, send(older, port, "GET", "/bucket/k", new byte[0]).statusCode());
        HttpClient newer = client(certificate, version, "TLSv1.3");
        assertEquals(200, send(newer, port, "GET", "/bucket/k", new byte[0]).statusCode());
      }
    }
  }

  /** As botocore sends it without credentials: framed in chunks, with the checksum behind them. */
  @Test
  void whoIsNobodyPutsByChunksOverTls() throws Exception {
    Certificate certificate = makePems("one");
    String policy =
        """
        {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*",
         "Action": ["s3:PutObject", "s3:GetObject"], "Resource": "arn:aws:s3:::bucket/*"}}
        """;
    try (InMemoryTarget target = start(Map.of())) {
      int port = target.gateway.port();
      HttpClient owner = client(certificate, HttpClient.Version.HTTP_1_1);
      send(owner, port, "PUT", "/bucket", new byte[0]);
      byte[] document = policy.getBytes(StandardCharsets.UTF_8);
      assertEquals(204, send(owner, port, "PUT", "/bucket?policy", document).statusCode());
      for (HttpClient.Version version : HttpClient.Version.values()) {
        HttpClient nobody = client(certificate, version);
        for (int length : new int[] {0, 10, 3 << 20}) {
          for (boolean right : new boolean[] {true, false}) {
            byte[] content = bytes(length, length);
            HttpResponse<byte[]> put =
                nobody.send(
                    chunkedPut(port, "/bucket/k" + length, content, right),
                    HttpResponse.BodyHandlers.ofByteArray());
            String said = new String(put.body(), StandardCharsets.UTF_8);
            assertEquals(right ? 200 : 400, put.statusCode(), said);
            assertTrue(right || said.contains("<Code>BadDigest</Code>"), said);
            HttpResponse<byte[]> got =
                nobody.send(
                    HttpRequest.newBuilder(
                            URI.create("https://127.0.0.1:" + port + "/bucket/k" + length))
                        .build(),
                    HttpResponse.BodyHandlers.ofByteArray());
            assertArrayEquals(content, got.body());
          }
        }
      }
    }
  }

  private static HttpRequest chunkedPut(int port, String target, byte[] content, boolean right) {
    CRC32 crc = new CRC32();
    crc.update(content);
    byte[] sum = ByteBuffer.allocate(4).putInt((int) crc.getValue() + (right ? 0 : 1)).array();
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    for (int done = 0; done < content.length; done += 1 << 20) {
      int count = Math.min(1 << 20, content.length - done);
      body.writeBytes((Integer.toHexString(count) + "\r\n").getBytes(StandardCharsets.US_ASCII));
      body.write(content, done, count);
      body.writeBytes("\r\n".getBytes(StandardCharsets.US_ASCII));
    }
    String end =
        "0\r\nx-amz-checksum-crc32:" + Base64.getEncoder().encodeToString(sum) + "\r\n\r\n";
    body.writeBytes(end.getBytes(StandardCharsets.US_ASCII));
    byte[] framed = body.toByteArray();
    return HttpRequest.newBuilder(URI.create("https://127.0.0.1:" + port + target))
        .header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
        .header("x-amz-sdk-checksum-algorithm", "CRC32")
        .header("x-amz-trailer", "x-amz-checksum-crc32")
        .header("x-amz-decoded-content-length", Integer.toString(content.length))
        .header("content-encoding", "aws-chunked")
        .expectContinue(true)
        // of a length that is not told: chunks of HTTP around those of S3
        .PUT(HttpRequest.BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(framed)))
        .build();
  }

  @Test
  void oneConnectionCarriesManyRequestsAtATime() throws Exception {
    Certificate certificate = makePems("one");
    try (InMemoryTarget target = start(Map.of(Keys.S3_MEMORY.name(), "16m"))) {
      int port = target.gateway.port();
      HttpClient client = client(certificate, HttpClient.Version.HTTP_2);
      send(client, port, "PUT", "/bucket", new byte[0]);
      List<CompletableFuture<HttpResponse<byte[]>>> puts = new ArrayList<>();
      for (int i = 0; i < 40; i++) {
        puts.add(
            client.sendAsync(
                request(port, "PUT", "/bucket/k" + i, bytes(1_500_000, i)),
                HttpResponse.BodyHandlers.ofByteArray()));
      }
      for (CompletableFuture<HttpResponse<byte[]>> put : puts) {
        assertEquals(200, put.get(60, TimeUnit.SECONDS).statusCode());
      }
      assertEquals(1, target.gateway.http().connectionCount());
      List<CompletableFuture<HttpResponse<byte[]>>> gets = new ArrayList<>();
      for (int i = 0; i < 40; i++) {
        gets.add(
            client.sendAsync(
                request(port, "GET", "/bucket/k" + i, new byte[0]),
                HttpResponse.BodyHandlers.ofByteArray()));
      }
      for (int i = 0; i < 40; i++) {
        assertArrayEquals(bytes(1_500_000, i), gets.get(i).get(60, TimeUnit.SECONDS).body());
      }
      target.checkIdle();
    }
  }

  @Test
  void changedFilesAreReadAgainAndBrokenOnesAreNot() throws Exception {
    Certificate first = makePems("first");
    try (InMemoryTarget target = start(Map.of(Keys.S3_TLS_BIND.name(), "127.0.0.1:0"))) {
      int port = target.gateway.tlsPort();
      assertTrue(port != target.gateway.port());
      assertEquals(
          403,
          client(first, HttpClient.Version.HTTP_2).send(anonymous(port), ignore()).statusCode());
      Certificate second = makePems("second");
      InMemoryTarget.await(() -> trusts(second, port), "the first certificate");
      assertThrows(
          IOException.class,
          () -> client(first, HttpClient.Version.HTTP_2).send(anonymous(port), ignore()));
      Files.writeString(dir.resolve("cert.pem"), "no certificate");
      long look = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(1500);
      while (System.nanoTime() < look) {
        assertTrue(trusts(second, port));
      }
      // HTTP goes on beside.
      assertEquals(
          200,
          new RawS3(
                  URI.create("http://127.0.0.1:" + target.gateway.port()),
                  InMemoryTarget.ACCESS_KEY,
                  InMemoryTarget.SECRET_KEY,
                  "us-east-1")
              .call("GET", "/")
              .send()
              .status());
    }
  }

  private static boolean trusts(Certificate certificate, int port) {
    try {
      return client(certificate, HttpClient.Version.HTTP_2)
              .send(anonymous(port), ignore())
              .statusCode()
          == 403;
    } catch (Exception e) {
      return false;
    }
  }

  private static HttpRequest anonymous(int port) {
    return HttpRequest.newBuilder(URI.create("https://localhost:" + port + "/")).build();
  }

  private static HttpResponse.BodyHandler<Void> ignore() {
    return HttpResponse.BodyHandlers.discarding();
  }

  @Test
  void theConsoleIsServedOverTlsToo() throws Exception {
    Certificate certificate = makePems("one");
    try (InMemoryTarget target = start(Map.of(Keys.S3_CONSOLE_BIND.name(), "127.0.0.1:0"))) {
      String host = "://localhost:" + target.gateway.consolePort() + "/";
      HttpClient client = client(certificate, HttpClient.Version.HTTP_1_1);
      HttpResponse<String> page =
          client.send(
              HttpRequest.newBuilder(URI.create("https" + host)).build(),
              HttpResponse.BodyHandlers.ofString());
      assertEquals(302, page.statusCode()); // to its page
      HttpRequest plain = HttpRequest.newBuilder(URI.create("http" + host)).build();
      assertThrows(IOException.class, () -> client.send(plain, ignore()));
    }
  }

  @Test
  void filesThatAreNotThereStopTheStart() throws Exception {
    StoreException e = assertThrows(StoreException.class, () -> start(Map.of()).close());
    assertTrue(e.getMessage().startsWith("Cannot serve TLS with "), e.getMessage());
  }

  @Test
  void http2ByPriorKnowledge() throws Exception {
    try (InMemoryTarget target = new InMemoryTarget(Map.of());
        Socket socket = raw(target.gateway.port()).open()) {
      socket.setSoTimeout(20_000);
      byte[] out = http2(get("/"));
      // In two pieces, the first of which could be the start of a request line.
      socket.getOutputStream().write(out, 0, 3);
      socket.getOutputStream().flush();
      socket.getOutputStream().write(out, 3, out.length - 3);
      DataInputStream in = new DataInputStream(socket.getInputStream());
      StringBuilder body = new StringBuilder();
      boolean answered = false;
      while (true) {
        Frame frame = Frame.next(in);
        answered |= frame.stream() == 1 && frame.type() == HEADERS;
        if (frame.stream() == 1 && frame.type() == DATA) {
          body.append(frame.payload().toStringUtf8());
        }
        if (frame.stream() == 1 && (frame.flags() & END_STREAM) != 0) {
          break;
        }
      }
      assertTrue(answered);
      assertTrue(body.toString().contains("<Code>AccessDenied</Code>"), body.toString());
    }
  }

  private static final int DATA = 0;
  private static final int HEADERS = 1;
  private static final int RST_STREAM = 3;
  private static final int GOAWAY = 7;
  private static final int END_STREAM = 1;

  private record Frame(int type, int flags, int stream, ByteString payload) {
    static Frame next(DataInputStream in) throws IOException {
      int length = in.readUnsignedByte() << 16 | in.readUnsignedShort();
      int type = in.readUnsignedByte();
      int flags = in.readUnsignedByte();
      return new Frame(type, flags, in.readInt(), ByteString.copyFrom(in.readNBytes(length)));
    }

    byte[] wire() {
      return ByteBuffer.allocate(9 + payload.size())
          .putInt(payload.size() << 8 | type)
          .put((byte) flags)
          .putInt(stream)
          .put(payload.toByteArray())
          .array();
    }
  }

  /** GET, http, the path, :authority x, as indexed fields and literals. */
  private static ByteString get(String path) {
    ByteBuffer fields = ByteBuffer.allocate(7 + path.length());
    fields.put((byte) 0x82).put((byte) 0x86).put((byte) 0x44).put((byte) path.length());
    fields.put(path.getBytes(StandardCharsets.US_ASCII));
    return ByteString.copyFrom(fields.put((byte) 0x41).put((byte) 1).put((byte) 'x').flip());
  }

  /** What a connection begins with, and a request without a body. */
  private static byte[] http2(ByteString headers) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
    out.writeBytes(new Frame(4, 0, 0, ByteString.EMPTY).wire()); // SETTINGS
    out.writeBytes(new Frame(HEADERS, 5, 1, headers).wire()); // end of headers and stream
    return out.toByteArray();
  }

  @Test
  void http2GoesAwayWhenWhatIsAtWorkIsAnswered() throws Exception {
    InMemoryTarget target = new InMemoryTarget(Map.of());
    RawS3 raw = raw(target.gateway.port());
    raw.call("PUT", "/bucket").send();
    byte[] content = bytes(1 << 20, 1);
    raw.call("PUT", "/bucket/k").header("x-amz-acl", "public-read").body(content).send();
    try (Socket socket = raw.open()) {
      socket.setSoTimeout(20_000);
      socket.getOutputStream().write(http2(get("/bucket/k")));
      DataInputStream in = new DataInputStream(socket.getInputStream());
      ByteArrayOutputStream body = new ByteArrayOutputStream();
      while (body.size() < (64 << 10) - 1) { // the protocol's first window: the rest waits for us
        Frame frame = Frame.next(in);
        if (frame.type() == DATA) {
          body.writeBytes(frame.payload().toByteArray());
        }
      }
      CompletableFuture<Void> closed = CompletableFuture.runAsync(target::close);
      Frame frame = Frame.next(in);
      while (frame.type() != GOAWAY) {
        frame = Frame.next(in);
      }
      assertEquals(1, frame.payload().byteAt(3), "the last stream that is answered");
      ByteString more = ByteString.copyFrom(new byte[] {0, 16, 0, 0}); // as long as the content
      for (Frame sent :
          List.of(
              new Frame(HEADERS, 5, 3, get("/bucket/late")),
              new Frame(8, 0, 0, more), // WINDOW_UPDATE
              new Frame(8, 0, 1, more))) {
        socket.getOutputStream().write(sent.wire());
      }
      boolean refused = false;
      do {
        frame = Frame.next(in);
        if (frame.stream() == 3) {
          assertEquals(RST_STREAM, frame.type());
          assertEquals(7, frame.payload().byteAt(3), "refused: it may be sent again elsewhere");
          refused = true;
        } else if (frame.type() == DATA) {
          body.writeBytes(frame.payload().toByteArray());
        }
      } while (frame.stream() != 1 || (frame.flags() & END_STREAM) == 0);
      assertTrue(refused);
      assertArrayEquals(content, body.toByteArray());
      closed.get(30, TimeUnit.SECONDS);
      assertEquals(-1, in.read(), "the connection is closed");
    }
  }
}

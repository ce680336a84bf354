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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.client.crypt.MemoryKeys;
import io.stowage.client.twin.InMemoryDataPath;
import io.stowage.client.twin.InMemoryObjectManager;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.Identity;
import io.stowage.common.proto.PutIdentityRequest;
import io.stowage.common.time.StoreClock;
import io.stowage.s3.suite.RawS3;
import io.stowage.s3.suite.RawS3.Reply;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Answers that take long: 200 and white space first, then the document or the error. */
class PatienceTest {
  private static final String VERSIONED =
      "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";

  private final InMemoryObjectManager namespace =
      new InMemoryObjectManager(StoreClock.system(), "rs-3-2");
  private final InMemoryDataPath data = new InMemoryDataPath();

  /** Calls of these wait until they are let go. */
  private volatile String slowMethod = "";

  private volatile CountDownLatch letGo = new CountDownLatch(1);
  private S3GatewayServer gateway;
  private RawS3 raw;

  @BeforeEach
  void start() throws Exception {
    namespace.putIdentity(
        PutIdentityRequest.newBuilder()
            .setIdentity(
                Identity.newBuilder().setAccessKey("AK").setSecretKey("s").setUser("tester"))
            .build());
    serve("30ms");
    assertEquals(200, raw.call("PUT", "/bucket").send().status());
    assertEquals(200, raw.call("PUT", "/bucket/from").body("content").send().status());
  }

  private void serve(String patience) throws Exception {
    ObjectManager slow =
        (ObjectManager)
            Proxy.newProxyInstance(
                getClass().getClassLoader(),
                new Class<?>[] {ObjectManager.class},
                (proxy, method, arguments) -> {
                  if (method.getName().equals(slowMethod)) {
                    assertTrue(letGo.await(20, TimeUnit.SECONDS));
                  }
                  try {
                    return method.invoke(namespace, arguments);
                  } catch (InvocationTargetException e) {
                    throw e.getCause();
                  }
                });
    StowageConfig config =
        StowageConfig.of(Map.of(Keys.S3_PATIENCE.name(), patience))
            .with(Keys.S3_BIND, "127.0.0.1:0");
    MemoryKeys keys = new MemoryKeys("stowage-s3", "stowage-kms");
    gateway = S3GatewayServer.start(config, slow, data, keys, StoreClock.system());
    raw = new RawS3(URI.create("http://127.0.0.1:" + gateway.port()), "AK", "s", "us-east-1");
  }

  @AfterEach
  void stop() {
    letGo.countDown();
    gateway.close();
  }

  /** Reads until that many bytes of white space are here. */
  private static String head(InputStream in) throws Exception {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    int spaces = 0;
    // Each space is a chunk of its own: 1 CR LF space CR LF.
    while (spaces < 3) {
      int b = in.read();
      assertTrue(b >= 0, all::toString);
      all.write(b);
      if (all.toString(StandardCharsets.US_ASCII).endsWith("\r\n1\r\n \r\n")) {
        spaces++;
      }
    }
    return all.toString(StandardCharsets.US_ASCII);
  }

  private String upload(String key) throws Exception {
    String id = raw.call("POST", "/bucket/" + key + "?uploads").send().element("UploadId");
    Reply part =
        raw.call("PUT", "/bucket/" + key + "?partNumber=1&uploadId=" + id).body("part").send();
    assertEquals(200, part.status(), part.text());
    return id;
  }

  private RawS3.Call complete(String key, String id) {
    return complete(key, id, md5("part"));
  }

  private RawS3.Call complete(String key, String id, String etag) {
    return raw.call("POST", "/bucket/" + key + "?uploadId=" + id)
        .body(
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"
                + etag.replace("\"", "")
                + "</ETag></Part></CompleteMultipartUpload>");
  }

  private static String md5(String text) {
    try {
      return HexFormat.of()
          .formatHex(
              MessageDigest.getInstance("MD5").digest(text.getBytes(StandardCharsets.UTF_8)));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void aLongCompletionIsKeptAliveAndTheConnectionGoesOn() throws Exception {
    String id = upload("k");
    RawS3.Call call = complete("k", id);
    call.sign();
    slowMethod = "completeUpload";
    try (Socket socket = raw.open()) {
      socket.getOutputStream().write(call.wire());
      String head = head(socket.getInputStream());
      assertTrue(head.startsWith("HTTP/1.1 200 OK\r\n"), head);
      assertTrue(head.contains("x-amz-request-id: "), head);
      assertTrue(head.contains("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"), head);
      letGo.countDown();
      String rest = readChunks(socket.getInputStream());
      assertTrue(rest.trim().startsWith("<CompleteMultipartUploadResult"), rest);
      assertFalse(rest.contains("<?xml"), rest);
      RawS3.Call next = raw.call("GET", "/bucket/k");
      next.sign();
      socket.getOutputStream().write(next.wire());
      assertEquals("part", RawS3.readReply(socket.getInputStream(), false).text());
    }
  }

  @Test
  void anErrorThatComesLateIsInTheBody() throws Exception {
    failsLate(
        complete("k", upload("k")).header("if-none-match", "*"),
        "completeUpload",
        raw.call("PUT", "/bucket/k").body("first"),
        "PreconditionFailed");
  }

  @Test
  void anErrorOfACopyThatComesLateIsInTheBody() throws Exception {
    failsLate(
        raw.call("PUT", "/bucket/k")
            .header("x-amz-copy-source", "/bucket/from")
            .header("if-none-match", "*"),
        "putObject",
        raw.call("PUT", "/bucket/k").body("first"),
        "PreconditionFailed");
    assertEquals("first", raw.call("GET", "/bucket/k").send().text());
  }

  @Test
  void anErrorOfACopyOfAPartThatComesLateIsInTheBody() throws Exception {
    String id = upload("k");
    failsLate(
        raw.call("PUT", "/bucket/k?partNumber=2&uploadId=" + id)
            .header("x-amz-copy-source", "/bucket/from"),
        "putPart",
        raw.call("DELETE", "/bucket/k?uploadId=" + id),
        "NoSuchUpload");
  }

  /** A call that something else spoils while it waits for a method of the object manager. */
  private void failsLate(RawS3.Call call, String method, RawS3.Call meanwhile, String code)
      throws Exception {
    call.sign();
    slowMethod = method;
    try (Socket socket = raw.open()) {
      socket.getOutputStream().write(call.wire());
      String head = head(socket.getInputStream());
      assertTrue(head.startsWith("HTTP/1.1 200 OK\r\n"), head);
      slowMethod = "";
      assertEquals(2, meanwhile.send().status() / 100);
      letGo.countDown();
      String rest = readChunks(socket.getInputStream());
      assertTrue(rest.trim().startsWith("<Error><Code>" + code + "</Code>"), rest);
    }
  }

  @Test
  void aQuickAnswerHasItsOwnStatus() throws Exception {
    gateway.close();
    serve("10s"); // quick is what is quicker than that, on a busy machine, too
    String id = upload("k");
    assertEquals(200, raw.call("PUT", "/bucket/k").body("first").send().status());
    Reply refused = complete("k", id).header("if-none-match", "*").send();
    assertEquals(412, refused.status());
    assertEquals(200, complete("k", id).send().status());
    assertEquals(200, complete("k", id).send().status(), "asked again");
  }

  @Test
  void whatIsKnownOfALongCopyGoesBeforeTheWhiteSpace() throws Exception {
    shareWithPages();
    assertEquals(200, raw.call("PUT", "/bucket?versioning").body(VERSIONED).send().status());
    Reply from = raw.call("PUT", "/bucket/from").body("content").send();
    RawS3.Call call =
        raw.call("PUT", "/bucket/to")
            .header("x-amz-copy-source", "/bucket/from")
            .header("x-amz-server-side-encryption", "AES256")
            .header("origin", "https://page.example");
    call.sign();
    slowMethod = "putObject";
    try (Socket socket = raw.open()) {
      socket.getOutputStream().write(call.wire());
      String head = head(socket.getInputStream());
      assertHas(head, "x-amz-copy-source-version-id: " + from.headers().get("x-amz-version-id"));
      assertHas(head, "x-amz-server-side-encryption: AES256");
      assertHas(head, "access-control-allow-origin: *");
      letGo.countDown();
      String rest = readChunks(socket.getInputStream());
      assertTrue(rest.trim().startsWith("<CopyObjectResult"), rest);
    }
  }

  @Test
  void whatIsKnownOfALongCopyOfAPartGoesBeforeTheWhiteSpace() throws Exception {
    assertEquals(200, raw.call("PUT", "/bucket?versioning").body(VERSIONED).send().status());
    Reply from = raw.call("PUT", "/bucket/from").body("content").send();
    String id = beginEncrypted();
    RawS3.Call call =
        raw.call("PUT", "/bucket/k?partNumber=1&uploadId=" + id)
            .header("x-amz-copy-source", "/bucket/from");
    call.sign();
    slowMethod = "putPart";
    try (Socket socket = raw.open()) {
      socket.getOutputStream().write(call.wire());
      String head = head(socket.getInputStream());
      assertHas(head, "x-amz-copy-source-version-id: " + from.headers().get("x-amz-version-id"));
      assertHas(head, "x-amz-server-side-encryption: AES256");
      letGo.countDown();
      String rest = readChunks(socket.getInputStream());
      assertTrue(rest.trim().startsWith("<CopyPartResult"), rest);
    }
  }

  @Test
  void whatIsKnownOfALongCompletionGoesBeforeTheWhiteSpace() throws Exception {
    shareWithPages();
    String id = beginEncrypted();
    Reply part = raw.call("PUT", "/bucket/k?partNumber=1&uploadId=" + id).body("part").send();
    assertEquals(200, part.status(), part.text());
    RawS3.Call call =
        complete("k", id, part.headers().get("etag")).header("origin", "https://page.example");
    call.sign();
    slowMethod = "completeUpload";
    try (Socket socket = raw.open()) {
      socket.getOutputStream().write(call.wire());
      String head = head(socket.getInputStream());
      assertHas(head, "x-amz-server-side-encryption: AES256");
      assertHas(head, "access-control-allow-origin: *");
      letGo.countDown();
      String rest = readChunks(socket.getInputStream());
      assertTrue(rest.trim().startsWith("<CompleteMultipartUploadResult"), rest);
    }
  }

  private static void assertHas(String head, String header) {
    assertTrue(head.contains("\r\n" + header + "\r\n"), head);
  }

  private void shareWithPages() throws Exception {
    Reply reply =
        raw.call("PUT", "/bucket?cors")
            .body(
                "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin>"
                    + "<AllowedMethod>PUT</AllowedMethod><AllowedMethod>POST</AllowedMethod>"
                    + "</CORSRule></CORSConfiguration>")
            .send();
    assertEquals(200, reply.status(), reply.text());
  }

  private String beginEncrypted() throws Exception {
    Reply begun =
        raw.call("POST", "/bucket/k?uploads")
            .header("x-amz-server-side-encryption", "AES256")
            .send();
    assertEquals(200, begun.status(), begun.text());
    return begun.element("UploadId");
  }

  @Test
  void aPutIsNotToldOfAsDoneBeforeItIs() throws Exception {
    slowMethod = "putObject";
    CompletableFuture<Reply> put =
        CompletableFuture.supplyAsync(
            () -> {
              try {
                return raw.call("PUT", "/bucket/k").body("x").send();
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            });
    Reply other = raw.call("GET", "/bucket/from").send();
    assertEquals("content", other.text());
    assertFalse(put.isDone());
    letGo.countDown();
    Reply reply = put.get(20, TimeUnit.SECONDS);
    assertEquals(200, reply.status());
    assertEquals("0", reply.headers().get("content-length"));
  }

  /** What is left of a chunked body. */
  private static String readChunks(InputStream in) throws Exception {
    StringBuilder body = new StringBuilder();
    while (true) {
      StringBuilder size = new StringBuilder();
      for (int b; (b = in.read()) != '\n'; ) {
        assertTrue(b >= 0, body::toString);
        size.append((char) b);
      }
      int length = Integer.parseInt(size.toString().trim(), 16);
      body.append(new String(in.readNBytes(length), StandardCharsets.UTF_8));
      in.readNBytes(2);
      if (length == 0) {
        return body.toString();
      }
    }
  }
}

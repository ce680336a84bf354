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
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.conf.Keys;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.log.LogListener;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.s3.suite.RawS3;
import io.stowage.s3.suite.RawS3.Reply;
import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.log4j.Logger;
import org.junit.jupiter.api.Test;

/** What a gateway does when its clients or the store below it misbehave. */
class GatewayFailuresTest {
  private static RawS3 raw(InMemoryTarget gateway) {
    return gateway.target().raw();
  }

  private static byte[] bytes(int length) {
    byte[] bytes = new byte[length];
    new Random(1).nextBytes(bytes);
    return bytes;
  }

  @Test
  void aStoreThatFailsIsA5xxAndStoresNothing() throws Exception {
    try (InMemoryTarget gateway = new InMemoryTarget(Map.of())) {
      RawS3 raw = raw(gateway);
      raw.call("PUT", "/bucket").send();
      for (int size : new int[] {10, 1_000_000}) {
        gateway.data.failWritesAfter(0);
        Reply failed = raw.call("PUT", "/bucket/k").body(bytes(size)).send();
        assertTrue(failed.status() >= 500, failed.text());
        gateway.data.failWritesAfter(Long.MAX_VALUE);
        assertEquals(404, raw.call("GET", "/bucket/k").send().status());
      }
      assertEquals(200, raw.call("PUT", "/bucket/k").body(bytes(10)).send().status());
    }
  }

  @Test
  void whoLosesEveryTurnIsToldOfAConflictAndOfAConditionalOneWhereItAskedOnCondition()
      throws Exception {
    try (InMemoryTarget gateway = new InMemoryTarget(Map.of())) {
      RawS3 raw = raw(gateway);
      raw.call("PUT", "/bucket").send();
      String id = raw.call("POST", "/bucket/k?uploads=").send().element("UploadId");
      Reply part = raw.call("PUT", "/bucket/k?partNumber=1&uploadId=" + id).body("x").send();
      String completion =
          "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"
              + part.headers().get("etag")
              + "</ETag></Part></CompleteMultipartUpload>";
      String deletion = "<Delete><Object><Key>k</Key>%s</Object></Delete>";
      gateway.namespace.refuseChanges(new StoreException(ErrorCode.CONFLICT, "no turn"));
      String plain = "OperationAborted";
      String conditional = "ConditionalRequestConflict";
      Reply reply = raw.call("PUT", "/bucket/k").body("x").send();
      assertEquals(409, reply.status());
      assertEquals(plain, reply.code());
      reply = raw.call("PUT", "/bucket/k").header("if-none-match", "*").body("x").send();
      assertEquals(409, reply.status());
      assertEquals(conditional, reply.code());
      reply = raw.call("POST", "/bucket/k?uploadId=" + id).body(completion).send();
      assertEquals(plain, reply.code());
      reply =
          raw.call("POST", "/bucket/k?uploadId=" + id)
              .header("if-match", "\"abc\"")
              .body(completion)
              .send();
      assertEquals(conditional, reply.code());
      assertEquals(plain, raw.call("DELETE", "/bucket/k").send().code());
      assertEquals(
          conditional, raw.call("DELETE", "/bucket/k").header("if-match", "*").send().code());
      assertEquals(plain, deleteObjects(raw, deletion.formatted("")).code());
      assertEquals(conditional, deleteObjects(raw, deletion.formatted("<Size>1</Size>")).code());
    }
  }

  private static Reply deleteObjects(RawS3 raw, String document) throws Exception {
    byte[] body = document.getBytes(StandardCharsets.UTF_8);
    String md5 = Base64.getEncoder().encodeToString(MessageDigest.getInstance("MD5").digest(body));
    return raw.call("POST", "/bucket?delete").header("content-md5", md5).body(body).send();
  }

  @Test
  void aKeyWithTooManyVersionsIs503AndSaysSo() throws Exception {
    try (InMemoryTarget gateway = new InMemoryTarget(Map.of())) {
      RawS3 raw = raw(gateway);
      raw.call("PUT", "/bucket").send();
      String why = "Cannot add a version to key k: it has 1000001; delete some";
      gateway.namespace.refuseChanges(new StoreException(ErrorCode.TOO_MANY_VERSIONS, why));
      for (String method : new String[] {"PUT", "DELETE"}) {
        Reply reply = raw.call(method, "/bucket/k").send();
        assertEquals(503, reply.status());
        assertEquals("ServiceUnavailable", reply.code());
        assertEquals(why, reply.element("Message"));
      }
    }
  }

  /** HBase's words name regions by others' keys, and a key service's its hosts. */
  @Test
  void whatFailsInsideIsNotToldOutside() throws Exception {
    try (InMemoryTarget gateway = new InMemoryTarget(Map.of())) {
      RawS3 raw = raw(gateway);
      raw.call("PUT", "/bucket").send();
      String why = "Cannot read from HBase: region object,7-alices-secret,1 at rs-9.internal";
      for (ErrorCode code :
          List.of(ErrorCode.UNAVAILABLE, ErrorCode.TIMEOUT, ErrorCode.OVERLOADED)) {
        gateway.namespace.refuseChanges(new StoreException(code, why));
        Reply reply = raw.call("PUT", "/bucket/k").body("x").send();
        assertEquals(503, reply.status());
        assertFalse(reply.text().contains("secret"), reply.text());
        assertFalse(reply.element("Message").isEmpty(), reply.text());
      }
    }
  }

  @Test
  void bytesThatMovedAreFoundAgain() throws Exception {
    try (InMemoryTarget gateway = new InMemoryTarget(Map.of())) {
      RawS3 raw = raw(gateway);
      raw.call("PUT", "/bucket").send();
      byte[] content = bytes(32 << 20);
      raw.call("PUT", "/bucket/k").body(content).send();
      RawS3.Call get = raw.call("GET", "/bucket/k");
      get.sign();
      try (Socket socket = raw.open()) {
        socket.getOutputStream().write(get.wire());
        InMemoryTarget.await(() -> gateway.gateway.http().memoryInUse() > 0, "no response");
        gateway.namespace.repack("bucket", "k", gateway.data::repack);
        assertArrayEquals(
            content,
            RawS3.readReply(new java.io.BufferedInputStream(socket.getInputStream()), false)
                .body());
      }
    }
  }

  /** What a connection answers, once its head is out and the status can be no other any more. */
  private static InputStream begun(Socket socket) throws IOException {
    InputStream in = new BufferedInputStream(socket.getInputStream());
    in.mark(1);
    assertEquals('H', in.read(), "no response");
    in.reset();
    return in;
  }

  @Test
  void aVersionThatWasReplacedIsCutAndNeverSpliced() throws Exception {
    try (InMemoryTarget gateway = new InMemoryTarget(Map.of())) {
      RawS3 raw = raw(gateway);
      raw.call("PUT", "/bucket").send();
      byte[] content = bytes(32 << 20);
      raw.call("PUT", "/bucket/k").body(content).send();
      RawS3.Call get = raw.call("GET", "/bucket/k");
      get.sign();
      try (Socket socket = raw.open()) {
        socket.getOutputStream().write(get.wire());
        InputStream in = begun(socket);
        var old =
            gateway.namespace.getObject(
                GetObjectRequest.newBuilder()
                    .setBucket("bucket")
                    .setKey("k")
                    .setWantManifest(true)
                    .build());
        raw.call("PUT", "/bucket/k").body(new byte[32 << 20]).send();
        old.getContainersList().forEach(c -> gateway.data.dropContainer(c.getId()));
        byte[] got = RawS3.readReply(in, false).body();
        assertTrue(got.length < content.length, "the bytes of the old version are gone");
        assertArrayEquals(java.util.Arrays.copyOf(content, got.length), got);
      }
    }
  }

  /**
   * @param request id of the one that it was logged for; null: none
   */
  private record Logged(Object request, String text) {}

  /** A presigned link works for whoever reads it in a log; the id finds what was answered. */
  @Test
  void requestsThatFailAreLoggedByTheirIdsAndWithoutSignatures() throws Exception {
    List<Logged> logged = new CopyOnWriteArrayList<>();
    try (LogListener listening =
            new LogListener(
                Logger.getRootLogger(),
                event ->
                    logged.add(new Logged(event.getMDC("request"), event.getRenderedMessage())));
        InMemoryTarget gateway = new InMemoryTarget(Map.of())) {
      RawS3 raw = raw(gateway);
      raw.call("PUT", "/bucket").send();
      raw.call("PUT", "/bucket/k").body(bytes(32 << 20)).send();
      Set<String> answered = new HashSet<>();
      List<String> links = new ArrayList<>();
      for (StoreException why :
          List.of(
              new StoreException(ErrorCode.UNAVAILABLE, "HBase does not answer"),
              new StoreException(ErrorCode.INTERNAL, "a bug"))) {
        gateway.namespace.refuseChanges(why);
        String link = raw.presign("PUT", "/bucket/k", Instant.now(), "604800");
        links.add(link);
        RawS3.Reply failed = raw.call("PUT", link).body("x").sendAsIs();
        assertTrue(failed.status() >= 500);
        answered.add(failed.headers().get("x-amz-request-id"));
      }
      gateway.namespace.refuseChanges(null);
      String cut = raw.presign("GET", "/bucket/k", Instant.now(), "604800");
      links.add(cut);
      try (Socket socket = raw.open()) {
        String host = gateway.target().endpoint().getAuthority();
        String request = "GET " + cut + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
        socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
        InputStream in = begun(socket);
        var old =
            gateway.namespace.getObject(
                GetObjectRequest.newBuilder()
                    .setBucket("bucket")
                    .setKey("k")
                    .setWantManifest(true)
                    .build());
        raw.call("DELETE", "/bucket/k").send();
        old.getContainersList().forEach(c -> gateway.data.dropContainer(c.getId()));
        RawS3.Reply got = RawS3.readReply(in, false);
        assertTrue(got.body().length < 32 << 20, "cut");
        answered.add(got.headers().get("x-amz-request-id"));
      }
      InMemoryTarget.await(
          () ->
              logged.stream()
                  .anyMatch(line -> line.text().startsWith("Cannot finish the response")),
          "the cut is told");
      for (String link : links) {
        String signature = link.substring(link.indexOf("X-Amz-Signature=") + 16);
        assertEquals(64, signature.length());
        assertFalse(
            logged.stream().anyMatch(line -> line.text().contains(signature)), logged.toString());
      }
      List<Logged> told =
          logged.stream().filter(line -> line.text().contains("X-Amz-Signature=-")).toList();
      assertEquals(
          answered,
          told.stream().map(Logged::request).collect(Collectors.toSet()),
          logged.toString());
      told.forEach(
          line -> assertTrue(line.text().contains(line.request().toString()), line.text()));
    }
  }

  @Test
  void nobodyButOwnersAndAdministratorsGetsIn() throws Exception {
    try (InMemoryTarget gateway = new InMemoryTarget(Map.of())) {
      gateway.addIdentity("OTHER", "s", "other", false);
      gateway.addIdentity("ADMIN", "s", "admin", true);
      RawS3 raw = raw(gateway);
      raw.call("PUT", "/bucket").send();
      raw.call("PUT", "/bucket/k").body("x").send();
      for (String method : new String[] {"GET", "PUT", "DELETE"}) {
        assertEquals("AccessDenied", raw.call(method, "/bucket/k").as("OTHER", "s").send().code());
      }
      assertEquals(
          "AccessDenied",
          raw.call("PUT", "/other-bucket")
              .as("OTHER", "s")
              .send()
              .code()
              .concat(
                  raw.call("PUT", "/other-bucket/k")
                      .as("OTHER", "s")
                      .header("x-amz-copy-source", "/bucket/k")
                      .send()
                      .code()));
      assertFalse(raw.call("GET", "/").as("OTHER", "s").send().text().contains("<Name>bucket<"));
      assertEquals("x", raw.call("GET", "/bucket/k").as("ADMIN", "s").send().text());
      assertTrue(raw.call("GET", "/").as("ADMIN", "s").send().text().contains("<Name>bucket<"));
    }
  }

  @Test
  void aClientThatStallsIsGivenUp() throws Exception {
    try (InMemoryTarget patient = new InMemoryTarget(Map.of())) {
      RawS3 inTime = raw(patient);
      assertEquals(200, inTime.call("PUT", "/bucket").send().status());
      byte[] large = bytes(32 << 20);
      assertEquals(200, inTime.call("PUT", "/bucket/large").body(large).send().status());
      stall(patient);
    }
  }

  /** In many ways, before an impatient gateway beside it. */
  private static void stall(InMemoryTarget patient) throws Exception {
    Map<String, String> impatience = Map.of(Keys.S3_IDLE_TIMEOUT.name(), "300ms");
    try (InMemoryTarget gateway = new InMemoryTarget(impatience, patient)) {
      RawS3 raw = raw(gateway);
      for (int length : new int[] {1000, 1_000_000}) {
        RawS3.Call call =
            raw.call("PUT", "/bucket/k")
                .payloadHash("UNSIGNED-PAYLOAD")
                .body(new byte[500])
                .header("content-length", Integer.toString(length));
        Reply reply = call.send();
        assertEquals("RequestTimeout", reply.code(), reply.text());
      }
      try (Socket idle = raw.open()) {
        assertEquals(-1, idle.getInputStream().read());
      }
      // Asks for much and reads next to nothing of it.
      RawS3.Call get = raw.call("GET", "/bucket/large");
      get.sign();
      try (Socket socket = raw.open()) {
        socket.getOutputStream().write(get.wire());
        try {
          assertEquals('H', socket.getInputStream().read(), "no response");
        } catch (SocketException e) {
          // reset: this process paused for so long that it was given up already
        }
        InMemoryTarget.await(() -> gateway.gateway.http().connectionCount() == 0, "the connection");
      }
    }
  }

  @Test
  void slowReadersHoldNoWorker() throws Exception {
    try (InMemoryTarget gateway = new InMemoryTarget(Map.of(Keys.S3_WORKERS.name(), "4"))) {
      RawS3 raw = raw(gateway);
      raw.call("PUT", "/bucket").send();
      byte[] content = bytes(24 << 20);
      raw.call("PUT", "/bucket/large").body(content).send();
      Socket[] slow = new Socket[12];
      for (int i = 0; i < slow.length; i++) {
        RawS3.Call get = raw.call("GET", "/bucket/large");
        get.sign();
        slow[i] = raw.open();
        slow[i].getOutputStream().write(get.wire());
      }
      for (int i = 0; i < 50; i++) {
        assertEquals(200, raw.call("PUT", "/bucket/k" + i).body("x").send().status());
      }
      for (Socket socket : slow) {
        try (socket) {
          assertArrayEquals(
              content,
              RawS3.readReply(new java.io.BufferedInputStream(socket.getInputStream()), false)
                  .body());
        }
      }
    }
  }

  @Test
  void slowReadersLeaveMemoryToUploads() throws Exception {
    try (InMemoryTarget gateway = new InMemoryTarget(Map.of(Keys.S3_MEMORY.name(), "20m"))) {
      RawS3 raw = raw(gateway);
      raw.call("PUT", "/bucket").send();
      raw.call("PUT", "/bucket/large").body(bytes(24 << 20)).send();
      Socket[] slow = new Socket[12];
      for (int i = 0; i < slow.length; i++) {
        RawS3.Call get = raw.call("GET", "/bucket/large");
        get.sign();
        slow[i] = raw.open();
        slow[i].getOutputStream().write(get.wire());
      }
      // All that responses may have, three fifths, is taken, and some of them wait for more.
      InMemoryTarget.await(
          () -> gateway.gateway.http().memoryInUse() == 12 << 20, "room for responses");
      for (int i = 0; i < 20; i++) {
        assertEquals(200, raw.call("PUT", "/bucket/k" + i).body(new byte[4096]).send().status());
      }
      for (Socket socket : slow) {
        socket.close();
      }
    }
  }

  @Test
  void slowSendersLeaveWorkersToOthers() throws Exception {
    try (InMemoryTarget gateway = new InMemoryTarget(Map.of(Keys.S3_WORKERS.name(), "4"))) {
      RawS3 raw = raw(gateway);
      raw.call("PUT", "/bucket").send();
      Socket[] slow = new Socket[3];
      for (int i = 0; i < slow.length; i++) {
        RawS3.Call put =
            raw.call("PUT", "/bucket/slow" + i)
                .payloadHash("UNSIGNED-PAYLOAD")
                .body(new byte[10])
                .header("content-length", "1000000");
        put.sign();
        slow[i] = raw.open();
        slow[i].getOutputStream().write(put.wire());
      }
      InMemoryTarget.await(() -> gateway.gateway.http().streamingCount() == 3, "not begun");
      assertEquals(
          "SlowDown", raw.call("PUT", "/bucket/k").body(new byte[1_000_000]).send().code());
      for (int i = 0; i < 20; i++) {
        assertEquals(200, raw.call("PUT", "/bucket/k" + i).body("x").send().status());
      }
      for (Socket socket : slow) {
        socket.close();
      }
      gateway.checkIdle();
      assertEquals(404, raw.call("HEAD", "/bucket/slow0").send().status());
    }
  }

  @Test
  void stoppingAnswersWhatIsAtWork() throws Exception {
    InMemoryTarget gateway = new InMemoryTarget(Map.of());
    RawS3 raw = raw(gateway);
    raw.call("PUT", "/bucket").send();
    byte[] content = bytes(1_000_000);
    RawS3.Call put = raw.call("PUT", "/bucket/k").body(content);
    put.sign();
    byte[] wire = put.wire();
    try (Socket socket = raw.open()) {
      socket.getOutputStream().write(wire, 0, wire.length - 10);
      InMemoryTarget.await(() -> gateway.gateway.http().streamingCount() == 1, "not begun");
      CompletableFuture<Void> stop = CompletableFuture.runAsync(gateway.gateway::close);
      InMemoryTarget.await(() -> isRefused(raw), "still listening");
      socket.getOutputStream().write(wire, wire.length - 10, 10);
      InputStream in = socket.getInputStream();
      Reply reply = RawS3.readReply(in, false);
      assertEquals(200, reply.status());
      assertEquals("close", reply.headers().get("connection"));
      assertEquals(-1, in.read());
      stop.get(20, TimeUnit.SECONDS);
    }
    gateway.close();
  }

  /** Of any size: of some nothing but the last bytes waits for the socket when it stops. */
  @Test
  void stoppingCutsNoAnswerThatASlowReaderHasNotTaken() throws Exception {
    InMemoryTarget gateway = new InMemoryTarget(Map.of());
    RawS3 raw = raw(gateway);
    raw.call("PUT", "/bucket").send();
    List<Socket> readers = new ArrayList<>();
    try {
      for (int half = 1; half <= 20; half++) {
        assertEquals(
            200, raw.call("PUT", "/bucket/" + half).body(bytes(half << 19)).send().status());
        RawS3.Call get = raw.call("GET", "/bucket/" + half);
        get.sign();
        Socket reader = new Socket();
        readers.add(reader);
        reader.setReceiveBufferSize(8 << 10);
        reader.connect(
            new InetSocketAddress(InetAddress.getLoopbackAddress(), gateway.gateway.port()));
        reader.getOutputStream().write(get.wire());
        assertEquals('H', reader.getInputStream().read());
      }
      long[] seen = {-1, 0}; // what is in use, and how often it was the same
      InMemoryTarget.await(
          () -> {
            long now = gateway.gateway.http().memoryInUse();
            seen[1] = now == seen[0] ? seen[1] + 1 : 0;
            seen[0] = now;
            return now > 0 && seen[1] > 20;
          },
          "all that sockets take");
      CompletableFuture<Void> stop = CompletableFuture.runAsync(gateway.gateway::close);
      InMemoryTarget.await(() -> isRefused(raw), "still listening");
      for (int half = 1; half <= 20; half++) {
        InputStream rest = readers.get(half - 1).getInputStream();
        InputStream whole =
            new SequenceInputStream(new ByteArrayInputStream(new byte[] {'H'}), rest);
        Reply reply = RawS3.readReply(new BufferedInputStream(whole), false);
        assertArrayEquals(bytes(half << 19), reply.body(), "of " + half + " half MiB");
      }
      stop.get(20, TimeUnit.SECONDS);
    } finally {
      for (Socket reader : readers) {
        reader.close();
      }
      gateway.close();
    }
  }

  private static boolean isRefused(RawS3 raw) {
    try (Socket socket = raw.open()) {
      return false;
    } catch (java.io.IOException e) {
      return true;
    }
  }
}

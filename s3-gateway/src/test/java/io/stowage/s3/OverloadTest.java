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
import static org.junit.jupiter.api.Assertions.assertTrue;

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
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/**
 * More than a gateway can do, and clients that mean it ill: told so or closed, and all else goes
 * on.
 */
class OverloadTest {
  private static RawS3 raw(int port) {
    return new RawS3(
        URI.create("http://127.0.0.1:" + port),
        InMemoryTarget.ACCESS_KEY,
        InMemoryTarget.SECRET_KEY,
        "us-east-1");
  }

  @Test
  void aFloodIsToldToSlowDownAndWhatWasTakenIsAnswered() throws Exception {
    InMemoryObjectManager namespace = new InMemoryObjectManager(StoreClock.system(), "rs-3-2");
    namespace.putIdentity(
        PutIdentityRequest.newBuilder()
            .setIdentity(
                Identity.newBuilder()
                    .setAccessKey(InMemoryTarget.ACCESS_KEY)
                    .setSecretKey(InMemoryTarget.SECRET_KEY)
                    .setUser("tester"))
            .build());
    CountDownLatch letGo = new CountDownLatch(1);
    AtomicInteger atOnce = new AtomicInteger();
    AtomicInteger mostAtOnce = new AtomicInteger();
    ObjectManager slow =
        (ObjectManager)
            Proxy.newProxyInstance(
                getClass().getClassLoader(),
                new Class<?>[] {ObjectManager.class},
                (proxy, method, arguments) -> {
                  boolean listing = method.getName().equals("listObjects");
                  if (listing) {
                    mostAtOnce.accumulateAndGet(atOnce.incrementAndGet(), Math::max);
                    assertTrue(letGo.await(30, TimeUnit.SECONDS));
                  }
                  try {
                    return method.invoke(namespace, arguments);
                  } catch (InvocationTargetException e) {
                    throw e.getCause();
                  } finally {
                    if (listing) {
                      atOnce.decrementAndGet();
                    }
                  }
                });
    StowageConfig config =
        StowageConfig.of(Map.of(Keys.S3_WORKERS.name(), "4")).with(Keys.S3_BIND, "127.0.0.1:0");
    int workers = 4;
    int room = workers + 1024;
    try (InMemoryDataPath data = new InMemoryDataPath();
        S3GatewayServer gateway = S3GatewayServer.start(config, slow, data, StoreClock.system())) {
      RawS3 raw = raw(gateway.port());
      assertEquals(200, raw.call("PUT", "/bucket").send().status());
      RawS3.Call list = raw.call("GET", "/bucket?list-type=2");
      list.sign();
      byte[] wire = list.wire();
      List<Socket> flood = new ArrayList<>();
      try {
        for (int i = 0; i < room + 200; i++) {
          Socket socket = raw.open();
          flood.add(socket);
          socket.getOutputStream().write(wire);
        }
        // Whoever finds no room hears so while everybody else still waits.
        int refused = 0;
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (refused < 200 && System.nanoTime() < deadline) {
          for (Socket socket : flood) {
            if (!socket.isClosed() && socket.getInputStream().available() > 0) {
              Reply reply = RawS3.readReply(socket.getInputStream(), false);
              assertEquals("SlowDown", reply.code(), reply.text());
              assertEquals(503, reply.status());
              assertEquals("1", reply.headers().get("retry-after"));
              assertEquals(16, reply.headers().get("x-amz-request-id").length());
              socket.close();
              refused++;
            }
          }
        }
        assertEquals(200, refused);
        assertEquals(200, gateway.http().figures().refusedRequests());
        letGo.countDown();
        int answered = 0;
        for (Socket socket : flood) {
          if (!socket.isClosed()) {
            assertEquals(200, RawS3.readReply(socket.getInputStream(), false).status());
            answered++;
          }
        }
        assertEquals(room, answered);
        assertEquals(workers, mostAtOnce.get());
      } finally {
        letGo.countDown();
        for (Socket socket : flood) {
          socket.close();
        }
      }
    }
  }

  @Test
  void aThousandIdleConnectionsAreNoBurdenAndOneTooManyIsClosed() throws Exception {
    try (InMemoryTarget target = new InMemoryTarget(Map.of(Keys.S3_CONNECTIONS.name(), "1030"))) {
      RawS3 raw = raw(target.gateway.port());
      List<Socket> idle = new ArrayList<>();
      try {
        for (int i = 0; i < 1000; i++) {
          idle.add(raw.open());
        }
        InMemoryTarget.await(
            () -> target.gateway.http().connectionCount() == 1000, "connections to come");
        assertEquals(200, raw.call("PUT", "/bucket").send().status());
        for (int i = 0; i < 20; i++) {
          assertEquals(200, raw.call("PUT", "/bucket/k" + i).body("x").send().status());
        }
        InMemoryTarget.await(
            () -> target.gateway.http().connectionCount() == 1000, "the connection of a request");
        for (int i = 0; i < 30; i++) {
          idle.add(raw.open());
        }
        InMemoryTarget.await(
            () -> target.gateway.http().connectionCount() == 1030, "the last connections");
        assertEquals(0, target.gateway.http().figures().refusedConnections());
        try (Socket tooMany = raw.open()) {
          assertEquals(-1, tooMany.getInputStream().read());
        }
        assertEquals(1, target.gateway.http().figures().refusedConnections());
      } finally {
        for (Socket socket : idle) {
          socket.close();
        }
      }
    }
  }

  @Test
  void headsAndBodiesThatTrickleAreGivenUp() throws Exception {
    try (InMemoryTarget patient = new InMemoryTarget(Map.of())) {
      RawS3 inTime = raw(patient.gateway.port());
      assertEquals(200, inTime.call("PUT", "/bucket").send().status());
      trickleInto(patient);
      assertEquals(404, inTime.call("HEAD", "/bucket/k").send().status());
    }
  }

  /** Heads and bodies, to an impatient gateway beside it. */
  private static void trickleInto(InMemoryTarget patient) throws Exception {
    Map<String, String> impatience = Map.of(Keys.S3_IDLE_TIMEOUT.name(), "400ms");
    try (InMemoryTarget target = new InMemoryTarget(impatience, patient)) {
      RawS3 raw = raw(target.gateway.port());
      assertTrue(
          trickle(raw, "GET / HTTP/1.1\r\nhost: x\r\n", "x-a: b\r\n").isEmpty(),
          "a head that never ends");
      for (int length : new int[] {10_000, 10_000_000}) {
        RawS3.Call put =
            raw.call("PUT", "/bucket/k")
                .payloadHash("UNSIGNED-PAYLOAD")
                .header("content-length", Integer.toString(length));
        put.sign();
        String answer =
            trickle(raw, new String(put.wire(), StandardCharsets.ISO_8859_1), "some bytes");
        assertTrue(answer.contains("<Code>RequestTimeout</Code>"), length + answer);
      }
      target.checkIdle();
    }
  }

  /** Sends something every few milliseconds until the gateway has had enough of it. */
  private static String trickle(RawS3 raw, String first, String again) throws IOException {
    try (Socket socket = raw.open()) {
      OutputStream out = socket.getOutputStream();
      out.write(first.getBytes(StandardCharsets.ISO_8859_1));
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
      InputStream in = socket.getInputStream();
      socket.setSoTimeout(100);
      StringBuilder answer = new StringBuilder();
      while (true) {
        assertTrue(System.nanoTime() < deadline, "still listened to");
        try {
          int b = in.read();
          if (b < 0) {
            return answer.toString();
          }
          answer.append((char) b);
          continue;
        } catch (SocketTimeoutException e) {
          // nothing yet: some more of it
        } catch (IOException e) {
          return answer.toString(); // reset
        }
        try {
          out.write(again.getBytes(StandardCharsets.ISO_8859_1));
        } catch (IOException e) {
          return answer.toString();
        }
      }
    }
  }

  @Test
  void aReaderOfAByteNowAndThenIsGivenUp() throws Exception {
    try (InMemoryTarget patient = new InMemoryTarget(Map.of())) {
      RawS3 inTime = raw(patient.gateway.port());
      assertEquals(200, inTime.call("PUT", "/bucket").send().status());
      assertEquals(200, inTime.call("PUT", "/bucket/k").body(new byte[48 << 20]).send().status());
      readLittle(patient);
    }
  }

  /** From an impatient gateway beside it. */
  private static void readLittle(InMemoryTarget patient) throws Exception {
    Map<String, String> impatience = Map.of(Keys.S3_IDLE_TIMEOUT.name(), "100ms");
    try (InMemoryTarget target = new InMemoryTarget(impatience, patient)) {
      RawS3 raw = raw(target.gateway.port());
      RawS3.Call get = raw.call("GET", "/bucket/k");
      get.sign();
      try (Socket socket = raw.open()) {
        socket.getOutputStream().write(get.wire());
        byte[] little = new byte[2 << 10];
        InMemoryTarget.await(
            () -> {
              try {
                // Enough that bytes leave the gateway's socket all the time.
                int taken = socket.getInputStream().read(little);
                return taken < 0 || target.gateway.http().connectionCount() == 0;
              } catch (IOException e) {
                return true; // reset
              }
            },
            "the connection");
      }
      target.checkIdle();
    }
  }

  @Test
  void leaveToSendMuchIsGivenOnlyToWhoMay() throws Exception {
    try (InMemoryTarget target = new InMemoryTarget(Map.of())) {
      RawS3 raw = raw(target.gateway.port());
      assertEquals(200, raw.call("PUT", "/bucket").send().status());
      for (int length : new int[] {5, 1_000_000}) {
        byte[] body = new byte[length];
        RawS3.Call allowed =
            raw.call("PUT", "/bucket/k").unsignedHeader("expect", "100-continue").body(body);
        allowed.sign();
        byte[] wire = allowed.wire();
        try (Socket socket = raw.open()) {
          socket.getOutputStream().write(wire, 0, wire.length - length);
          byte[] leave = "HTTP/1.1 100 Continue\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
          assertEquals(
              new String(leave, StandardCharsets.US_ASCII),
              new String(
                  socket.getInputStream().readNBytes(leave.length), StandardCharsets.US_ASCII));
          socket.getOutputStream().write(body);
          assertEquals(200, RawS3.readReply(socket.getInputStream(), false).status());
        }
        RawS3.Call refused =
            raw.call("PUT", "/bucket/k")
                .as("NOBODY", "s")
                .unsignedHeader("expect", "100-continue")
                .body(body);
        refused.sign();
        wire = refused.wire();
        try (Socket socket = raw.open()) {
          socket.getOutputStream().write(wire, 0, wire.length - length);
          boolean little = length == 5; // let in before anybody looks at the signature
          byte[] status = socket.getInputStream().readNBytes(12);
          assertEquals(
              little ? "HTTP/1.1 100" : "HTTP/1.1 403",
              new String(status, StandardCharsets.US_ASCII));
        }
      }
    }
  }
}

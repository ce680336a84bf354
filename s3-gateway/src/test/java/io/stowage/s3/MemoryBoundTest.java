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

import io.stowage.s3.suite.RawS3;
import io.stowage.s3.suite.RawS3.Reply;
import java.io.BufferedInputStream;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/**
 * What a gateway holds does not grow with what goes through it: 64 uploads at a time, readers that
 * do not read, and 1,000 idle connections, in a process with 512 MiB of heap and as much direct
 * memory. {@code -Dstowage.memory.upload-mib=1024} is the long form.
 */
class MemoryBoundTest {
  private static final int UPLOADS = 64;
  private static final int SLOW_READERS = 64;
  private static final int IDLE = 1000;
  private static final int READ_BYTES = 24 << 20;

  @Test
  void uploadsSlowReadersAndIdleConnectionsFitIntoABoundedProcess() throws Exception {
    int uploadMib = Integer.getInteger("stowage.memory.upload-mib", 8);
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx512m",
                "-XX:MaxDirectMemorySize=512m",
                "-XX:+ExitOnOutOfMemoryError",
                "-cp",
                System.getProperty(
                    "surefire.test.class.path", System.getProperty("java.class.path")),
                BoundedGatewayMain.class.getName())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    List<Socket> sockets = new ArrayList<>();
    ExecutorService threads = Executors.newFixedThreadPool(UPLOADS);
    try (BufferedReader said =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      String port = said.readLine();
      assertTrue(port != null && port.startsWith("port "), port);
      RawS3 raw =
          new RawS3(
              URI.create("http://127.0.0.1:" + port.substring("port ".length())),
              "AK",
              "s",
              "us-east-1");
      assertEquals(200, raw.call("PUT", "/bucket").send().status());
      assertEquals(200, raw.call("PUT", "/bucket/read").body(new byte[READ_BYTES]).send().status());
      for (int i = 0; i < IDLE; i++) {
        sockets.add(raw.open());
      }
      List<Socket> readers = new ArrayList<>();
      for (int i = 0; i < SLOW_READERS; i++) {
        RawS3.Call get = raw.call("GET", "/bucket/read");
        get.sign();
        Socket socket = raw.open();
        sockets.add(socket);
        readers.add(socket);
        socket.getOutputStream().write(get.wire());
      }
      byte[] piece = new byte[64 << 10];
      new Random(1).nextBytes(piece);
      List<CompletableFuture<Reply>> uploads = new ArrayList<>();
      for (int i = 0; i < UPLOADS; i++) {
        int number = i;
        uploads.add(
            CompletableFuture.supplyAsync(
                () -> upload(raw, "/bucket/upload" + number, piece, uploadMib * 16L), threads));
      }
      String etag = null;
      for (CompletableFuture<Reply> upload : uploads) {
        Reply reply = upload.get(1, TimeUnit.HOURS);
        assertEquals(200, reply.status(), reply.text());
        String its = reply.headers().get("etag");
        assertTrue(etag == null || etag.equals(its), "all of them sent the same");
        etag = its;
      }
      Socket patient = readers.get(readers.size() - 1);
      for (Socket reader : readers) {
        if (reader != patient) {
          reader.close();
        }
      }
      Reply read = RawS3.readReply(new BufferedInputStream(patient.getInputStream()), false);
      assertEquals(READ_BYTES, read.body().length);
      assertEquals(200, raw.call("PUT", "/bucket/small").body("x").send().status());
      process.getOutputStream().close();
      String used = said.readLine();
      System.out.println(UPLOADS + " uploads of " + uploadMib + " MiB: " + used);
      assertTrue(used != null && used.endsWith("left pinned 0"), used);
      assertTrue(process.waitFor(60, TimeUnit.SECONDS));
      assertEquals(0, process.exitValue());
    } finally {
      threads.shutdownNow();
      for (Socket socket : sockets) {
        socket.close();
      }
      process.destroyForcibly();
    }
  }

  private static Reply upload(RawS3 raw, String target, byte[] piece, long pieces) {
    RawS3.Call put =
        raw.call("PUT", target)
            .payloadHash("UNSIGNED-PAYLOAD")
            .header("content-length", Long.toString(piece.length * pieces));
    put.sign();
    try (Socket socket = raw.open()) {
      socket.setSoTimeout(600_000);
      OutputStream out = socket.getOutputStream();
      out.write(put.wire());
      for (long i = 0; i < pieces; i++) {
        out.write(piece);
      }
      return RawS3.readReply(new BufferedInputStream(socket.getInputStream()), false);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}

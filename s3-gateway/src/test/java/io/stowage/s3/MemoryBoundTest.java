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
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;

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
    Process process = bounded();
    List<Socket> sockets = new ArrayList<>();
    ExecutorService threads = Executors.newFixedThreadPool(UPLOADS);
    try (BufferedReader said =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      RawS3 raw = client(said);
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

  /** A gateway in a process of its own, whose log goes where this one's does. */
  private static Process bounded() throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx512m",
                "-XX:MaxDirectMemorySize=512m",
                "-XX:+ExitOnOutOfMemoryError"));
    String logging = System.getProperty("log4j.configuration");
    if (logging != null) {
      command.add("-Dlog4j.configuration=" + logging);
    }
    command.add("-cp");
    command.add(
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")));
    command.add(BoundedGatewayMain.class.getName());
    return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
  }

  private static RawS3 client(BufferedReader said) throws IOException {
    String port = said.readLine();
    assertTrue(port != null && port.startsWith("port "), port);
    RawS3 raw =
        new RawS3(
            URI.create("http://127.0.0.1:" + port.substring("port ".length())),
            "AK",
            "s",
            "us-east-1");
    assertEquals(200, raw.call("PUT", "/bucket").send().status());
    return raw;
  }

  /**
   * Parts of 5 MiB, each of them sent, and one of 5 GiB before them: with {@code
   * -Dstowage.test.real-parts=10000} half an hour of one core, mostly MD5.
   */
  @Test
  @EnabledIfSystemProperty(named = "stowage.test.real-parts", matches = "[0-9]+")
  void asManyAndAsLargePartsAsThereMayBe() throws Exception {
    int count = Integer.getInteger("stowage.test.real-parts");
    byte[] piece = new byte[64 << 10];
    new Random(2).nextBytes(piece);
    MessageDigest ofPart = MessageDigest.getInstance("MD5");
    for (int i = 0; i < 80; i++) {
      ofPart.update(piece);
    }
    byte[] md5 = ofPart.digest();
    Process process = bounded();
    ExecutorService threads = Executors.newFixedThreadPool(4);
    try (BufferedReader said =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      RawS3 raw = client(said);
      String target = "/bucket/upload?uploadId=" + begin(raw);
      Reply large = upload(raw, target + "&partNumber=1", piece, 80 * 1024);
      assertEquals(200, large.status(), large.text());
      List<CompletableFuture<Reply>> parts = new ArrayList<>();
      for (int number = 2; number <= count; number++) {
        String part = target + "&partNumber=" + number;
        parts.add(CompletableFuture.supplyAsync(() -> upload(raw, part, piece, 80), threads));
      }
      MessageDigest ofParts = MessageDigest.getInstance("MD5");
      StringBuilder named = new StringBuilder("<CompleteMultipartUpload>");
      name(
          named,
          ofParts,
          1,
          HexFormat.of().parseHex(large.headers().get("etag").replace("\"", "")));
      for (int number = 2; number <= count; number++) {
        Reply reply = parts.get(number - 2).get(1, TimeUnit.HOURS);
        assertEquals(200, reply.status(), reply.text());
        assertEquals("\"" + HexFormat.of().formatHex(md5) + "\"", reply.headers().get("etag"));
        name(named, ofParts, number, md5);
      }
      Reply done =
          raw.call("POST", target)
              .body(named.append("</CompleteMultipartUpload>").toString())
              .send();
      assertEquals(200, done.status(), done.text());
      String etag = "&quot;" + HexFormat.of().formatHex(ofParts.digest()) + "-" + count + "&quot;";
      assertEquals(etag, done.element("ETag"));
      Reply last = raw.call("HEAD", "/bucket/upload?partNumber=" + count).send();
      assertEquals(Integer.toString(count), last.headers().get("x-amz-mp-parts-count"));
      long length = (5L << 30) + (count - 1) * (5L << 20);
      assertTrue(
          last.headers().get("content-range").endsWith((length - 1) + "/" + length),
          last.headers().toString());
      process.getOutputStream().close();
      String used = said.readLine();
      System.out.println("a part of 5 GiB and " + (count - 1) + " of 5 MiB: " + used);
      assertTrue(used != null && used.endsWith("left pinned 0"), used);
      assertTrue(process.waitFor(60, TimeUnit.SECONDS));
    } finally {
      threads.shutdownNow();
      process.destroyForcibly();
    }
  }

  private static String begin(RawS3 raw) throws IOException {
    return raw.call("POST", "/bucket/upload?uploads").send().element("UploadId");
  }

  private static void name(StringBuilder document, MessageDigest whole, int number, byte[] md5) {
    whole.update(md5);
    document
        .append("<Part><PartNumber>")
        .append(number)
        .append("</PartNumber><ETag>")
        .append(HexFormat.of().formatHex(md5))
        .append("</ETag></Part>");
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

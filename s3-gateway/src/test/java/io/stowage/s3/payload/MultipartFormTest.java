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
package io.stowage.s3.payload;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.BodySource;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** However the bytes of a form are cut, the same fields and the same file come out. */
class MultipartFormTest {
  private static final String TYPE = "multipart/form-data; charset=utf-8; boundary=\"b0\"";

  /** Pieces at hand; remembers them, to see them freed. */
  private static final class Pieces implements BodySource {
    final ArrayDeque<ByteBuf> waiting = new ArrayDeque<>();
    final List<ByteBuf> all = new ArrayList<>();

    void add(byte[] bytes) {
      if (bytes.length > 0) {
        ByteBuf piece = Unpooled.directBuffer().writeBytes(bytes);
        waiting.add(piece);
        all.add(piece);
      }
    }

    @Override
    public ByteBuf next() {
      return waiting.poll();
    }

    @Override
    public long declaredLength() {
      return -1;
    }

    @Override
    public void close() {
      waiting.forEach(ByteBuf::release);
      waiting.clear();
    }
  }

  private static byte[] form(byte[] file) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes(
        ("preamble\r\n--b0 \r\nContent-Disposition: form-data; name=\"Key\"\r\n\r\n"
                + "va\r\n--b\r\nlue\r\n--b0\r\nContent-Type: a/b\r\nContent-Disposition:"
                + " form-data; name=file; filename=\"a\\\"b.txt\"\r\n\r\n")
            .getBytes(StandardCharsets.UTF_8));
    out.writeBytes(file);
    out.writeBytes("\r\n--b0--\r\nepilogue".getBytes(StandardCharsets.UTF_8));
    return out.toByteArray();
  }

  private static void check(Pieces pieces, byte[] file) throws S3Exception {
    ByteArrayOutputStream got = new ByteArrayOutputStream();
    try (MultipartForm form = MultipartForm.open(pieces, TYPE)) {
      assertEquals("va\r\n--b\r\nlue", form.fields().get("key"));
      assertEquals("a\"b.txt", form.fileName());
      BodySource body = form.file(0, Long.MAX_VALUE);
      for (ByteBuf piece; (piece = body.next()) != null; ) {
        got.writeBytes(ByteBufUtil.getBytes(piece));
        piece.release();
      }
    }
    assertArrayEquals(file, got.toByteArray());
    pieces.all.forEach(piece -> assertEquals(0, piece.refCnt()));
  }

  @Test
  void cutsAnywhereChangeNothing() throws S3Exception {
    byte[] file = "\r\n--b\r\r\n--\r\n-\n--b0\r\n--b1\r\n--b".getBytes(StandardCharsets.UTF_8);
    byte[] wire = form(file);
    for (int cut = 0; cut <= wire.length; cut++) {
      Pieces pieces = new Pieces();
      pieces.add(Arrays.copyOf(wire, cut));
      pieces.add(Arrays.copyOfRange(wire, cut, wire.length));
      check(pieces, file);
    }
    Pieces bytes = new Pieces();
    for (byte b : wire) {
      bytes.add(new byte[] {b});
    }
    check(bytes, file);
  }

  @Test
  void filesOfDelimitersAndNoiseComeOutWhole() throws S3Exception {
    for (long seed = 1; seed <= 300; seed++) {
      Random random = new Random(seed);
      byte[] alphabet = {'\r', '\n', '-', 'b', '1', 0};
      byte[] file = new byte[random.nextInt(400)];
      for (int i = 0; i < file.length; i++) {
        file[i] = alphabet[random.nextInt(alphabet.length)];
      }
      byte[] wire = form(file);
      Pieces pieces = new Pieces();
      for (int at = 0; at < wire.length; ) {
        int end = Math.min(wire.length, at + 1 + random.nextInt(12));
        pieces.add(Arrays.copyOfRange(wire, at, end));
        at = end;
      }
      check(pieces, file);
    }
  }
}

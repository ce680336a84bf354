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
package io.stowage.common.needle;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.needle.NeedleHeader.Kind;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.zip.CRC32C;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;

class NeedleCodecTest {
  private static final HexFormat HEX = HexFormat.of();
  private static final ByteString WRITE_ID =
      ByteString.copyFrom(HEX.parseHex("000102030405060708090a0b0c0d0e0f"));
  private static final byte[] PAYLOAD = "hello, needle".getBytes(StandardCharsets.UTF_8);

  /** Frozen: version 1 of the format. If this test fails, the change needs a version 2. */
  private static final String GOLDEN =
      "53544e44" // magic
          + "01" // version
          + "00" // kind: packed
          + "0053" // header length
          + "000000000000000d" // payload length
          + "0000000000000000" // payload offset
          + "000102030405060708090a0b0c0d0e0f" // write id
          + "0006400000000001" // clock
          + "1122334455667788" // bucket id
          + "e730d5bb" // CRC of the payload
          + "00000000" // extent number
          + "0009" // row key length
          + "0002" // blob length
          + "71327516" // CRC of the header
          + "612f6b6579206f6e65" // a/key one
          + "0a00"; // blob

  private static NeedleHeader packed() {
    return new NeedleHeader(
        Kind.PACKED,
        0x1122334455667788L,
        ByteString.copyFromUtf8("a/key one"),
        WRITE_ID,
        0x0006400000000001L,
        0,
        0,
        PAYLOAD.length,
        NeedleCodec.crc(ByteBuffer.wrap(PAYLOAD)),
        ByteString.copyFrom(new byte[] {0x0A, 0}));
  }

  private static byte[] encode(NeedleHeader header) {
    ByteBuffer out = ByteBuffer.allocate(header.encodedLength());
    NeedleCodec.encode(header, out);
    assertEquals(0, out.remaining());
    return out.array();
  }

  @Test
  void bytesAreThoseOfTheFormat() {
    assertEquals(GOLDEN, HEX.formatHex(encode(packed())));
  }

  @Test
  void readsWhatTheFormatSays() throws StoreException {
    ByteBuffer in = ByteBuffer.wrap(HEX.parseHex(GOLDEN + HEX.formatHex(PAYLOAD)));
    assertEquals(packed(), NeedleCodec.decode(in));
    assertEquals(PAYLOAD.length, in.remaining(), "the payload follows at once");
  }

  @Test
  void everyKindComesBackAsItWas() throws StoreException {
    ByteString key = ByteString.copyFromUtf8("k".repeat(1_024));
    for (Kind kind : Kind.values()) {
      NeedleHeader header =
          new NeedleHeader(
              kind,
              -1,
              key,
              WRITE_ID,
              Long.MAX_VALUE,
              1_700,
              1L << 42,
              kind == Kind.STREAMED ? NeedleHeader.UNKNOWN_LENGTH : 1L << 40,
              kind.hasPayloadCrc() ? -1 : 0,
              ByteString.EMPTY);
      ByteBuffer direct = ByteBuffer.allocateDirect(3 + header.encodedLength());
      direct.position(3);
      NeedleCodec.encode(header, direct);
      assertEquals(header, NeedleCodec.decode(direct.position(3)));
    }
  }

  @Test
  void aFlippedBitAnywhereInTheHeaderIsFound() {
    byte[] good = encode(packed());
    for (int at = 0; at < good.length; at++) {
      for (int bit = 0; bit < 8; bit++) {
        byte[] bad = good.clone();
        bad[at] ^= (byte) (1 << bit);
        assertThrows(
            CorruptDataException.class,
            () -> NeedleCodec.decode(ByteBuffer.wrap(bad)),
            "bit " + bit + " of byte " + at);
      }
    }
  }

  @Test
  void aHeaderCutShortIsFound() {
    byte[] good = encode(packed());
    for (int length = 0; length < good.length; length++) {
      ByteBuffer cut = ByteBuffer.wrap(good, 0, length);
      assertThrows(CorruptDataException.class, () -> NeedleCodec.decode(cut));
    }
    assertThrows(CorruptDataException.class, () -> NeedleCodec.decode(ByteBuffer.allocate(4_096)));
  }

  @Test
  void aNewerVersionIsToldFromDamage() {
    byte[] newer = encode(packed());
    newer[4] = 2;
    for (int i = 0; i < 4; i++) {
      newer[68 + i] = 0;
    }
    CRC32C crc = new CRC32C();
    crc.update(newer);
    ByteBuffer bytes = ByteBuffer.wrap(newer).putInt(68, (int) crc.getValue());
    StoreException e = assertThrows(StoreException.class, () -> NeedleCodec.decode(bytes));
    assertEquals(ErrorCode.FORMAT_TOO_NEW, e.code());
  }

  @Test
  void aPlainPutsHeaderIsSmall() {
    assertTrue(NeedleCodec.headerLength(128, 24) <= 224);
  }

  @Test
  void needlesBeginAtMultiplesOfEight() {
    assertEquals(0, NeedleCodec.align(0));
    assertEquals(8, NeedleCodec.align(1));
    assertEquals(8, NeedleCodec.align(8));
    assertEquals(4_096, NeedleCodec.align(4_089));
  }

  @Test
  void theCrcOfAPayloadLeavesItsBufferAsItWas() {
    ByteBuffer payload = ByteBuffer.wrap(PAYLOAD);
    int crc = NeedleCodec.crc(payload);
    assertEquals(PAYLOAD.length, payload.remaining());
    byte[] other = PAYLOAD.clone();
    other[0] ^= 1;
    assertNotEquals(crc, NeedleCodec.crc(ByteBuffer.wrap(other)));
    assertArrayEquals(PAYLOAD, payload.array());
  }
}

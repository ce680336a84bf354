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

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * CRC-64/NVME (polynomial 0xad93d23594c93659, reflected, all ones before and after), the checksum
 * that S3 gives to objects that come without one. Plain Java: eight bytes a step by eight tables,
 * and four independent streams a block so that a core has four chains of loads to overlap, joined
 * by multiplying with x^(8 * {@link #STREAM}) mod P. Confined to one thread at a time.
 */
final class Crc64Nvme implements HashKind.Hasher {
  /** The polynomial, lowest power in the highest bit. */
  static final long POLYNOMIAL = 0x9a6c9329ac4bc9b5L;

  /** Bytes of one of the four streams of a block; one joining costs as much as 24 bytes. */
  private static final int STREAM = 1024;

  private static final int BLOCK = 4 * STREAM;

  /** T[j][b]: byte b, followed by j zero bytes. */
  private static final long[][] TABLES = new long[8][256];

  /** JOIN[j][b]: byte j of a state, moved over {@link #STREAM} zero bytes. */
  private static final long[][] JOIN = new long[8][256];

  static {
    for (int b = 0; b < 256; b++) {
      long crc = b;
      for (int bit = 0; bit < 8; bit++) {
        crc = (crc & 1) != 0 ? crc >>> 1 ^ POLYNOMIAL : crc >>> 1;
      }
      TABLES[0][b] = crc;
    }
    for (int j = 1; j < 8; j++) {
      for (int b = 0; b < 256; b++) {
        long before = TABLES[j - 1][b];
        TABLES[j][b] = before >>> 8 ^ TABLES[0][(int) before & 0xff];
      }
    }
    CrcPolynomial p = CrcPolynomial.CRC64NVME;
    long shift = p.powerOfX(8L * STREAM);
    for (int j = 0; j < 8; j++) {
      for (int b = 0; b < 256; b++) {
        JOIN[j][b] = p.multiply(shift, (long) b << (8 * j));
      }
    }
  }

  private static final long[] T0 = TABLES[0];
  private static final long[] T1 = TABLES[1];
  private static final long[] T2 = TABLES[2];
  private static final long[] T3 = TABLES[3];
  private static final long[] T4 = TABLES[4];
  private static final long[] T5 = TABLES[5];
  private static final long[] T6 = TABLES[6];
  private static final long[] T7 = TABLES[7];

  private long state = -1;

  @Override
  public void update(ByteBuffer given) {
    ByteBuffer bytes = given.order(ByteOrder.LITTLE_ENDIAN);
    int i = bytes.position();
    int end = bytes.limit();
    long crc = state;
    for (; end - i >= BLOCK; i += BLOCK) {
      crc = block(crc, bytes, i);
    }
    for (; end - i >= 8; i += 8) {
      crc = step(crc ^ bytes.getLong(i));
    }
    for (; i < end; i++) {
      crc = crc >>> 8 ^ T0[(int) (crc ^ bytes.get(i)) & 0xff];
    }
    state = crc;
    given.position(end);
  }

  private static long block(long crc, ByteBuffer bytes, int from) {
    long a = crc;
    long b = 0;
    long c = 0;
    long d = 0;
    for (int i = from; i < from + STREAM; i += 8) {
      a = step(a ^ bytes.getLong(i));
      b = step(b ^ bytes.getLong(i + STREAM));
      c = step(c ^ bytes.getLong(i + 2 * STREAM));
      d = step(d ^ bytes.getLong(i + 3 * STREAM));
    }
    return join(join(join(a) ^ b) ^ c) ^ d;
  }

  private static long step(long x) {
    return T7[(int) x & 0xff]
        ^ T6[(int) (x >>> 8) & 0xff]
        ^ T5[(int) (x >>> 16) & 0xff]
        ^ T4[(int) (x >>> 24) & 0xff]
        ^ T3[(int) (x >>> 32) & 0xff]
        ^ T2[(int) (x >>> 40) & 0xff]
        ^ T1[(int) (x >>> 48) & 0xff]
        ^ T0[(int) (x >>> 56)];
  }

  private static long join(long crc) {
    long joined = 0;
    for (int j = 0; j < 8; j++) {
      joined ^= JOIN[j][(int) (crc >>> (8 * j)) & 0xff];
    }
    return joined;
  }

  @Override
  public byte[] digest() {
    return ByteBuffer.allocate(8).putLong(~state).array();
  }
}

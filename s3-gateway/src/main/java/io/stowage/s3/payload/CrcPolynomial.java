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

/**
 * Arithmetic modulo a CRC's polynomial, in reflected order (the highest bit is x^0), by which the
 * CRC of a whole follows from those of its parts. Immutable.
 */
enum CrcPolynomial {
  CRC32(32, 0xedb88320L),
  CRC32C(32, 0x82f63b78L),
  CRC64NVME(64, Crc64Nvme.POLYNOMIAL);

  private final int width;
  private final long polynomial;

  CrcPolynomial(int width, long polynomial) {
    this.width = width;
    this.polynomial = polynomial;
  }

  static CrcPolynomial of(HashKind kind) {
    return switch (kind) {
      case CRC32 -> CRC32;
      case CRC32C -> CRC32C;
      case CRC64NVME -> CRC64NVME;
      case MD5, SHA1, SHA256 ->
          throw new IllegalArgumentException(kind + " of parts does not give that of the whole");
    };
  }

  /** CRC of A followed by B, from the CRCs of both and the length of B. */
  long combine(long crcOfA, long crcOfB, long lengthOfB) {
    return multiply(powerOfX(8 * lengthOfB), crcOfA) ^ crcOfB;
  }

  /** a * b mod P. */
  long multiply(long a, long b) {
    long product = 0;
    long shifted = b;
    for (long bit = 1L << (width - 1); bit != 0; bit >>>= 1) {
      if ((a & bit) != 0) {
        product ^= shifted;
      }
      shifted = (shifted & 1) != 0 ? shifted >>> 1 ^ polynomial : shifted >>> 1;
    }
    return product;
  }

  /** x^n mod P. */
  long powerOfX(long n) {
    long power = 1L << (width - 1);
    long square = 1L << (width - 2);
    for (long rest = n; rest != 0; rest >>>= 1) {
      if ((rest & 1) != 0) {
        power = multiply(power, square);
      }
      square = multiply(square, square);
    }
    return power;
  }
}

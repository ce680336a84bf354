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
package io.stowage.om.upload;

import io.stowage.common.proto.ChecksumAlgorithm;

/**
 * The CRC of two byte strings joined, from their CRCs and the length of the second: multiplication
 * by x^(8n) modulo the CRC's polynomial, by squaring matrices over GF(2), as zlib's crc32_combine.
 * Holds for CRCs that begin and end with all ones, as the three of S3 do. Immutable.
 */
final class CrcCombination {
  private final int bits;
  private final long reflectedPolynomial;

  private CrcCombination(int bits, long reflectedPolynomial) {
    this.bits = bits;
    this.reflectedPolynomial = reflectedPolynomial;
  }

  /** The combination of an algorithm, or null for one that is no CRC. */
  static CrcCombination of(ChecksumAlgorithm algorithm) {
    return switch (algorithm) {
      case CRC32 -> new CrcCombination(32, 0xEDB88320L);
      case CRC32C -> new CrcCombination(32, 0x82F63B78L);
      case CRC64NVME -> new CrcCombination(64, 0x9A6C9329AC4BC9B5L);
      case CHECKSUM_NONE, SHA1, SHA256, UNRECOGNIZED -> null;
    };
  }

  int bytes() {
    return bits / 8;
  }

  long combine(long first, long second, long secondLength) {
    if (secondLength == 0) {
      return first;
    }
    long[] even = new long[bits];
    long[] odd = new long[bits];
    odd[0] = reflectedPolynomial; // one zero bit
    for (int i = 1; i < bits; i++) {
      odd[i] = 1L << (i - 1);
    }
    square(even, odd); // two
    square(odd, even); // four
    long crc = first;
    long left = secondLength;
    while (true) {
      square(even, odd); // one zero byte, then four, ...
      if ((left & 1) != 0) {
        crc = times(even, crc);
      }
      left >>>= 1;
      if (left == 0) {
        break;
      }
      square(odd, even);
      if ((left & 1) != 0) {
        crc = times(odd, crc);
      }
      left >>>= 1;
      if (left == 0) {
        break;
      }
    }
    return crc ^ second;
  }

  private static long times(long[] matrix, long vector) {
    long sum = 0;
    long rest = vector;
    for (int i = 0; rest != 0; i++, rest >>>= 1) {
      if ((rest & 1) != 0) {
        sum ^= matrix[i];
      }
    }
    return sum;
  }

  private static void square(long[] square, long[] matrix) {
    for (int i = 0; i < matrix.length; i++) {
      square[i] = times(matrix, matrix[i]);
    }
  }
}

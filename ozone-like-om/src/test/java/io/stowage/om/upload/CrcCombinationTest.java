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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.stowage.common.proto.ChecksumAlgorithm;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.CRC32;
import java.util.zip.CRC32C;
import java.util.zip.Checksum;
import org.junit.jupiter.api.Test;

class CrcCombinationTest {
  /** CRC-64/NVME, bit by bit. */
  private static final class Crc64Nvme implements Checksum {
    private long crc = -1;

    @Override
    public void update(int b) {
      crc ^= b & 0xFF;
      for (int i = 0; i < 8; i++) {
        crc = (crc & 1) != 0 ? crc >>> 1 ^ 0x9A6C9329AC4BC9B5L : crc >>> 1;
      }
    }

    @Override
    public void update(byte[] b, int off, int len) {
      for (int i = off; i < off + len; i++) {
        update(b[i]);
      }
    }

    @Override
    public long getValue() {
      return ~crc;
    }

    @Override
    public void reset() {
      crc = -1;
    }
  }

  private static Checksum of(ChecksumAlgorithm algorithm) {
    return switch (algorithm) {
      case CRC32 -> new CRC32();
      case CRC32C -> new CRC32C();
      default -> new Crc64Nvme();
    };
  }

  @Test
  void theReferenceIsTheCatalogued() {
    Checksum crc = new Crc64Nvme();
    crc.update("123456789".getBytes(java.nio.charset.StandardCharsets.US_ASCII));
    assertEquals(0xAE8B14860A799888L, crc.getValue());
  }

  @Test
  void combinesAsIfTheBytesHadBeenJoined() {
    Random random = new Random(7);
    for (ChecksumAlgorithm algorithm :
        new ChecksumAlgorithm[] {
          ChecksumAlgorithm.CRC32, ChecksumAlgorithm.CRC32C, ChecksumAlgorithm.CRC64NVME
        }) {
      for (int[] lengths :
          new int[][] {{0, 0}, {0, 5}, {5, 0}, {1, 1}, {100, 4_097}, {7, 65_536}}) {
        byte[] all = new byte[lengths[0] + lengths[1]];
        random.nextBytes(all);
        long first = crc(algorithm, Arrays.copyOf(all, lengths[0]));
        long second = crc(algorithm, Arrays.copyOfRange(all, lengths[0], all.length));
        assertEquals(
            crc(algorithm, all),
            CrcCombination.of(algorithm).combine(first, second, lengths[1]),
            () -> algorithm + " " + Arrays.toString(lengths));
      }
    }
    assertNull(CrcCombination.of(ChecksumAlgorithm.SHA256));
  }

  private static long crc(ChecksumAlgorithm algorithm, byte[] bytes) {
    Checksum crc = of(algorithm);
    crc.update(bytes);
    return crc.getValue();
  }
}

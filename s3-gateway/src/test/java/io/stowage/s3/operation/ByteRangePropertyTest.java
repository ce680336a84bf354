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
package io.stowage.s3.operation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Ranges against their definition, and texts that are none. */
class ByteRangePropertyTest {
  @Test
  void everySmallRangeIsWhatItSays() throws S3Exception {
    for (int size = 0; size <= 6; size++) {
      for (int first = 0; first <= 8; first++) {
        check("bytes=" + first + "-", size, first, size - 1);
        check("bytes=-" + first, size, Math.max(0, size - first), size - 1);
        for (int last = 0; last <= 8; last++) {
          String header = "bytes=" + first + "-" + last;
          if (last < first) {
            assertNull(ByteRange.of(header, size), header);
          } else {
            check(header, size, first, Math.min(last, size - 1));
          }
        }
      }
    }
  }

  private static void check(String header, int size, int first, int last) throws S3Exception {
    if (first >= size || last < first) {
      S3Exception e = assertThrows(S3Exception.class, () -> ByteRange.of(header, size), header);
      assertEquals(S3Error.INVALID_RANGE, e.error());
    } else {
      assertEquals(new ByteRange(first, last - first + 1), ByteRange.of(header, size), header);
    }
  }

  @Test
  void whateverIsSentIsARangeWithinTheObjectOrNone() {
    String alphabet = "bytes=0123456789-, \tx";
    Random random = new Random(5);
    for (int run = 0; run < 200_000; run++) {
      StringBuilder header = new StringBuilder(random.nextBoolean() ? "bytes=" : "");
      for (int i = random.nextInt(random.nextInt(20) == 0 ? 40 : 8); i > 0; i--) {
        header.append(alphabet.charAt(random.nextInt(alphabet.length())));
      }
      long size = random.nextInt(3) == 0 ? Long.MAX_VALUE : random.nextInt(100);
      try {
        ByteRange range = ByteRange.of(header.toString(), size);
        assertTrue(
            range == null
                || (range.first() >= 0
                    && range.length() > 0
                    && range.first() <= size - range.length()),
            () -> header + " of " + size + ": " + range);
      } catch (S3Exception e) {
        assertEquals(S3Error.INVALID_RANGE, e.error());
      }
      try {
        ByteRange exact = ByteRange.ofCopySource(header.toString(), size);
        assertTrue(exact.length() > 0 && exact.first() <= size - exact.length(), header::toString);
      } catch (S3Exception e) {
        assertTrue(
            e.error() == S3Error.INVALID_ARGUMENT || e.error() == S3Error.INVALID_REQUEST,
            header::toString);
      }
    }
  }
}

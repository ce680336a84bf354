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
package io.stowage.dev.content;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class GeneratedContentTest {
  private static final int LENGTH = 200_003;
  private final GeneratedContent content = GeneratedContent.of("a/key", LENGTH);

  @Test
  void anyRangeIsThatRangeOfTheWhole() throws IOException {
    byte[] whole = written(content);
    assertEquals(LENGTH, whole.length);
    for (int from = 0; from < 40; from++) {
      for (int count = 0; count < 40; count++) {
        byte[] part = new byte[count + 3];
        content.fill(from, part, 3, count);
        assertArrayEquals(
            Arrays.copyOfRange(whole, from, from + count), Arrays.copyOfRange(part, 3, count + 3));
        assertEquals(-1, content.findMismatch(from, part, 3, count));
      }
    }
  }

  @Test
  void everyChangedByteIsFoundWhereItIs() throws IOException {
    byte[] whole = written(content);
    for (int i = 0; i < LENGTH; i += 997) {
      whole[i] ^= 0x10;
      assertEquals(i, content.findMismatch(0, whole, 0, LENGTH));
      whole[i] ^= 0x10;
    }
    assertEquals(-1, content.findMismatch(0, whole, 0, LENGTH));
  }

  @Test
  void moreBytesThanTheObjectHasAreAMismatch() {
    assertEquals(LENGTH, content.findMismatch(LENGTH - 4, new byte[8], 0, 8));
  }

  @Test
  void keysDiffer() {
    assertNotEquals(
        GeneratedContent.of("load/00000001", 8).seed(),
        GeneratedContent.of("load/00000002", 8).seed());
  }

  private static byte[] written(GeneratedContent content) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    content.writeTo(out);
    return out.toByteArray();
  }
}

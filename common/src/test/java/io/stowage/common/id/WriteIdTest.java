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
package io.stowage.common.id;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;

class WriteIdTest {
  /** Rows and rebuilds have to agree about it for as long as there are needles. */
  @Test
  void theMarkIsTheMd5OfIdAndLength() {
    ByteString id = WriteId.fromHex("000102030405060708090a0b0c0d0e0f");
    assertEquals("0551f57195e0531d191ed440c9d5d3a6", WriteId.toHex(WriteId.mark(id, 0x1234567)));
    assertNotEquals(WriteId.mark(id, 1), WriteId.mark(id, 2));
    assertNotEquals(WriteId.mark(id, 1), WriteId.mark(WriteId.random(), 1));
  }

  @Test
  void thePiecesOfAStreamSayWhereTheyBegin() {
    ByteString holder = WriteId.random();
    for (long from : new long[] {0, 1, 4096, Long.MAX_VALUE}) {
      for (boolean isWhole : new boolean[] {false, true}) {
        ByteString piece = WriteId.ofPiece(holder, from, isWhole);
        assertEquals(from, WriteId.startOfPiece(holder, piece));
        assertEquals(-1, WriteId.startOfPiece(WriteId.random(), piece));
      }
    }
    assertEquals(-1, WriteId.startOfPiece(ByteString.EMPTY, holder));
  }
}

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
package io.stowage.client.crypt;

import static io.stowage.client.crypt.PacketLayout.cipherLength;
import static io.stowage.client.crypt.PacketLayout.plainLength;
import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PacketLayoutTest {
  @ParameterizedTest
  @CsvSource({
    "0, 0",
    "1, 17",
    "65535, 65551",
    "65536, 65552",
    "65537, 65569",
    "131072, 131104",
    "131073, 131121",
    "5497558138880, 5498900316160",
    "-1, -1"
  })
  void everyPacketHasATag(long plain, long cipher) {
    assertEquals(cipher, cipherLength(plain));
    if (plain >= 0) {
      assertEquals(plain, plainLength(cipher));
    }
  }

  @Test
  void lengthsThatNoStreamHasAreToldApart() {
    long plain = 0;
    for (long cipher = 0; cipher < 200_000; cipher++) {
      boolean some = cipherLength(plain) == cipher;
      assertEquals(some ? plain : -1, plainLength(cipher));
      plain += some ? 1 : 0;
    }
  }
}

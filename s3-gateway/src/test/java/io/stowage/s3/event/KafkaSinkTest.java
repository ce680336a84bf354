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
package io.stowage.s3.event;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import org.junit.jupiter.api.Test;

/** A topic's sink where there is no broker. */
class KafkaSinkTest {
  private static final String NOBODY = "kafka://127.0.0.1:1/topic";

  private static void assertClosed(KafkaSink sink) {
    IOException e = assertThrows(IOException.class, () -> sink.send("k", new byte[1]));
    assertTrue(e.getMessage().contains("stopping"), e.toString());
  }

  @Test
  void takesNothingOnceItIsClosed() {
    KafkaSink idle = new KafkaSink(NOBODY);
    idle.close();
    assertClosed(idle);
    KafkaSink used = new KafkaSink(NOBODY);
    Thread.currentThread().interrupt(); // connected, and not waited for
    assertThrows(Exception.class, () -> used.send("k", new byte[1]));
    var unused = Thread.interrupted();
    used.close();
    assertClosed(used);
  }
}

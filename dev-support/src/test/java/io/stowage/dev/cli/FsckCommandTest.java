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
package io.stowage.dev.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.stowage.common.time.ManualClock;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What {@code stowage fsck} says while it is at work. */
class FsckCommandTest {
  @Test
  void progressIsALineASecondWithARate() {
    StringWriter told = new StringWriter();
    ManualClock clock = new ManualClock(1_700_000_000_000_000L);
    FsckCommand.OnStandardError progress =
        new FsckCommand.OnStandardError(new PrintWriter(told), clock);
    for (int tenth = 0; tenth <= 25; tenth++) {
      progress.at("objects read", 50L * tenth, 10_000);
      clock.advance(Duration.ofMillis(100));
    }
    progress.at("rows", 7, 0); // a step of which nobody knows the end
    clock.advance(Duration.ofSeconds(2));
    progress.at("rows", 800, 0);
    assertEquals(
        List.of(
            "objects read: 500/10000, 500/s",
            "objects read: 1000/10000, 500/s",
            "rows: 800, 400/s"),
        told.toString().lines().toList());
  }
}

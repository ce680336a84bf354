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
package io.stowage.common.conf;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/**
 * To write the page anew: {@code ./mvnw -pl common test -Dtest=ConfigReferenceTest
 * -Dstowage.regenerate=true}.
 */
class ConfigReferenceTest {
  @Test
  void thePageInDocsIsWhatTheKeysSay() throws IOException {
    Path page = Path.of(System.getProperty("stowage.root", ".."), "docs", "CONFIGURATION.md");
    if (Boolean.getBoolean("stowage.regenerate")) {
      Files.writeString(page, ConfigReference.render());
    }
    assertEquals(
        ConfigReference.render(),
        Files.readString(page),
        "docs/CONFIGURATION.md is not what Keys says; this class's comment has the command that"
            + " writes it anew");
  }
}

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
package io.stowage.minicluster;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** That what looks for secrets finds them. */
class SecretSearchTest {
  private static final byte[] KEY = HexFormat.of().parseHex("0000010203fffe2b7c41a09d");

  @TempDir private Path directory;

  @Test
  void aSecretIsFoundInWhateverFormItWasWritten() throws IOException {
    SecretSearch search = new SecretSearch();
    search.add("a key", KEY);
    search.add("a password", "aab+secret/of%users");
    search.assertNotInText(List.of("", "a", "aab+secret/of", "0000010203"));
    for (String leaked :
        List.of(
            "key=" + HexFormat.of().formatHex(KEY),
            "key: 00 00 01 02 03 ff fe 2b 7c 41 a0 9d",
            Base64.getEncoder().encodeToString(KEY) + " was used",
            "secret: \"\\000\\000\\001\\002\\003\\377\\376+|A\\240\\235\"",
            "?q=aab%2Bsecret%2Fof%25users&",
            "aaab+secret/of%users")) {
      AssertionError found =
          assertThrows(AssertionError.class, () -> search.assertNotInText(List.of("x", leaked)));
      assertTrue(found.getMessage().contains("was logged"), found.getMessage());
    }
    byte[] bytes = new byte[100];
    System.arraycopy(KEY, 0, bytes, 88, KEY.length);
    Path file = Files.write(directory.resolve("file"), bytes);
    assertThrows(AssertionError.class, () -> search.assertNotInFiles(List.of(file)));
    Files.write(file, "nothing".getBytes(StandardCharsets.UTF_8));
    search.assertNotInFiles(List.of(file));
  }
}

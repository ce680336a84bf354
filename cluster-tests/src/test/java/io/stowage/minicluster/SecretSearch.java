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

import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.thirdparty.protobuf.TextFormat;

/** The secrets of a run, and whether they got where they must not be. Thread-safe. */
final class SecretSearch {
  /** Shorter ones would be found by chance. */
  private static final int MIN_BYTES = 8;

  private final Map<String, byte[]> secrets = new ConcurrentHashMap<>();

  String add(String what, String secret) {
    add(what, secret.getBytes(StandardCharsets.UTF_8));
    return secret;
  }

  byte[] add(String what, byte[] secret) {
    assertTrue(secret.length >= MIN_BYTES, () -> what + " has " + secret.length + " bytes");
    secrets.put(what, secret.clone());
    return secret;
  }

  Set<String> known() {
    return Set.copyOf(secrets.keySet());
  }

  void assertNotInText(Iterable<String> lines) {
    Patterns patterns = new Patterns();
    for (String line : lines) {
      String found = patterns.findIn(line.getBytes(StandardCharsets.ISO_8859_1));
      assertNull(found, () -> found + " was logged: " + line);
    }
  }

  void assertNotInFiles(List<Path> files) throws IOException {
    Patterns patterns = new Patterns();
    for (Path file : files) {
      String found = patterns.findIn(Files.readAllBytes(file));
      assertNull(found, () -> found + " is in " + file);
    }
  }

  /** As somebody could have written a secret. */
  private static List<byte[]> forms(byte[] secret) {
    String text = new String(secret, StandardCharsets.ISO_8859_1);
    List<byte[]> forms = new ArrayList<>(List.of(secret));
    for (String form :
        List.of(
            HexFormat.of().formatHex(secret),
            HexFormat.of().withUpperCase().formatHex(secret),
            HexFormat.ofDelimiter(" ").formatHex(secret), // as Hadoop's BytesWritable prints itself
            Base64.getEncoder().withoutPadding().encodeToString(secret),
            Base64.getUrlEncoder().withoutPadding().encodeToString(secret),
            TextFormat.escapeBytes(secret), // as messages print themselves
            Arrays.toString(secret),
            URLEncoder.encode(text, StandardCharsets.UTF_8))) {
      forms.add(form.getBytes(StandardCharsets.ISO_8859_1));
    }
    return forms;
  }

  /** All forms of all secrets, by their first two bytes: one pass over what is searched. */
  private final class Patterns {
    private final boolean[] begins = new boolean[1 << 16];
    private final Map<Integer, List<Map.Entry<String, byte[]>>> byBegin = new TreeMap<>();

    Patterns() {
      secrets.forEach(
          (what, secret) -> {
            for (byte[] form : forms(secret)) {
              int begin = begin(form, 0);
              begins[begin] = true;
              byBegin
                  .computeIfAbsent(begin, unused -> new ArrayList<>())
                  .add(Map.entry(what, form));
            }
          });
    }

    private static int begin(byte[] bytes, int at) {
      return (bytes[at] & 0xff) << 8 | (bytes[at + 1] & 0xff);
    }

    /** What the first secret is that is found; null: none. */
    String findIn(byte[] bytes) {
      for (int at = 0; at + 1 < bytes.length; at++) {
        int begin = begin(bytes, at);
        if (!begins[begin]) {
          continue;
        }
        for (Map.Entry<String, byte[]> secret : byBegin.get(begin)) {
          byte[] form = secret.getValue();
          int end = at + form.length;
          if (end <= bytes.length && Arrays.equals(bytes, at, end, form, 0, form.length)) {
            return secret.getKey();
          }
        }
      }
      return null;
    }
  }
}

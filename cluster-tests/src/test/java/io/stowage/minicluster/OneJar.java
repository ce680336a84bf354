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

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/**
 * The jar of {@code stow://} that jobs get, and class paths with that and no other class of ours.
 */
final class OneJar {
  private OneJar() {}

  /** Made by the build before this phase. */
  static Path path() throws IOException {
    Path root = Path.of(System.getProperty("stowage.root"));
    try (Stream<Path> files = Files.list(root.resolve("hadoop-fs-adapter/target"))) {
      return files
          .filter(file -> file.getFileName().toString().endsWith("-shaded.jar"))
          .findFirst()
          .orElseThrow(() -> new AssertionError("no shaded jar: run this by ./mvnw verify"));
    }
  }

  /**
   * With others' jars of this JVM's class path: Hadoop's, HBase's and what they need, Netty, too.
   *
   * @param without groups of jars that are left out, as directories
   */
  static String classPath(String... without) throws IOException {
    Path root = Path.of(System.getProperty("stowage.root"));
    List<String> entries = new ArrayList<>(List.of(path().toString()));
    String all =
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    for (String entry : all.split(File.pathSeparator, -1)) {
      if (entry.endsWith(".jar")
          && !Path.of(entry).startsWith(root)
          && !entry.contains("/com/github/l42111996/")
          && Arrays.stream(without).noneMatch(entry::contains)) {
        entries.add(entry);
      }
    }
    return String.join(File.pathSeparator, entries);
  }
}

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
package io.stowage.fs;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What is configured of {@code stow://} in JVMs that look for FileSystems for the first time. */
@Timeout(120)
class DefaultResourcesTest {
  private static final String KEY = "fs.AbstractFileSystem.stow.impl";

  @TempDir private Path conf;

  /** Looks for FileSystems and tells what is configured then. */
  static final class Child {
    private Child() {}

    public static void main(String[] arguments) throws IOException {
      Class<?> found = FileSystem.getFileSystemClass("stow", new Configuration());
      System.out.println(found.getPackageName() + " " + new Configuration().get(KEY));
    }
  }

  private void set(String file, String value) throws IOException {
    Files.writeString(
        conf.resolve(file),
        "<configuration><property><name>"
            + KEY
            + "</name><value>"
            + value
            + "</value></property></configuration>");
  }

  private String configured() throws Exception {
    Process child =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-cp",
                conf
                    + File.pathSeparator
                    + System.getProperty(
                        "surefire.test.class.path", System.getProperty("java.class.path")),
                Child.class.getName())
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    String told = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, child.waitFor());
    String line = told.strip().lines().reduce((first, second) -> second).orElse("");
    return line.substring(line.indexOf(' ') + 1);
  }

  @Test
  void whatSitesSayOfTheClassOfFileContextsCounts() throws Exception {
    assertEquals("io.stowage.fs.StowageFs", configured());
    set("core-site.xml", "org.example.Core");
    assertEquals("org.example.Core", configured());
    set("stowage-site.xml", "org.example.Stowage");
    assertEquals("org.example.Stowage", configured());
  }
}

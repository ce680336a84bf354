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
package io.stowage.dev.quickstart;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.dev.quickstart.Script.Result;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code dev-support/quickstart} as a newcomer meets it. */
class QuickstartIT {
  private static final String QUICKSTART = "dev-support/quickstart";
  private static final String STOWAGE = "dev-support/bin/stowage";
  private static final String LAST_LINE = "Ctrl-C stops it";

  @TempDir Path directory;

  @Test
  void thePrintedLinesWorkAndTheDataSurvives() throws Exception {
    String data = directory.resolve("data").toString();
    try (Script quickstart =
        Script.start(directory, Map.of(), QUICKSTART, "--data", data, "--s3-port", "0")) {
      List<String> printed = quickstart.linesUntil(LAST_LINE);
      Result examples = runExamples(printed);
      assertEquals(0, examples.exitCode(), () -> examples.out() + "\n" + examples.err());
      assertTrue(examples.out().contains("hello.txt"), examples::out);
      refusesASecondOwner(data);
      quickstart.kill();
    }
    String content = Files.readString(directory.resolve("hello.txt"));
    try (Script again =
        Script.start(directory, Map.of(), QUICKSTART, "--data", data, "--s3-port", "0")) {
      again.linesUntil(LAST_LINE);
      Result get =
          Script.run(
              directory,
              Map.of(),
              STOWAGE,
              "--conf",
              data + "/conf",
              "object",
              "get",
              "demo2/hello.txt",
              "-");
      assertEquals(content.strip(), get.out().strip(), get.err());
      Result full =
          Script.run(
              directory,
              Map.of(),
              "-c",
              "bash \"$0\" \"$@\" > /dev/full",
              STOWAGE,
              "--conf",
              data + "/conf",
              "object",
              "get",
              "demo2/hello.txt",
              "-");
      assertEquals(1, full.exitCode(), full.err());
      assertNotEquals(1, again.terminate());
    }
  }

  @Test
  void aPortInUseIsOneLine() throws Exception {
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      refused(
          Map.of(),
          Integer.toString(taken.getLocalPort()),
          "--data",
          directory.resolve("data").toString(),
          "--s3-port",
          Integer.toString(taken.getLocalPort()));
    }
  }

  @Test
  void aJavaThatIsTooOldOrTooNewIsOneLine() throws Exception {
    for (String version : List.of("11", "24")) {
      Path home = directory.resolve("jdk-" + version);
      Path java = Files.createDirectories(home.resolve("bin")).resolve("java");
      // Whatever it is asked, it only says what it is.
      Files.writeString(java, "#!/bin/sh\necho 'openjdk version \"" + version + ".0.2\"' >&2\n");
      assertTrue(java.toFile().setExecutable(true));
      refused(Map.of("JAVA_HOME", home.toString()), "Java " + version);
    }
  }

  @Test
  void aFolderOfSomebodyElseIsOneLine() throws Exception {
    Path data = Files.createDirectories(directory.resolve("data"));
    Files.writeString(data.resolve("diary.txt"), "mine");
    refused(Map.of(), data.toString(), "--data", data.toString(), "--s3-port", "0");
    assertEquals("mine", Files.readString(data.resolve("diary.txt")));
  }

  /**
   * All lines under "Try", in one shell, as somebody would paste them; those of aws where there is
   * one, and Spark's where {@code -Dstowage.it.quickstart-spark=true} asks for it: its JVM takes
   * longer than all others together, and runs the script that {@code SparkIT} runs.
   */
  private Result runExamples(List<String> printed) throws IOException, InterruptedException {
    boolean aws = Script.run(directory, Map.of(), "-c", "command -v aws").exitCode() == 0;
    boolean spark = Boolean.getBoolean("stowage.it.quickstart-spark");
    StringBuilder script = new StringBuilder("set -e\n");
    int examples = 0;
    boolean trying = false;
    for (String line : printed) {
      trying |= line.startsWith("Try");
      if (trying
          && line.startsWith("  ")
          && (aws || !line.contains("aws "))
          && (spark || !line.endsWith(" spark-example"))) {
        script.append(line.strip()).append('\n');
        examples++;
      }
    }
    assertTrue(examples >= 5, () -> "few examples: " + printed);
    return Script.run(directory, Map.of(), "-c", script.toString());
  }

  private void refusesASecondOwner(String data) throws IOException, InterruptedException {
    refused(Map.of(), data, "--data", data, "--s3-port", "0");
  }

  private void refused(Map<String, String> environment, String names, String... options)
      throws IOException, InterruptedException {
    String[] arguments = new String[options.length + 1];
    arguments[0] = QUICKSTART;
    System.arraycopy(options, 0, arguments, 1, options.length);
    Result result = Script.run(directory, environment, arguments);
    assertNotEquals(0, result.exitCode());
    assertFalse(result.err().contains("\tat "), result::err);
    assertEquals(1, result.err().strip().lines().count(), result::err);
    assertTrue(result.err().contains(names), result::err);
  }
}

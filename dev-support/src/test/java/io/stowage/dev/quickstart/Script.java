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

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * One run of a script of this checkout, in a directory of its own, on the class path that is being
 * built. Confined to one thread.
 */
final class Script implements AutoCloseable {
  private static final Path ROOT = Path.of(System.getProperty("stowage.root"));
  private static final long KILL_SECONDS = 60;

  /** How a run ended. */
  record Result(int exitCode, String out, String err) {}

  private final Process process;
  private final Path err;
  private final BufferedReader out;

  private Script(Process process, Path err) {
    this.process = process;
    this.err = err;
    this.out = process.inputReader(StandardCharsets.UTF_8);
  }

  /**
   * Starts {@code bash ARGUMENTS}; a first argument that names a file of the checkout is taken from
   * there.
   *
   * @param environment added to ours
   */
  static Script start(Path directory, Map<String, String> environment, String... arguments)
      throws IOException {
    List<String> command = new ArrayList<>(List.of("bash"));
    for (String argument : arguments) {
      command.add(
          argument.startsWith("dev-support/") ? ROOT.resolve(argument).toString() : argument);
    }
    Path err = Files.createTempFile(directory, "script", ".err");
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.directory(directory.toFile()).redirectError(err.toFile());
    builder.environment().put("STOWAGE_NO_BUILD", "1");
    // Its JVMs live for seconds: no time to compile well.
    builder.environment().put("STOWAGE_JAVA_OPTS", "-XX:TieredStopAtLevel=1");
    builder.environment().remove("JAVA_TOOL_OPTIONS"); // a JVM prints a line about them
    builder.environment().putAll(environment);
    return new Script(builder.start(), err);
  }

  /** Runs to the end. */
  static Result run(Path directory, Map<String, String> environment, String... arguments)
      throws IOException, InterruptedException {
    try (Script script = start(directory, environment, arguments)) {
      String out = String.join("\n", script.out.lines().toList());
      int exitCode = script.process.waitFor();
      return new Result(exitCode, out, Files.readString(script.err));
    }
  }

  /**
   * Reads what it prints until a line that contains the given words, which is the last of those
   * returned.
   */
  List<String> linesUntil(String words) throws IOException {
    List<String> lines = new ArrayList<>();
    for (String line = out.readLine(); line != null; line = out.readLine()) {
      lines.add(line);
      if (line.contains(words)) {
        return lines;
      }
    }
    throw new IOException("ended before '" + words + "': " + lines + "\n" + Files.readString(err));
  }

  /** What Ctrl-C or a service manager does; gives the exit code. */
  int terminate() throws InterruptedException {
    process.destroy();
    if (!process.waitFor(KILL_SECONDS, TimeUnit.SECONDS)) {
      throw new IllegalStateException("does not stop after " + KILL_SECONDS + " s");
    }
    return process.exitValue();
  }

  /** kill -9. */
  void kill() throws InterruptedException {
    process.destroyForcibly().waitFor();
  }

  @Override
  public void close() throws InterruptedException {
    if (process.isAlive()) {
      kill();
    }
  }
}

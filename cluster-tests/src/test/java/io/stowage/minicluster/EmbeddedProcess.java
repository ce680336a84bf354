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

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** {@link EmbeddedClusterMain} in a JVM of its own, to be killed. Confined to its test's thread. */
final class EmbeddedProcess implements AutoCloseable {
  /** Within which one that is all right serves or refuses, on a busy machine, too. */
  private static final long START_SECONDS = 180;

  private final Process process;
  private final List<String> lines = new ArrayList<>(); // guarded by itself
  private final CompletableFuture<Void> serving = new CompletableFuture<>();
  private final Thread reader;

  private EmbeddedProcess(Process process) {
    this.process = process;
    this.reader = new Thread(this::read, "output of " + process.pid());
    reader.setDaemon(true);
    reader.start();
  }

  /** Starts a JVM; does not wait for the cluster. */
  static EmbeddedProcess launch(Path data, int s3Port) throws IOException {
    return launch("--data", data.toString(), "--s3-port", Integer.toString(s3Port));
  }

  static EmbeddedProcess launch(String... arguments) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-Xmx512m");
    command.add("-XX:MaxDirectMemorySize=512m");
    command.add("-XX:TieredStopAtLevel=1"); // it lives for seconds: no time to compile well
    command.add("--add-opens=java.base/java.nio=ALL-UNNAMED");
    command.add("-Djava.net.preferIPv4Stack=true");
    command.add("-cp");
    command.add(
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")));
    command.add(EmbeddedClusterMain.class.getName());
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().remove("JAVA_TOOL_OPTIONS"); // a JVM prints a line about them
    return new EmbeddedProcess(builder.start());
  }

  private void read() {
    try (BufferedReader in =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        synchronized (lines) {
          lines.add(line);
        }
        if (line.startsWith("Ctrl-C")) {
          serving.complete(null);
        }
      }
    } catch (IOException e) {
      // the process was killed
    }
    serving.completeExceptionally(new IOException("the process ended: " + output()));
  }

  /** Waits until the cluster says that it serves. */
  EmbeddedProcess awaitServing() throws Exception {
    try {
      serving.get(START_SECONDS, TimeUnit.SECONDS);
      return this;
    } catch (TimeoutException e) {
      throw new IOException("not serving after " + START_SECONDS + " s: " + output(), e);
    }
  }

  long pid() {
    return process.pid();
  }

  String output() {
    synchronized (lines) {
      return String.join("\n", lines);
    }
  }

  private String printed(String label) {
    for (String line : output().lines().toList()) {
      if (line.startsWith("  " + label)) {
        return line.substring(2 + label.length()).strip();
      }
    }
    throw new IllegalStateException("no " + label + " in: " + output());
  }

  /** Where /metrics and /health are. */
  URI metrics() {
    return URI.create(printed("metrics").replaceFirst("/metrics,.*", ""));
  }

  URI s3Endpoint() {
    return URI.create(printed("S3 endpoint"));
  }

  String accessKey() {
    return printed("access key");
  }

  String secretKey() {
    return printed("secret key");
  }

  /** kill -9. */
  void kill() throws InterruptedException {
    process.destroyForcibly();
    process.waitFor();
    reader.join();
  }

  /** Ctrl-C. */
  int interrupt(long seconds) throws InterruptedException {
    process.destroy();
    return exitStatus(seconds);
  }

  /** Of one that does not start. */
  int refusalStatus() throws InterruptedException {
    return exitStatus(START_SECONDS);
  }

  private int exitStatus(long seconds) throws InterruptedException {
    if (!process.waitFor(seconds, TimeUnit.SECONDS)) {
      throw new IllegalStateException("still running after " + seconds + " s: " + output());
    }
    reader.join();
    return process.exitValue();
  }

  @Override
  public void close() throws InterruptedException {
    kill();
  }
}

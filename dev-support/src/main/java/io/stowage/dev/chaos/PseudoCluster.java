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
package io.stowage.dev.chaos;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** The processes of {@code dev-support/pseudo-cluster}, through that script. Thread-safe. */
final class PseudoCluster implements ChaosCluster {
  /**
   * HDFS is left alone: it has one NameNode and one copy of each block here. Everything above it is
   * ours to survive.
   */
  static final List<String> SERVICES =
      List.of("om1", "om2", "scm1", "scm2", "s3g", "regionserver", "hmaster", "zookeeper");

  private static final List<String> DATANODES =
      IntStream.rangeClosed(1, 6).mapToObj(i -> "datanode" + i).toList();

  /** Each of two minutes, the script's own patience. */
  private static final int START_ATTEMPTS = 4;

  private final Path script;
  private final List<String> services;
  private final Path directory;

  /** Roles that a fault has down. */
  private final Set<String> down = ConcurrentHashMap.newKeySet();

  /** Whose faults are of these services only. */
  PseudoCluster(Path script, Path directory, List<String> services) {
    this.script = script;
    this.services = List.copyOf(services);
    this.directory = directory;
  }

  @Override
  public List<String> datanodes() {
    return DATANODES;
  }

  @Override
  public List<String> services() {
    return services;
  }

  @Override
  public boolean canPause() {
    return true;
  }

  @Override
  public void kill(String role) throws IOException, InterruptedException {
    down.add(role);
    runIfThere("kill", role);
  }

  /** A role waits for HBase, which under many faults one after another may need minutes. */
  @Override
  public void start(String role) throws IOException, InterruptedException {
    for (int attempt = 1; ; attempt++) {
      try {
        run("start", role);
        down.remove(role);
        return;
      } catch (IOException e) {
        if (attempt == START_ATTEMPTS) {
          throw e;
        }
      }
    }
  }

  @Override
  public void pause(String role) throws IOException, InterruptedException {
    down.add(role);
    runIfThere("pause", role);
  }

  @Override
  public void resume(String role) throws IOException, InterruptedException {
    runIfThere("resume", role);
    down.remove(role);
  }

  @Override
  public void removeDisk(String datanode) throws IOException {
    down.add(datanode);
    Files.move(disk(datanode), away(datanode));
  }

  @Override
  public void returnDisk(String datanode) throws IOException, InterruptedException {
    if (Files.exists(disk(datanode))) {
      throw new IOException(datanode + " made " + disk(datanode) + " anew while its disk was away");
    }
    Files.move(away(datanode), disk(datanode));
    runIfThere("kill", datanode);
    run("start", datanode);
    down.remove(datanode);
  }

  @Override
  public Path disk(String datanode) {
    return directory.resolve("data").resolve(datanode);
  }

  private Path away(String datanode) {
    return directory.resolve("data").resolve(datanode + ".away");
  }

  @Override
  public List<String> endedByThemselves() throws IOException, InterruptedException {
    List<String> ended = new ArrayList<>();
    for (String line : output("status").lines().toList()) {
      String[] words = line.strip().split("\\s+", -1);
      if (words.length > 1 && words[1].equals("stopped") && !down.contains(words[0])) {
        ended.add(words[0]);
      }
    }
    for (String role : ended) {
      run("start", role);
    }
    return ended;
  }

  /** Bytes of all shard files. */
  long diskBytes() throws IOException {
    try (Stream<Path> files = Files.walk(directory.resolve("data"))) {
      return files
          .filter(path -> path.toString().endsWith(".shard"))
          .mapToLong(
              path -> {
                try {
                  return Files.size(path);
                } catch (IOException e) {
                  return 0; // deleted meanwhile
                }
              })
          .sum();
    } catch (UncheckedIOException e) {
      return 0; // a disk was taken away meanwhile
    }
  }

  /** A role may have ended by itself just now. */
  private void runIfThere(String command, String role) throws IOException, InterruptedException {
    try {
      run(command, role);
    } catch (IOException e) {
      if (!String.valueOf(e.getMessage()).contains("does not run")) {
        throw e;
      }
    }
  }

  private void run(String command, String role) throws IOException, InterruptedException {
    Process process = launch(command, role);
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (process.waitFor() != 0) {
      throw new IOException("Cannot " + command + " " + role + ": " + said.strip());
    }
  }

  private String output(String command) throws IOException, InterruptedException {
    Process process = launch(command);
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    process.waitFor();
    return said;
  }

  private Process launch(String... command) throws IOException {
    List<String> all = new ArrayList<>();
    all.add(script.toString());
    all.add("--data");
    all.add(directory.toString());
    all.addAll(List.of(command));
    ProcessBuilder builder = new ProcessBuilder(all).redirectErrorStream(true);
    builder.environment().put("STOWAGE_NO_BUILD", "1");
    return builder.start();
  }
}

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

import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.scm.ScmMain;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.conf.Configuration;

/**
 * An SCM, or another role, in a JVM of its own, to be stopped, paused and killed. Confined to its
 * test's thread.
 */
final class ScmProcess implements AutoCloseable {
  private final Process process;
  private final Path output;

  private ScmProcess(Process process, Path output) {
    this.process = process;
    this.output = output;
  }

  /**
   * Starts one on a port of its own.
   *
   * @param hbase where HBase and ZooKeeper are; goes into its core-site.xml
   */
  static ScmProcess launch(Path directory, StowageConfig config, Configuration hbase)
      throws IOException {
    return launch(ScmMain.class, directory, config, hbase);
  }

  /** Starts a role by its main class. */
  static ScmProcess launch(Class<?> role, Path directory, StowageConfig config, Configuration hbase)
      throws IOException {
    Path conf = Files.createDirectories(directory.resolve("conf"));
    Configuration site = new Configuration(false);
    config.settings().forEach(site::set);
    write(site, conf.resolve("stowage-site.xml"));
    Configuration core = new Configuration(false);
    for (Map.Entry<String, String> setting : hbase) {
      String name = setting.getKey();
      if (name.startsWith("hbase.zookeeper.") || name.equals("zookeeper.znode.parent")) {
        core.set(name, setting.getValue());
      }
    }
    write(core, conf.resolve("core-site.xml"));
    Path output = directory.resolve("output");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "-XX:TieredStopAtLevel=1", // it lives for seconds: no time to compile well
                "-Djava.net.preferIPv4Stack=true",
                "-Dlog4j.configuration=" + System.getProperty("log4j.configuration"),
                "-cp",
                System.getProperty(
                    "surefire.test.class.path", System.getProperty("java.class.path")),
                role.getName(),
                "--conf",
                conf.toString())
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    return new ScmProcess(process, output);
  }

  private static void write(Configuration configuration, Path file) throws IOException {
    try (var out = Files.newOutputStream(file)) {
      configuration.writeXml(out);
    }
  }

  /** Keys that every SCM of a cluster shares. */
  static StowageConfig config(String quorum, String namespace, List<String> addresses)
      throws IOException {
    return StowageConfig.of(
        Map.of(
            Keys.ZOOKEEPER_QUORUM.name(), quorum,
            Keys.ZOOKEEPER_ROOT.name(), "/" + namespace,
            Keys.ZOOKEEPER_SESSION_TIMEOUT.name(), "2s",
            Keys.HBASE_NAMESPACE.name(), namespace,
            Keys.FAILURE_DOMAIN.name(), "disk",
            Keys.DEFAULT_POLICY.name(), "rs-3-2",
            Keys.CONTAINER_CAPACITY.name(), "4m",
            Keys.DEAD_INTERVAL.name(), "3s",
            Keys.SCM_ADDRESSES.name(), String.join(",", addresses)));
  }

  /** SIGSTOP: the process is not aware that time passes. */
  void pause() throws Exception {
    signal("STOP");
  }

  /** SIGCONT. */
  void resume() throws Exception {
    signal("CONT");
  }

  private void signal(String name) throws Exception {
    Process kill = new ProcessBuilder("kill", "-" + name, Long.toString(process.pid())).start();
    if (kill.waitFor() != 0) {
      throw new IOException("cannot send " + name + " to " + process.pid());
    }
  }

  boolean isAlive() {
    return process.isAlive();
  }

  /** SIGQUIT: what its threads do is in its output a moment later. */
  void tellThreads() throws Exception {
    signal("QUIT");
  }

  String output() throws IOException {
    return Files.readString(output);
  }

  /** SIGTERM. */
  void stop() throws InterruptedException {
    process.destroy();
    if (!process.waitFor(20, TimeUnit.SECONDS)) {
      throw new IllegalStateException("still running 20 s after SIGTERM");
    }
  }

  @Override
  public void close() throws InterruptedException {
    process.destroyForcibly();
    process.waitFor();
  }
}

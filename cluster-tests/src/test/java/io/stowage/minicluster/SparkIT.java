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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.id.WriteId;
import io.stowage.common.proto.CreateBucketRequest;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.jar.JarFile;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Real Spark jobs, each a process of its own on the class path that Spark's users get plus our one
 * jar, by the same script that {@code stowage spark-example} runs. The jobs check counts and sums
 * of what they read; here it is checked that they did. On a machine that never ran them, Maven
 * first downloads Spark.
 */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class SparkIT {
  private static final int ROWS = 20_000;
  private static final String BUCKET = "spark";

  /** Of a job; what it needs was downloaded before, at whatever speed. */
  private static final int TIMEOUT_MINUTES = 8;

  @RegisterExtension
  static final StowageExtension STOWAGE = StowageExtension.of(MiniStowageCluster.builder());

  @TempDir static Path directory;

  @BeforeAll
  static void downloadWhatTheJobsNeed() throws Exception {
    for (String spark : List.of("spark-4", "spark-3.5")) {
      Path log = directory.resolve(spark + ".resolved.log");
      Process resolve =
          new ProcessBuilder(script(), spark)
              .redirectErrorStream(true)
              .redirectOutput(log.toFile())
              .start();
      int status = resolve.waitFor();
      String said = Files.readString(log);
      assertEquals(0, status, () -> spark + " cannot be had:\n" + said);
    }
  }

  private static String script() {
    return Path.of(System.getProperty("stowage.root"), "dev-support/spark/run").toString();
  }

  @Test
  @Order(1)
  void spark4WritesAndReadsParquetHereAndThroughS3(MiniStowageCluster cluster) throws Exception {
    cluster
        .objectManager(0)
        .createBucket(
            CreateBucketRequest.newBuilder()
                .setName(BUCKET)
                .setOwner("spark")
                .setWriteId(WriteId.random())
                .build());
    String output =
        run(
            cluster,
            "spark-4",
            "write=stow://spark/table",
            "check=stow://spark/table",
            "check=s3a://spark/table",
            "write=s3a://spark/table-by-s3a",
            "check=stow://spark/table-by-s3a");
    assertTrue(output.contains("Spark 4."), output);
    assertRead(output, "stow://spark/table", "s3a://spark/table", "stow://spark/table-by-s3a");
  }

  @Test
  @Order(2)
  void spark35ReadsWhatSpark4WroteAndWritesItsOwn(MiniStowageCluster cluster) throws Exception {
    String output =
        run(
            cluster,
            "spark-3.5",
            "check=stow://spark/table",
            "write=stow://spark/table-by-3.5",
            "check=stow://spark/table-by-3.5");
    assertTrue(output.contains("Spark 3.5."), output);
    assertTrue(output.contains("Hadoop 3.3.4"), output);
    assertRead(output, "stow://spark/table", "stow://spark/table-by-3.5");
  }

  /** Also what no job above happened to call. */
  @ParameterizedTest
  @ValueSource(strings = {"spark-4", "spark-3.5"})
  @Order(3)
  void theHadoopOfEachSparkHasAllThatOurJarCalls(String spark) throws IOException {
    Path root = Path.of(System.getProperty("stowage.root"));
    Path jar = OneJar.path();
    List<URL> classPath = new ArrayList<>(List.of(jar.toUri().toURL()));
    Path resolved = root.resolve("dev-support/spark").resolve(spark).resolve("target/classpath");
    for (String entry : Files.readString(resolved).strip().split(File.pathSeparator, -1)) {
      classPath.add(Path.of(entry).toUri().toURL());
    }
    try (JarFile ours = new JarFile(jar.toFile());
        URLClassLoader theirs =
            new URLClassLoader(
                classPath.toArray(new URL[0]), ClassLoader.getPlatformClassLoader())) {
      List<JarReferences.Reference> references =
          JarReferences.of(
              ours,
              // Under a Hadoop that lacks what they need, the classes named so are not used.
              from ->
                  !from.contains("/shaded/")
                      && (spark.equals("spark-4") || !from.startsWith("io/stowage/fs/Newer")),
              owner ->
                  (owner.startsWith("org/apache/hadoop/") || owner.startsWith("io/stowage/"))
                      && !owner.contains("/shaded/"));
      assertTrue(references.size() > 1_000, () -> references.size() + " references only");
      assertEquals(
          List.of(),
          references.stream()
              .filter(reference -> !JarReferences.resolves(reference, theirs))
              .toList());
    }
  }

  private static void assertRead(String output, String... tables) {
    for (String table : tables) {
      assertTrue(
          output.contains("read " + table + ": " + ROWS + " rows, "),
          () -> table + " was not read right:\n" + output);
    }
  }

  private static String run(MiniStowageCluster cluster, String spark, String... actions)
      throws IOException, InterruptedException {
    List<String> command =
        new ArrayList<>(
            List.of(script(), spark, configuration(cluster).toString(), Integer.toString(ROWS)));
    command.addAll(List.of(actions));
    Path log = directory.resolve(spark + ".log");
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile());
    builder.environment().put("STOWAGE_FS_JAR", OneJar.path().toString());
    builder.environment().put("TMPDIR", directory.toString());
    Process job = builder.start();
    try {
      boolean ended = job.waitFor(TIMEOUT_MINUTES, TimeUnit.MINUTES);
      String output = Files.readString(log);
      assertTrue(ended, () -> spark + " did not end:\n" + output);
      assertEquals(0, job.exitValue(), () -> spark + " failed:\n" + output);
      return output;
    } finally {
      job.descendants().forEach(ProcessHandle::destroyForcibly);
      job.destroyForcibly();
    }
  }

  private static Path configuration(MiniStowageCluster cluster) throws IOException {
    Path conf = Files.createDirectories(directory.resolve("conf"));
    write(conf.resolve("core-site.xml"), cluster.coreSite());
    write(conf.resolve("stowage-site.xml"), cluster.clientSettings());
    return conf;
  }

  private static void write(Path file, Map<String, String> settings) throws IOException {
    Configuration site = new Configuration(false);
    new TreeMap<>(settings).forEach(site::set);
    try (OutputStream out = Files.newOutputStream(file)) {
      site.writeXml(out);
    }
  }
}

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

import io.stowage.common.conf.Exposure;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.util.ShutdownHookManager;
import org.apache.log4j.PropertyConfigurator;
import org.slf4j.LoggerFactory;

/**
 * The quickstart's JVM: starts the embedded cluster, says how to use it, serves until it is told to
 * stop. What stands in the way of a start is said in one line on standard error; the exit code is
 * then 1 (2 for wrong arguments).
 *
 * <p>{@code EmbeddedClusterMain [--data DIR] [--s3-port N] [--s3-host HOST] [--insecure]}. Another
 * host than loopback, for the gateway and its console, needs {@code --insecure}. The system
 * property {@code stowage.command} is the command that examples name.
 */
public final class EmbeddedClusterMain {
  private static final int DEFAULT_S3_PORT = 9878;
  private static final String LOOPBACK = "127.0.0.1";
  private static final String DEFAULT_DATA = "stowage-data";
  private static final int FIRST_JAVA = 17;

  /**
   * Java 24 took away the security manager's calls, which this Hadoop makes. The quickstart's
   * script asks for the same before it builds.
   */
  private static final int LAST_JAVA = 23;

  /** Above Hadoop's own, which closes file systems that HBase still writes to. */
  private static final int SHUTDOWN_PRIORITY = 100;

  private static final long SHUTDOWN_SECONDS = 60;
  private static final long WATCH_SECONDS = 2;

  /** Whether there is a file to log into yet; confined to the main thread. */
  private static boolean logging;

  private static final String USAGE = "[--data DIR] [--s3-port N] [--s3-host HOST] [--insecure]";

  private record Arguments(Path data, String s3Host, int s3Port, boolean insecure) {}

  private EmbeddedClusterMain() {}

  public static void main(String[] args) {
    Arguments arguments = parse(args);
    long begin = System.nanoTime();
    try {
      checkJava();
      ClusterDirectory directory = ClusterDirectory.open(arguments.data());
      logInto(Files.createDirectories(directory.root().resolve("logs")));
      EmbeddedCluster.Edge edge =
          new EmbeddedCluster.Edge(arguments.s3Host(), arguments.s3Port(), arguments.insecure());
      for (String exposed : edge.exposed()) {
        System.err.println("stowage: " + Exposure.warning(List.of(exposed)));
      }
      serve(EmbeddedCluster.start(directory, edge), begin);
    } catch (Throwable e) {
      if (logging) {
        LoggerFactory.getLogger(EmbeddedClusterMain.class).error("cannot run", e);
      }
      fail(1, oneLine(e));
    }
  }

  private static Arguments parse(String[] args) {
    Path data = Path.of(DEFAULT_DATA);
    String s3Host = LOOPBACK;
    int s3Port = DEFAULT_S3_PORT;
    boolean insecure = false;
    for (int i = 0; i < args.length; i++) {
      if (args[i].equals("--insecure")) {
        insecure = true;
        continue;
      }
      String option = args[i];
      if (++i == args.length) {
        fail(2, option + " needs a value; usage: " + USAGE);
      }
      switch (option) {
        case "--data" -> data = Path.of(args[i]);
        case "--s3-host" -> s3Host = args[i];
        case "--s3-port" -> s3Port = parsePort(args[i]);
        default -> fail(2, "unknown option " + option + "; usage: " + USAGE);
      }
    }
    return new Arguments(data, s3Host, s3Port, insecure);
  }

  private static int parsePort(String text) {
    if (!text.matches("[0-9]{1,5}") || Integer.parseInt(text) > 65_535) {
      fail(2, "--s3-port needs a number from 0 to 65535, got " + text);
    }
    return Integer.parseInt(text);
  }

  private static void checkJava() throws StoreException {
    int version = Runtime.version().feature();
    if (version < FIRST_JAVA || version > LAST_JAVA) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot run on Java "
              + version
              + " ("
              + System.getProperty("java.home")
              + "): the embedded cluster needs Java "
              + FIRST_JAVA
              + " to "
              + LAST_JAVA);
    }
  }

  private static void logInto(Path logs) throws IOException {
    logging = true;
    if (System.getProperty("log4j.configuration") != null) {
      return;
    }
    Properties settings = new Properties();
    try (InputStream in =
        EmbeddedClusterMain.class.getResourceAsStream("log4j-embedded.properties")) {
      settings.load(in);
    }
    System.setProperty("stowage.log.dir", logs.toString());
    PropertyConfigurator.configure(settings);
  }

  private static void serve(EmbeddedCluster cluster, long begin)
      throws IOException, InterruptedException {
    CountDownLatch stopped = new CountDownLatch(1);
    ShutdownHookManager.get()
        .addShutdownHook(
            () -> {
              cluster.close();
              stopped.countDown();
            },
            SHUTDOWN_PRIORITY,
            SHUTDOWN_SECONDS,
            TimeUnit.SECONDS);
    introduce(System.out, cluster, (System.nanoTime() - begin) / 1_000_000);
    while (!stopped.await(WATCH_SECONDS, TimeUnit.SECONDS)) {
      if (!cluster.isMetadataAlive() && !ShutdownHookManager.get().isShutdownInProgress()) {
        fail(1, "HBase stopped; " + cluster.root().resolve("logs") + " says why");
      }
    }
  }

  /** Everything printed under "Try" works as it stands, in a shell in the same directory. */
  private static void introduce(PrintStream out, EmbeddedCluster cluster, long startMillis)
      throws StoreException {
    String stowage =
        System.getProperty("stowage.command", "dev-support/bin/stowage")
            + " --conf "
            + quoted(cluster.conf());
    String aws = "aws --endpoint-url " + cluster.s3Endpoint();
    out.printf("Stowage is serving (started in %.1f s).%n%n", startMillis / 1_000.0);
    out.printf("  S3 endpoint  %s%n", cluster.s3Endpoint());
    out.printf("  console      %s%n", cluster.console());
    out.printf("  metrics      %s/metrics, %<s/health%n", cluster.metrics());
    out.printf("  access key   %s%n", cluster.accessKey());
    out.printf("  secret key   %s%n", cluster.secretKey());
    out.printf("  data         %s%n", cluster.root());
    if (!cluster.missing().isEmpty()) {
      out.printf("%n  Reading only: %s%n", cluster.missing());
    }
    out.printf("%nTry, with the AWS command line:%n");
    out.printf(
        "  export AWS_SHARED_CREDENTIALS_FILE=%s AWS_DEFAULT_REGION=us-east-1%n",
        quoted(cluster.credentials()));
    out.printf("  %s s3 mb s3://demo%n", aws);
    out.printf("  date > hello.txt && %s s3 cp hello.txt s3://demo/hello.txt%n", aws);
    out.printf("  %s s3 ls s3://demo/%n", aws);
    out.printf("without it:%n");
    out.printf("  %s bucket create demo2%n", stowage);
    out.printf("  date > hello.txt && %s object put demo2/hello.txt hello.txt%n", stowage);
    out.printf("  %s object ls demo2%n", stowage);
    out.printf("with Hadoop and Spark:%n");
    out.printf("  %s fs -ls stow://demo2/%n", stowage);
    out.printf("  %s spark-example%n", stowage);
    out.printf("%nCtrl-C stops it; the data stays.%n");
    out.flush();
  }

  private static String quoted(Path path) {
    String text = path.toString();
    return text.matches("[A-Za-z0-9_/.,:@%+=-]+") ? text : "'" + text.replace("'", "'\\''") + "'";
  }

  private static String oneLine(Throwable failure) {
    String message = failure.getMessage() == null ? failure.toString() : failure.getMessage();
    int end = message.indexOf('\n');
    return end < 0 ? message : message.substring(0, end);
  }

  /**
   * Ends at once: ZooKeeper's and HBase's threads would keep a JVM alive whose main has failed, and
   * a clean stop of what has half started could hang.
   */
  private static void fail(int status, String message) {
    System.err.println("stowage: " + message);
    System.err.flush();
    Runtime.getRuntime().halt(status);
  }
}

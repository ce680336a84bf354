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
package io.stowage.dev.bench;

import io.stowage.dev.content.ContentVerifier;
import io.stowage.dev.content.GeneratedContent;
import io.stowage.dev.s3.S3Connection;
import io.stowage.dev.s3.S3Credentials;
import io.stowage.dev.s3.S3Response;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/**
 * Drives an S3 endpoint with one kind of load and prints rates and latencies. Every byte that a GET
 * returns is compared with what its key and position say it must be; a difference ends the run.
 *
 * <p>Keys are {@code PREFIX/00000000} upwards; {@code get}, {@code range} and {@code mixed} need
 * them written, by {@code --prepare} or an earlier {@code put} of the same sizes. One thread and
 * one connection a client; warm-up operations run first and are not counted.
 */
@Command(
    name = "s3-load",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = "Drives any S3 endpoint, verifies what it reads, prints rates and latencies.")
public final class S3Load implements Callable<Integer> {
  /** What a run does. */
  enum Workload {
    PUT,
    GET,
    MIXED,
    LIST,
    RANGE
  }

  private enum Operation {
    PUT,
    GET,
    LIST,
    RANGE
  }

  @Parameters(index = "0", description = "${COMPLETION-CANDIDATES}")
  private Workload workload;

  @Option(names = "--endpoint", defaultValue = "http://127.0.0.1:9878", description = "URL")
  private URI endpoint;

  @Option(
      names = "--credentials",
      defaultValue = "stowage-data/aws-credentials",
      description = "AWS shared credentials file (${DEFAULT-VALUE})")
  private Path credentialsFile;

  @Option(names = "--profile", defaultValue = "default")
  private String profile;

  @Option(names = "--region", defaultValue = "us-east-1")
  private String region;

  @Option(names = "--bucket", defaultValue = "load", description = "made if it is not there")
  private String bucket;

  @Option(names = "--prefix", defaultValue = "load", description = "of all keys")
  private String prefix;

  @Option(
      names = "--size",
      defaultValue = "4096",
      description = "bytes of an object; 4k, 16m are understood")
  private String size;

  @Option(names = "--range-size", defaultValue = "64k", description = "bytes of a ranged read")
  private String rangeSize;

  @Option(names = "--objects", defaultValue = "10000", description = "how many keys are used")
  private int objects;

  @Option(names = "--connections", defaultValue = "64", description = "threads, one each")
  private int connections;

  @Option(names = "--seconds", defaultValue = "20", description = "of measuring")
  private int seconds;

  @Option(
      names = "--warmup-ops",
      defaultValue = "10000",
      description = "operations first, not counted (${DEFAULT-VALUE}: what warms a JVM)")
  private long warmupOperations;

  @Option(names = "--get-percent", defaultValue = "70", description = "GETs of a mixed load")
  private int getPercent;

  @Option(names = "--max-keys", defaultValue = "1000", description = "of a listed page")
  private int maxKeys;

  @Option(names = "--prepare", description = "write all keys before the warm-up")
  private boolean prepare;

  @Option(names = "--sign-payload", description = "SHA-256 of each body instead of UNSIGNED")
  private boolean signPayload;

  @Option(names = "--json", description = "one JSON object a line")
  private boolean json;

  private long sizeBytes;
  private long rangeBytes;
  private S3Credentials credentials;

  public static void main(String[] args) {
    CommandLine commandLine = new CommandLine(new S3Load());
    commandLine.setCaseInsensitiveEnumValuesAllowed(true);
    commandLine.setExecutionExceptionHandler(
        (failure, command, parsed) -> {
          command.getErr().println("s3-load: " + failure.getMessage());
          return 1;
        });
    System.exit(commandLine.execute(args));
  }

  @Override
  public Integer call() throws Exception {
    sizeBytes = bytesOf(size);
    rangeBytes = Math.min(bytesOf(rangeSize), sizeBytes);
    credentials = S3Credentials.read(credentialsFile, profile, region);
    makeBucket();
    try (Clients clients = new Clients(connections)) {
      if (prepare) {
        AtomicLong next = new AtomicLong();
        report(
            "prepared",
            clients.run(
                client -> {
                  for (long i = next.getAndIncrement(); i < objects; i = next.getAndIncrement()) {
                    client.put(keyOf(i));
                  }
                }));
      }
      AtomicLong budget = new AtomicLong(warmupOperations);
      clients.run(
          client -> {
            while (budget.getAndDecrement() > 0) {
              client.step();
            }
          });
      long started = System.nanoTime();
      long end = started + seconds * 1_000_000_000L;
      Map<Operation, LoadReport> measured =
          clients.run(
              client -> {
                while (System.nanoTime() < end) {
                  client.step();
                }
              });
      return report("measured", measured, (System.nanoTime() - started) / 1e9);
    }
  }

  private void makeBucket() throws IOException {
    try (S3Connection connection = connect()) {
      S3Response response = connection.createBucket(bucket);
      if (!response.isSuccess() && !response.errorCode().startsWith("BucketAlready")) {
        throw new IOException("Cannot make bucket " + bucket + ": " + response.errorCode());
      }
    }
  }

  private void report(String phase, Map<Operation, LoadReport> reports) {
    report(phase, reports, Double.NaN);
  }

  private int report(String phase, Map<Operation, LoadReport> reports, double measuredSeconds) {
    long failures = 0;
    for (Map.Entry<Operation, LoadReport> entry : reports.entrySet()) {
      String operation = entry.getKey().name().toLowerCase(Locale.ROOT);
      LoadReport report = entry.getValue();
      failures += report.failureCount();
      if (report.operations() == 0 && report.failureCount() == 0) {
        continue;
      }
      if (Double.isNaN(measuredSeconds)) {
        System.err.printf(
            Locale.ROOT,
            "%s %d objects of %s, %d errors%n",
            phase,
            report.operations(),
            size,
            report.failureCount());
      } else if (json) {
        System.out.println(report.toJson(operation, measuredSeconds));
      } else {
        System.out.println(report.toLine(operation, measuredSeconds));
      }
    }
    return failures == 0 ? 0 : 1;
  }

  private S3Connection connect() {
    return new S3Connection(endpoint, credentials, signPayload, InstantSource.system());
  }

  private String keyOf(long index) {
    return String.format(Locale.ROOT, "%s/%08d", prefix, index);
  }

  static long bytesOf(String text) {
    char unit = Character.toLowerCase(text.charAt(text.length() - 1));
    int shift =
        switch (unit) {
          case 'k' -> 10;
          case 'm' -> 20;
          case 'g' -> 30;
          default -> 0;
        };
    return Long.parseLong(shift == 0 ? text : text.substring(0, text.length() - 1)) << shift;
  }

  private interface Phase {
    void run(Client client) throws IOException;
  }

  /** All clients; each phase starts them together and waits for all. */
  private final class Clients implements AutoCloseable {
    private final List<Client> clients = new ArrayList<>();
    private final ExecutorService threads;

    Clients(int count) {
      threads = Executors.newFixedThreadPool(count);
      for (int i = 0; i < count; i++) {
        clients.add(new Client(i));
      }
    }

    Map<Operation, LoadReport> run(Phase phase) throws IOException, InterruptedException {
      CountDownLatch start = new CountDownLatch(1);
      List<Future<?>> running = new ArrayList<>();
      for (Client client : clients) {
        client.reports.clear();
        running.add(
            threads.submit(
                () -> {
                  start.await();
                  phase.run(client);
                  return null;
                }));
      }
      start.countDown();
      Map<Operation, LoadReport> sum = new EnumMap<>(Operation.class);
      for (int i = 0; i < clients.size(); i++) {
        try {
          running.get(i).get();
        } catch (ExecutionException e) {
          throw new IOException(e.getCause().getMessage(), e);
        }
        clients
            .get(i)
            .reports
            .forEach(
                (operation, report) ->
                    sum.computeIfAbsent(operation, o -> new LoadReport()).addAll(report));
      }
      return sum;
    }

    @Override
    public void close() {
      threads.shutdownNow();
      clients.forEach(client -> client.connection.close());
    }
  }

  /** One connection and its counts. Confined to one thread during a phase. */
  private final class Client {
    private final S3Connection connection = connect();
    private final SplittableRandom random;
    private final Map<Operation, LoadReport> reports = new EnumMap<>(Operation.class);
    private long nextKey;

    Client(int index) {
      random = new SplittableRandom(index);
      nextKey = index;
    }

    void step() throws IOException {
      switch (workload) {
        case PUT -> {
          put(keyOf(nextKey % objects));
          nextKey += connections;
        }
        case GET -> get(keyOf(random.nextInt(objects)));
        case MIXED -> {
          String key = keyOf(random.nextInt(objects));
          if (random.nextInt(100) < getPercent) {
            get(key);
          } else {
            put(key);
          }
        }
        case LIST -> list(keyOf(random.nextInt(objects)));
        case RANGE -> range(keyOf(random.nextInt(objects)));
      }
    }

    void put(String key) throws IOException {
      GeneratedContent content = GeneratedContent.of(key, sizeBytes);
      measure(Operation.PUT, sizeBytes, () -> connection.put(bucket, key, content));
    }

    private void get(String key) throws IOException {
      ContentVerifier verifier = new ContentVerifier(key, 0, sizeBytes);
      measure(
          Operation.GET, sizeBytes, () -> verifier.complete(connection.get(bucket, key, verifier)));
    }

    private void range(String key) throws IOException {
      long offset = random.nextLong(sizeBytes - rangeBytes + 1);
      ContentVerifier verifier = new ContentVerifier(key, offset, rangeBytes);
      measure(
          Operation.RANGE,
          rangeBytes,
          () -> verifier.complete(connection.getRange(bucket, key, offset, rangeBytes, verifier)));
    }

    private void list(String after) throws IOException {
      measure(
          Operation.LIST,
          0,
          () -> connection.list(bucket, prefix + "/", after, maxKeys, (b, o, c) -> {}));
    }

    private void measure(Operation operation, long payloadBytes, Callable<S3Response> call)
        throws ContentVerifier.WrongContentException {
      LoadReport report = reports.computeIfAbsent(operation, o -> new LoadReport());
      long started = System.nanoTime();
      try {
        S3Response response = call.call();
        if (response.isSuccess()) {
          report.succeeded(System.nanoTime() - started, payloadBytes);
        } else {
          report.failed(response.errorCode());
        }
      } catch (ContentVerifier.WrongContentException e) {
        throw e;
      } catch (Exception e) {
        report.failed(e.getClass().getSimpleName());
      }
    }
  }
}

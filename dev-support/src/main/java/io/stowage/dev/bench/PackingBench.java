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

import io.stowage.client.StripeFigures;
import io.stowage.common.conf.Keys;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.ListContainersRequest;
import io.stowage.common.proto.RepackStatusReply;
import io.stowage.common.proto.RepackStatusRequest;
import io.stowage.dev.plot.LogPlot;
import io.stowage.minicluster.MiniStowageCluster;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * What objects of each size cost on disk, by how many write at once: allocated bytes of the shard
 * files, checksum pages included, over user bytes. The superblocks, 32 KiB a shard of a gigabyte,
 * are left out: these containers are far from full. Each case has a cluster of its own in this JVM
 * (five disks), and writes through its S3 gateway or straight through the data path, which shows
 * packing without the rest. What one client wrote through the gateway is then repacked.
 */
@Command(
    name = "packing",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = "Bytes on disk per user byte, by object size and number of clients.")
public final class PackingBench implements Callable<Integer> {
  private static final long SUPERBLOCKS = 32 << 10;

  /** Of repacking one case, all of which takes the windows that production waits for. */
  private static final Duration REPACK_PATIENCE = Duration.ofMinutes(1);

  /** Nothing to do for so long is done. */
  private static final Duration REPACK_QUIET = Duration.ofSeconds(2);

  @Option(
      names = "--sizes",
      split = ",",
      defaultValue = "100,1k,4k,16k,64k,128k,256k,1m,4m,16m,64m",
      description = "of objects")
  private List<String> sizes;

  @Option(names = "--clients", split = ",", defaultValue = "1,64", description = "at once")
  private List<Integer> clients;

  @Option(names = "--policy", defaultValue = "rs-3-2")
  private String policy;

  @Option(names = "--objects", defaultValue = "10000", description = "at most, of each case")
  private int mostObjects;

  @Option(
      names = "--alone-objects",
      defaultValue = "500",
      description = "at most, where one client writes")
  private int mostObjectsAlone;

  @Option(names = "--bytes", defaultValue = "256m", description = "at most, of each case")
  private String mostBytes;

  @Option(names = "--data-path", description = "without the gateway and its commits")
  private boolean dataPathOnly;

  @Option(names = "--without-repack", description = "what one client wrote stays as it is")
  private boolean withoutRepack;

  @Option(names = "--plot", description = "SVG file to draw into")
  private Path plot;

  /**
   * One row of the table.
   *
   * @param repackedBytes of the shard files after repacking; 0 if there was none
   */
  private record Case(
      long size,
      int clients,
      int objects,
      long bytesOnDisk,
      long repackedBytes,
      int files,
      StripeFigures stripes) {
    double cost() {
      return (double) bytesOnDisk / ((double) size * objects);
    }

    double repackedCost() {
      return (double) repackedBytes / ((double) size * objects);
    }
  }

  public static void main(String[] args) {
    System.exit(new CommandLine(new PackingBench()).execute(args));
  }

  @Override
  public Integer call() throws Exception {
    System.out.println(
        "| object | clients | objects | bytes on disk / user bytes | after repack | shard files"
            + " | stripes | mean width |");
    System.out.println("|---|---|---|---|---|---|---|---|");
    List<Case> cases = new ArrayList<>();
    for (String size : sizes) {
      for (int count : clients) {
        Case measured = measure(S3Load.bytesOf(size), count);
        cases.add(measured);
        System.out.printf(
            Locale.ROOT,
            "| %s | %d | %d | %.2f | %s | %d | %d | %.2f |%n",
            size,
            measured.clients(),
            measured.objects(),
            measured.cost(),
            measured.repackedBytes() == 0
                ? "–"
                : String.format(Locale.ROOT, "%.2f", measured.repackedCost()),
            measured.files(),
            measured.stripes().stripes(),
            measured.stripes().meanWidth());
      }
    }
    if (plot != null) {
      Files.writeString(plot, draw(cases));
    }
    return 0;
  }

  private String draw(List<Case> cases) throws StoreException {
    ErasurePolicy code = ErasurePolicy.named(policy);
    LogPlot drawing =
        new LogPlot(
            "What an object costs on disk, " + policy,
            "bytes of an object",
            "bytes on disk / bytes of the object");
    for (int count : clients) {
      LogPlot.Values line = drawing.line(count == 1 ? "1 client" : count + " clients");
      for (int i = 0; i < cases.size(); i++) {
        if (i % clients.size() == clients.indexOf(count)) {
          line.add((double) cases.get(i).size(), cases.get(i).cost());
        }
      }
    }
    if (repacks(1) && clients.contains(1)) {
      LogPlot.Values repacked = drawing.line("1, repacked");
      for (Case each : cases) {
        repacked.add((double) each.size(), each.repackedCost()); // none of what was not
      }
    }
    LogPlot.Values copies = drawing.line((1 + code.m()) + " copies");
    LogPlot.Values coded =
        drawing.line(String.format(Locale.ROOT, "%d/%d of the code", code.shards(), code.k()));
    for (Case each : cases) {
      copies.add((double) each.size(), 1 + code.m());
      coded.add((double) each.size(), (double) code.shards() / code.k());
    }
    return drawing.toSvg();
  }

  private boolean repacks(int count) {
    return count == 1 && !dataPathOnly && !withoutRepack;
  }

  private Case measure(long size, int count) throws Exception {
    int most = count == 1 ? mostObjectsAlone : mostObjects;
    int objects = (int) Math.max(1, Math.min(most, S3Load.bytesOf(mostBytes) / size));
    Path directory = Files.createTempDirectory("stowage-packing");
    MiniStowageCluster.Builder builder =
        MiniStowageCluster.builder()
            .directory(directory)
            .policy(policy)
            .set(Keys.CONTAINER_CAPACITY, Keys.CONTAINER_CAPACITY.defaultText())
            .directCalls();
    if (repacks(count)) {
      // What production waits for, in seconds; open for long enough to take the whole case.
      builder
          .set(Keys.COMMIT_WINDOW, "8s")
          .set(Keys.CLOCK_BOUND, "300ms")
          .set(Keys.MUTATION_DEADLINE, "1500ms")
          .set(Keys.OPEN_TIME, "6s")
          .set(Keys.REPACK_CLAIM, "2s")
          .set(Keys.REPACK_KEEP, "1s")
          .set(Keys.REPACK_RATE, "1g");
    } else {
      builder.set(Keys.REPACK_WORKERS, "0");
    }
    try (MiniStowageCluster cluster = builder.start()) {
      PackingLoad load = new PackingLoad(cluster, directory);
      if (dataPathOnly) {
        load.throughDataPath("objects", size, count, objects, policy);
      } else {
        load.throughGateway("objects", size, count, objects);
      }
      List<Path> shards = load.shardFiles();
      StripeFigures stripes = cluster.dataPath(0).figures();
      long bytes = withoutSuperblocks(shards);
      long repacked = 0;
      if (repacks(count)) {
        awaitRepacked(cluster);
        repacked = withoutSuperblocks(load.shardFiles());
      }
      return new Case(
          size, Math.min(count, objects), objects, bytes, repacked, shards.size(), stripes);
    } finally {
      deleteTree(directory);
    }
  }

  private static long withoutSuperblocks(List<Path> shards)
      throws IOException, InterruptedException {
    return PackingLoad.allocatedBytes(shards) - shards.size() * SUPERBLOCKS;
  }

  /** Waits until all is sealed, looked into, and emptied as far as that pays. */
  private static void awaitRepacked(MiniStowageCluster cluster)
      throws IOException, InterruptedException {
    long deadline = System.nanoTime() + REPACK_PATIENCE.toNanos();
    long quietSince = System.nanoTime();
    while (System.nanoTime() - quietSince < REPACK_QUIET.toNanos()) {
      Thread.sleep(100);
      if (System.nanoTime() > deadline) {
        System.err.println("packing: repack is not done after " + REPACK_PATIENCE);
        return;
      }
      if (!isQuiet(cluster)) {
        quietSince = System.nanoTime();
      }
    }
  }

  private static boolean isQuiet(MiniStowageCluster cluster) throws IOException {
    RepackStatusReply status =
        cluster.containerManager().repackStatus(RepackStatusRequest.getDefaultInstance());
    return status.getSurveyed() > 0
        && status.getToSurvey() == 0
        && status.getToEmpty() == 0
        && status.getClaimsCount() == 0
        && status.getKeptDeleted() == 0
        && cluster
            .containerManager()
            .listContainers(ListContainersRequest.getDefaultInstance())
            .getContainersList()
            .stream()
            .allMatch(container -> container.getState() == ContainerState.SEALED);
  }

  private static void deleteTree(Path directory) throws IOException {
    try (Stream<Path> all = Files.walk(directory)) {
      for (Path path : all.sorted((a, b) -> b.compareTo(a)).toList()) {
        Files.deleteIfExists(path);
      }
    }
  }
}

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
import io.stowage.dev.plot.LogPlot;
import io.stowage.minicluster.MiniStowageCluster;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
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
 * files, checksum pages and superblocks included, over user bytes. Each case has a cluster of its
 * own in this JVM (five disks, containers of the default capacity), and writes through its S3
 * gateway or straight through the data path, which shows packing without the rest.
 */
@Command(
    name = "packing",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = "Bytes on disk per user byte, by object size and number of clients.")
public final class PackingBench implements Callable<Integer> {
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

  @Option(names = "--objects", defaultValue = "100000", description = "at most, of each case")
  private int mostObjects;

  @Option(
      names = "--alone-objects",
      defaultValue = "2000",
      description = "at most, where one client writes")
  private int mostObjectsAlone;

  @Option(names = "--bytes", defaultValue = "400m", description = "at most, of each case")
  private String mostBytes;

  @Option(names = "--data-path", description = "without the gateway and its commits")
  private boolean dataPathOnly;

  @Option(names = "--plot", description = "SVG file to draw into")
  private Path plot;

  /** One row of the table. */
  private record Case(
      long size, int clients, int objects, long bytesOnDisk, int files, StripeFigures stripes) {
    double cost() {
      return (double) bytesOnDisk / ((double) size * objects);
    }
  }

  public static void main(String[] args) {
    System.exit(new CommandLine(new PackingBench()).execute(args));
  }

  @Override
  public Integer call() throws Exception {
    System.out.println(
        "| object | clients | objects | bytes on disk / user bytes | shard files | stripes"
            + " | mean width |");
    System.out.println("|---|---|---|---|---|---|---|");
    List<Case> cases = new ArrayList<>();
    for (String size : sizes) {
      for (int count : clients) {
        Case measured = measure(S3Load.bytesOf(size), count);
        cases.add(measured);
        System.out.printf(
            Locale.ROOT,
            "| %s | %d | %d | %.3f | %d | %d | %.2f |%n",
            size,
            count,
            measured.objects(),
            measured.cost(),
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
    LogPlot.Values copies = drawing.line((1 + code.m()) + " copies");
    LogPlot.Values coded =
        drawing.line(String.format(Locale.ROOT, "%d/%d of the code", code.shards(), code.k()));
    for (Case each : cases) {
      copies.add((double) each.size(), 1 + code.m());
      coded.add((double) each.size(), (double) code.shards() / code.k());
    }
    return drawing.toSvg();
  }

  private Case measure(long size, int count) throws Exception {
    int most = count == 1 ? mostObjectsAlone : mostObjects;
    int objects = (int) Math.max(1, Math.min(most, S3Load.bytesOf(mostBytes) / size));
    Path directory = Files.createTempDirectory("stowage-packing");
    try (MiniStowageCluster cluster =
        MiniStowageCluster.builder()
            .directory(directory)
            .policy(policy)
            .set(Keys.CONTAINER_CAPACITY, Keys.CONTAINER_CAPACITY.defaultText())
            .directCalls()
            .start()) {
      PackingLoad load = new PackingLoad(cluster, directory);
      if (dataPathOnly) {
        load.throughDataPath("objects", size, count, objects, policy);
      } else {
        load.throughGateway("objects", size, count, objects);
      }
      List<Path> shards = load.shardFiles();
      return new Case(
          size,
          Math.min(count, objects),
          objects,
          PackingLoad.allocatedBytes(shards),
          shards.size(),
          cluster.dataPath(0).figures());
    } finally {
      deleteTree(directory);
    }
  }

  private static void deleteTree(Path directory) throws IOException {
    try (Stream<Path> all = Files.walk(directory)) {
      for (Path path : all.sorted((a, b) -> b.compareTo(a)).toList()) {
        Files.deleteIfExists(path);
      }
    }
  }
}

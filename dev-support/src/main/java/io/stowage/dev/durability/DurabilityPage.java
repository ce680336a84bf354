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
package io.stowage.dev.durability;

import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.dev.plot.LogPlot;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.BiFunction;
import java.util.function.ToDoubleFunction;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * {@code dev-support/durability}: prints the table for a cluster that the options describe, or,
 * with {@code --write}, makes the table and the plots of docs/DURABILITY.md anew for the cluster
 * that the page names.
 */
@Command(
    name = "durability",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = "How probable it is to lose data, for each erasure policy.")
public final class DurabilityPage implements Callable<Integer> {
  private static final String BEGIN = "<!-- begin of what dev-support/durability writes -->\n";
  private static final String END = "<!-- end of what dev-support/durability writes -->";
  private static final String PAGE = "DURABILITY.md";
  private static final String PLOTS = "durability";

  /** An object of this size lies in one stripe; a damaged place hits one such stripe. */
  private static final double STRIPE_CELL_BYTES = 1 << 20;

  private static final int STEPS = 40;
  private static final long SEED = 1;

  /** Failures times shards on a disk that a simulation of the plot goes through. */
  private static final double SIMULATED_SHARD_LOSSES = 6e5;

  private static final int RUNS = 12;

  @Option(names = "--racks", defaultValue = "20", description = "(${DEFAULT-VALUE})")
  private int racks;

  @Option(names = "--nodes", defaultValue = "10", description = "of a rack (${DEFAULT-VALUE})")
  private int nodes;

  @Option(names = "--disks", defaultValue = "12", description = "of a node (${DEFAULT-VALUE})")
  private int disks;

  @Option(names = "--used", defaultValue = "8e12", description = "bytes on a disk")
  private double used;

  @Option(names = "--disk-failures", defaultValue = "0.02", description = "a year and disk")
  private double diskFailures;

  @Option(names = "--node-failures", defaultValue = "0.005", description = "a year and node")
  private double nodeFailures;

  @Option(names = "--rack-failures", defaultValue = "0.001", description = "a year and rack")
  private double rackFailures;

  @Option(
      names = "--repair",
      defaultValue = "50e6",
      description = "bytes a second that a disk gives to rebuilding, reads and writes together")
  private double repair;

  @Option(names = "--detection", defaultValue = "33", description = "seconds until a rebuild")
  private double detection;

  @Option(names = "--latent-errors", defaultValue = "0.1", description = "a year and disk")
  private double latentErrors;

  @Option(names = "--scrub-days", defaultValue = "14", description = "of a scrubber's cycle")
  private double scrubDays;

  @Option(names = "--write", description = "the docs folder whose page and plots to write")
  private Path docs;

  public static void main(String[] args) {
    System.exit(new CommandLine(new DurabilityPage()).execute(args));
  }

  @Override
  public Integer call() throws IOException {
    if (docs == null) {
      System.out.print(table(model()));
      return 0;
    }
    for (Map.Entry<Path, String> file : files(docs).entrySet()) {
      Files.createDirectories(file.getKey().getParent());
      Files.writeString(file.getKey(), file.getValue());
      System.out.println("wrote " + file.getKey());
    }
    return 0;
  }

  /** What the page and its plots must be, for the cluster of the defaults. */
  static Map<Path, String> filesOf(Path docs) throws IOException {
    DurabilityPage page = new DurabilityPage();
    new CommandLine(page).parseArgs();
    return page.files(docs);
  }

  private Map<Path, String> files(Path folder) throws IOException {
    FailureModel model = model();
    Map<Path, String> files = new LinkedHashMap<>();
    Path page = folder.resolve(PAGE);
    String text = Files.readString(page);
    int begin = text.indexOf(BEGIN);
    int end = text.indexOf(END);
    if (begin < 0 || end < begin) {
      throw new IOException("Cannot write " + page + ": it has no place for the table");
    }
    files.put(page, text.substring(0, begin + BEGIN.length()) + table(model) + text.substring(end));
    Path plots = folder.resolve(PLOTS);
    files.put(plots.resolve("repair-speed.svg"), byRepairSpeed(model));
    files.put(plots.resolve("disk-failures.svg"), byDiskFailures(model));
    files.put(plots.resolve("rack-failures.svg"), byRackFailures(model));
    files.put(plots.resolve("scrub-cycle.svg"), byScrubCycle(model));
    files.put(plots.resolve("agreement.svg"), agreement());
    return files;
  }

  private FailureModel model() {
    return new FailureModel(
        ErasurePolicy.RS_6_3,
        racks,
        nodes,
        disks,
        diskFailures,
        nodeFailures,
        rackFailures,
        used,
        1L << 30,
        repair,
        detection,
        latentErrors,
        scrubDays * 86_400);
  }

  // The table.

  private static String table(FailureModel cluster) {
    StringBuilder table =
        new StringBuilder(
            """
            | policy | disk use | a disk is rebuilt in | a node in | containers lost, each a year | in this cluster a year | damaged stripes in this cluster a year | an object of 1 MiB lives through a year with |
            |---|---|---|---|---|---|---|---|
            """);
    for (ErasurePolicy policy : ErasurePolicy.ALL) {
      FailureModel model = cluster.withPolicy(policy);
      LossRates rates = MarkovModel.lossRates(model);
      double diskQueue =
          model.usedBytesPerDisk()
              * (policy.k() + 1)
              / model.disks()
              / model.repairBytesPerSecond();
      double ofObject =
          rates.containersPerYear()
              + rates.stripesPerYear() * STRIPE_CELL_BYTES / model.shardBytes();
      table.append(
          String.format(
              Locale.ROOT,
              "| %s | %.2f × | %s | %s | %.1e | %.1e | %.1e | 1 − %.1e |\n",
              policy,
              (double) policy.shards() / policy.k(),
              duration(model.detectionSeconds() + diskQueue),
              duration(model.detectionSeconds() + diskQueue * model.disksPerNode()),
              rates.containersPerYear(),
              rates.containersPerYear() * model.containers(),
              rates.stripesPerYear() * model.containers(),
              ofObject));
    }
    return table.toString();
  }

  private static String duration(double seconds) {
    return seconds < 7200
        ? String.format(Locale.ROOT, "%.0f min", seconds / 60)
        : String.format(Locale.ROOT, "%.1f h", seconds / 3600);
  }

  // The plots.

  private static String byRepairSpeed(FailureModel cluster) {
    LogPlot plot =
        new LogPlot(
            "Containers lost a year in the whole cluster, by repair speed",
            "MB/s that each disk gives to rebuilding",
            "containers lost a year");
    perPolicy(
        plot,
        cluster,
        1,
        400,
        (m, mb) -> m.withRepair(mb * 1e6, m.detectionSeconds()),
        DurabilityPage::allLost);
    return plot.toSvg();
  }

  private static String byDiskFailures(FailureModel cluster) {
    LogPlot plot =
        new LogPlot(
            "Containers lost a year in the whole cluster, by disk failures",
            "failures a year and disk",
            "containers lost a year");
    perPolicy(
        plot,
        cluster,
        0.005,
        0.5,
        (m, rate) -> m.withFailures(rate, m.nodeFailuresPerYear(), m.rackFailuresPerYear()),
        DurabilityPage::allLost);
    return plot.toSvg();
  }

  private static String byScrubCycle(FailureModel cluster) {
    LogPlot plot =
        new LogPlot(
            "Stripes lost a year in the whole cluster to latent errors",
            "days of the scrubber's cycle",
            "stripes lost a year");
    perPolicy(
        plot,
        cluster,
        1,
        400,
        (m, days) -> m.withLatentErrors(m.latentErrorsPerDiskYear(), days * 86_400),
        m -> MarkovModel.lossRates(m).stripesPerYear() * m.containers());
    return plot.toSvg();
  }

  private static double allLost(FailureModel model) {
    return MarkovModel.lossRates(model).containersPerYear() * model.containers();
  }

  private static void perPolicy(
      LogPlot plot,
      FailureModel cluster,
      double from,
      double to,
      BiFunction<FailureModel, Double, FailureModel> change,
      ToDoubleFunction<FailureModel> value) {
    for (ErasurePolicy policy : ErasurePolicy.ALL) {
      LogPlot.Values line = plot.line(policy.name());
      for (int step = 0; step <= STEPS; step++) {
        double x = from * StrictMath.pow(to / from, (double) step / STEPS);
        line.add(x, value.applyAsDouble(change.apply(cluster.withPolicy(policy), x)));
      }
    }
  }

  /** The same disks in fewer racks: more shards of a container fall together. */
  private static String byRackFailures(FailureModel cluster) {
    LogPlot plot =
        new LogPlot(
            "Containers lost a year with rs-6-3, by rack failures",
            "failures a year and rack",
            "containers lost a year");
    for (int count : new int[] {2, 3, 5, 10, 20}) {
      LogPlot.Values line = plot.line(count + " racks");
      FailureModel model =
          new FailureModel(
              cluster.policy(),
              count,
              cluster.racks() * cluster.nodesPerRack() / count,
              cluster.disksPerNode(),
              cluster.diskFailuresPerYear(),
              cluster.nodeFailuresPerYear(),
              cluster.rackFailuresPerYear(),
              cluster.usedBytesPerDisk(),
              cluster.shardBytes(),
              cluster.repairBytesPerSecond(),
              cluster.detectionSeconds(),
              cluster.latentErrorsPerDiskYear(),
              cluster.scrubSeconds());
      for (int step = 0; step <= STEPS; step++) {
        double rate = 1e-5 * StrictMath.pow(1e4, (double) step / STEPS);
        line.add(
            rate,
            allLost(
                model.withFailures(
                    model.diskFailuresPerYear(), model.nodeFailuresPerYear(), rate)));
      }
    }
    return plot.toSvg();
  }

  private static String agreement() {
    LogPlot plot =
        new LogPlot(
            "The chain (lines) and the simulation (points, two standard errors)",
            "failures a year and disk: some thousand times the real rate",
            "containers lost, each a year");
    for (ErasurePolicy policy : ErasurePolicy.ALL) {
      LogPlot.Values chain = plot.line(policy + ", chain");
      for (int step = 0; step <= STEPS; step++) {
        double rate = 20 * StrictMath.pow(15, (double) step / STEPS);
        chain.add(
            rate,
            MarkovModel.lossRates(Agreement.accelerated(policy, rate, 0.1)).containersPerYear());
      }
      LogPlot.Values points = plot.points("simulated");
      for (double rate : new double[] {25, 50, 100, 200}) {
        FailureModel model = Agreement.accelerated(policy, rate, 0.1);
        double shardsOnDisk = model.usedBytesPerDisk() / model.shardBytes();
        double years = SIMULATED_SHARD_LOSSES / (model.disks() * rate * shardsOnDisk);
        Agreement agreement = Agreement.of(model, years, RUNS, SEED);
        double seen = agreement.simulated().containersPerYear();
        double error = 2 * agreement.error().containersPerYear();
        points.addBetween(rate, seen, seen - error, seen + error);
      }
    }
    return plot.toSvg();
  }
}

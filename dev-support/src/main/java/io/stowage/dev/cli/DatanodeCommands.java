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
package io.stowage.dev.cli;

import io.stowage.common.conf.ConfigKey;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.AcceptUnknownShardsReply;
import io.stowage.common.proto.AcceptUnknownShardsRequest;
import io.stowage.common.proto.ClusterStatusReply;
import io.stowage.common.proto.DatanodeInfo;
import io.stowage.common.proto.DatanodeMode;
import io.stowage.common.proto.DiskInfo;
import io.stowage.common.proto.JudgeNeedlesRequest;
import io.stowage.common.proto.ListDatanodesRequest;
import io.stowage.common.proto.MoveDatanodeRequest;
import io.stowage.common.proto.SetDatanodeModeReply;
import io.stowage.common.proto.SetDatanodeModeRequest;
import io.stowage.common.scm.ContainerManager;
import io.stowage.dev.cli.Output.Bytes;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Visibility;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.TypeConversionException;

/** {@code stowage datanode …}. */
@Command(
    name = "datanode",
    mixinStandardHelpOptions = true,
    description = "List datanodes and their disks; empty them, let them be away, take them back.",
    subcommands = {
      DatanodeCommands.Ls.class,
      DatanodeCommands.Decommission.class,
      DatanodeCommands.Maintenance.class,
      DatanodeCommands.Recommission.class,
      DatanodeCommands.Move.class,
      DatanodeCommands.Quarantine.class
    })
final class DatanodeCommands {
  @Command(name = "ls", mixinStandardHelpOptions = true, description = "A line a disk.")
  static final class Ls extends ClusterCommand {
    @Override
    void run(Session session, Output output) throws Exception {
      List<Map<String, Object>> rows = new ArrayList<>();
      for (DatanodeInfo node :
          session
              .containerManager()
              .listDatanodes(ListDatanodesRequest.getDefaultInstance())
              .getDatanodesList()) {
        for (DiskInfo disk : node.getDisksList()) {
          Map<String, Object> row = new LinkedHashMap<>();
          row.put("node", node.getNodeId());
          row.put("state", node.getState());
          row.put("mode", node.getMode());
          row.put("to move", node.getShardsToMove());
          row.put("address", node.getHost() + ":" + node.getPort());
          row.put("rack", node.getRack());
          row.put("heard", timeOf(node.getLastHeartbeatMicros()));
          row.put("shards on node", node.getShardCount());
          row.put("disk", disk.getDiskId());
          row.put("disk state", stateOf(disk));
          row.put("used", new Bytes(disk.getUsedBytes()));
          row.put("free", new Bytes(disk.getFreeBytes()));
          row.put("path", disk.getPath());
          rows.add(row);
        }
      }
      output.rows(rows);
    }
  }

  static String stateOf(DiskInfo disk) {
    if (!disk.getFailed()) {
      return disk.getFull() ? "FULL" : "GOOD";
    }
    return disk.getReadable() ? "READ_ONLY" : "FAILED";
  }

  /** Commands that say a mode of one node. */
  abstract static class SetMode extends ClusterCommand {
    @Parameters(paramLabel = "NODE", description = "id as ls shows it, its beginning, or host:port")
    private String node;

    abstract DatanodeMode mode();

    abstract String sentence();

    Duration duration() {
      return Duration.ZERO;
    }

    @Override
    void run(Session session, Output output) throws Exception {
      String id = find(session.containerManager(), node);
      SetDatanodeModeReply reply =
          session
              .containerManager()
              .setDatanodeMode(
                  SetDatanodeModeRequest.newBuilder()
                      .setNodeId(id)
                      .setMode(mode())
                      .setDurationMicros(TimeUnit.MICROSECONDS.convert(duration()))
                      .build());
      StringBuilder done = new StringBuilder("datanode " + id + sentence());
      reply.getWarningsList().forEach(warning -> done.append("; ").append(warning));
      output.done(done.toString());
    }

    private static String find(ContainerManager scm, String node) throws StoreException {
      List<String> found = called(scm, node);
      if (found.size() != 1) {
        throw new StoreException(
            ErrorCode.INVALID_ARGUMENT,
            "Cannot find datanode " + node + ": " + found.size() + " are called so");
      }
      return found.get(0);
    }
  }

  /** Ids of the nodes that are called so. */
  private static List<String> called(ContainerManager scm, String node) throws StoreException {
    return scm.listDatanodes(ListDatanodesRequest.getDefaultInstance()).getDatanodesList().stream()
        .filter(
            info ->
                info.getNodeId().startsWith(node)
                    || (info.getHost() + ":" + info.getPort()).equals(node))
        .map(DatanodeInfo::getNodeId)
        .toList();
  }

  @Command(
      name = "move",
      mixinStandardHelpOptions = true,
      description =
          "Let a node's disks be another machine's: with security on no other host may speak for"
              + " them.")
  static final class Move extends ClusterCommand {
    @Parameters(paramLabel = "NODE", description = "id as ls shows it, its beginning, or host:port")
    private String node;

    @Parameters(paramLabel = "HOST", description = "that its principal names from now on")
    private String host;

    @Override
    void run(Session session, Output output) throws Exception {
      List<String> found = called(session.containerManager(), node);
      if (found.size() > 1) {
        throw new StoreException(
            ErrorCode.INVALID_ARGUMENT,
            "Cannot find datanode " + node + ": " + found.size() + " are called so");
      }
      String id = found.isEmpty() ? node : found.get(0); // a new leader has not heard it yet
      session
          .containerManager()
          .moveDatanode(MoveDatanodeRequest.newBuilder().setNodeId(id).setHost(host).build());
      output.done("datanode " + id + " may start on " + host);
    }
  }

  @Command(
      name = "decommission",
      mixinStandardHelpOptions = true,
      description = "Have a node's shards moved elsewhere; ls says when it is DECOMMISSIONED.")
  static final class Decommission extends SetMode {
    @Override
    DatanodeMode mode() {
      return DatanodeMode.DECOMMISSIONING;
    }

    @Override
    String sentence() {
      return " is being emptied";
    }
  }

  @Command(
      name = "maintenance",
      mixinStandardHelpOptions = true,
      description = "Let a node be away: nothing is rebuilt for that.")
  static final class Maintenance extends SetMode {
    @Option(
        names = "--for",
        paramLabel = "TIME",
        defaultValue = "0",
        showDefaultValue = Visibility.NEVER,
        converter = TimeConverter.class,
        description =
            "30m, 12h, …, or minutes; then it is in service again, else when recommissioned")
    private Duration time;

    @Override
    DatanodeMode mode() {
      return DatanodeMode.MAINTENANCE;
    }

    @Override
    Duration duration() {
      return time;
    }

    @Override
    String sentence() {
      return " may be away" + (time.isZero() ? "" : " for " + words(time));
    }

    private static String words(Duration time) {
      return time.toSecondsPart() == 0
          ? time.toMinutes() + " minutes"
          : time.toSeconds() + " seconds";
    }
  }

  /** As settings say it, 30m and the like; a number alone counts minutes. */
  static final class TimeConverter implements ITypeConverter<Duration> {
    private static final Duration LONGEST = Duration.ofDays(3_650);

    @Override
    public Duration convert(String text) {
      boolean bare = !text.isEmpty() && text.chars().allMatch(Character::isDigit);
      try {
        Duration time = ConfigKey.parseDuration(bare ? text + "m" : text);
        if (time.compareTo(LONGEST) <= 0 && time.toNanosPart() == 0) {
          return time;
        }
      } catch (IllegalArgumentException | ArithmeticException e) {
        // told below
      }
      throw new TypeConversionException(
          text + " is no time: minutes, or a number with s, m, h or d, up to 3650d");
    }
  }

  @Command(
      name = "recommission",
      mixinStandardHelpOptions = true,
      description = "Take a node into service again.")
  static final class Recommission extends SetMode {
    @Override
    DatanodeMode mode() {
      return DatanodeMode.IN_SERVICE;
    }

    @Override
    String sentence() {
      return " is in service";
    }
  }

  @Command(
      name = "quarantine",
      mixinStandardHelpOptions = true,
      description =
          "Shards that no container row names, and how many of them wait to be accepted; with"
              + " --accept, have them put aside and deleted.")
  static final class Quarantine extends ClusterCommand {
    @Option(
        names = "--accept",
        description =
            "they may be put aside, however many they are, and what is aside by then deleted after"
                + " seven days there; holds for a day; and what a container table older than the"
                + " disks does not know may be lost, and what another table object than that of"
                + " the object managers asked knows")
    private boolean accept;

    @Override
    void run(Session session, Output output) throws Exception {
      Map<String, Object> facts = new LinkedHashMap<>();
      if (accept) {
        ByteString table =
            session
                .objectManager()
                .judgeNeedles(JudgeNeedlesRequest.getDefaultInstance())
                .getObjectTable();
        AcceptUnknownShardsReply reply =
            session
                .containerManager()
                .acceptUnknownShards(
                    AcceptUnknownShardsRequest.newBuilder().setObjectTable(table).build());
        facts.put("table object", WriteId.toHex(table));
        facts.put("accepted until", timeOf(reply.getUntilMicros()));
      }
      ClusterStatusReply status = session.clusterStatus();
      facts.put("unknown shards", status.getUnknownShards());
      facts.put("stale shards", status.getStaleShards());
      facts.put("quarantined shards", status.getQuarantinedShards());
      facts.put("waiting to be accepted", status.getUnacceptedShards());
      facts.put("held back", status.getHeldBack());
      output.facts(facts);
    }
  }
}

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

import io.stowage.common.proto.BalanceStatus;
import io.stowage.common.proto.SetBalanceReply;
import io.stowage.common.proto.SetBalanceRequest;
import io.stowage.dev.cli.Output.Bytes;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code stowage balance …}. */
@Command(
    name = "balance",
    mixinStandardHelpOptions = true,
    description = "Move misplaced shards apart, and shards from full disks to emptier ones.",
    subcommands = {
      BalanceCommands.Start.class,
      BalanceCommands.Status.class,
      BalanceCommands.Stop.class
    })
final class BalanceCommands {
  static Map<String, Object> factsOf(BalanceStatus status) {
    Map<String, Object> facts = new LinkedHashMap<>();
    facts.put("running", status.getRunning() ? "yes" : "no");
    facts.put("spread", percent(status.getSpread()));
    facts.put("threshold", percent(status.getThreshold()));
    facts.put("moves at once", status.getMovesAtOnce());
    facts.put("in flight", status.getInFlight());
    facts.put("shards moved", status.getShardsMoved());
    facts.put("bytes moved", new Bytes(status.getBytesMoved()));
    if (!status.getWaits().isEmpty()) {
      facts.put("waits", status.getWaits());
    }
    return facts;
  }

  private static String percent(double share) {
    return Math.round(share * 1e6) / 1e4 + " %";
  }

  @Command(name = "start", mixinStandardHelpOptions = true, description = "Begin, until stopped.")
  static final class Start extends ClusterCommand {
    @Option(
        names = "--threshold",
        paramLabel = "PERCENT",
        description = "a disk may be as much fuller than the mean; 10 if not said")
    private double percent;

    @Option(
        names = "--moves",
        paramLabel = "COUNT",
        description = "at once in the whole cluster, 64 at most; 8 if not said")
    private int moves;

    @Override
    void run(Session session, Output output) throws Exception {
      SetBalanceReply unused =
          session
              .containerManager()
              .setBalance(
                  SetBalanceRequest.newBuilder()
                      .setRunning(true)
                      .setThreshold(percent / 100)
                      .setMovesAtOnce(moves)
                      .build());
      output.done("balancing");
    }
  }

  @Command(name = "status", mixinStandardHelpOptions = true, description = "How far it is.")
  static final class Status extends ClusterCommand {
    @Override
    void run(Session session, Output output) throws Exception {
      output.facts(factsOf(session.clusterStatus().getBalance()));
    }
  }

  @Command(
      name = "stop",
      mixinStandardHelpOptions = true,
      description = "Begin no more moves; those under way are ended.")
  static final class Stop extends ClusterCommand {
    @Override
    void run(Session session, Output output) throws Exception {
      SetBalanceReply unused =
          session
              .containerManager()
              .setBalance(SetBalanceRequest.newBuilder().setRunning(false).build());
      output.done("no longer balancing");
    }
  }
}

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

import io.stowage.client.repack.Repacker;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.RepackClaim;
import io.stowage.common.proto.RepackStatusReply;
import io.stowage.common.proto.RepackStatusRequest;
import io.stowage.dev.cli.Output.Bytes;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code stowage repack …}. */
@Command(
    name = "repack",
    mixinStandardHelpOptions = true,
    description = "See how containers are cleared of what is dead, or have one emptied now.",
    subcommands = {RepackCommands.Status.class, RepackCommands.Run.class})
final class RepackCommands {
  private RepackCommands() {}

  /** For {@code stowage status}: what waits, what is at work, what was done. */
  static Map<String, Object> summaryOf(Session session) throws StoreException {
    RepackStatusReply status =
        session.containerManager().repackStatus(RepackStatusRequest.getDefaultInstance());
    Map<String, Object> facts = figures(status);
    long walked = 0;
    long total = 0;
    for (RepackClaim claim : status.getClaimsList()) {
      walked += claim.getBytesDone();
      total += claim.getBytesTotal();
    }
    facts.put("containers at work", status.getClaimsCount());
    if (status.getClaimsCount() > 0) {
      facts.put("walked", new Bytes(walked));
      facts.put("of", new Bytes(total));
    }
    return facts;
  }

  private static Map<String, Object> figures(RepackStatusReply status) {
    Map<String, Object> facts = new LinkedHashMap<>();
    facts.put("containers to survey", status.getToSurvey());
    facts.put("containers to empty", status.getToEmpty());
    facts.put("containers unreadable", status.getUnreadable());
    facts.put("containers deleted and kept", status.getKeptDeleted());
    facts.put("surveyed by this leader", status.getSurveyed());
    facts.put("emptied by this leader", status.getEmptied());
    facts.put("moved", new Bytes(status.getBytesMoved()));
    facts.put("freed", new Bytes(status.getBytesFreed()));
    return facts;
  }

  @Command(
      name = "status",
      mixinStandardHelpOptions = true,
      description = "What is to be surveyed and emptied, who is at it, and what came of it.")
  static final class Status extends ClusterCommand {
    @Override
    void run(Session session, Output output) throws Exception {
      RepackStatusReply status =
          session.containerManager().repackStatus(RepackStatusRequest.getDefaultInstance());
      Map<String, Object> facts = figures(status);
      List<Map<String, Object>> claims = new ArrayList<>();
      for (RepackClaim claim : status.getClaimsList()) {
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("container", String.format("%016x", claim.getContainer()));
        row.put("work", claim.getWork());
        row.put("worker", claim.getWorker());
        row.put("since", timeOf(claim.getStartedMicros()));
        row.put("walked", new Bytes(claim.getBytesDone()));
        row.put("of", new Bytes(claim.getBytesTotal()));
        row.put("moved", new Bytes(claim.getBytesMoved()));
        claims.add(row);
      }
      facts.put("at work", claims);
      output.facts(facts);
    }
  }

  @Command(
      name = "run",
      mixinStandardHelpOptions = true,
      description = "Empty one sealed container now, however much of it lives.")
  static final class Run extends ClusterCommand {
    @Parameters(paramLabel = "CONTAINER", description = "Its id, 16 hex digits.")
    private String container;

    @Override
    void run(Session session, Output output) throws Exception {
      try (Repacker repacker =
          Repacker.start(
              session.config(),
              "stowage repack of " + System.getProperty("user.name"),
              session.containerManager(),
              session.objectManager(),
              session.dataPath(),
              0)) {
        repacker.repack(Long.parseUnsignedLong(container, 16));
      }
      output.done("container " + container + " is emptied");
    }
  }
}

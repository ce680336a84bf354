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

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.GetContainersRequest;
import io.stowage.common.proto.ListContainersReply;
import io.stowage.common.proto.ListContainersRequest;
import io.stowage.common.proto.ShardPlace;
import io.stowage.dev.cli.Output.Bytes;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code stowage container …}. */
@Command(
    name = "container",
    mixinStandardHelpOptions = true,
    description = "List containers, show one.",
    subcommands = {ContainerCommands.Ls.class, ContainerCommands.Show.class})
final class ContainerCommands {
  private static final int PAGE = 10_000;

  static String idOf(long id) {
    return HexFormat.of().toHexDigits(id);
  }

  @Command(name = "ls", mixinStandardHelpOptions = true, description = "List containers.")
  static final class Ls extends ClusterCommand {
    @Option(names = "--state", description = "one of OPEN, SEALED, REPACKING, DELETED")
    private ContainerState state = ContainerState.CONTAINER_UNKNOWN;

    @Option(names = "--limit", description = "at most so many (${DEFAULT-VALUE})")
    private int limit = PAGE;

    @Override
    void run(Session session, Output output) throws Exception {
      List<Map<String, Object>> rows = new ArrayList<>();
      long after = 0;
      ListContainersReply page;
      do {
        page =
            session
                .containerManager()
                .listContainers(
                    ListContainersRequest.newBuilder()
                        .setAfter(after)
                        .setState(state)
                        .setLimit(Math.min(PAGE, limit - rows.size()))
                        .build());
        for (ContainerInfo container : page.getContainersList()) {
          Map<String, Object> row = new LinkedHashMap<>();
          row.put("container", idOf(container.getId()));
          row.put("policy", container.getPolicy());
          row.put("state", container.getState());
          row.put("created", timeOf(container.getCreatedMicros()));
          row.put("epoch", container.getLeaseEpoch());
          row.put("end", new Bytes(container.getEndOffset()));
          row.put("capacity", new Bytes(container.getCapacityBytes()));
          row.put("leased until", timeOf(container.getLeaseExpiryMicros()));
          rows.add(row);
          after = container.getId();
        }
      } while (page.getMore() && page.getContainersCount() > 0 && rows.size() < limit);
      output.rows(rows);
    }
  }

  @Command(name = "show", mixinStandardHelpOptions = true, description = "Show one container.")
  static final class Show extends ClusterCommand {
    @Parameters(paramLabel = "CONTAINER", description = "16 hex digits, as ls shows them")
    private String id;

    @Override
    void run(Session session, Output output) throws Exception {
      long number;
      try {
        number = HexFormat.fromHexDigitsToLong(id);
      } catch (IllegalArgumentException e) {
        throw new StoreException(
            ErrorCode.INVALID_ARGUMENT, "Cannot show container " + id + ": not hex digits", e);
      }
      List<ContainerInfo> found =
          session
              .containerManager()
              .getContainers(GetContainersRequest.newBuilder().addIds(number).build())
              .getContainersList();
      if (found.isEmpty()) {
        throw new StoreException(
            ErrorCode.NO_SUCH_CONTAINER, "Cannot show container " + id + ": there is none");
      }
      output.facts(factsOf(found.get(0)));
    }

    private static Map<String, Object> factsOf(ContainerInfo container) {
      Map<String, Object> facts = new LinkedHashMap<>();
      facts.put("container", idOf(container.getId()));
      facts.put("policy", container.getPolicy());
      facts.put("state", container.getState());
      facts.put("created", timeOf(container.getCreatedMicros()));
      facts.put("sealed", timeOf(container.getSealedMicros()));
      facts.put("row version", container.getRowVersion());
      facts.put("leader epoch", container.getLeaderEpoch());
      facts.put("lease epoch", container.getLeaseEpoch());
      facts.put(
          "lease holder",
          container.getLeaseExpiryMicros() == 0 ? "" : WriteId.toHex(container.getLeaseHolder()));
      facts.put("leased until", timeOf(container.getLeaseExpiryMicros()));
      facts.put("end", new Bytes(container.getEndOffset()));
      facts.put("capacity", new Bytes(container.getCapacityBytes()));
      List<Map<String, Object>> shards = new ArrayList<>();
      for (ShardPlace place : container.getShardsList()) {
        Map<String, Object> shard = new LinkedHashMap<>();
        shard.put("shard", place.getIndex());
        shard.put("node", place.getNodeId());
        shard.put("disk", place.getDiskId());
        shard.put("generation", place.getGeneration());
        shard.put("at", place.getHost().isEmpty() ? "" : place.getHost() + ":" + place.getPort());
        shards.add(shard);
      }
      facts.put("shards", shards);
      return facts;
    }
  }
}

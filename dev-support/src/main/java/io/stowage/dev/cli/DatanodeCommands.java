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

import io.stowage.common.proto.DatanodeInfo;
import io.stowage.common.proto.DiskInfo;
import io.stowage.common.proto.ListDatanodesRequest;
import io.stowage.dev.cli.Output.Bytes;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;

/** {@code stowage datanode …}. */
@Command(
    name = "datanode",
    mixinStandardHelpOptions = true,
    description = "List datanodes and their disks.",
    subcommands = DatanodeCommands.Ls.class)
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
          row.put("address", node.getHost() + ":" + node.getPort());
          row.put("rack", node.getRack());
          row.put("heard", timeOf(node.getLastHeartbeatMicros()));
          row.put("shards on node", node.getShardCount());
          row.put("disk", disk.getDiskId());
          row.put("disk state", disk.getFailed() ? "FAILED" : "GOOD");
          row.put("used", new Bytes(disk.getUsedBytes()));
          row.put("free", new Bytes(disk.getFreeBytes()));
          row.put("path", disk.getPath());
          rows.add(row);
        }
      }
      output.rows(rows);
    }
  }
}

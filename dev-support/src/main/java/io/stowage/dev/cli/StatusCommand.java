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

import io.stowage.common.proto.ClusterStatusReply;
import io.stowage.common.proto.ClusterStatusRequest;
import io.stowage.common.proto.PolicyStatus;
import io.stowage.dev.cli.Output.Bytes;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;

/** {@code stowage status}: is it well, and what may fail before it is not. */
@Command(
    name = "status",
    mixinStandardHelpOptions = true,
    description = "Leader, datanodes, containers in danger, and spare failure domains a policy.")
final class StatusCommand extends ClusterCommand {
  @Override
  void run(Session session, Output output) throws Exception {
    ClusterStatusReply status =
        session.containerManager().clusterStatus(ClusterStatusRequest.getDefaultInstance());
    Map<String, Object> facts = new LinkedHashMap<>();
    facts.put("cluster", status.getClusterId());
    facts.put("leader", status.getLeaderAddress());
    facts.put("leader epoch", status.getLeaderEpoch());
    facts.put("datanodes live", status.getLiveDatanodes());
    facts.put("datanodes dead", status.getDeadDatanodes());
    facts.put("capacity", new Bytes(status.getCapacityBytes()));
    facts.put("used", new Bytes(status.getUsedBytes()));
    facts.put("containers open", status.getOpenContainers());
    facts.put("containers sealed", status.getSealedContainers());
    facts.put("containers endangered", status.getEndangeredContainers());
    facts.put("containers unavailable", status.getUnavailableContainers());
    facts.put("unknown shards", status.getUnknownShards());
    List<Map<String, Object>> policies = new ArrayList<>();
    for (PolicyStatus policy : status.getPoliciesList()) {
      Map<String, Object> row = new LinkedHashMap<>();
      row.put("policy", policy.getPolicy());
      row.put("writable", policy.getWritable() ? "yes" : "no");
      row.put("spare domains", policy.getSpareDomains());
      if (!policy.getMissing().isEmpty()) {
        row.put("missing", policy.getMissing());
      }
      policies.add(row);
    }
    facts.put("policies", policies);
    output.facts(facts);
  }
}

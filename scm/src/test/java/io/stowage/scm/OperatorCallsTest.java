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
package io.stowage.scm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.stowage.common.access.AuditLog;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.AcceptUnknownShardsRequest;
import io.stowage.common.proto.ClusterStatusRequest;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.DatanodeMode;
import io.stowage.common.proto.GetTokenKeysRequest;
import io.stowage.common.proto.LeaseContainersRequest;
import io.stowage.common.proto.ListDatanodesRequest;
import io.stowage.common.proto.MoveDatanodeRequest;
import io.stowage.common.proto.RestoreContainerRequest;
import io.stowage.common.proto.ResurveyContainersRequest;
import io.stowage.common.proto.SetBalanceRequest;
import io.stowage.common.proto.SetDatanodeModeRequest;
import io.stowage.common.rpc.RpcClient;
import io.stowage.common.rpc.RpcProtocol;
import io.stowage.common.rpc.RpcServer;
import io.stowage.common.scm.ContainerManager;
import io.stowage.common.time.StoreClock;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PrivilegedExceptionAction;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.security.UserGroupInformation;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What of the calls that come over RPC is in an SCM's audit log; callers just say who they are. */
class OperatorCallsTest {
  private static final Configuration HADOOP = new Configuration(false);

  @TempDir private Path directory;
  private final List<AutoCloseable> open = new ArrayList<>();
  private ScmHarness h;
  private AuditLog audit;
  private String address;

  @BeforeEach
  void start() throws Exception {
    h = new ScmHarness(5, null);
    audit = AuditLog.to(StoreClock.system(), directory.resolve("audit.log"), 1 << 20, 1);
    open.add(audit);
    RpcServer server =
        RpcServer.create(
                HADOOP,
                "127.0.0.1:0",
                2,
                RpcProtocol.CONTAINER_MANAGER,
                OperatorCalls.noted(h.scm, audit, Set.of("om", "s3")))
            .start();
    open.add(server);
    address = "127.0.0.1:" + server.address().getPort();
  }

  @AfterEach
  void stop() throws Exception {
    for (AutoCloseable closeable : open) {
      closeable.close();
    }
  }

  private ContainerManager as(String user) throws Exception {
    RpcClient<ContainerManager> client =
        UserGroupInformation.createRemoteUser(user)
            .doAs(
                (PrivilegedExceptionAction<RpcClient<ContainerManager>>)
                    () ->
                        RpcClient.create(
                            RpcProtocol.CONTAINER_MANAGER,
                            HADOOP,
                            List.of(address),
                            Duration.ofSeconds(10),
                            Duration.ZERO));
    open.add(client);
    return client.api();
  }

  private List<JsonNode> lines() throws IOException {
    audit.close(); // writes what waits
    List<JsonNode> lines = new ArrayList<>();
    for (String line : Files.readAllLines(directory.resolve("audit.log"))) {
      lines.add(new ObjectMapper().readTree(line));
    }
    return lines;
  }

  private static String inShort(JsonNode line) {
    return line.get("user").asText()
        + " "
        + line.get("action").asText()
        + " "
        + line.get("allowed").asText()
        + ": "
        + line.get("why").asText();
  }

  @Test
  void eachCallOfAnOperatorIsWrittenDownWithWhatCameOfIt() throws Exception {
    ContainerManager ann = as("ann");
    String node = h.nodes.get(0).nodeId();
    SetDatanodeModeRequest maintain =
        SetDatanodeModeRequest.newBuilder()
            .setNodeId(node)
            .setMode(DatanodeMode.MAINTENANCE)
            .build();
    ann.setDatanodeMode(maintain);
    assertThrows(
        StoreException.class,
        () -> ann.moveDatanode(MoveDatanodeRequest.newBuilder().setNodeId(node).build()));
    ann.setBalance(SetBalanceRequest.getDefaultInstance());
    ann.acceptUnknownShards(AcceptUnknownShardsRequest.getDefaultInstance());
    ann.resurveyContainers(ResurveyContainersRequest.newBuilder().addContainers(77).build());
    assertThrows(
        StoreException.class,
        () ->
            ann.restoreContainer(
                RestoreContainerRequest.newBuilder()
                    .setContainer(ContainerInfo.newBuilder().setId(78).setPolicy("none"))
                    .build()));
    List<JsonNode> lines = lines();
    assertEquals(
        List.of(
            "setDatanodeMode done",
            "moveDatanode failed",
            "setBalance done",
            "acceptUnknownShards done",
            "resurveyContainers done",
            "restoreContainer failed"),
        lines.stream()
            .map(
                line ->
                    line.get("action").asText().replace("stowage:", "")
                        + " "
                        + line.get("why").asText().replaceAll("[: ].*", ""))
            .toList());
    for (JsonNode line : lines) {
      assertEquals("ann", line.get("user").asText());
      assertEquals("SIMPLE", line.get("authenticated").asText());
      assertEquals("127.0.0.1", line.get("from").asText());
      assertTrue(line.get("allowed").asBoolean(), line::toString);
      assertTrue(line.get("requestId").asText().matches("[0-9a-f]{32}:[0-9]+"), line::toString);
    }
    assertEquals(
        "ann stowage:setDatanodeMode true: done (node_id: \"" + node + "\" mode: MAINTENANCE)",
        inShort(lines.get(0)));
  }

  @Test
  void whoTakesTheKeysOfTokensIsWrittenDownUnlessAService() throws Exception {
    GetTokenKeysRequest ask = GetTokenKeysRequest.newBuilder().setVersion(3).build();
    for (String user : List.of("om", "ann", "s3")) {
      as(user).getTokenKeys(ask);
    }
    assertEquals(
        List.of("ann stowage:getTokenKeys true: done (version: 3)"),
        lines().stream().map(OperatorCallsTest::inShort).toList());
  }

  @Test
  void whatOnlyTellsAndWhatServicesDoAllDayIsNot() throws Exception {
    ContainerManager ann = as("ann");
    ann.clusterStatus(ClusterStatusRequest.getDefaultInstance());
    ann.listDatanodes(ListDatanodesRequest.getDefaultInstance());
    ann.leaseContainer(
        LeaseContainersRequest.newBuilder()
            .setPolicy("rs-3-2")
            .setHolder(WriteId.random())
            .build());
    assertEquals(List.of(), lines());
  }

  @Test
  void anScmThatDoesNotLeadLeavesTheLineToTheLeader() throws Exception {
    h.scm.lost();
    StoreException e =
        assertThrows(
            StoreException.class,
            () -> as("ann").setBalance(SetBalanceRequest.getDefaultInstance()));
    assertEquals(ErrorCode.NOT_LEADER, e.code());
    assertEquals(List.of(), lines());
  }
}

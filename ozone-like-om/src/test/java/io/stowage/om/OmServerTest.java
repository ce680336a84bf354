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
package io.stowage.om;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.metrics.RoleHealth;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.common.proto.GetIdentityRequest;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.Identity;
import io.stowage.common.proto.PutIdentityRequest;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.rpc.RpcClient;
import io.stowage.common.rpc.RpcProtocol;
import io.stowage.common.time.StoreClock;
import io.stowage.om.table.HBaseFixture;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.Admin;
import org.apache.hadoop.hbase.client.ColumnFamilyDescriptorBuilder;
import org.apache.hadoop.hbase.client.Connection;
import org.apache.hadoop.hbase.client.ConnectionFactory;
import org.junit.jupiter.api.Test;

/** The server as others start it: over real HBase, called over Hadoop RPC. */
class OmServerTest {
  private static StowageConfig config(String namespace) throws StoreException {
    return StowageConfig.of(
        Map.of(
            Keys.HBASE_NAMESPACE.name(),
            namespace,
            Keys.OM_BIND.name(),
            "127.0.0.1:0",
            Keys.DEFAULT_POLICY.name(),
            "rs-3-2",
            Keys.BUCKET_CACHE_AGE.name(),
            "50ms"));
  }

  @Test
  void servesOverRpcWhatItServesInItsProcess() throws Exception {
    Configuration hbase = HBaseFixture.configuration();
    FakeContainers containers = new FakeContainers();
    try (OmServer server = OmServer.start(config("rpc"), hbase, containers, StoreClock.system())) {
      InetSocketAddress address = server.serveRpc();
      RpcClient<ObjectManager> client =
          RpcClient.create(
              RpcProtocol.OBJECT_MANAGER,
              new Configuration(),
              List.of("127.0.0.1:" + address.getPort()),
              Duration.ofSeconds(10),
              Duration.ofSeconds(10));
      try (client) {
        assertEquals(new RoleHealth("om", true, "serving"), server.health());
        ObjectManager remote = client.api();
        remote.createBucket(
            CreateBucketRequest.newBuilder()
                .setName("over-rpc")
                .setOwner("o")
                .setWriteId(WriteId.random())
                .build());
        PutObjectRequest put = TestOm.inMemory().putRequest("over-rpc", "k", "content").build();
        assertEquals(
            remote.putObject(put).getVersion(),
            server
                .objectManager()
                .getObject(GetObjectRequest.newBuilder().setBucket("over-rpc").setKey("k").build())
                .getVersion());
        StoreException absent =
            assertThrows(
                StoreException.class,
                () ->
                    remote.getObject(
                        GetObjectRequest.newBuilder()
                            .setBucket("over-rpc")
                            .setKey("none")
                            .build()));
        assertEquals(ErrorCode.NO_SUCH_KEY, absent.code());
        Identity identity =
            Identity.newBuilder().setAccessKey("AK").setSecretKey("SK").setUser("u").build();
        remote.putIdentity(PutIdentityRequest.newBuilder().setIdentity(identity).build());
        assertEquals(
            identity,
            remote
                .getIdentity(GetIdentityRequest.newBuilder().setAccessKey("AK").build())
                .getIdentity());
      }
    }
  }

  @Test
  void refusesTablesThatCouldDropCells() throws Exception {
    Configuration hbase = HBaseFixture.configuration();
    StowageConfig config = config("broken");
    OmServer.start(config, hbase, new FakeContainers(), StoreClock.system()).close();
    try (Connection connection = ConnectionFactory.createConnection(hbase);
        Admin admin = connection.getAdmin()) {
      TableName objects = TableName.valueOf("broken", "object");
      admin.modifyColumnFamily(
          objects,
          ColumnFamilyDescriptorBuilder.newBuilder(
                  admin.getDescriptor(objects).getColumnFamily(new byte[] {'c'}))
              .setTimeToLive(86_400)
              .build());
    }
    StoreException refused =
        assertThrows(
            StoreException.class,
            () -> OmServer.start(config, hbase, new FakeContainers(), StoreClock.system()));
    assertEquals(ErrorCode.BAD_CONFIGURATION, refused.code());
    assertTrue(refused.getMessage().contains("TTL"), refused.getMessage());
  }

  @Test
  void aWindowThatAllowsNoCommitStopsTheStart() throws Exception {
    StowageConfig config =
        config("none").with(Keys.COMMIT_WINDOW, "5s").with(Keys.CLOCK_BOUND, "10s");
    StoreException refused = assertThrows(StoreException.class, () -> OmConfig.from(config));
    assertEquals(ErrorCode.BAD_CONFIGURATION, refused.code());
  }
}

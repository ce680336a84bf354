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
package io.stowage.datanode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.data.NetworkDatanodes;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.metrics.RoleHealth;
import io.stowage.common.proto.HeartbeatReply;
import io.stowage.common.proto.HeartbeatRequest;
import io.stowage.common.proto.RegisterDatanodeReply;
import io.stowage.common.proto.RegisterDatanodeRequest;
import io.stowage.common.scm.DatanodeReports;
import io.stowage.common.time.StoreClock;
import io.stowage.common.tls.ClientTls;
import io.stowage.datanode.disk.DiskFiles;
import io.stowage.datanode.disk.LocalDiskFiles;
import io.stowage.datanode.store.Shard;
import io.stowage.datanode.store.ShardStore;
import io.stowage.datanode.store.StoreSettings;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A whole datanode on real disks and sockets. */
class DatanodeServerTest {
  @TempDir Path directory;

  /** Hands heartbeats to the test; the second SCM of a pair never answers. */
  private static final class Scm implements DatanodeReports {
    final LinkedBlockingQueue<HeartbeatRequest> heartbeats = new LinkedBlockingQueue<>();

    @Override
    public RegisterDatanodeReply register(RegisterDatanodeRequest request) {
      return RegisterDatanodeReply.newBuilder().setClusterId("c-1").setLeaderEpoch(4).build();
    }

    @Override
    public HeartbeatReply heartbeat(HeartbeatRequest request) {
      heartbeats.add(request);
      return HeartbeatReply.newBuilder().setLeaderEpoch(4).build();
    }

    HeartbeatRequest next() throws InterruptedException {
      HeartbeatRequest next = heartbeats.poll(60, TimeUnit.SECONDS);
      assertNotNull(next, "no heartbeat within a minute");
      return next;
    }
  }

  private static final class Dead implements DatanodeReports {
    @Override
    public RegisterDatanodeReply register(RegisterDatanodeRequest request) throws StoreException {
      throw new StoreException(ErrorCode.UNAVAILABLE, "dead");
    }

    @Override
    public HeartbeatReply heartbeat(HeartbeatRequest request) throws StoreException {
      throw new StoreException(ErrorCode.UNAVAILABLE, "dead");
    }
  }

  private StowageConfig config() throws StoreException {
    return StowageConfig.of(Map.of())
        .with(Keys.DATANODE_BIND, "127.0.0.1:0")
        .with(Keys.DATANODE_DISKS, directory.resolve("a") + ", " + directory.resolve("b"))
        .with(Keys.DATANODE_RESERVED, "0")
        .with(Keys.HEARTBEAT_INTERVAL, "50ms");
  }

  @Test
  void servesReportsStopsAndStartsAgain() throws Exception {
    Scm scm = new Scm();
    String node;
    byte[] bytes = Shard.bytes(1, 1 << 20);
    String disk;
    try (DatanodeServer server =
            DatanodeServer.start(config(), List.of(new Dead(), scm), StoreClock.system());
        NetworkDatanodes network = new NetworkDatanodes(ClientTls.OFF)) {
      node = server.nodeId();
      HeartbeatRequest first = scm.next();
      assertTrue(first.getFullReport());
      assertEquals(4, first.getHeardLeaderEpoch());
      assertEquals(2, first.getDisksCount());
      assertTrue(first.getDisks(1).getFreeBytes() > 0);
      disk = first.getDisks(1).getDiskId();
      Shard far = new Shard(network.datanode("127.0.0.1", server.port()), disk);
      Shard near = new Shard(server.shardService(), disk);
      far.open(1, 1);
      far.write(1, 0, bytes, 1);
      assertArrayEquals(bytes, near.read(1, 0, bytes.length));
      HeartbeatRequest later = scm.next();
      while (later.getShardsCount() == 0 || later.getShards(0).getEnd() < bytes.length) {
        later = scm.next();
      }
      assertEquals("c-1", server.clusterId());
      assertEquals(
          new RoleHealth(
              "datanode",
              true,
              "serving",
              Map.of("disks", 2, "disks_serving", 2, "scms", 2, "scms_answering", 1)),
          server.health());
    }
    try (DatanodeServer again = DatanodeServer.start(config(), List.of(scm), StoreClock.system())) {
      assertEquals(node, again.nodeId());
      assertEquals("c-1", again.clusterId());
      Shard shard = new Shard(again.shardService(), disk);
      assertEquals(bytes.length, shard.open(2, 2));
      assertArrayEquals(bytes, shard.read(1, 0, bytes.length));
    }
  }

  @Test
  void nobodyElseOfTheMachineGetsAtItsDisks() throws Exception {
    List<Path> paths =
        Stream.of("a", "a/shards", "a/quarantine", "b", "b/shards", "b/quarantine")
            .map(directory::resolve)
            .toList();
    for (int start = 0; start < 2; start++) {
      DatanodeServer.start(config(), List.of(), StoreClock.system()).close();
      for (Path path : paths) {
        assertEquals(
            "rwx------",
            PosixFilePermissions.toString(Files.getPosixFilePermissions(path)),
            path + " after start " + start);
        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rwxr-xr-x"));
      }
    }
  }

  @Test
  void aDiskThatCannotBeClosedToOthersIsOutWithSecurityOn() throws Exception {
    DiskFiles open =
        (DiskFiles)
            Proxy.newProxyInstance(
                DiskFiles.class.getClassLoader(),
                new Class<?>[] {DiskFiles.class},
                (proxy, method, args) -> {
                  if (method.getName().equals("makePrivate")) {
                    throw new IOException("Operation not permitted");
                  }
                  try {
                    return method.invoke(LocalDiskFiles.INSTANCE, args);
                  } catch (InvocationTargetException e) {
                    throw e.getCause();
                  }
                });
    List<Path> disks = List.of(directory.resolve("a"));
    ShardStore.open(disks, open, settings(false), StoreClock.system()).close();
    StoreException refused =
        assertThrows(
            StoreException.class,
            () -> ShardStore.open(disks, open, settings(true), StoreClock.system()).close());
    assertTrue(refused.getMessage().contains("none of the disks"), refused::getMessage);
  }

  private static StoreSettings settings(boolean secure) {
    return new StoreSettings(0, true, 64 << 20, 0, secure);
  }

  @Test
  void isNotReadyBeforeAnScmKnowsIt() throws Exception {
    DatanodeServer server =
        DatanodeServer.start(config(), List.of(new Dead()), StoreClock.system());
    try (server) {
      assertEquals(
          new RoleHealth(
              "datanode",
              false,
              "not registered",
              Map.of("disks", 2, "disks_serving", 2, "scms", 1, "scms_answering", 0)),
          server.health());
    }
    assertEquals("stopping", server.health().state());
    assertFalse(server.health().ready());
  }

  @Test
  void aPortInUseIsOneClearError() throws Exception {
    try (DatanodeServer first = DatanodeServer.start(config(), List.of(), StoreClock.system())) {
      StoreException taken =
          assertThrows(
              StoreException.class,
              () ->
                  DatanodeServer.start(
                      config()
                          .with(Keys.DATANODE_BIND, "127.0.0.1:" + first.port())
                          .with(Keys.DATANODE_DISKS, directory.resolve("c").toString()),
                      List.of(),
                      StoreClock.system()));
      assertTrue(taken.getMessage().contains("Cannot serve on"), taken.getMessage());
    }
    // the disk was given back: the same start works on another port
    DatanodeServer.start(
            config().with(Keys.DATANODE_DISKS, directory.resolve("c").toString()),
            List.of(),
            StoreClock.system())
        .close();
  }

  @Test
  void badSettingsAreNamed() throws Exception {
    for (String bind : List.of("9864", "host:", "host:70000", ":1")) {
      StoreException refused =
          assertThrows(
              StoreException.class,
              () -> DatanodeConfig.from(config().with(Keys.DATANODE_BIND, bind)));
      assertTrue(refused.getMessage().contains(bind), refused.getMessage());
    }
    StoreException refused =
        assertThrows(
            StoreException.class,
            () -> DatanodeConfig.from(config().with(Keys.DATANODE_DURABILITY, "maybe")));
    assertEquals(ErrorCode.BAD_CONFIGURATION, refused.code());
    DatanodeConfig os = DatanodeConfig.from(config().with(Keys.DATANODE_DURABILITY, "os"));
    assertFalse(os.store().forcesData());
    assertEquals("127.0.0.1", os.advertisedHost());
    assertEquals(
        "dn1", DatanodeConfig.from(config().with(Keys.DATANODE_HOST, "dn1")).advertisedHost());
  }
}

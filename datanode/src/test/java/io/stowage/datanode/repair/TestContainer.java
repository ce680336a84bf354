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
package io.stowage.datanode.repair;

import io.stowage.common.data.NetworkDatanodes;
import io.stowage.common.erasure.ErasureCoders;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.proto.Order;
import io.stowage.common.proto.OrderResult;
import io.stowage.common.proto.RebuildShardOrder;
import io.stowage.common.proto.SealShardRequest;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.time.StoreClock;
import io.stowage.common.tls.ClientTls;
import io.stowage.common.tls.ServerTls;
import io.stowage.datanode.fault.SimulatedDisks;
import io.stowage.datanode.net.DataServer;
import io.stowage.datanode.shard.ShardId;
import io.stowage.datanode.store.Shard;
import io.stowage.datanode.store.ShardStore;
import io.stowage.datanode.store.StoreSettings;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * A container of stripes of any width and height on as many datanodes as it has shards and one
 * more, on simulated disks behind real sockets. Knows what every sector should be. Confined to its
 * test.
 */
final class TestContainer implements AutoCloseable {
  static final long CONTAINER = 0xC0FFEEL;
  static final int SECTOR = 4_096;
  static final long CAPACITY = 16L << 20;

  /** A datanode with one disk. */
  static final class Node implements AutoCloseable {
    final Path directory;
    final SimulatedDisks disks = new SimulatedDisks();
    ShardStore store;
    DataServer server;
    Rebuilds rebuilds;

    Node(int number) {
      directory = Path.of("/sim/n" + number);
    }

    void start(NetworkDatanodes network, StoreSettings settings) throws Exception {
      start(network, settings, ServerTls.OFF);
    }

    void start(NetworkDatanodes network, StoreSettings settings, ServerTls tls) throws Exception {
      start(network, settings, tls, StoreClock.system());
    }

    void start(NetworkDatanodes network, StoreSettings settings, ServerTls tls, StoreClock clock)
        throws Exception {
      store = ShardStore.open(List.of(directory), disks, settings, clock);
      store.joinCluster("c-1");
      server =
          DataServer.start(
              new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
              tls,
              new DataServer.Served(store, store),
              32 << 20);
      rebuilds = new Rebuilds(store, network, new RepairSettings(2, 64 << 20), clock);
    }

    String diskId() {
      return store.diskInfos().get(0).getDiskId();
    }

    Path file(ShardId id) {
      return directory.resolve("shards").resolve(id.directoryName()).resolve(id.fileName());
    }

    /** Changes bytes of a shard's file behind the datanode's back. */
    void flip(ShardId id, long position) throws Exception {
      disks.flipByte(file(id), position);
    }

    void restart(NetworkDatanodes network) throws Exception {
      stop();
      start(network, SETTINGS);
    }

    void stop() {
      rebuilds.close();
      server.close();
      store.close();
    }

    @Override
    public void close() {
      stop();
    }
  }

  /** What a sector of the container is, over all shards. */
  static final class Stripe {
    final long offset;
    final int sectors;
    final int bitmap;
    final byte[][] cells;

    /** Shards that have it; all that it uses, unless its writer died. */
    int holders;

    Stripe(long offset, int sectors, int bitmap, byte[][] cells) {
      this.offset = offset;
      this.sectors = sectors;
      this.bitmap = bitmap;
      this.cells = cells;
    }
  }

  static final StoreSettings SETTINGS = new StoreSettings(0, true, 64 << 20);

  final ErasurePolicy policy;
  final Random random;
  final NetworkDatanodes network;
  final List<Node> nodes = new ArrayList<>();
  final List<Stripe> stripes = new ArrayList<>();
  private long end;
  private long epoch;

  TestContainer(ErasurePolicy policy, long seed) throws Exception {
    this(policy, seed, ServerTls.OFF, ClientTls.OFF);
  }

  TestContainer(ErasurePolicy policy, long seed, ServerTls server, ClientTls client)
      throws Exception {
    this.policy = policy;
    this.network = new NetworkDatanodes(client);
    this.random = new Random(seed);
    for (int i = 0; i <= policy.shards(); i++) {
      Node node = new Node(i);
      node.start(network, SETTINGS, server);
      nodes.add(node);
    }
  }

  Node spare() {
    return nodes.get(policy.shards());
  }

  Shard shard(int index) {
    return new Shard(nodes.get(index).store, nodes.get(index).diskId(), CONTAINER, index);
  }

  ShardId id(int index) {
    return new ShardId(CONTAINER, index, 0);
  }

  /** A new lease: opens all shards and goes on behind the last sector of any. */
  void open() throws Exception {
    epoch += 1 + random.nextInt(3);
    for (int i = 0; i < policy.shards(); i++) {
      end =
          Math.max(
              end,
              Shard.await(
                      nodes
                          .get(i)
                          .store
                          .open(
                              shard(i).openRequest(epoch, i).toBuilder()
                                  .setPolicy(policy.name())
                                  .setCapacityBytes(CAPACITY)
                                  .setClusterId("c-1")
                                  .build()))
                  .getEnd());
    }
  }

  /** The highest that any shard was opened for. */
  long epoch() {
    return epoch;
  }

  /** A new lease whose holder opens one shard alone, and writes to it where that one ends. */
  void writeAlone(int index, int sectors) throws Exception {
    epoch++;
    long at = shard(index).open(epoch, index);
    shard(index).write(epoch, at, Shard.bytes(index, sectors * SECTOR), 1 << index);
  }

  void writeStripe(int width, int sectors, boolean torn) throws Exception {
    writeStripe(width, sectors, torn ? random.nextInt() : -1);
  }

  /** Of whose cells only those shards have theirs that a bitmap names. */
  Stripe writeStripe(int width, int sectors, int arrived) throws Exception {
    int first = random.nextInt(policy.k());
    int length = sectors * SECTOR;
    ByteBuffer[] data = new ByteBuffer[policy.k()];
    int bitmap = 0;
    byte[][] cells = new byte[policy.shards()][];
    for (int c = 0; c < width; c++) {
      int index = (first + c) % policy.k();
      cells[index] = new byte[length];
      random.nextBytes(cells[index]);
      data[index] = ByteBuffer.wrap(cells[index]);
      bitmap |= 1 << index;
    }
    ByteBuffer[] parity = new ByteBuffer[policy.m()];
    for (int p = 0; p < policy.m(); p++) {
      cells[policy.k() + p] = new byte[length];
      parity[p] = ByteBuffer.wrap(cells[policy.k() + p]);
    }
    ErasureCoders.of(policy).encode(data, parity);
    Stripe stripe = new Stripe(end, sectors, bitmap, cells);
    List<CompletableFuture<?>> writes = new ArrayList<>();
    for (int i = 0; i < policy.shards(); i++) {
      if (cells[i] != null && (arrived >>> i & 1) != 0) {
        stripe.holders |= 1 << i;
        writes.add(shard(i).writeAsync(epoch, end, cells[i], bitmap));
      }
    }
    for (CompletableFuture<?> write : writes) {
      Shard.await(write);
    }
    stripes.add(stripe);
    end += length;
    return stripe;
  }

  /** Several leases with stripes of any shape; a lease may end with one that came to few shards. */
  void fill(int leases, int sectors) throws Exception {
    for (int lease = 0; lease < leases; lease++) {
      open();
      long until = Math.min(CAPACITY, end + (long) sectors / leases * SECTOR);
      while (end < until) {
        int height = random.nextInt(4) == 0 ? 1 + random.nextInt(200) : 1 + random.nextInt(6);
        height = (int) Math.min(height, (CAPACITY - end) / SECTOR);
        writeStripe(1 + random.nextInt(policy.k()), height, false);
      }
      if (random.nextBoolean() && end < CAPACITY) {
        writeStripe(1 + random.nextInt(policy.k()), 1, true);
      }
    }
  }

  void seal() throws Exception {
    for (int i = 0; i < policy.shards(); i++) {
      Shard.await(
          nodes
              .get(i)
              .store
              .seal(
                  SealShardRequest.newBuilder().setShard(shard(i).key()).setEpoch(epoch).build()));
    }
  }

  ShardPlace place(int index) {
    Node node = nodes.get(index);
    return ShardPlace.newBuilder()
        .setIndex(index)
        .setNodeId(node.store.nodeId())
        .setDiskId(node.diskId())
        .setHost("127.0.0.1")
        .setPort(node.server.port())
        .build();
  }

  ShardKey newKey(Node node, int index, int generation) {
    return ShardKey.newBuilder()
        .setContainer(CONTAINER)
        .setIndex(index)
        .setGeneration(generation)
        .setDiskId(node.diskId())
        .build();
  }

  /** An order to rebuild a shard on the spare node from these. */
  Order order(long orderId, int index, int generation, List<Integer> sources) {
    RebuildShardOrder.Builder rebuild =
        RebuildShardOrder.newBuilder()
            .setPolicy(policy.name())
            .setCapacityBytes(CAPACITY)
            .setLeaseEpoch(epoch);
    sources.forEach(source -> rebuild.addSources(place(source)));
    return Order.newBuilder()
        .setOrderId(orderId)
        .setLeaderEpoch(1)
        .setRowVersion(orderId)
        .setShard(newKey(spare(), index, generation))
        .setRebuild(rebuild)
        .build();
  }

  OrderResult rebuild(Order order) throws Exception {
    CompletableFuture<OrderResult> result = new CompletableFuture<>();
    spare().rebuilds.order(order, result::complete);
    return result.get(60, TimeUnit.SECONDS);
  }

  @Override
  public void close() {
    nodes.forEach(Node::close);
    network.close();
  }
}

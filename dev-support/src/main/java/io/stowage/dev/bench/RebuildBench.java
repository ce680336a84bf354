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
package io.stowage.dev.bench;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.stowage.common.data.NetworkDatanodes;
import io.stowage.common.erasure.ErasureCoders;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.proto.OpenShardRequest;
import io.stowage.common.proto.Order;
import io.stowage.common.proto.OrderResult;
import io.stowage.common.proto.RebuildShardOrder;
import io.stowage.common.proto.SealShardRequest;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.proto.WriteShardRequest;
import io.stowage.common.time.StoreClock;
import io.stowage.common.tls.ClientTls;
import io.stowage.datanode.disk.LocalDiskFiles;
import io.stowage.datanode.net.DataServer;
import io.stowage.datanode.repair.Rebuilds;
import io.stowage.datanode.repair.RepairSettings;
import io.stowage.datanode.store.ShardStore;
import io.stowage.datanode.store.StoreSettings;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * How fast a shard is rebuilt, against what cannot be saved of it: reading k files sequentially and
 * writing and forcing one, by the same process, on the same disk, in turns with it. The datanodes
 * are in this process and talk over loopback sockets.
 *
 * <pre>
 * dev-support/bench rebuild [policy [MiB-a-shard [directory]]]     rs-3-2, 256, the temp directory
 * </pre>
 */
public final class RebuildBench {
  private static final int CELL_BYTES = 1 << 20;
  private static final int SECTOR_BYTES = 4_096;
  private static final int COPY_BYTES = 4 << 20;
  private static final int ROUNDS = 7;
  private static final long CONTAINER = 0xBE9CL;
  private static final ByteString HOLDER = ByteString.copyFrom(new byte[16]);

  private final ErasurePolicy policy;
  private final long shardBytes;
  private final Path directory;
  private final List<ShardStore> stores = new ArrayList<>();
  private final List<DataServer> servers = new ArrayList<>();

  private RebuildBench(ErasurePolicy policy, long shardBytes, Path directory) {
    this.policy = policy;
    this.shardBytes = shardBytes;
    this.directory = directory;
  }

  public static void main(String[] args) throws Exception {
    ErasurePolicy policy = ErasurePolicy.named(args.length > 0 ? args[0] : "rs-3-2");
    long bytes = (args.length > 1 ? Long.parseLong(args[1]) : 256) << 20;
    Path parent = Path.of(args.length > 2 ? args[2] : System.getProperty("java.io.tmpdir"));
    Path directory = Files.createTempDirectory(parent, "stowage-rebuild");
    try {
      new RebuildBench(policy, bytes, directory).run();
    } finally {
      try (Stream<Path> files = Files.walk(directory)) {
        for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(file);
        }
      }
    }
  }

  private void run() throws Exception {
    try (NetworkDatanodes network = new NetworkDatanodes(ClientTls.OFF)) {
      for (int i = 0; i <= policy.shards(); i++) {
        ShardStore store =
            ShardStore.open(
                List.of(directory.resolve("n" + i)),
                LocalDiskFiles.INSTANCE,
                new StoreSettings(0, true, 256L << 20),
                StoreClock.system());
        stores.add(store);
        servers.add(
            DataServer.start(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), store, 256L << 20));
      }
      fill();
      System.out.printf(
          "# %s, %d MiB a shard, %d CPUs, %s%n",
          policy,
          shardBytes >> 20,
          Runtime.getRuntime().availableProcessors(),
          ErasureCoders.of(policy).description());
      Rebuilds rebuilds =
          new Rebuilds(
              stores.get(policy.shards()),
              network,
              new RepairSettings(1, 256L << 20),
              StoreClock.system());
      measure("data shard, decoded", rebuilds, 0, false);
      measure("parity shard, decoded", rebuilds, policy.k(), false);
      measure("data shard, copied", rebuilds, 0, true);
      rebuilds.close();
    } finally {
      servers.forEach(DataServer::close);
      stores.forEach(ShardStore::close);
    }
  }

  private void measure(String what, Rebuilds rebuilds, int index, boolean copy) throws Exception {
    double[] files = new double[ROUNDS];
    double[] rebuilt = new double[ROUNDS];
    for (int round = -2; round < ROUNDS; round++) {
      double plain = readAndWrite(copy ? 1 : policy.k());
      double real = rebuild(rebuilds, index, copy);
      if (round >= 0) {
        files[round] = plain;
        rebuilt[round] = real;
      }
    }
    Arrays.sort(files);
    Arrays.sort(rebuilt);
    double plain = files[ROUNDS / 2];
    double real = rebuilt[ROUNDS / 2];
    System.out.printf(
        "%-24s rebuilt %6.0f MB/s (%.0f to %.0f); reading %d and writing one %6.0f MB/s (%.0f to"
            + " %.0f): %.0f %%%n",
        what,
        real,
        rebuilt[0],
        rebuilt[ROUNDS - 1],
        copy ? 1 : policy.k(),
        plain,
        files[0],
        files[ROUNDS - 1],
        100 * real / plain);
  }

  private ShardKey key(int node, int index, int generation) {
    return ShardKey.newBuilder()
        .setContainer(CONTAINER)
        .setIndex(index)
        .setGeneration(generation)
        .setDiskId(stores.get(node).diskInfos().get(0).getDiskId())
        .build();
  }

  private void fill() throws Exception {
    Random random = new Random(1);
    for (int i = 0; i < policy.shards(); i++) {
      stores
          .get(i)
          .open(
              OpenShardRequest.newBuilder()
                  .setShard(key(i, i, 0))
                  .setEpoch(1)
                  .setHolder(HOLDER)
                  .setPolicy(policy.name())
                  .setCapacityBytes(shardBytes)
                  .build())
          .get();
    }
    ByteBuffer[] data = new ByteBuffer[policy.k()];
    ByteBuffer[] parity = new ByteBuffer[policy.m()];
    byte[] bytes = new byte[CELL_BYTES];
    for (long offset = 0; offset < shardBytes; offset += CELL_BYTES) {
      for (int i = 0; i < policy.k(); i++) {
        random.nextBytes(bytes);
        data[i] = ByteBuffer.allocate(CELL_BYTES).put(bytes).flip();
      }
      for (int i = 0; i < policy.m(); i++) {
        parity[i] = ByteBuffer.allocate(CELL_BYTES);
      }
      ErasureCoders.of(policy).encode(data, parity);
      List<CompletableFuture<?>> writes = new ArrayList<>();
      for (int i = 0; i < policy.shards(); i++) {
        writes.add(write(i, offset, i < policy.k() ? data[i] : parity[i - policy.k()]));
      }
      for (CompletableFuture<?> write : writes) {
        write.get(60, TimeUnit.SECONDS);
      }
    }
    for (int i = 0; i < policy.shards(); i++) {
      stores
          .get(i)
          .seal(SealShardRequest.newBuilder().setShard(key(i, i, 0)).setEpoch(1).build())
          .get();
    }
  }

  private CompletableFuture<?> write(int shard, long offset, ByteBuffer cell) {
    WriteShardRequest.Builder request =
        WriteShardRequest.newBuilder()
            .setShard(key(shard, shard, 0))
            .setEpoch(1)
            .setOffset(offset)
            .setUsedShards((1 << policy.k()) - 1);
    for (int at = 0; at < CELL_BYTES; at += SECTOR_BYTES) {
      CRC32C crc = new CRC32C();
      crc.update(cell.slice(at, SECTOR_BYTES));
      request.addCrcs((int) crc.getValue());
    }
    ByteBuf payload = PooledByteBufAllocator.DEFAULT.directBuffer(CELL_BYTES);
    payload.writeBytes(cell.duplicate());
    return stores.get(shard).write(request.build(), payload);
  }

  private double rebuild(Rebuilds rebuilds, int index, boolean copy) throws Exception {
    RebuildShardOrder.Builder order =
        RebuildShardOrder.newBuilder().setPolicy(policy.name()).setCapacityBytes(shardBytes);
    IntStream.range(0, policy.shards())
        .filter(i -> copy || i != index)
        .forEach(
            i ->
                order.addSources(
                    ShardPlace.newBuilder()
                        .setIndex(i)
                        .setNodeId(stores.get(i).nodeId())
                        .setDiskId(key(i, i, 0).getDiskId())
                        .setHost("127.0.0.1")
                        .setPort(servers.get(i).port())));
    ShardKey target = key(policy.shards(), index, 1);
    CompletableFuture<OrderResult> answer = new CompletableFuture<>();
    long began = System.nanoTime();
    rebuilds.order(
        Order.newBuilder().setOrderId(1).setShard(target).setRebuild(order).build(),
        answer::complete);
    OrderResult result = answer.get(300, TimeUnit.SECONDS);
    double rate = rate(began);
    if (result.getErrorCode() != 0
        || result.getEnd() != shardBytes
        || result.getLostSectors() > 0) {
      throw new IllegalStateException("not rebuilt: " + result);
    }
    stores.get(policy.shards()).delete(target).get();
    return rate;
  }

  private double rate(long began) {
    return shardBytes * 1e3 / (System.nanoTime() - began);
  }

  /** What is left if everything but the disks costs nothing. */
  private double readAndWrite(int sources) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocateDirect(COPY_BYTES);
    Path copy = directory.resolve("copy");
    List<FileChannel> in = new ArrayList<>();
    long began = System.nanoTime();
    try (FileChannel out =
        FileChannel.open(copy, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      for (int i = 1; i <= sources; i++) {
        try (Stream<Path> files = Files.walk(directory.resolve("n" + i))) {
          Path shard = files.filter(f -> f.toString().endsWith(".shard")).findFirst().orElseThrow();
          in.add(FileChannel.open(shard));
        }
      }
      for (long at = 0; at < shardBytes; at += COPY_BYTES) {
        for (FileChannel source : in) {
          buffer.clear();
          while (buffer.hasRemaining() && source.read(buffer, at + buffer.position()) >= 0) {
            // until the buffer is full or the file ends
          }
        }
        buffer.flip();
        while (buffer.hasRemaining()) {
          out.write(buffer);
        }
      }
      out.force(false);
    } finally {
      for (FileChannel source : in) {
        source.close();
      }
    }
    double rate = rate(began);
    Files.delete(copy);
    return rate;
  }
}

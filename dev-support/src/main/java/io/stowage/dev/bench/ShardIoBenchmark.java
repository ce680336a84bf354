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
import io.stowage.common.data.ShardService;
import io.stowage.common.data.ShardService.ShardBytes;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.ByteRange;
import io.stowage.common.proto.OpenShardRequest;
import io.stowage.common.proto.ReadShardRequest;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.WriteShardRequest;
import io.stowage.common.time.StoreClock;
import io.stowage.common.tls.ClientTls;
import io.stowage.datanode.disk.LocalDiskFiles;
import io.stowage.datanode.net.DataServer;
import io.stowage.datanode.store.ShardStore;
import io.stowage.datanode.store.StoreSettings;
import io.stowage.dev.content.GeneratedContent;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Threads;
import org.openjdk.jmh.annotations.Warmup;

/**
 * One datanode's shard file, called directly or over a socket of this machine: durable writes that
 * share group commits, and reads from the page cache, which has cells of 1 MiB from their second
 * read on, or, with {@code -p background=true}, past it (ADR 22). More callers by JMH's {@code -t};
 * the directory by {@code -p directory=…}, where it matters what disk it is on. After each
 * iteration it says what a GiB took of the processor, both ends and JMH included.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(1)
@Threads(16)
@Warmup(iterations = 2, time = 2)
@Measurement(iterations = 3, time = 2)
public class ShardIoBenchmark {
  private static final int SECTOR_BYTES = 4096;
  private static final long CAPACITY_BYTES = 512L << 20;

  @Param({"4096", "1048576"})
  private int cellBytes;

  /** process, or network. */
  @Param("process")
  private String over;

  /** As rebuilds read. */
  @Param("false")
  private boolean background;

  @Param("")
  private String directory;

  private Path disk;
  private ShardStore store;
  private DataServer server;
  private NetworkDatanodes network;
  private ShardService shards;
  private String diskId;
  private ByteBuf cell;
  private List<Integer> crcs;
  private ShardKey shard;
  private long end;
  private ShardKey written;
  private long writtenCells;

  private final LongAdder calls = new LongAdder();
  private ProcessorTime before;

  @Setup(Level.Trial)
  public void openDisk() throws Exception {
    disk =
        directory.isEmpty()
            ? Files.createTempDirectory("stowage-bench")
            : Files.createTempDirectory(Path.of(directory), "stowage-bench");
    store =
        ShardStore.open(
            List.of(disk),
            LocalDiskFiles.INSTANCE,
            new StoreSettings(0, true, 256L << 20),
            StoreClock.system());
    diskId = store.diskInfos().get(0).getDiskId();
    if (over.equals("network")) {
      server =
          DataServer.start(
              new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), store, 256L << 20);
      network = new NetworkDatanodes(ClientTls.OFF);
      shards = network.datanode("127.0.0.1", server.port());
    } else {
      shards = store;
    }
    byte[] bytes = new byte[cellBytes];
    new GeneratedContent(1, cellBytes).fill(0, bytes, 0, cellBytes);
    cell = PooledByteBufAllocator.DEFAULT.directBuffer(cellBytes).writeBytes(bytes);
    crcs =
        Stream.iterate(0, from -> from < cellBytes, from -> from + SECTOR_BYTES)
            .map(
                from -> {
                  CRC32C crc = new CRC32C();
                  crc.update(ByteBuffer.wrap(bytes, from, SECTOR_BYTES));
                  return (int) crc.getValue();
                })
            .toList();
    openNext();
    written = shard;
    writtenCells = Math.min(4096, CAPACITY_BYTES / 4 / cellBytes);
    for (long i = 0; i < writtenCells; i++) {
      write();
    }
  }

  @TearDown(Level.Trial)
  public void deleteDisk() throws IOException {
    if (network != null) {
      network.close();
      server.close();
    }
    store.close();
    cell.release();
    try (Stream<Path> files = Files.walk(disk)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }

  @Setup(Level.Iteration)
  public void beginIteration() throws IOException {
    calls.reset();
    before = ProcessorTime.now();
  }

  @TearDown(Level.Iteration)
  public void endIteration() throws IOException {
    ProcessorTime now = ProcessorTime.now();
    double gib = (double) calls.sum() * cellBytes / (1 << 30);
    System.out.printf(
        "%.2f GiB, of each %.2f s user, %.2f s system; ",
        gib, (now.user - before.user) / gib, (now.system - before.system) / gib);
  }

  /** Seconds of this process. */
  private record ProcessorTime(double user, double system) {
    private static final double TICKS_PER_SECOND = 100; // USER_HZ

    static ProcessorTime now() throws IOException {
      String stat = Files.readString(Path.of("/proc/self/stat"));
      // proc(5): the second field, in parentheses, may have spaces; the 14th and 15th are the times
      String[] fromThird = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
      return new ProcessorTime(
          Long.parseLong(fromThird[11]) / TICKS_PER_SECOND,
          Long.parseLong(fromThird[12]) / TICKS_PER_SECOND);
    }
  }

  /** Returns when durable. */
  @Benchmark
  public Object write() throws Exception {
    WriteShardRequest request = nextWrite();
    calls.increment();
    return shards.write(request, cell.retainedDuplicate()).get(30, TimeUnit.SECONDS);
  }

  /** As a packed needle is read: its own CRC is its check, no checksum page is touched. */
  @Benchmark
  public int readUnchecked() throws Exception {
    return read(false);
  }

  /** As ranges of large objects are read. */
  @Benchmark
  public int readWithSectorCrcs() throws Exception {
    return read(true);
  }

  private int read(boolean sectorCrcs) throws Exception {
    long offset = ThreadLocalRandom.current().nextLong(writtenCells) * cellBytes;
    calls.increment();
    ShardBytes answer =
        shards
            .read(
                ReadShardRequest.newBuilder()
                    .setShard(written)
                    .setEpoch(1)
                    .addRanges(ByteRange.newBuilder().setOffset(offset).setLength(cellBytes))
                    .setSectorCrcs(sectorCrcs)
                    .setBackground(background)
                    .build())
            .get(30, TimeUnit.SECONDS);
    try {
      return answer.payload().readableBytes();
    } finally {
      answer.payload().release();
    }
  }

  private synchronized WriteShardRequest nextWrite() throws Exception {
    if (end + cellBytes > CAPACITY_BYTES) {
      openNext();
    }
    WriteShardRequest request =
        WriteShardRequest.newBuilder()
            .setShard(shard)
            .setEpoch(1)
            .setOffset(end)
            .addAllCrcs(crcs)
            .setUsedShards(1)
            .build();
    end += cellBytes;
    return request;
  }

  private void openNext() throws Exception {
    long container = shard == null ? 1 : shard.getContainer() + 1;
    shard =
        ShardKey.newBuilder().setContainer(container).setGeneration(1).setDiskId(diskId).build();
    shards
        .open(
            OpenShardRequest.newBuilder()
                .setShard(shard)
                .setEpoch(1)
                .setHolder(WriteId.random())
                .setPolicy("rs-3-2")
                .setCapacityBytes(CAPACITY_BYTES)
                .build())
        .get(30, TimeUnit.SECONDS);
    end = 0;
  }
}

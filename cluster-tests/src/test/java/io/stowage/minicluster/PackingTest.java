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
package io.stowage.minicluster;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.PooledByteBufAllocator;
import io.stowage.client.DataPath;
import io.stowage.client.DataPathHarness;
import io.stowage.client.ObjectWriter;
import io.stowage.client.StowageDataPath;
import io.stowage.client.TwinCluster;
import io.stowage.common.id.WriteId;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What small objects cost on real datanodes' disks, by what the file system gave the shard files:
 * superblocks and checksum pages included.
 */
class PackingTest {
  private static final int OBJECT = 4_096;

  @TempDir Path directory;

  @Test
  void sixtyFourWritersShareFullStripes() throws Exception {
    int objects = Integer.getInteger("stowage.test.packed-objects", 20_000);
    double cost = cost(64, objects);
    assertTrue(cost <= 1.85, "bytes on disk per user byte: " + cost);
  }

  @Test
  void oneWriterPaysOnePlusParityCopiesAndTheRounding() throws Exception {
    int objects = 500;
    double cost = cost(1, objects);
    // Header and payload take two sectors, thrice; pages and superblocks on top.
    double superblocks = 5 * 32_768.0 / (objects * OBJECT);
    assertTrue(cost <= 3 * 2 * 1.01 + superblocks, "bytes on disk per user byte: " + cost);
  }

  private double cost(int writers, int objects) throws Exception {
    TwinCluster cluster = RealDatanodes.inProcess(directory, 5);
    cluster.setCapacity(1L << 30);
    try (StowageDataPath path = DataPathHarness.start(cluster)) {
      ExecutorService threads = Executors.newFixedThreadPool(writers);
      List<Future<?>> running = new ArrayList<>();
      for (int writer = 0; writer < writers; writer++) {
        int first = writer;
        running.add(
            threads.submit(
                () -> {
                  for (int i = first; i < objects; i += writers) {
                    write(path, i);
                  }
                  return null;
                }));
      }
      for (Future<?> writer : running) {
        writer.get();
      }
      threads.shutdown();
      System.err.println(path.figures());
      List<Path> files = shardFiles();
      // A machine that pauses may make a stripe be given up, and its container with it: not often.
      assertTrue(files.size() >= 5 && files.size() <= 50, files.size() + " files of shards");
      long superblocks = (files.size() - 5) * 32_768L;
      return (double) (allocatedBytes(files) - superblocks) / ((long) objects * OBJECT);
    } finally {
      cluster.close();
    }
  }

  private static void write(DataPath path, int number) throws IOException {
    byte[] bytes = TestContent.of("object-" + number, OBJECT);
    try (ObjectWriter writer =
        path.write(
            new DataPath.WriteSpec(
                7,
                ByteString.copyFromUtf8(String.format("objects/%08d", number)),
                WriteId.random(),
                "rs-3-2",
                OBJECT,
                ByteString.EMPTY))) {
      writer.write(PooledByteBufAllocator.DEFAULT.directBuffer(OBJECT).writeBytes(bytes));
      writer.finish();
    }
  }

  /** What the file system has given them: a narrow stripe's holes are none of it. */
  private static long allocatedBytes(List<Path> files) throws Exception {
    List<String> command = new ArrayList<>(List.of("du", "--block-size=1", "--total"));
    files.forEach(file -> command.add(file.toString()));
    Process du = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(du.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, du.waitFor(), output);
    String total = output.strip();
    total = total.substring(total.lastIndexOf('\n') + 1);
    return Long.parseLong(total.substring(0, total.indexOf('\t')));
  }

  private List<Path> shardFiles() throws IOException {
    try (Stream<Path> all = Files.walk(directory)) {
      return all.filter(path -> path.toString().endsWith(".shard")).toList();
    }
  }
}

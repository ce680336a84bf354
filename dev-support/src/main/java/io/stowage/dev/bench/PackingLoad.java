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
import io.stowage.client.DataPath;
import io.stowage.client.ObjectWriter;
import io.stowage.common.id.WriteId;
import io.stowage.dev.content.GeneratedContent;
import io.stowage.dev.s3.S3Connection;
import io.stowage.dev.s3.S3Credentials;
import io.stowage.dev.s3.S3Response;
import io.stowage.minicluster.MiniStowageCluster;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Writes objects of one size into an embedded cluster, by clients that each wait for the answer to
 * one put before the next, and weighs the shard files. Confined to one thread.
 */
final class PackingLoad {
  private static final String BUCKET = "packing";

  private final MiniStowageCluster cluster;
  private final Path directory;
  private final S3Credentials credentials;

  private interface Put {
    void put(String key) throws IOException;
  }

  /**
   * Makes the bucket.
   *
   * @param directory of the cluster
   */
  PackingLoad(MiniStowageCluster cluster, Path directory) throws IOException {
    this.cluster = cluster;
    this.directory = directory;
    this.credentials = new S3Credentials(cluster.accessKey(), cluster.secretKey(), "us-east-1");
    try (S3Connection admin = connect()) {
      check(admin.createBucket(BUCKET));
    }
  }

  /** Puts objects with keys of their own through the S3 gateway. */
  void throughGateway(String prefix, long size, int clients, int objects)
      throws IOException, InterruptedException {
    run(
        prefix,
        clients,
        objects,
        connection -> key -> check(connection.put(BUCKET, key, GeneratedContent.of(key, size))));
  }

  /** Writes bytes that nobody commits, without the gateway. */
  void throughDataPath(String prefix, long size, int clients, int objects, String policy)
      throws IOException, InterruptedException {
    run(prefix, clients, objects, connection -> key -> write(key, size, policy));
  }

  private interface Client {
    Put of(S3Connection connection);
  }

  private void run(String prefix, int clients, int objects, Client client)
      throws IOException, InterruptedException {
    AtomicInteger next = new AtomicInteger();
    ExecutorService threads = Executors.newFixedThreadPool(clients);
    List<Future<?>> running = new ArrayList<>();
    for (int i = 0; i < clients; i++) {
      running.add(
          threads.submit(
              () -> {
                try (S3Connection connection = connect()) {
                  Put put = client.of(connection);
                  for (int n = next.getAndIncrement(); n < objects; n = next.getAndIncrement()) {
                    put.put(String.format(Locale.ROOT, "%s/%08d", prefix, n));
                  }
                }
                return null;
              }));
    }
    threads.shutdown();
    for (Future<?> one : running) {
      try {
        one.get();
      } catch (ExecutionException e) {
        throw new IOException("Cannot write: " + e.getCause().getMessage(), e.getCause());
      }
    }
  }

  private S3Connection connect() {
    return new S3Connection(cluster.s3Endpoint(), credentials, false, InstantSource.system());
  }

  private static void check(S3Response response) throws IOException {
    if (!response.isSuccess()) {
      throw new IOException("Cannot write: " + response.errorCode());
    }
  }

  private void write(String key, long size, String policy) throws IOException {
    GeneratedContent content = GeneratedContent.of(key, size);
    byte[] chunk = new byte[(int) Math.min(size, 1 << 20)];
    try (ObjectWriter writer =
        cluster
            .dataPath(0)
            .write(
                new DataPath.WriteSpec(
                    7,
                    ByteString.copyFrom(key, StandardCharsets.UTF_8),
                    WriteId.random(),
                    policy,
                    size,
                    ByteString.EMPTY))) {
      for (long at = 0; at < size; at += chunk.length) {
        int length = (int) Math.min(chunk.length, size - at);
        content.fill(at, chunk, 0, length);
        ByteBuf bytes = PooledByteBufAllocator.DEFAULT.directBuffer(length);
        writer.write(bytes.writeBytes(chunk, 0, length));
      }
      writer.finish();
    }
  }

  List<Path> shardFiles() throws IOException {
    try (Stream<Path> all = Files.walk(directory)) {
      return all.filter(path -> path.toString().endsWith(".shard")).toList();
    }
  }

  /** What the file system has given to files: holes of narrow stripes cost nothing. */
  static long allocatedBytes(List<Path> files) throws IOException, InterruptedException {
    if (files.isEmpty()) {
      return 0;
    }
    List<String> command = new ArrayList<>(List.of("du", "--block-size=1", "--total"));
    files.forEach(file -> command.add(file.toString()));
    Process du = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(du.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (du.waitFor() != 0) {
      throw new IOException("Cannot ask du for the size of " + files.size() + " files: " + output);
    }
    String total = output.strip();
    total = total.substring(total.lastIndexOf('\n') + 1);
    return Long.parseLong(total.substring(0, total.indexOf('\t')));
  }
}

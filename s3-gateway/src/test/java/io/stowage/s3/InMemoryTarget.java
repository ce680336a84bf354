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
package io.stowage.s3;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.PooledByteBufAllocator;
import io.stowage.client.crypt.MemoryKeys;
import io.stowage.client.twin.InMemoryDataPath;
import io.stowage.client.twin.InMemoryObjectManager;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.proto.Identity;
import io.stowage.common.proto.PutIdentityRequest;
import io.stowage.common.time.StoreClock;
import io.stowage.s3.suite.S3Suite.Target;
import java.net.URI;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.locks.LockSupport;

/** A gateway over the in-memory twins, which knows what may not be left behind. */
final class InMemoryTarget implements AutoCloseable {
  static final String ACCESS_KEY = "AKTEST";
  static final String SECRET_KEY = "secret";

  final InMemoryObjectManager namespace;
  final InMemoryDataPath data;
  final MemoryKeys keys = new MemoryKeys("stowage-s3", "stowage-kms");
  final S3GatewayServer gateway;
  private final long pinnedBefore;
  private final Set<Thread> threadsBefore;

  InMemoryTarget(Map<String, String> more) throws Exception {
    this(more, new InMemoryObjectManager(StoreClock.system(), "rs-3-2"), new InMemoryDataPath());
  }

  /** Another gateway over the same twins. */
  InMemoryTarget(Map<String, String> more, InMemoryTarget other) throws Exception {
    this(more, other.namespace, other.data);
  }

  private InMemoryTarget(
      Map<String, String> more, InMemoryObjectManager namespace, InMemoryDataPath data)
      throws Exception {
    this.namespace = namespace;
    this.data = data;
    pinnedBefore = PooledByteBufAllocator.DEFAULT.pinnedDirectMemory();
    threadsBefore = Thread.getAllStackTraces().keySet();
    addIdentity(ACCESS_KEY, SECRET_KEY, "tester", false);
    StowageConfig config = StowageConfig.of(more).with(Keys.S3_BIND, "127.0.0.1:0");
    gateway = S3GatewayServer.start(config, namespace, data, keys, StoreClock.system());
  }

  void addIdentity(String accessKey, String secret, String user, boolean admin) {
    namespace.putIdentity(
        PutIdentityRequest.newBuilder()
            .setIdentity(
                Identity.newBuilder()
                    .setAccessKey(accessKey)
                    .setSecretKey(secret)
                    .setUser(user)
                    .setAdmin(admin))
            .build());
  }

  Target target() {
    return new Target(
        URI.create("http://127.0.0.1:" + gateway.port()), ACCESS_KEY, SECRET_KEY, "us-east-1");
  }

  /** Everything that requests held has been given back. */
  void checkIdle() {
    await(() -> gateway.http().memoryInUse() == 0, "memory of bodies and responses");
    await(() -> gateway.http().streamingCount() == 0, "streaming requests");
    await(() -> data.openWriters() == 0, "open writers");
    await(() -> data.openReaders() == 0, "open readers");
  }

  /** Stops, and nothing is left: no connection, no buffer, no thread. */
  @Override
  public void close() {
    gateway.close();
    checkIdle();
    assertEquals(0, gateway.http().connectionCount());
    await(
        () -> PooledByteBufAllocator.DEFAULT.pinnedDirectMemory() <= pinnedBefore,
        "pooled buffers");
    await(() -> leftThreads().isEmpty(), "threads " + leftThreads());
  }

  private Set<String> leftThreads() {
    Set<String> names = new TreeSet<>();
    for (Thread thread : Thread.getAllStackTraces().keySet()) {
      if (thread.getName().startsWith("s3-") && !threadsBefore.contains(thread)) {
        names.add(thread.getName());
      }
    }
    return names;
  }

  static void await(java.util.function.BooleanSupplier condition, String what) {
    long deadline = System.nanoTime() + 15_000_000_000L;
    while (!condition.getAsBoolean()) {
      assertTrue(System.nanoTime() < deadline, () -> "still there: " + what);
      LockSupport.parkNanos(2_000_000);
    }
  }
}

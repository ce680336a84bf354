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

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.stowage.client.DataPath;
import io.stowage.client.ObjectWriter;
import io.stowage.client.twin.InMemoryDataPath;
import io.stowage.client.twin.InMemoryObjectManager;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.proto.Identity;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.PutIdentityRequest;
import io.stowage.common.time.StoreClock;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A gateway as a process of its own, for {@link MemoryBoundTest}: over twins in memory, where the
 * bytes of keys under {@code upload} go nowhere, so that what is held is what the gateway holds.
 * Says its port; ends when its input does, and says what it used.
 */
final class BoundedGatewayMain {
  private static final BufferPoolMXBean DIRECT =
      ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class).stream()
          .filter(pool -> pool.getName().equals("direct"))
          .findFirst()
          .orElseThrow();

  private static final AtomicLong mostDirect = new AtomicLong();

  private BoundedGatewayMain() {}

  public static void main(String[] args) throws Exception {
    InMemoryObjectManager namespace = new InMemoryObjectManager(StoreClock.system(), "rs-3-2");
    namespace.putIdentity(
        PutIdentityRequest.newBuilder()
            .setIdentity(
                Identity.newBuilder().setAccessKey("AK").setSecretKey("s").setUser("tester"))
            .build());
    InMemoryDataPath kept = new InMemoryDataPath();
    DataPath data =
        (DataPath)
            Proxy.newProxyInstance(
                BoundedGatewayMain.class.getClassLoader(),
                new Class<?>[] {DataPath.class},
                (proxy, method, arguments) -> {
                  if (method.getName().equals("write")
                      && ((DataPath.WriteSpec) arguments[0])
                          .rowKey()
                          .toStringUtf8()
                          .startsWith("upload")) {
                    return new Nowhere();
                  }
                  try {
                    return method.invoke(kept, arguments);
                  } catch (InvocationTargetException e) {
                    throw e.getCause();
                  }
                });
    // Readers that do not read, and connections on which nothing is said, stay to the end.
    StowageConfig config =
        StowageConfig.of(Map.of("stowage.s3.idle-timeout", "1h")).with(Keys.S3_BIND, "127.0.0.1:0");
    S3GatewayServer gateway = S3GatewayServer.start(config, namespace, data, StoreClock.system());
    System.out.println("port " + gateway.port());
    System.out.flush();
    while (System.in.read() >= 0) {
      // until the test closes it
    }
    gateway.close();
    System.out.println(
        "direct memory at most "
            + (mostDirect.get() >> 20)
            + " MiB, left pinned "
            + PooledByteBufAllocator.DEFAULT.pinnedDirectMemory());
    System.exit(0);
  }

  /** Counts bytes. */
  private static final class Nowhere implements ObjectWriter {
    private long length;

    @Override
    public void write(ByteBuf bytes) {
      mostDirect.accumulateAndGet(DIRECT.getMemoryUsed(), Math::max);
      length += bytes.readableBytes();
      bytes.release();
    }

    @Override
    public Written finish() {
      return new Written(Manifest.newBuilder().setLength(length).build(), List.of(), 0);
    }

    @Override
    public void close() {}
  }
}

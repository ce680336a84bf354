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
package io.stowage.client.twin;

import io.netty.buffer.PooledByteBufAllocator;
import io.netty.util.ResourceLeakDetector;
import io.netty.util.ResourceLeakDetectorFactory;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * Notes every buffer that was collected by the garbage collector without having been released. Must
 * be turned on before the first buffer of the process is made.
 *
 * <p>Of a leak the place is told where the buffer was made. {@code -Dstowage.test.leaks=PARANOID}
 * tells all places that touched it, at several times the CPU of what is tested.
 */
public final class LeakCheck {
  private static final List<String> LEAKS = new CopyOnWriteArrayList<>();

  private LeakCheck() {}

  /** Tracks every buffer from now on. */
  public static void turnOn() {
    ResourceLeakDetector.setLevel(
        ResourceLeakDetector.Level.valueOf(System.getProperty("stowage.test.leaks", "SIMPLE")));
    ResourceLeakDetectorFactory.setResourceLeakDetectorFactory(
        new ResourceLeakDetectorFactory() {
          @Override
          @SuppressWarnings("deprecation") // the only method that there is to override
          public <T> ResourceLeakDetector<T> newResourceLeakDetector(
              Class<T> resource, int samplingInterval, long maxActive) {
            return new Noting<>(resource, 1); // every one, at either level
          }
        });
  }

  /** What leaked so far. */
  public static List<String> leaks() throws InterruptedException {
    for (int i = 0; i < 3; i++) {
      System.gc();
      Thread.sleep(20); // for the collector's reference handler: there is no event to await
      PooledByteBufAllocator.DEFAULT.directBuffer(1).release(); // looks at what was collected
    }
    return List.copyOf(LEAKS);
  }

  private static final class Noting<T> extends ResourceLeakDetector<T> {
    Noting(Class<?> resource, int samplingInterval) {
      super(resource, samplingInterval);
    }

    @Override
    protected void reportTracedLeak(String resourceType, String records) {
      LEAKS.add(resourceType + records);
    }

    @Override
    protected void reportUntracedLeak(String resourceType) {
      LEAKS.add(resourceType);
    }
  }
}

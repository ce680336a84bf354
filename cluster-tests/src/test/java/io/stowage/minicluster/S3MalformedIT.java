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

import io.stowage.s3.suite.S3MalformedTest;
import io.stowage.s3.suite.S3Suite.Target;
import java.util.Arrays;
import java.util.List;

/** Bad requests to the whole store: none is stored, and none keeps a worker of the gateway. */
class S3MalformedIT extends S3MalformedTest {
  private static final long DEADLINE_NANOS = 15_000_000_000L;

  private MiniStowageCluster cluster;

  @Override
  protected Target startTarget() throws Exception {
    cluster = MiniStowageCluster.builder().start();
    return new Target(cluster.s3Endpoint(), cluster.accessKey(), cluster.secretKey(), "us-east-1");
  }

  @Override
  protected void checkNothingLeaked() throws Exception {
    try (MiniStowageCluster closed = cluster) {
      long begin = System.nanoTime();
      List<String> busy = busyWorkers();
      while (!busy.isEmpty() && System.nanoTime() - begin < DEADLINE_NANOS) {
        Thread.onSpinWait();
        busy = busyWorkers();
      }
      assertEquals(List.of(), busy);
    }
  }

  /** Threads that are inside of an S3 operation. */
  private static List<String> busyWorkers() {
    return Thread.getAllStackTraces().entrySet().stream()
        .filter(
            thread ->
                Arrays.stream(thread.getValue())
                    .anyMatch(frame -> frame.getClassName().startsWith("io.stowage.s3.operation")))
        .map(thread -> thread.getKey().getName())
        .toList();
  }
}

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

import io.stowage.common.conf.Keys;
import io.stowage.s3.suite.S3ContractTest;
import io.stowage.s3.suite.S3LifecycleTest;
import io.stowage.s3.suite.S3ObjectLockTest;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.model.S3Object;

/** The S3 suites over the whole store, where a day of lifecycle has a second. */
class S3SuiteIT extends S3ContractTest {
  private static final long DEADLINE_NANOS = 60_000_000_000L;

  private MiniStowageCluster cluster;

  @Override
  protected Target startTarget() throws Exception {
    cluster = MiniStowageCluster.builder().set(Keys.LIFECYCLE_DAY_SECONDS, "1").start();
    return new Target(cluster.s3Endpoint(), cluster.accessKey(), cluster.secretKey(), "us-east-1");
  }

  @AfterAll
  void stop() {
    cluster.close();
  }

  @Nested
  class Locks extends S3ObjectLockTest {
    @Override
    protected Target startTarget() {
      return target;
    }
  }

  @Nested
  class Lifecycles extends S3LifecycleTest {
    @Override
    protected Target startTarget() {
      return target;
    }

    @Test
    void whatExpiredGoesByItself() {
      String bucket = newBucket();
      s3.putObject(b -> b.bucket(bucket).key("short/a"), RequestBody.fromString("x"));
      s3.putObject(b -> b.bucket(bucket).key("short/b"), RequestBody.fromString("x"));
      s3.putObject(b -> b.bucket(bucket).key("long/a"), RequestBody.fromString("x"));
      configure(
          bucket,
          enabled("short", "short/").expiration(e -> e.days(1)).build(),
          enabled("long", "long/").expiration(e -> e.days(10_000)).build());
      long begin = System.nanoTime();
      List<String> left = keys(bucket);
      while (left.size() > 1 && System.nanoTime() - begin < DEADLINE_NANOS) {
        LockSupport.parkNanos(20_000_000);
        left = keys(bucket);
      }
      assertEquals(List.of("long/a"), left);
      assertTrue(s3.headObject(b -> b.bucket(bucket).key("long/a")).expiration() != null);
    }

    private List<String> keys(String bucket) {
      return s3.listObjectsV2(b -> b.bucket(bucket)).contents().stream()
          .map(S3Object::key)
          .toList();
    }
  }
}

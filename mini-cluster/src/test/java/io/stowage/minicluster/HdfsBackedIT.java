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

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import org.junit.jupiter.api.Test;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;

/** Metadata in HBase over HDFS, as in production, in one JVM. */
class HdfsBackedIT {
  private static final int LENGTH = 300_000;

  @Test
  void storesAndReadsOverHdfs() throws Exception {
    try (MiniStowageCluster cluster = MiniStowageCluster.builder().hbaseOverHdfs().start();
        S3Client s3 =
            S3Clients.impatient(cluster.s3Endpoint(), cluster.accessKey(), cluster.secretKey())) {
      s3.createBucket(b -> b.bucket("over-hdfs"));
      byte[] content = TestContent.of("key", LENGTH);
      s3.putObject(b -> b.bucket("over-hdfs").key("key"), RequestBody.fromBytes(content));
      assertArrayEquals(
          content, s3.getObjectAsBytes(b -> b.bucket("over-hdfs").key("key")).asByteArray());
    }
  }
}

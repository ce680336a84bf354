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
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.URI;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.FileUtil;
import org.apache.hadoop.fs.Path;
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
      checksumsCompareAcross(cluster);
    }
  }

  /** As distcp verifies what it copied, there and back, of what was written in blocks of 1 MiB. */
  private static void checksumsCompareAcross(MiniStowageCluster cluster) throws IOException {
    Configuration conf = cluster.hadoopConfiguration();
    conf.set("dfs.checksum.combine.mode", "COMPOSITE_CRC");
    conf.set("dfs.blocksize", "1m");
    try (FileSystem hdfs = FileSystem.newInstance(cluster.hdfsUri(), conf);
        FileSystem stow = FileSystem.newInstance(URI.create("stow://over-hdfs"), conf)) {
      for (int length : new int[] {0, 1, LENGTH, 3_500_001}) {
        Path here = new Path("/copied/f" + length);
        Path there = new Path("/there/f" + length);
        Path back = new Path("/back/f" + length);
        try (FSDataOutputStream out = hdfs.create(there)) {
          out.write(TestContent.of("f", length));
        }
        assertTrue(FileUtil.copy(hdfs, there, stow, here, false, conf));
        assertTrue(FileUtil.copy(stow, here, hdfs, back, false, conf));
        assertNotNull(stow.getFileChecksum(here));
        assertEquals(hdfs.getFileChecksum(there), stow.getFileChecksum(here), length + " bytes");
        assertEquals(hdfs.getFileChecksum(back), stow.getFileChecksum(here), length + " bytes");
      }
      assertEquals(
          hdfs.getFileChecksum(new Path("/there/f3500001"), 2_000_000),
          stow.getFileChecksum(new Path("/copied/f3500001"), 2_000_000));
      assertNotEquals(
          hdfs.getFileChecksum(new Path("/there/f1")),
          stow.getFileChecksum(new Path("/copied/f" + LENGTH)));
      // what an S3 client wrote has another checksum in its row, and is read
      try (FSDataOutputStream out = hdfs.create(new Path("/there/key"))) {
        out.write(TestContent.of("key", LENGTH));
      }
      assertEquals(
          hdfs.getFileChecksum(new Path("/there/key")), stow.getFileChecksum(new Path("/key")));
    }
  }
}

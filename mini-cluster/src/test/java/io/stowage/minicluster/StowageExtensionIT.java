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

import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import software.amazon.awssdk.services.s3.S3Client;

/** The README's ten lines. */
class StowageExtensionIT {
  @RegisterExtension
  static final StowageExtension STOWAGE = StowageExtension.of(MiniStowageCluster.builder());

  @Test
  void whatAFileSystemWritesS3Reads(MiniStowageCluster cluster) throws Exception {
    try (S3Client s3 = S3Clients.of(cluster);
        FileSystem files = bucket(cluster, s3, "shared")) {
      try (OutputStream out = files.create(new Path("/dir/file"))) {
        out.write("hello".getBytes(StandardCharsets.UTF_8));
      }
      assertEquals(
          "hello",
          s3.getObjectAsBytes(b -> b.bucket("shared").key("dir/file"))
              .asString(StandardCharsets.UTF_8));
    }
  }

  private static FileSystem bucket(MiniStowageCluster cluster, S3Client s3, String name)
      throws Exception {
    s3.createBucket(b -> b.bucket(name));
    return cluster.fileSystem(name);
  }
}

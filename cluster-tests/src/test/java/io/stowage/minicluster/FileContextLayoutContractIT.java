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

import static org.junit.Assume.assumeTrue;

import io.stowage.common.id.WriteId;
import io.stowage.common.proto.BucketLayout;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.fs.contract.FileContextSuites;
import io.stowage.fs.contract.StowageContract;
import org.junit.AfterClass;
import org.junit.BeforeClass;
import org.junit.experimental.runners.Enclosed;
import org.junit.runner.RunWith;

/**
 * The same as {@link FileContextContractIT} in a bucket of layout FILE_SYSTEM, where {@code
 * -Dstowage.it.every-layout=true} asks for it.
 */
@RunWith(Enclosed.class)
public class FileContextLayoutContractIT extends FileContextSuites {
  private static MiniStowageCluster cluster;

  @BeforeClass
  public static void start() throws Exception {
    assumeTrue("in long runs", Boolean.getBoolean("stowage.it.every-layout"));
    cluster = MiniStowageCluster.builder().start();
    cluster
        .objectManager(0)
        .createBucket(
            CreateBucketRequest.newBuilder()
                .setName("context-directories")
                .setLayout(BucketLayout.FILE_SYSTEM)
                .setWriteId(WriteId.random())
                .build());
    StowageContract.useBucket("context-directories", cluster.clientSettings());
  }

  @AfterClass
  public static void stop() {
    if (cluster != null) {
      cluster.close();
    }
  }
}

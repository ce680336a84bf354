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

import io.stowage.common.id.WriteId;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.fs.contract.StowageContract;
import io.stowage.fs.contract.StowageContractSuites;
import org.junit.AfterClass;
import org.junit.BeforeClass;
import org.junit.experimental.runners.Enclosed;
import org.junit.runner.RunWith;

/** Hadoop's contract of a FileSystem over the whole store. */
@RunWith(Enclosed.class)
public class FileSystemContractIT extends StowageContractSuites {
  private static MiniStowageCluster cluster;

  @BeforeClass
  public static void start() throws Exception {
    cluster = MiniStowageCluster.builder().start();
    cluster
        .objectManager(0)
        .createBucket(
            CreateBucketRequest.newBuilder()
                .setName("contract")
                .setWriteId(WriteId.random())
                .build());
    StowageContract.useBucket("contract", cluster.clientSettings());
  }

  @AfterClass
  public static void stop() {
    cluster.close();
  }
}

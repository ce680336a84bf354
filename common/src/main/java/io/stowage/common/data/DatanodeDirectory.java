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
package io.stowage.common.data;

import io.stowage.common.proto.ShardPlace;

/**
 * Finds the data plane of the node that keeps a shard: a pooled connection, or the node itself in
 * the same process. Thread-safe.
 */
public interface DatanodeDirectory extends AutoCloseable {
  /**
   * Never blocks and never fails: a node that cannot be reached fails the calls made on what is
   * returned.
   */
  ShardService datanode(ShardPlace place);

  /** Calls that were made over the network so far; 0 where they are none, or not counted. */
  default long calls() {
    return 0;
  }

  @Override
  void close();
}

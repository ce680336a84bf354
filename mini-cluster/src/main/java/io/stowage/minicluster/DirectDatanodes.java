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

import io.stowage.common.data.DatanodeDirectory;
import io.stowage.common.data.ShardService;
import io.stowage.common.proto.ShardPlace;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Calls datanodes of this JVM directly, all others over the network. Owns the network side.
 * Thread-safe.
 */
final class DirectDatanodes implements DatanodeDirectory {
  private final Map<String, ShardService> here = new ConcurrentHashMap<>();
  private final DatanodeDirectory network;

  DirectDatanodes(DatanodeDirectory network) {
    this.network = network;
  }

  void add(String nodeId, ShardService datanode) {
    here.put(nodeId, datanode);
  }

  /** A node that was stopped: from now on it is looked for on the network, and not found. */
  void remove(String nodeId) {
    here.remove(nodeId);
  }

  @Override
  public ShardService datanode(ShardPlace place) {
    ShardService datanode = here.get(place.getNodeId());
    return datanode == null ? network.datanode(place) : datanode;
  }

  @Override
  public void close() {
    here.clear();
    network.close();
  }
}

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
package io.stowage.datanode;

import io.stowage.common.data.DatanodeDirectory;
import io.stowage.common.data.ShardService;
import io.stowage.common.time.StoreClock;
import io.stowage.common.token.Operation;
import io.stowage.common.token.ShardTokens;
import io.stowage.common.token.SigningDatanodes;
import io.stowage.common.token.TokenChecks;
import io.stowage.common.token.TokenKeyRing;
import io.stowage.datanode.net.CheckedShards;

/**
 * A datanode's part in tokens: it checks those of requests, and signs its own when it repairs from
 * others. Does nothing where security is off. Thread-safe.
 */
final class TokenSecurity {
  private final boolean on;
  private final TokenKeyRing keys = new TokenKeyRing();
  private final ShardTokens tokens;

  TokenSecurity(boolean on, StoreClock clock) {
    this.on = on;
    this.tokens = new ShardTokens(keys, clock);
  }

  /** Filled by heartbeats. */
  TokenKeyRing keys() {
    return keys;
  }

  /** What the network is to be served. */
  ShardService checking(ShardService shards) {
    return on ? new CheckedShards(shards, new TokenChecks(tokens)) : shards;
  }

  /** What those are to be served who show no certificate where services have to. */
  ShardService checkingUsers(ShardService shards) {
    return on ? new CheckedShards(shards, TokenChecks.ofUsers(tokens)) : shards;
  }

  /** Other datanodes, for repair. */
  DatanodeDirectory signing(DatanodeDirectory datanodes) {
    return on
        ? new SigningDatanodes(
            datanodes, tokens, "datanode", Operation.all(Operation.READ, Operation.STAT))
        : datanodes;
  }
}

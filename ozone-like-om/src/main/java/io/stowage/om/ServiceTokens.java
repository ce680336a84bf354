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
package io.stowage.om;

import io.stowage.common.data.DatanodeDirectory;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.GetTokenKeysRequest;
import io.stowage.common.scm.ContainerManager;
import io.stowage.common.time.StoreClock;
import io.stowage.common.token.Operation;
import io.stowage.common.token.ShardGrants;
import io.stowage.common.token.ShardTokens;
import io.stowage.common.token.SigningDatanodes;
import io.stowage.common.token.TokenKeyRing;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An object manager's part in tokens of the data plane: it fetches the keys from SCM and signs with
 * them. Owns the thread that fetches. Thread-safe.
 */
final class ServiceTokens implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ServiceTokens.class);

  /** A new key signs minutes after it was made. */
  private static final int SECONDS_BETWEEN = 5;

  private static final int ALL =
      Operation.all(
          Operation.OPEN, Operation.WRITE, Operation.READ, Operation.SEAL, Operation.STAT);

  private final TokenKeyRing keys = new TokenKeyRing();
  private final ContainerManager scm;
  private final ShardTokens tokens;
  private final ShardGrants grants;
  private final ScheduledExecutorService fetching =
      Executors.newSingleThreadScheduledExecutor(
          work -> {
            Thread thread = new Thread(work, "om-token-keys");
            thread.setDaemon(true);
            return thread;
          });
  private int skipped; // confined to the thread that fetches

  private ServiceTokens(ContainerManager scm, StoreClock clock, Duration life) {
    this.scm = scm;
    this.tokens = new ShardTokens(keys, clock);
    this.grants = new ShardGrants(tokens, life);
  }

  static ServiceTokens start(ContainerManager scm, StoreClock clock, Duration life) {
    ServiceTokens started = new ServiceTokens(scm, clock, life);
    ScheduledFuture<?> unused = // what it throws is caught
        started.fetching.scheduleWithFixedDelay(started::fetch, 0, 1, TimeUnit.SECONDS);
    return started;
  }

  /** Every second until there are keys, then less often. */
  private void fetch() {
    if (keys.version() > 0 && ++skipped % SECONDS_BETWEEN != 0) {
      return;
    }
    try {
      keys.take(
          scm.getTokenKeys(GetTokenKeysRequest.newBuilder().setVersion(keys.version()).build())
              .getKeys());
    } catch (StoreException | RuntimeException e) {
      LOG.warn("Cannot fetch the keys of tokens; trying again: {}", e.toString());
    }
  }

  ShardGrants grants() {
    return grants;
  }

  DatanodeDirectory signing(DatanodeDirectory datanodes) {
    return new SigningDatanodes(datanodes, tokens, "object manager", ALL);
  }

  @Override
  public void close() {
    fetching.shutdownNow();
  }
}

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
package io.stowage.scm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.scm.cluster.FailureDomain;
import io.stowage.scm.cluster.FailureDomains;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ScmConfigTest {
  @Test
  void hasDefaultsForAllButZooKeeper() throws Exception {
    assertEquals(
        ErrorCode.BAD_CONFIGURATION,
        assertThrows(StoreException.class, () -> ScmConfig.from(StowageConfig.of(Map.of())))
            .code());
    assertEquals(
        new ScmConfig(
            "127.0.0.1:9860",
            "zk:1",
            "/stowage",
            Duration.ofSeconds(6),
            "stowage",
            "rs-6-3",
            1L << 30,
            FailureDomains.all(FailureDomain.HOST),
            Duration.ofSeconds(1),
            Duration.ofSeconds(30),
            Duration.ofSeconds(60),
            Duration.ofMinutes(15),
            Duration.ofSeconds(10),
            Duration.ofHours(6),
            Duration.ofSeconds(60),
            25,
            Duration.ofHours(24),
            2),
        ScmConfig.from(StowageConfig.of(Map.of("stowage.zookeeper.quorum", "zk:1"))));
  }

  @Test
  void mapsEveryKey() throws Exception {
    assertEquals(
        new ScmConfig(
            "h:1",
            "z:2",
            "/root",
            Duration.ofSeconds(3),
            "ns",
            "rs-3-2",
            64L << 20,
            new FailureDomains(FailureDomain.RACK, Map.of("rs-3-2", FailureDomain.DISK)),
            Duration.ofMillis(200),
            Duration.ofSeconds(5),
            Duration.ofSeconds(7),
            Duration.ofSeconds(90),
            Duration.ofSeconds(2),
            Duration.ofMinutes(4),
            Duration.ofSeconds(8),
            33,
            Duration.ofMinutes(9),
            5),
        ScmConfig.from(
            StowageConfig.of(
                Map.ofEntries(
                    Map.entry("stowage.scm.bind", "h:1"),
                    Map.entry("stowage.scm.repair-per-disk", "5"),
                    Map.entry("stowage.zookeeper.quorum", "z:2"),
                    Map.entry("stowage.zookeeper.root", "/root"),
                    Map.entry("stowage.zookeeper.session-timeout", "3s"),
                    Map.entry("stowage.hbase.namespace", "ns"),
                    Map.entry("stowage.default-policy", "rs-3-2"),
                    Map.entry("stowage.container.capacity", "64m"),
                    Map.entry("stowage.placement.failure-domain", "rack,rs-3-2=disk"),
                    Map.entry("stowage.datanode.heartbeat-interval", "200ms"),
                    Map.entry("stowage.scm.dead-interval", "5s"),
                    Map.entry("stowage.scm.lease-duration", "7s"),
                    Map.entry("stowage.commit-window", "90s"),
                    Map.entry("stowage.container.open-time", "4m"),
                    Map.entry("stowage.repack.claim-duration", "8s"),
                    Map.entry("stowage.repack.waste", "33"),
                    Map.entry("stowage.repack.keep-time", "9m"),
                    Map.entry("stowage.clock-bound", "2s")))));
  }
}

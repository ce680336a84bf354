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
package io.stowage.scm.cluster;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.log.LogListener;
import io.stowage.common.proto.DiskInfo;
import io.stowage.common.proto.RegisterDatanodeRequest;
import io.stowage.common.time.ManualClock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.log4j.Logger;
import org.junit.jupiter.api.Test;

/** What the log says of disks that have no room for another shard. */
class FullDisksTest {
  private final List<String> logged = new ArrayList<>();
  private final ClusterMap cluster =
      new ClusterMap(
          new ManualClock(1_000_000),
          host -> RackResolver.DEFAULT_RACK,
          FailureDomains.all(FailureDomain.HOST),
          Duration.ofSeconds(30),
          100,
          null);

  @Test
  void aDiskThatIsFullIsToldOnceUntilItHasRoomByFar() {
    try (LogListener listening =
        new LogListener(
            Logger.getLogger(ClusterMap.class),
            event -> logged.add(event.getLevel() + " " + event.getRenderedMessage()))) {
      cluster.register(
          RegisterDatanodeRequest.newBuilder()
              .setNodeId("n")
              .setHost("h")
              .addDisks(disk(150))
              .build());
      logged.clear();
      for (long free : new long[] {100, 99, 0, 101, 99, 199}) {
        cluster.heartbeat("n", List.of(disk(free)), 0);
      }
      assertEquals(1, logged.size(), logged::toString);
      assertTrue(
          logged.get(0).startsWith("WARN Disk d (/d) of datanode n (h:0) is full"),
          logged::toString);
      cluster.heartbeat("n", List.of(disk(200)), 0);
      assertEquals(2, logged.size(), logged::toString);
      assertTrue(logged.get(1).contains("has room again: 200 bytes free"), logged::toString);
      cluster.heartbeat("n", List.of(disk(0)), 0);
      cluster.heartbeat("n", List.of(), 0);
      cluster.heartbeat("n", List.of(disk(0)), 0);
      assertEquals(4, logged.size(), () -> "a disk that was away is not remembered: " + logged);
    }
  }

  private static DiskInfo disk(long freeBytes) {
    return DiskInfo.newBuilder().setDiskId("d").setPath("/d").setFreeBytes(freeBytes).build();
  }
}

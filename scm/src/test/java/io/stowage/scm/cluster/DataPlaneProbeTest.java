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
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.stowage.common.data.NetworkDatanodes;
import io.stowage.common.proto.DatanodeInfo;
import io.stowage.common.tls.ClientTls;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class DataPlaneProbeTest {
  private static DatanodeInfo at(int port) {
    return DatanodeInfo.newBuilder().setNodeId("n").setHost("127.0.0.1").setPort(port).build();
  }

  @Test
  void takesSilenceAndARefusedConnectionForNoAnswer() throws Exception {
    try (NetworkDatanodes datanodes = new NetworkDatanodes(ClientTls.OFF, Duration.ofMillis(300))) {
      DataPlaneProbe probe = new DataPlaneProbe(datanodes);
      int port;
      try (ServerSocket silent = new ServerSocket(0, 10, InetAddress.getLoopbackAddress())) {
        port = silent.getLocalPort();
        CompletableFuture<?> answer = probe.probe(at(port));
        assertThrows(ExecutionException.class, () -> answer.get(10, TimeUnit.SECONDS));
      }
      CompletableFuture<?> refused = probe.probe(at(port));
      assertThrows(ExecutionException.class, () -> refused.get(10, TimeUnit.SECONDS));
      assertEquals(port, at(port).getPort());
    }
  }
}

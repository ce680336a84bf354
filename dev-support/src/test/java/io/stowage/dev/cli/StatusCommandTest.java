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
package io.stowage.dev.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.stowage.common.proto.DatanodeInfo;
import io.stowage.common.proto.DatanodeState;
import io.stowage.common.proto.DiskInfo;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What {@code stowage status} makes of what it hears. */
class StatusCommandTest {
  private static DatanodeInfo node(String host, String rack) {
    return DatanodeInfo.newBuilder().setHost(host).setRack(rack).build();
  }

  @Test
  void namesHostsInNoRackWhereOthersAreInOne() {
    DatanodeInfo told = node("a", "/r1");
    DatanodeInfo one = node("c", "/default-rack");
    DatanodeInfo other = node("b", "/default-rack");
    assertEquals(List.of("b", "c"), StatusCommand.inNoRack(List.of(one, told, other, one)));
    assertEquals(List.of(), StatusCommand.inNoRack(List.of(one, other)));
    assertEquals(List.of(), StatusCommand.inNoRack(List.of(told)));
  }

  @Test
  void namesDisksThatTakeNoNewShards() {
    DiskInfo good = DiskInfo.newBuilder().setPath("/good").build();
    DiskInfo full = DiskInfo.newBuilder().setPath("/full").setFull(true).build();
    DiskInfo failed =
        DiskInfo.newBuilder().setPath("/bad").setFailed(true).setFailure("it is gone").build();
    DiskInfo readOnly = failed.toBuilder().setPath("/ro").setReadable(true).build();
    DatanodeInfo node =
        node("a", "/r1").toBuilder()
            .setPort(9)
            .addAllDisks(List.of(good, full, failed, readOnly))
            .build();
    DatanodeInfo dead = node.toBuilder().setHost("b").setState(DatanodeState.DEAD).build();
    assertEquals(
        List.of(
            "a:9 /full: FULL", "a:9 /bad: FAILED, it is gone", "a:9 /ro: READ_ONLY, it is gone"),
        StatusCommand.takingNoShards(List.of(node, dead)));
    assertEquals(List.of(), StatusCommand.takingNoShards(List.of(node("a", "/r1"))));
  }
}

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
package io.stowage.scm.table;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.ShardPlace;
import io.stowage.scm.container.ContainerRow;
import java.util.Arrays;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;

class ContainerTableLayoutTest {
  private static final ContainerRow ROW =
      new ContainerRow(
          0x0102030405060708L,
          ContainerInfo.newBuilder()
              .setId(0x1122334455667788L)
              .setPolicy("rs-1-2")
              .setState(ContainerState.SEALED)
              .addShards(ShardPlace.newBuilder().setNodeId("n").setDiskId("d").setGeneration(3))
              .setRowVersion(5)
              .setLeaderEpoch(6)
              .setLeaseEpoch(7)
              .setCapacityBytes(4096)
              .build());

  /** Golden: a change of these bytes is a change of the format. */
  private static final String VALUE =
      "0102030405060708"
          + "0000000000000005"
          + "0000000000000006"
          + "098877665544332211"
          + "120672732d312d32"
          + "1802"
          + "2208"
          + "12016e"
          + "1a0164"
          + "2003"
          + "3807"
          + "408020";

  @Test
  void isWrittenAsEver() throws Exception {
    byte[] value = ContainerTableLayout.encode(ROW);
    assertEquals(VALUE, HexFormat.of().formatHex(value));
    byte[] key = ContainerTableLayout.key(ROW.id());
    assertEquals("1122334455667788", HexFormat.of().formatHex(key));
    assertEquals(ROW, ContainerTableLayout.decode(key, value));
    assertArrayEquals(
        Arrays.copyOf(value, ContainerTableLayout.PREFIX_BYTES), ContainerTableLayout.prefix(ROW));
    assertEquals("ff6c6561646572", HexFormat.of().formatHex(ContainerTableLayout.LEADER_ROW));
    assertEquals("ff636c7573746572", HexFormat.of().formatHex(ContainerTableLayout.CLUSTER_ROW));
    assertEquals(
        "0000000000000001" + "0000000000000002" + "73",
        HexFormat.of().formatHex(ContainerTableLayout.encodeEpoch(1, 2, "s")));
  }

  @Test
  void sortsContainersByIdAndItsOwnRowsBehindThem() {
    byte[] last = ContainerTableLayout.key(Long.MAX_VALUE);
    assertTrue(Arrays.compareUnsigned(ContainerTableLayout.key(1), last) < 0);
    assertTrue(Arrays.compareUnsigned(last, ContainerTableLayout.CONTAINERS_END) < 0);
    assertTrue(
        Arrays.compareUnsigned(
                ContainerTableLayout.CONTAINERS_END, ContainerTableLayout.CLUSTER_ROW)
            < 0);
    assertThrows(IllegalArgumentException.class, () -> ContainerTableLayout.key(0));
    assertThrows(IllegalArgumentException.class, () -> ContainerTableLayout.key(-1));
  }

  @Test
  void refusesWhatIsNoRow() {
    byte[] key = ContainerTableLayout.key(ROW.id());
    byte[] value = ContainerTableLayout.encode(ROW);
    assertThrows(
        CorruptDataException.class,
        () -> ContainerTableLayout.decode(key, Arrays.copyOf(value, 23)));
    assertThrows(
        CorruptDataException.class,
        () -> ContainerTableLayout.decode(key, Arrays.copyOf(value, value.length - 1)));
    assertThrows(
        CorruptDataException.class,
        () -> ContainerTableLayout.decode(ContainerTableLayout.key(7), value));
  }
}

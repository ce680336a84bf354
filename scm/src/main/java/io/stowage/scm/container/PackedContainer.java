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
package io.stowage.scm.container;

import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.ShardPlace;
import java.util.Arrays;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * A container's row in few bytes: about 95 for rs-6-3, where the message takes 800. Seventeen
 * million of them are what a 100 PB cluster has, and every SCM keeps all in memory. Stateless.
 *
 * <pre>
 * state u8 | policy u8 | shards u8 | per shard: disk varint, generation varint |
 * stamp, row version, leader epoch, lease epoch, capacity, created, sealed, end, granted, expiry, surveyed,
 * live, stored, needed, dead then, deleted, unreadable (0, 1), last generation: varint each |
 * length of the holder u8, holder | repack holder: the rest, 0 or 16 bytes
 * </pre>
 */
final class PackedContainer {
  private PackedContainer() {}

  static byte[] pack(ContainerRow row, DiskTable disks, PolicyNames policies) {
    ContainerInfo info = row.info();
    Writer out = new Writer();
    out.octet(info.getState().getNumber());
    out.octet(policies.numberOf(info.getPolicy()));
    out.octet(info.getShardsCount());
    for (int i = 0; i < info.getShardsCount(); i++) {
      ShardPlace shard = info.getShards(i);
      if (shard.getIndex() != i) {
        throw new IllegalArgumentException(
            "container " + row.name() + " names shard " + shard.getIndex() + " at place " + i);
      }
      out.varint(disks.numberOf(shard.getNodeId(), shard.getDiskId()));
      out.varint(shard.getGeneration());
    }
    out.varint(row.stampMicros());
    out.varint(info.getRowVersion());
    out.varint(info.getLeaderEpoch());
    out.varint(info.getLeaseEpoch());
    out.varint(info.getCapacityBytes());
    out.varint(info.getCreatedMicros());
    out.varint(info.getSealedMicros());
    out.varint(info.getEndOffset());
    out.varint(info.getLeaseGrantedMicros());
    out.varint(info.getLeaseExpiryMicros());
    out.varint(info.getSurveyedMicros());
    out.varint(info.getLiveBytes());
    out.varint(info.getStoredBytes());
    out.varint(info.getNeededBytes());
    out.varint(info.getDeadBytesThen());
    out.varint(info.getDeletedMicros());
    out.varint(info.getUnreadable() ? 1 : 0);
    out.varint(info.getLastGeneration());
    out.octet(info.getLeaseHolder().size());
    out.octets(info.getLeaseHolder());
    out.octets(info.getRepackHolder());
    return out.toBytes();
  }

  static ContainerRow unpack(long id, byte[] packed, DiskTable disks, PolicyNames policies) {
    Reader in = new Reader(packed);
    ContainerInfo.Builder info = ContainerInfo.newBuilder().setId(id);
    info.setState(ContainerState.forNumber(in.octet()));
    info.setPolicy(policies.name(in.octet()));
    int shards = in.octet();
    for (int i = 0; i < shards; i++) {
      DiskTable.Disk disk = disks.disk((int) in.varint());
      info.addShards(
          ShardPlace.newBuilder()
              .setIndex(i)
              .setNodeId(disk.nodeId())
              .setDiskId(disk.diskId())
              .setGeneration((int) in.varint()));
    }
    long stamp = in.varint();
    info.setRowVersion(in.varint());
    info.setLeaderEpoch(in.varint());
    info.setLeaseEpoch(in.varint());
    info.setCapacityBytes(in.varint());
    info.setCreatedMicros(in.varint());
    info.setSealedMicros(in.varint());
    info.setEndOffset(in.varint());
    info.setLeaseGrantedMicros(in.varint());
    info.setLeaseExpiryMicros(in.varint());
    info.setSurveyedMicros(in.varint());
    info.setLiveBytes(in.varint());
    info.setStoredBytes(in.varint());
    info.setNeededBytes(in.varint());
    info.setDeadBytesThen(in.varint());
    info.setDeletedMicros(in.varint());
    info.setUnreadable(in.varint() != 0);
    info.setLastGeneration((int) in.varint());
    info.setLeaseHolder(in.octets(in.octet()));
    info.setRepackHolder(in.octets(in.rest()));
    return new ContainerRow(stamp, info.build());
  }

  static ContainerState state(byte[] packed) {
    return ContainerState.forNumber(packed[0]);
  }

  static int policyNumber(byte[] packed) {
    return packed[1];
  }

  static int shardCount(byte[] packed) {
    return packed[2];
  }

  static long version(byte[] packed) {
    Reader in = afterShards(packed);
    in.varint(); // stamp
    return in.varint();
  }

  static long endOffset(byte[] packed) {
    Reader in = afterShards(packed);
    for (int before = 0; before < 7; before++) {
      in.varint(); // stamp, row version, leader epoch, lease epoch, capacity, created, sealed
    }
    return in.varint();
  }

  /** What a repacker is chosen by. */
  static RepackFigures repackFigures(byte[] packed) {
    Reader in = afterShards(packed);
    in.skip(4); // stamp, row version, leader epoch, lease epoch
    long capacity = in.varint();
    in.skip(1); // created
    long sealed = in.varint();
    long end = in.varint();
    long granted = in.varint();
    in.skip(1); // expiry
    return new RepackFigures(
        capacity,
        Math.max(sealed, granted),
        end,
        in.varint(),
        in.varint(),
        in.varint(),
        in.varint(),
        in.varint(),
        in.varint(),
        in.varint() != 0);
  }

  /** Fields of a row as ContainerInfo has them, and what {@link Leases#judgedFromMicros} says. */
  record RepackFigures(
      long capacityBytes,
      long judgedFromMicros,
      long endOffset,
      long surveyedMicros,
      long liveBytes,
      long storedBytes,
      long neededBytes,
      long deadBytesThen,
      long deletedMicros,
      boolean unreadable) {}

  /** Calls {@code each} with every shard's index, disk number and generation. */
  static void shards(byte[] packed, ShardVisitor each) {
    Reader in = new Reader(packed);
    in.position = 3;
    for (int i = 0; i < packed[2]; i++) {
      each.visit(i, (int) in.varint(), (int) in.varint());
    }
  }

  private static Reader afterShards(byte[] packed) {
    Reader in = new Reader(packed);
    in.position = 3;
    for (int i = 0; i < 2 * packed[2]; i++) {
      in.varint();
    }
    return in;
  }

  /** Told of one shard. */
  interface ShardVisitor {
    void visit(int index, int diskNumber, int generation);
  }

  private static final class Writer {
    private byte[] bytes = new byte[192];
    private int length;

    void octet(int value) {
      if (value < 0 || value > Byte.MAX_VALUE) {
        throw new IllegalArgumentException("not in one byte: " + value);
      }
      room(1);
      bytes[length++] = (byte) value;
    }

    void varint(long value) {
      room(10);
      long rest = value;
      while ((rest & ~0x7FL) != 0) {
        bytes[length++] = (byte) (rest | 0x80);
        rest >>>= 7;
      }
      bytes[length++] = (byte) rest;
    }

    void octets(ByteString more) {
      room(more.size());
      more.copyTo(bytes, length);
      length += more.size();
    }

    private void room(int more) {
      if (length + more > bytes.length) {
        bytes = Arrays.copyOf(bytes, 2 * (length + more));
      }
    }

    byte[] toBytes() {
      return Arrays.copyOf(bytes, length);
    }
  }

  private static final class Reader {
    private final byte[] bytes;
    private int position;

    Reader(byte[] bytes) {
      this.bytes = bytes;
    }

    int octet() {
      return bytes[position++];
    }

    void skip(int varints) {
      for (int i = 0; i < varints; i++) {
        varint();
      }
    }

    long varint() {
      long value = 0;
      for (int shift = 0; ; shift += 7) {
        byte next = bytes[position++];
        value |= (long) (next & 0x7F) << shift;
        if (next >= 0) {
          return value;
        }
      }
    }

    int rest() {
      return bytes.length - position;
    }

    ByteString octets(int count) {
      ByteString octets = ByteString.copyFrom(bytes, position, count);
      position += count;
      return octets;
    }
  }
}

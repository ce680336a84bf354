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
package io.stowage.dev.fsck;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.DatanodeInfo;
import io.stowage.common.proto.DiskInfo;
import io.stowage.common.proto.ListDatanodesRequest;
import io.stowage.common.proto.ListShardsReply;
import io.stowage.common.proto.ListShardsRequest;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.proto.ShardReport;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** What all disks say they have, sorted by container. Stateless. */
final class DiskShards {
  private static final long ANSWER_SECONDS = 30;

  private DiskShards() {}

  /** A shard as a node reports it. */
  record OnDisk(ShardPlace node, ShardReport shard) {
    /** Where it is, as a container's row names it, and how to reach it. */
    ShardPlace place() {
      return node.toBuilder()
          .setIndex(shard.getIndex())
          .setDiskId(shard.getDiskId())
          .setGeneration(shard.getGeneration())
          .build();
    }
  }

  /** Told of each disk that could not be asked. */
  interface Silent {
    void disk(DatanodeInfo node, DiskInfo disk, String why);
  }

  /** Asks every disk of every datanode that SCM knows; returns how many datanodes there are. */
  static int sortInto(SpillSorter sorter, Cluster cluster, Progress progress, Silent silent)
      throws IOException {
    List<DatanodeInfo> nodes =
        cluster
            .containers()
            .listDatanodes(ListDatanodesRequest.getDefaultInstance())
            .getDatanodesList();
    int asked = 0;
    for (DatanodeInfo node : nodes) {
      ShardPlace place =
          ShardPlace.newBuilder()
              .setNodeId(node.getNodeId())
              .setHost(node.getHost())
              .setPort(node.getPort())
              .build();
      for (DiskInfo disk : node.getDisksList()) {
        try {
          ListShardsReply reply =
              await(
                  cluster
                      .datanodes()
                      .datanode(place)
                      .list(ListShardsRequest.newBuilder().setDiskId(disk.getDiskId()).build()));
          for (ShardReport shard : reply.getShardsList()) {
            add(sorter, place, shard);
          }
        } catch (StoreException e) {
          silent.disk(node, disk, e.getMessage());
        }
      }
      progress.at("datanodes asked", ++asked, nodes.size());
    }
    return asked;
  }

  private static void add(SpillSorter sorter, ShardPlace node, ShardReport shard)
      throws IOException {
    byte[] place = node.toByteArray();
    byte[] value = shard.toByteArray();
    sorter.add(
        ByteBuffer.allocate(8).putLong(shard.getContainer()).array(),
        ByteBuffer.allocate(4 + place.length + value.length)
            .putInt(place.length)
            .put(place)
            .put(value)
            .array());
  }

  static long container(byte[] key) {
    return ByteBuffer.wrap(key).getLong();
  }

  static OnDisk parse(byte[] value) throws IOException {
    ByteBuffer in = ByteBuffer.wrap(value);
    byte[] place = new byte[in.getInt()];
    in.get(place);
    return new OnDisk(ShardPlace.parseFrom(place), ShardReport.parseFrom(in));
  }

  /** The answer of a datanode, which may never come. */
  static <T> T await(Future<T> answer) throws StoreException {
    try {
      return answer.get(ANSWER_SECONDS, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof StoreException known) {
        throw known;
      }
      throw new StoreException(ErrorCode.INTERNAL, String.valueOf(e.getCause()), e);
    } catch (TimeoutException e) {
      throw new StoreException(ErrorCode.TIMEOUT, "no answer in " + ANSWER_SECONDS + " s", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new StoreException(ErrorCode.UNAVAILABLE, "Cannot go on: interrupted", e);
    }
  }
}

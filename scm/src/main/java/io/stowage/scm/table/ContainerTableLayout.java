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

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.OperatorWord;
import io.stowage.common.proto.ShardPlace;
import io.stowage.scm.container.ContainerRow;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;

/**
 * Table {@code container}, as docs/format/container-table.md describes it. Stateless.
 *
 * <pre>
 * row key              cell                       value
 * id: i64 &gt; 0, BE      s:i  the container         stamp i64 | row version i64 | leader epoch i64 | ContainerInfo
 *                      d:*  dead bytes            (collector)
 * 0xFF "cluster"       s:c  this cluster          stamp i64 | cluster id, UTF-8
 * 0xFF "leader"        s:e  leader epoch counter  stamp i64 | leader epoch i64 | id of the SCM, UTF-8
 * 0xFF "operator"      s:o  what operators said   stamp i64 | OperatorWord
 * 0xFF "node/" id      s:n  a datanode's host     stamp i64 | name of the host, UTF-8
 * </pre>
 *
 * <p>Ids are 63 random bits, never 0: rows spread evenly over regions although containers are made
 * one after another, and two leaders that overlap never mint the same id (creation is "put if
 * absent" besides). Sequential ids would send every creation to the last region, or need bit
 * reversal and a counter row on the path of each creation. The sign bit is left to the rows that
 * are no containers, which thus sort behind all of them.
 *
 * <p>The HBase timestamp of a cell is its stamp. Whoever replaces a cell compares the three fixed
 * fields, so that the comparison needs no knowledge of the message.
 */
final class ContainerTableLayout {
  static final String TABLE = "container";

  /** Value of the table descriptor's {@link #FORMAT_KEY}. */
  static final int FORMAT = 1;

  static final String FORMAT_KEY = "STOWAGE_FORMAT";

  static final byte[] STATE_FAMILY = {'s'};
  static final byte[] DEAD_BYTES_FAMILY = {'d'};
  static final byte[] CONTAINER = {'i'};
  static final byte[] CLUSTER = {'c'};
  static final byte[] EPOCH = {'e'};
  static final byte[] OPERATOR = {'o'};
  static final byte[] NODE_HOST = {'n'};

  /** The sum of what older runs noted; a run's id is longer. */
  static final byte[] FOLDED_BYTES = {'+'};

  static final byte[] CLUSTER_ROW = special("cluster");
  static final byte[] LEADER_ROW = special("leader");
  static final byte[] OPERATOR_ROW = special("operator");

  /** Exclusive end of the containers' rows. */
  static final byte[] CONTAINERS_END = {(byte) 0x80};

  /** Bytes of stamp, row version and leader epoch. */
  static final int PREFIX_BYTES = 24;

  private ContainerTableLayout() {}

  private static byte[] special(String name) {
    byte[] text = name.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(1 + text.length).put((byte) 0xFF).put(text).array();
  }

  static byte[] nodeRow(String nodeId) {
    return special("node/" + nodeId);
  }

  static byte[] key(long id) {
    if (id <= 0) {
      throw new IllegalArgumentException("no container has id " + id);
    }
    return ByteBuffer.allocate(Long.BYTES).putLong(id).array();
  }

  /** The fixed fields: what a compare-and-set compares. */
  static byte[] prefix(ContainerRow row) {
    return putPrefix(ByteBuffer.allocate(PREFIX_BYTES), row).array();
  }

  private static ByteBuffer putPrefix(ByteBuffer to, ContainerRow row) {
    return to.putLong(row.stampMicros())
        .putLong(row.info().getRowVersion())
        .putLong(row.info().getLeaderEpoch());
  }

  static byte[] encode(ContainerRow row) {
    ContainerInfo.Builder kept = row.info().toBuilder().clearRowVersion().clearLeaderEpoch();
    for (ShardPlace.Builder shard : kept.getShardsBuilderList()) {
      shard.clearHost().clearPort();
    }
    byte[] message = kept.build().toByteArray();
    return putPrefix(ByteBuffer.allocate(PREFIX_BYTES + message.length), row).put(message).array();
  }

  static ContainerRow decode(byte[] key, byte[] value) throws CorruptDataException {
    if (value.length < PREFIX_BYTES || key.length != Long.BYTES) {
      throw new CorruptDataException(
          "Cannot read a container row: key of "
              + key.length
              + " bytes, value of "
              + value.length
              + " bytes");
    }
    ByteBuffer in = ByteBuffer.wrap(value);
    long stamp = in.getLong();
    long version = in.getLong();
    long epoch = in.getLong();
    long id = ByteBuffer.wrap(key).getLong();
    ContainerInfo info;
    try {
      info = ContainerInfo.parseFrom(in);
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException(
          "Cannot read the row of container " + ContainerRow.nameOf(id) + ": " + e.getMessage());
    }
    if (info.getId() != id) {
      throw new CorruptDataException(
          "Cannot read the row of container "
              + ContainerRow.nameOf(id)
              + ": it is of container "
              + ContainerRow.nameOf(info.getId()));
    }
    return new ContainerRow(
        stamp, info.toBuilder().setRowVersion(version).setLeaderEpoch(epoch).build());
  }

  /** The row that a write puts in the place of {@code before}. */
  static ContainerRow successor(
      ContainerRow before, ContainerInfo after, long leaderEpoch, long nowMicros) {
    ContainerInfo.Builder info =
        after.toBuilder()
            .setRowVersion(before == null ? 1 : before.version() + 1)
            .setLeaderEpoch(leaderEpoch);
    for (ShardPlace.Builder shard : info.getShardsBuilderList()) {
      shard.clearHost().clearPort();
    }
    return new ContainerRow(
        nextStamp(before == null ? 0 : before.stampMicros(), nowMicros), info.build());
  }

  static long nextStamp(long stampBefore, long nowMicros) {
    return Math.max(stampBefore + 1, nowMicros);
  }

  static byte[] encodeEpoch(long stamp, long epoch, String scmId) {
    byte[] text = scmId.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(2 * Long.BYTES + text.length)
        .putLong(stamp)
        .putLong(epoch)
        .put(text)
        .array();
  }

  static byte[] encodeOperatorWord(long stamp, OperatorWord word) {
    byte[] message = word.toByteArray();
    return ByteBuffer.allocate(Long.BYTES + message.length).putLong(stamp).put(message).array();
  }

  static OperatorWord operatorWordOf(byte[] value) throws CorruptDataException {
    try {
      return OperatorWord.parseFrom(ByteBuffer.wrap(value, Long.BYTES, value.length - Long.BYTES));
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException("Cannot read what operators said: " + e.getMessage());
    }
  }

  static long stampOf(byte[] value) {
    return ByteBuffer.wrap(value).getLong();
  }

  static long epochOf(byte[] value) {
    return ByteBuffer.wrap(value).getLong(Long.BYTES);
  }

  /** Of the cluster's id, or of a datanode's host. */
  static byte[] encodeText(long stamp, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(Long.BYTES + bytes.length).putLong(stamp).put(bytes).array();
  }

  static String textOf(byte[] value) {
    return new String(value, Long.BYTES, value.length - Long.BYTES, StandardCharsets.UTF_8);
  }
}

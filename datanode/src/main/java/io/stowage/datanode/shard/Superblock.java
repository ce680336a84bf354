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
package io.stowage.datanode.shard;

import static io.stowage.datanode.shard.ShardFormat.MAX_CLUSTER_ID_BYTES;
import static io.stowage.datanode.shard.ShardFormat.MAX_EPOCHS;
import static io.stowage.datanode.shard.ShardFormat.SUPERBLOCK_BYTES;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.EpochStart;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.zip.CRC32C;

/**
 * What a shard file says of itself. Immutable: every change is a new one with the next sequence,
 * written to the slot that does not hold the last durable one.
 *
 * <pre>
 *      0   8  magic "STOWSHRD"
 *      8   4  format version, 1
 *     12   4  CRC32C of the 16,384 bytes with this field zero
 *     16   8  sequence, one higher in every superblock written
 *     24   8  container
 *     32   4  shard index
 *     36   4  generation
 *     40   2  k
 *     42   2  m
 *     44   4  flags: bit 0 sealed
 *     48   8  capacity, bytes of address space
 *     56   8  end, if sealed: shard address after the last written sector; else 0
 *     64  16  holder of the last epoch
 *     80   4  number of epochs
 *     84   2  length of the cluster id
 *     86 128  cluster id, UTF-8
 *    214   2  zero
 *    216   8  sectors that the rebuild which made the shard has marked lost
 *    224 160  zero
 *    384      1,000 times: epoch (8), shard address at which it starts (8), ascending; unused: zero
 * </pre>
 *
 * An epoch's range ends where the next one starts. An epoch that wrote nothing here is replaced by
 * the next, so that idle leases don't use the list up.
 */
final class Superblock {
  static final long MAGIC = 0x53544F5753485244L;
  private static final int CRC_AT = 12;
  private static final int LOST_AT = 216;
  private static final int EPOCHS_AT = 384;
  private static final int SEALED = 1;
  static final int HOLDER_BYTES = 16;

  final ShardId id;
  final String clusterId;
  final int k;
  final int m;
  final long capacity;
  final long sequence;
  final boolean sealed;
  final long sealedEnd;
  final long lostSectors;
  private final byte[] holder;
  private final long[] epochs;
  private final long[] starts;

  private Superblock(
      ShardId id,
      String clusterId,
      int k,
      int m,
      long capacity,
      long sequence,
      boolean sealed,
      long sealedEnd,
      long lostSectors,
      byte[] holder,
      long[] epochs,
      long[] starts) {
    this.id = id;
    this.clusterId = clusterId;
    this.k = k;
    this.m = m;
    this.capacity = capacity;
    this.sequence = sequence;
    this.sealed = sealed;
    this.sealedEnd = sealedEnd;
    this.lostSectors = lostSectors;
    this.holder = holder;
    this.epochs = epochs;
    this.starts = starts;
  }

  /** The first superblock of a shard, opened by its first lease. */
  static Superblock first(
      ShardId id, String clusterId, int k, int m, long capacity, long epoch, byte[] holder) {
    return new Superblock(
        id,
        clusterId,
        k,
        m,
        capacity,
        1,
        false,
        0,
        0,
        holder.clone(),
        new long[] {epoch},
        new long[] {0});
  }

  /** Of a rebuilt shard: sealed from the start, held by nobody. */
  static Superblock rebuilt(
      ShardId id,
      String clusterId,
      int k,
      int m,
      long capacity,
      long[] epochs,
      long[] starts,
      long end,
      long lostSectors) {
    return new Superblock(
        id,
        clusterId,
        k,
        m,
        capacity,
        1,
        true,
        end,
        lostSectors,
        new byte[HOLDER_BYTES],
        epochs.clone(),
        starts.clone());
  }

  /** The same contents for the other slot. */
  Superblock again() {
    return new Superblock(
        id,
        clusterId,
        k,
        m,
        capacity,
        sequence + 1,
        sealed,
        sealedEnd,
        lostSectors,
        holder,
        epochs,
        starts);
  }

  /**
   * Opened by a higher epoch.
   *
   * @param end shard address after the last written sector
   * @throws StoreException EPOCH_LIST_FULL
   */
  Superblock opened(long epoch, byte[] newHolder, long end) throws StoreException {
    int count = epochs.length;
    boolean lastWroteNothing = starts[count - 1] >= end;
    int newCount = lastWroteNothing ? count : count + 1;
    if (newCount > MAX_EPOCHS) {
      throw new StoreException(
          ErrorCode.EPOCH_LIST_FULL,
          "Cannot open " + id + " for epoch " + epoch + ": it has had " + MAX_EPOCHS + " epochs");
    }
    long[] newEpochs = Arrays.copyOf(epochs, newCount);
    long[] newStarts = Arrays.copyOf(starts, newCount);
    newEpochs[newCount - 1] = epoch;
    newStarts[newCount - 1] = Math.max(end, starts[count - 1]);
    return new Superblock(
        id,
        clusterId,
        k,
        m,
        capacity,
        sequence + 1,
        false,
        0,
        0,
        newHolder.clone(),
        newEpochs,
        newStarts);
  }

  Superblock sealed(long end) {
    return new Superblock(
        id, clusterId, k, m, capacity, sequence + 1, true, end, 0, holder, epochs, starts);
  }

  /** Highest epoch that opened the shard. */
  long lastEpoch() {
    return epochs[epochs.length - 1];
  }

  long lastStart() {
    return starts[starts.length - 1];
  }

  boolean isHeldBy(byte[] asker) {
    return MessageDigest.isEqual(holder, asker); // a secret of the holder's: in constant time
  }

  int epochCount() {
    return epochs.length;
  }

  /** One of the epochs in ascending order, with its start. */
  EpochStart epochStart(int i) {
    return EpochStart.newBuilder().setEpoch(epochs[i]).setStart(starts[i]).build();
  }

  /** First address of an epoch; -1 if it wrote nothing here. */
  long startOf(long epoch) {
    int at = Arrays.binarySearch(epochs, epoch);
    return at < 0 ? -1 : starts[at];
  }

  /** Address behind an epoch's range; -1 if it wrote nothing here. */
  long endOf(long epoch) {
    int at = Arrays.binarySearch(epochs, epoch);
    if (at < 0) {
      return -1;
    }
    return at + 1 < starts.length ? starts[at + 1] : Long.MAX_VALUE;
  }

  boolean sameContents(Superblock other) {
    return id.equals(other.id)
        && clusterId.equals(other.clusterId)
        && k == other.k
        && m == other.m
        && capacity == other.capacity
        && sealed == other.sealed
        && sealedEnd == other.sealedEnd
        && lostSectors == other.lostSectors
        && Arrays.equals(holder, other.holder)
        && Arrays.equals(epochs, other.epochs)
        && Arrays.equals(starts, other.starts);
  }

  /** Writes the 16,384 bytes at the buffer's start; leaves it ready to be read. */
  void encode(ByteBuffer into) {
    into.clear().limit(SUPERBLOCK_BYTES);
    into.putLong(MAGIC).putInt(ShardFormat.VERSION).putInt(0).putLong(sequence);
    into.putLong(id.container()).putInt(id.index()).putInt(id.generation());
    into.putShort((short) k).putShort((short) m).putInt(sealed ? SEALED : 0);
    into.putLong(capacity).putLong(sealedEnd).put(holder).putInt(epochs.length);
    byte[] cluster = clusterId.getBytes(StandardCharsets.UTF_8);
    into.putShort((short) cluster.length).put(cluster);
    zeroUpTo(into, LOST_AT);
    into.putLong(lostSectors);
    zeroUpTo(into, EPOCHS_AT);
    for (int i = 0; i < epochs.length; i++) {
      into.putLong(epochs[i]).putLong(starts[i]);
    }
    zeroUpTo(into, SUPERBLOCK_BYTES);
    into.flip();
    into.putInt(CRC_AT, crc(into));
  }

  private static void zeroUpTo(ByteBuffer into, int position) {
    while (into.position() < position) {
      into.put((byte) 0);
    }
  }

  /** CRC32C of the 16,384 bytes as if the field itself were zero. */
  private static int crc(ByteBuffer bytes) {
    CRC32C crc = new CRC32C();
    crc.update(bytes.duplicate().position(0).limit(CRC_AT));
    crc.update(new byte[4], 0, 4);
    crc.update(bytes.duplicate().position(CRC_AT + 4).limit(SUPERBLOCK_BYTES));
    return (int) crc.getValue();
  }

  /**
   * Reads a slot.
   *
   * @return null if it does not hold a valid superblock of this shard
   * @throws StoreException FORMAT_TOO_NEW if it is whole and of a later version
   */
  static Superblock decode(ByteBuffer bytes, ShardId id) throws StoreException {
    if (bytes.remaining() < SUPERBLOCK_BYTES
        || bytes.getLong(0) != MAGIC
        || bytes.getInt(CRC_AT) != crc(bytes)) {
      return null;
    }
    int version = bytes.getInt(8);
    if (version != ShardFormat.VERSION) {
      throw new StoreException(
          version > ShardFormat.VERSION ? ErrorCode.FORMAT_TOO_NEW : ErrorCode.FORMAT_TOO_OLD,
          "Cannot use "
              + id
              + ": its file has format "
              + version
              + ", this datanode knows "
              + ShardFormat.VERSION);
    }
    ShardId named = new ShardId(bytes.getLong(24), bytes.getInt(32), bytes.getInt(36));
    int count = bytes.getInt(80);
    int clusterLength = bytes.getShort(84);
    if (!named.equals(id)
        || count < 1
        || count > MAX_EPOCHS
        || clusterLength < 0
        || clusterLength > MAX_CLUSTER_ID_BYTES) {
      return null;
    }
    byte[] holder = new byte[HOLDER_BYTES];
    bytes.get(64, holder);
    byte[] cluster = new byte[clusterLength];
    bytes.get(86, cluster);
    long[] epochs = new long[count];
    long[] starts = new long[count];
    for (int i = 0; i < count; i++) {
      epochs[i] = bytes.getLong(EPOCHS_AT + 16 * i);
      starts[i] = bytes.getLong(EPOCHS_AT + 16 * i + 8);
    }
    return new Superblock(
        named,
        new String(cluster, StandardCharsets.UTF_8),
        bytes.getShort(40),
        bytes.getShort(42),
        bytes.getLong(48),
        bytes.getLong(16),
        (bytes.getInt(44) & SEALED) != 0,
        bytes.getLong(56),
        bytes.getLong(LOST_AT),
        holder,
        epochs,
        starts);
  }

  @Override
  public String toString() {
    return id
        + " sequence "
        + sequence
        + (sealed ? " sealed at " + sealedEnd : "")
        + " epoch "
        + lastEpoch()
        + " from "
        + lastStart()
        + " held by "
        + HexFormat.of().formatHex(holder);
  }
}

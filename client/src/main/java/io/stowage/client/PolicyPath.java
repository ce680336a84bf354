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
package io.stowage.client;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.stowage.common.error.StoreException;
import io.stowage.common.needle.NeedleFacts;
import io.stowage.common.needle.NeedleHeader;
import io.stowage.common.proto.Fact;
import io.stowage.common.proto.FinishedFact;
import io.stowage.common.time.StoreClock;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** Everything that writes under one erasure policy: its leases, its packer. Thread-safe. */
final class PolicyPath {
  private final LeasePool leases;
  private final Packer packer;
  private final int packingLimit;
  private final StripeMemory streamMemory;
  private final CellLengths cellLengths;
  private final StoreClock clock;

  PolicyPath(
      LeasePool leases,
      Packer packer,
      int packingLimit,
      StripeMemory streamMemory,
      CellLengths cellLengths,
      StoreClock clock) {
    this.leases = leases;
    this.packer = packer;
    this.packingLimit = packingLimit;
    this.streamMemory = streamMemory;
    this.cellLengths = cellLengths;
    this.clock = clock;
  }

  LeasePool leases() {
    return leases;
  }

  Packer packer() {
    return packer;
  }

  /** Payload bytes up to which an object is packed. */
  int packingLimit() {
    return packingLimit;
  }

  /** Takes over the payload; returns when it is durable. */
  ObjectWriter.Written pack(NeedleHeader header, List<ByteBuf> payload) throws StoreException {
    return packer.put(new PackedNeedle(header, payload, Thread.currentThread()).toBeCommitted());
  }

  /** Takes over the payloads; returns when each is durable or has failed. */
  List<PackedNeedle> packAll(List<ContainerAccess.Packed> needles) {
    List<PackedNeedle> packed = new ArrayList<>();
    for (ContainerAccess.Packed needle : needles) {
      packed.add(
          new PackedNeedle(needle.header(), List.of(needle.payload()), Thread.currentThread()));
    }
    packer.putAll(packed);
    return packed;
  }

  StreamedObject stream(NeedleHeader template, long length, boolean endsObject) {
    return new StreamedObject(
        template, length, endsObject, leases, streamMemory, cellLengths, clock);
  }

  /**
   * Tells how long an object is whose headers could not; returns when that is durable, since
   * without it nobody could tell its last bytes from padding.
   */
  void putFinished(NeedleHeader of, long length) throws StoreException {
    Fact fact = Fact.newBuilder().setFinished(FinishedFact.newBuilder().setLength(length)).build();
    packer.put(
        record(
            of.bucketId(),
            of.rowKey(),
            of.writeId(),
            of.clockMicros(),
            fact.toByteString(),
            Thread.currentThread()));
  }

  /** Tells that bytes that were written, some or all, will not be committed. */
  void recordAbandoned(NeedleHeader of) {
    record(
        of.bucketId(), of.rowKey(), of.writeId(), 0, RecordingNamespace.abandoned().toByteString());
  }

  /** A record needle that nobody waits for. */
  void record(long bucketId, ByteString rowKey, ByteString writeId, long stamp, ByteString what) {
    packer.addRecord(record(bucketId, rowKey, writeId, stamp, what, null));
  }

  private static PackedNeedle record(
      long bucketId,
      ByteString rowKey,
      ByteString writeId,
      long stamp,
      ByteString what,
      Thread writer) {
    NeedleHeader header = NeedleFacts.header(bucketId, rowKey, writeId, stamp, what);
    return new PackedNeedle(
        header, List.of(Unpooled.wrappedBuffer(what.asReadOnlyByteBuffer())), writer);
  }
}

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
import io.stowage.common.erasure.ErasureCoder;
import io.stowage.common.erasure.ErasureCoders;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.needle.NeedleCodec;
import io.stowage.common.needle.NeedleFacts;
import io.stowage.common.needle.NeedleHeader;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.LeaseGrant;
import io.stowage.common.proto.NeedleBlob;
import io.stowage.common.time.StoreClock;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * A large object on its way out: stripes of equal cells, in runs of consecutive addresses, a few in
 * flight while the next is filled. Confined to the writer's thread.
 *
 * <p>Bytes pass through three places: the backlog, which is still to be copied; the stripe being
 * filled; the stripes in flight. A stripe's data cells are kept until it and all before it are
 * acknowledged. When one fails, everything from it on goes back to the front of the backlog,
 * acknowledged or not: an extent is one run of stripes without a gap, so that what was stored
 * behind a failed stripe is garbage. The extent ends before the failed stripe, and the rest becomes
 * the next one, with a header of its own, on another lease.
 *
 * <p>If the length is known the cells' length is chosen so that the stripes come out even. If not,
 * cells have their full length, and a last stripe that would be mostly padding becomes an extent of
 * its own with shorter cells.
 *
 * <p>Memory is reserved a stripe at a time. The writer does not wait for it while it holds any: it
 * first waits until its stripes in flight have ended. Nor does it wait for what only streams hold
 * that nobody is writing to at the time: it ends its extent, and goes on with the shortest cells,
 * one stripe at a time, in memory beyond the budget ({@link StripeMemory}). Such a run lasts for
 * {@link #LEAST_SHORT_STRIPES} at least, and twice as many each time, so that an object has few
 * extents of them. What is written again takes memory beyond the budget, too.
 */
final class StreamedObject implements AutoCloseable {
  /** Stripes on the way while another is filled: one being forced, one being sent. */
  static final int STRIPES_IN_FLIGHT = 2;

  /**
   * Stripes whose addresses are reserved at least at a time while the length is not known. A run
   * cannot grow once somebody else came behind it, so an object reserves as much as it has, and
   * that is also the most that can be left unused behind its end; such addresses cost no disk.
   */
  private static final int LEAST_RESERVED_STRIPES = 8;

  /** A quarter of a container; 768 MiB under rs-3-2 with cells of 1 MiB: 1,400 extents a TiB. */
  private static final int MOST_RESERVED_STRIPES = 1 << 8;

  /** Of a first run with the shortest cells, 3 MiB under rs-3-2. */
  private static final int LEAST_SHORT_STRIPES = 64;

  /** Of a later one, 768 MiB under rs-3-2. */
  private static final int MOST_SHORT_STRIPES = 1 << 14;

  /** Failures in a row, no stripe acknowledged between them, after which the writer is told. */
  private static final int MOST_FAILURES = Packer.MOST_ATTEMPTS - 1;

  /** What a header says of its run beside the metadata: the same whatever the values are. */
  private static final int SHAPE_BYTES =
      NeedleBlob.newBuilder().setCellLength(1).build().getSerializedSize()
          + NeedleFacts.PLACE_BYTES;

  /** A row's head keeps eight extents: beyond that, padding is cheaper than another extent. */
  private static final int EXTENTS_IN_HEAD = 8;

  private final NeedleHeader template;
  private final LeasePool leases;
  private final StripeMemory memory;
  private final CellLengths cellLengths;
  private final StoreClock clock;
  private final ErasurePolicy policy;
  private final ErasureCoder coder;

  private final List<Extent> extents = new ArrayList<>();
  private final List<ContainerLease> extentLeases = new ArrayList<>();
  private final boolean endsObject;
  private long length; // -1 while not known
  private long taken; // payload bytes that the caller gave
  private long stored; // payload bytes in finished extents
  private int failuresInARow;
  private boolean closed;

  private final Deque<Piece> backlog = new ArrayDeque<>();

  // The run being written; run is null between two.
  private ContainerLease.Run run;
  private boolean shortRun; // its cells are the shortest, for want of memory
  private int nextShortStripes = LEAST_SHORT_STRIPES;
  private int headerBytes;
  private long acknowledgedInRun; // bytes of the needle
  private final Deque<Sent> inFlight = new ArrayDeque<>();

  // The stripe being filled; filling is null between two.
  private ByteBuf[] filling;
  private int filled;
  private long reserved; // bytes of the budget that are not cells yet

  private long dormant; // what the budget was told that this stream holds between two calls

  /** Bytes to be copied; of a failed stripe if they are written again. */
  private record Piece(ByteBuf bytes, boolean again) {}

  /** A stripe in flight, and its data in order. */
  private record Sent(StripeWrite stripe, List<ByteBuf> data, int bytes) {}

  /**
   * @param template header of the first extent; that of each extent is made from it, its number and
   *     the offset of its payload counted on
   * @param length payload bytes, or -1
   * @param endsObject whether these bytes are the object's last
   */
  StreamedObject(
      NeedleHeader template,
      long length,
      boolean endsObject,
      LeasePool leases,
      StripeMemory memory,
      CellLengths cellLengths,
      StoreClock clock) {
    this.template = template;
    this.length = length;
    this.endsObject = endsObject;
    this.leases = leases;
    this.memory = memory;
    this.cellLengths = cellLengths;
    this.clock = clock;
    this.policy = leases.policy();
    this.coder = ErasureCoders.of(policy);
    cellLengths.streamOpened();
  }

  /** Takes over one reference of the bytes. Blocks for memory and for stripes in flight. */
  void write(ByteBuf bytes) throws StoreException {
    taken += bytes.readableBytes();
    backlog.addLast(new Piece(bytes, false));
    setDormant(0);
    try {
      pump();
    } finally {
      setDormant(held());
    }
  }

  /** Bytes of the budget that come back only when this stream's user goes on with it. */
  private long held() {
    if (run == null) {
      return 0;
    }
    long cells = filling == null ? 0 : policy.shards();
    for (Sent sent : inFlight) {
      cells += sent.data().size();
    }
    return cells * run.cellBytes();
  }

  private void setDormant(long bytes) {
    memory.addDormant(bytes - dormant);
    dormant = bytes;
  }

  /** Waits until everything is durable. */
  ObjectWriter.Written finish() throws StoreException {
    setDormant(0);
    length = taken;
    while (true) {
      pump();
      if (filling != null) {
        if (lastStripeIsMostlyPadding()) {
          if (awaitAll()) {
            startOverWithShorterCells();
          }
          continue;
        }
        if (!send()) {
          continue;
        }
      }
      if (awaitAll()) {
        break;
      }
    }
    endRun();
    List<LeaseGrant> grants = new ArrayList<>();
    for (ContainerLease lease : extentLeases) {
      grants.add(lease.grant());
    }
    return Manifests.of(taken, extents, grants);
  }

  /** Copies the backlog into stripes and sends those that are full. */
  private void pump() throws StoreException {
    while (!backlog.isEmpty()) {
      ByteBuf bytes = backlog.peekFirst().bytes();
      if (!bytes.isReadable()) {
        backlog.removeFirst().bytes().release();
      } else if (filling != null || beginStripe()) {
        copy(backlog.peekFirst().bytes()); // beginStripe may have put a header in front
        if (filled == run.cellBytes() * policy.k()) {
          send();
        }
      }
    }
  }

  private void copy(ByteBuf bytes) {
    int cellBytes = run.cellBytes();
    int shard = shardOf(filled / cellBytes);
    if (filling[shard] == null) {
      filling[shard] = memory.cell(cellBytes).writerIndex(0);
      reserved -= cellBytes;
    }
    int count = Math.min(bytes.readableBytes(), cellBytes - filled % cellBytes);
    filling[shard].writeBytes(bytes, count);
    filled += count;
  }

  private int shardOf(int cell) {
    return (run.firstShard() + cell) % policy.k();
  }

  /** Makes room for the next stripe; false if a failure changed the backlog on the way. */
  private boolean beginStripe() throws StoreException {
    boolean again = backlog.peekFirst().again();
    if (run != null && run.stripesLeft() == 0 && !growRun()) {
      if (!awaitAll()) {
        return false;
      }
      endRun();
    }
    if (run == null) {
      shortRun = false;
      int longest = longestCell();
      beginRun(longest, length < 0 ? reservedStripes(longest) : Integer.MAX_VALUE);
    }
    if (again) {
      memory.overdraw(stripeBytes());
    } else if (!memory.tryReserve(stripeBytes())) {
      if (!awaitAll()) {
        return false;
      }
      if (!memory.reserveOfThoseAtWork(stripeBytes())) {
        goOnWithShortestCells();
        memory.overdraw(stripeBytes());
      }
    }
    reserved = stripeBytes();
    filling = new ByteBuf[policy.shards()];
    filled = 0;
    return true;
  }

  private long stripeBytes() {
    return (long) policy.shards() * run.cellBytes();
  }

  private int longestCell() {
    return cellLengths.longest(policy, STRIPES_IN_FLIGHT + 1);
  }

  private boolean growRun() {
    boolean wasShortForLong =
        shortRun
            && run.stripesWritten() >= nextShortStripes / 2
            && memory.freeBytes() >= (long) policy.shards() * longestCell();
    return length < 0
        && !wasShortForLong
        && run.grow(reservedStripes(run.cellBytes()), clock.monotonicNanos());
  }

  private int reservedStripes(int cellBytes) {
    long asMany = taken / ((long) policy.k() * cellBytes);
    return (int) Math.max(LEAST_RESERVED_STRIPES, Math.min(MOST_RESERVED_STRIPES, asMany));
  }

  /** Ends the extent. Only called with nothing in flight or being filled. */
  private void goOnWithShortestCells() throws StoreException {
    int shortest = cellLengths.shortest(policy);
    if (run.cellBytes() <= shortest) {
      return;
    }
    unwind(); // of a run that has not begun, the header
    endExtent();
    shortRun = true;
    beginRun(shortest, nextShortStripes);
    nextShortStripes = Math.min(MOST_SHORT_STRIPES, 2 * nextShortStripes);
  }

  /**
   * Gets addresses, and puts the new extent's header in front of the backlog.
   *
   * @param longest cell
   * @param mostStripes for now
   */
  private void beginRun(int longest, int mostStripes) throws StoreException {
    int extentNumber = extents.size();
    ByteString metadata = extentNumber == 0 ? template.blob() : ByteString.EMPTY;
    headerBytes = NeedleCodec.headerLength(template.rowKey().size(), metadata.size() + SHAPE_BYTES);
    long rest = length - stored;
    if (length < 0) {
      run = leases.begin(longest, mostStripes);
    } else {
      long needle = headerBytes + rest;
      long stripes = ceilDiv(needle, (long) policy.k() * longest);
      int even = (int) Sectors.roundUp(ceilDiv(needle, stripes * policy.k()));
      run = leases.begin(even, (int) Math.min(mostStripes, stripes));
    }
    leases.keep(run.lease()); // until the object is finished, which may take longer than the lease
    acknowledgedInRun = 0;
    long room = (long) run.stripesLeft() * policy.k() * run.cellBytes() - headerBytes;
    boolean reachesEnd = length >= 0 && rest <= room;
    NeedleBlob shape = NeedleBlob.newBuilder().setCellLength(run.cellBytes()).build();
    ByteString blob = metadata.concat(shape.toByteString());
    NeedleHeader header =
        new NeedleHeader(
            reachesEnd && endsObject ? NeedleHeader.Kind.STREAMED_LAST : NeedleHeader.Kind.STREAMED,
            template.bucketId(),
            template.rowKey(),
            template.writeId(),
            template.clockMicros(),
            template.extentNumber() + extentNumber,
            template.payloadOffset() + stored,
            length < 0 ? NeedleHeader.UNKNOWN_LENGTH : Math.min(rest, room),
            0,
            blob);
    ByteBuffer encoded = ByteBuffer.allocate(headerBytes);
    NeedleCodec.encode(NeedleFacts.placed(header, run.lease().container(), run.offset()), encoded);
    backlog.addFirst(
        new Piece(Unpooled.wrappedBuffer(encoded.flip()), backlog.peekFirst().again()));
  }

  private static long ceilDiv(long a, long b) {
    return (a + b - 1) / b;
  }

  /**
   * Sends the stripe that was filled; false if one before it failed and all went back to the
   * backlog.
   */
  private boolean send() throws StoreException {
    while (inFlight.size() >= STRIPES_IN_FLIGHT) {
      if (!awaitOldest()) {
        return false;
      }
    }
    int cellBytes = run.cellBytes();
    int height = filled >= cellBytes ? cellBytes : Sectors.roundUp(filled);
    for (int shard = 0; shard < policy.k(); shard++) {
      ByteBuf cell = filling[shard];
      if (cell != null) {
        cell.writeZero(height - cell.writerIndex());
      }
    }
    Stripes.addParity(coder, filling, height, memory);
    reserved -= (long) policy.m() * height;
    List<ByteBuf> data = dataInOrder(filling, filled);
    ByteBuf[] cells = filling;
    int bytes = filled;
    endFilling();
    inFlight.addLast(new Sent(run.write(cells, height), data, bytes));
    return true;
  }

  /** Its payload and header, a reference of our own to each cell. */
  private List<ByteBuf> dataInOrder(ByteBuf[] cells, int bytes) {
    int cellBytes = run.cellBytes();
    List<ByteBuf> data = new ArrayList<>(policy.k());
    for (int cell = 0; (long) cell * cellBytes < bytes; cell++) {
      int count = Math.min(cellBytes, bytes - cell * cellBytes);
      data.add(cells[shardOf(cell)].retainedSlice(0, count));
    }
    return data;
  }

  private void endFilling() {
    memory.release(reserved);
    reserved = 0;
    filling = null;
    filled = 0;
  }

  /** False if a stripe failed; what was in flight or being filled is then in the backlog. */
  private boolean awaitAll() throws StoreException {
    while (!inFlight.isEmpty()) {
      if (!awaitOldest()) {
        return false;
      }
    }
    return true;
  }

  private boolean awaitOldest() throws StoreException {
    Sent oldest = inFlight.peekFirst();
    try {
      oldest.stripe().done().get();
    } catch (ExecutionException e) {
      startOverFromFailed((StoreException) e.getCause());
      return false;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new StoreException(
          ErrorCode.UNAVAILABLE, "Cannot write: interrupted while a stripe was in flight", e);
    }
    inFlight.removeFirst();
    oldest.data().forEach(ByteBuf::release);
    acknowledgedInRun += oldest.bytes();
    failuresInARow = 0;
    return true;
  }

  private void startOverFromFailed(StoreException cause) throws StoreException {
    failuresInARow++;
    if (failuresInARow > MOST_FAILURES) {
      throw new StoreException(
          cause.code(),
          "Cannot write after " + failuresInARow + " tries: " + cause.getMessage(),
          cause);
    }
    unwind();
    endExtent();
  }

  /** Only called with nothing in flight. */
  private void startOverWithShorterCells() {
    unwind();
    endExtent();
  }

  /** Moves what is not in the extent to the front of the backlog. */
  private void unwind() {
    List<ByteBuf> unwound = new ArrayList<>();
    for (Sent sent : inFlight) {
      unwound.addAll(sent.data());
    }
    if (filling != null) {
      unwound.addAll(dataInOrder(filling, filled));
      Stripes.release(filling);
      endFilling();
    }
    // The header is written anew with the next extent. It may be longer than a stripe, and then
    // its end may still be in the backlog.
    long skip = Math.max(0, headerBytes - acknowledgedInRun);
    for (ByteBuf bytes : unwound) {
      skip -= skip(bytes, skip);
    }
    for (Piece piece : backlog) {
      skip -= skip(piece.bytes(), skip);
    }
    for (int i = unwound.size() - 1; i >= 0; i--) {
      backlog.addFirst(new Piece(unwound.get(i), true));
    }
  }

  private static long skip(ByteBuf bytes, long atMost) {
    int count = (int) Math.min(atMost, bytes.readableBytes());
    bytes.skipBytes(count);
    return count;
  }

  /** Waits for nothing: the run is closed when its last stripe has ended. */
  private void endExtent() {
    List<CompletableFuture<Void>> ends = new ArrayList<>();
    for (Sent sent : inFlight) {
      ends.add(sent.stripe().done());
    }
    inFlight.clear();
    ContainerLease.Run ending = run;
    Executors.whenDone(
        CompletableFuture.allOf(ends.toArray(new CompletableFuture<?>[0])),
        (nothing, error) -> ending.close());
    if (acknowledgedInRun > headerBytes) {
      extents.add(
          Extent.newBuilder()
              .setContainer(run.lease().container())
              .setEpoch(run.lease().epoch())
              .setOffset(run.offset())
              .setCellLength(run.cellBytes())
              .setWidth(policy.k())
              .setFirstShard(run.firstShard())
              .setLength(acknowledgedInRun)
              .setHeaderLength(headerBytes)
              .build());
      extentLeases.add(run.lease());
      stored += acknowledgedInRun - headerBytes;
    } else {
      leases.letGo(run.lease());
    }
    run = null;
  }

  /** The extent is complete. Only called with nothing in flight or being filled. */
  private void endRun() {
    if (run != null) {
      endExtent();
    }
  }

  private boolean lastStripeIsMostlyPadding() {
    int cellBytes = run.cellBytes();
    int height = filled >= cellBytes ? cellBytes : Sectors.roundUp(filled);
    long asItIs = (ceilDiv(filled, cellBytes) + policy.m()) * height;
    long evenly =
        (long) policy.shards() * Sectors.roundUp((int) ceilDiv(filled + headerBytes, policy.k()));
    return asItIs > 2 * evenly && extents.size() + 2 < EXTENTS_IN_HEAD;
  }

  /** Gives up what is not finished. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    setDormant(0);
    cellLengths.streamClosed();
    for (Piece piece : backlog) {
      piece.bytes().release();
    }
    backlog.clear();
    if (filling != null) {
      Stripes.release(filling);
      endFilling();
    }
    if (run != null) {
      acknowledgedInRun = 0;
      for (Sent sent : inFlight) {
        sent.data().forEach(ByteBuf::release);
      }
      endExtent();
    }
    extentLeases.forEach(leases::letGo);
    extentLeases.clear();
  }
}

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
package io.stowage.common.data;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.CompositeByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.CorruptedFrameException;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.apache.hadoop.thirdparty.protobuf.Parser;

/**
 * Cuts a connection's bytes into {@link DataFrame}s. Payloads are slices of what the socket gave,
 * several of them joined where a payload came in pieces: never copied. Confined to its channel's
 * event loop.
 *
 * <p>What TLS has decrypted comes in records of 16 KiB on the heap, which disks and sockets would
 * copy off it piece by piece: such a payload is gathered in one buffer off the heap instead. So is
 * one that comes in very small pieces, each of which would keep a whole buffer of the socket's.
 *
 * <p>What a prefix claims costs nothing: memory is taken for bytes that have come, and as {@link
 * FrameBounds} let it.
 *
 * <pre>
 * frame = header length (4, big-endian) payload length (4) header payload
 * </pre>
 *
 * {@code docs/format/data-protocol.md} has the rest. Lengths beyond {@link DataLimits} and headers
 * that don't parse are {@link CorruptedFrameException}s: where the next frame begins is then not
 * known, and the connection is of no more use.
 */
public final class DataFrameDecoder<M> extends ChannelInboundHandlerAdapter {
  private static final int PREFIX_BYTES = 8;

  /** Of a buffer that something is gathered in: who claims much and sends little takes no more. */
  private static final int FIRST_HEADER_BYTES = 4 << 10;

  private static final int FIRST_PAYLOAD_BYTES = 64 << 10;

  /** So much of a header may be kept in any case: few have more. */
  private static final int FREE_HEADER_BYTES = 16 << 10;

  /** Pieces of a payload that may be joined, and one more for so many bytes of it. */
  private static final int FREE_PIECES = 16;

  private static final int BYTES_OF_A_PIECE = 2 << 10;

  private final Parser<M> parser;
  private final FrameBounds<M> bounds;

  /** The frame's prefix, then its header, where either comes in pieces; else null. */
  private ByteBuf gathered;

  private int headerLength = -1;
  private int payloadLength;
  private M header;
  private ByteBuf payload = Unpooled.EMPTY_BUFFER;

  /** The payload is a buffer of this decoder's own, that it is copied to. */
  private boolean copied;

  private int pieces;

  /** The payload is not wanted; so many bytes of it are to come. */
  private boolean dropped;

  private int toDrop;

  /** What the bounds were told of, of this frame. */
  private long headerKept;

  private long payloadKept;

  /** A frame was malformed: nothing that follows means anything. */
  private boolean broken;

  public DataFrameDecoder(Parser<M> parser, FrameBounds<M> bounds) {
    this.parser = parser;
    this.bounds = bounds;
  }

  /** Whether a frame was begun that is not whole. On the event loop. */
  public boolean isWithinFrame() {
    return headerLength >= 0 || gathered != null;
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    ByteBuf in = (ByteBuf) message;
    try {
      while (!broken && advance(context, in)) {
        // a frame or a part of one was taken
      }
    } catch (CorruptedFrameException e) {
      broken = true;
      throw e;
    } finally {
      in.release();
    }
  }

  /** Takes the next part of a frame; false when more bytes have to come first. */
  private boolean advance(ChannelHandlerContext context, ByteBuf in) {
    if (headerLength < 0) {
      ByteBuf prefix = gather(context, in, PREFIX_BYTES);
      if (prefix == null) {
        return false;
      }
      long headerBytes = prefix.readUnsignedInt();
      long payloadBytes = prefix.readUnsignedInt();
      endGathering();
      if (headerBytes > bounds.mostHeaderBytes() || payloadBytes > DataLimits.MAX_PAYLOAD_BYTES) {
        throw new CorruptedFrameException(
            "frame with a header of " + headerBytes + ", a payload of " + payloadBytes + " bytes");
      }
      headerLength = (int) headerBytes;
      payloadLength = (int) payloadBytes;
    }
    if (header == null) {
      ByteBuf bytes = gather(context, in, headerLength);
      if (bytes == null) {
        return false;
      }
      header = parse(bytes);
      endGathering();
      dropped = payloadLength > in.readableBytes() && !bounds.wantsPayload(header);
      toDrop = dropped ? payloadLength : 0;
    }
    if (dropped) {
      int come = Math.min(toDrop, in.readableBytes());
      in.skipBytes(come);
      toDrop -= come;
      if (toDrop > 0) {
        return false;
      }
    }
    int missing = dropped ? 0 : payloadLength - payload.readableBytes();
    if (missing > 0) {
      if (!in.isReadable()) {
        return false;
      }
      append(context, in.readRetainedSlice(Math.min(missing, in.readableBytes())));
      if (payload.readableBytes() < payloadLength) {
        keepPayload();
        return false;
      }
    }
    freePayload();
    DataFrame<M> frame = new DataFrame<>(header, payload);
    headerLength = -1;
    header = null;
    payload = Unpooled.EMPTY_BUFFER;
    copied = false;
    pieces = 0;
    dropped = false;
    context.fireChannelRead(frame);
    return in.isReadable();
  }

  /** A buffer whose next bytes are the wanted ones; null if they have not all come. */
  private ByteBuf gather(ChannelHandlerContext context, ByteBuf in, int wanted) {
    if (gathered == null && in.readableBytes() >= wanted) {
      return in;
    }
    if (gathered == null) {
      gathered = context.alloc().buffer(Math.min(wanted, FIRST_HEADER_BYTES), wanted);
    }
    int missing = wanted - gathered.readableBytes();
    int come = Math.min(missing, in.readableBytes());
    long more = gathered.readableBytes() + come - FREE_HEADER_BYTES - headerKept;
    if (more > 0) {
      if (!bounds.keep(FrameBounds.Part.HEADER, more)) {
        throw new CorruptedFrameException(
            "no room for a header of " + wanted + " bytes beside those of others");
      }
      headerKept += more;
    }
    gathered.writeBytes(in, come);
    return gathered.readableBytes() < wanted ? null : gathered;
  }

  private void keepPayload() {
    long more = (copied ? payload.capacity() : payload.readableBytes()) - payloadKept;
    if (more > 0) {
      if (!bounds.keep(FrameBounds.Part.PAYLOAD, more)) {
        throw new CorruptedFrameException(
            "no room for a payload of " + payloadLength + " bytes beside those of others");
      }
      payloadKept += more;
    }
  }

  private void freePayload() {
    if (payloadKept > 0) {
      bounds.free(FrameBounds.Part.PAYLOAD, payloadKept);
      payloadKept = 0;
    }
  }

  private void endGathering() {
    if (gathered != null) {
      gathered.release();
      gathered = null;
    }
    if (headerKept > 0) {
      bounds.free(FrameBounds.Part.HEADER, headerKept);
      headerKept = 0;
    }
  }

  private M parse(ByteBuf bytes) {
    ByteBuffer encoded = bytes.nioBuffer(bytes.readerIndex(), headerLength);
    bytes.skipBytes(headerLength);
    try {
      return parser.parseFrom(encoded);
    } catch (IOException e) {
      throw new CorruptedFrameException("header of " + headerLength + " bytes does not parse", e);
    }
  }

  private void append(ChannelHandlerContext context, ByteBuf piece) {
    pieces++;
    boolean small = pieces > FREE_PIECES + payload.readableBytes() / BYTES_OF_A_PIECE;
    if (copied || small || !piece.isDirect()) {
      if (!copied) {
        copy(context);
      }
      payload.writeBytes(piece);
      piece.release();
    } else if (!payload.isReadable()) {
      payload = piece;
    } else if (payload instanceof CompositeByteBuf joined) {
      joined.addFlattenedComponents(true, piece);
    } else {
      // Never consolidated: that would be a copy. A payload has few pieces, receive buffers are
      // big.
      payload =
          context
              .alloc()
              .compositeDirectBuffer(Integer.MAX_VALUE)
              .addFlattenedComponents(true, payload)
              .addFlattenedComponents(true, piece);
    }
  }

  /** What there is of the payload goes to a buffer of its own. */
  private void copy(ChannelHandlerContext context) {
    int first = Math.max(payload.readableBytes(), FIRST_PAYLOAD_BYTES);
    ByteBuf own = context.alloc().directBuffer(Math.min(payloadLength, first), payloadLength);
    own.writeBytes(payload);
    payload.release();
    payload = own;
    copied = true;
  }

  @Override
  public void handlerRemoved(ChannelHandlerContext context) {
    broken = true;
    endGathering();
    freePayload();
    payload.release();
    payload = Unpooled.EMPTY_BUFFER;
  }
}

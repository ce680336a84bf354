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
 * copy off it piece by piece: such a payload is gathered in one buffer off the heap instead.
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

  /** Of a buffer that a payload is gathered in: who claims much and sends little takes no more. */
  private static final int FIRST_BYTES = 256 << 10;

  private final Parser<M> parser;

  /** The frame's prefix, then its header, where either comes in pieces; else null. */
  private ByteBuf gathered;

  private int headerLength = -1;
  private int payloadLength;
  private M header;
  private ByteBuf payload = Unpooled.EMPTY_BUFFER;

  /** A frame was malformed: nothing that follows means anything. */
  private boolean broken;

  public DataFrameDecoder(Parser<M> parser) {
    this.parser = parser;
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
      if (headerBytes > DataLimits.MAX_HEADER_BYTES
          || payloadBytes > DataLimits.MAX_PAYLOAD_BYTES) {
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
    }
    int missing = payloadLength - payload.readableBytes();
    if (missing > 0) {
      if (!in.isReadable()) {
        return false;
      }
      append(context, in.readRetainedSlice(Math.min(missing, in.readableBytes())));
      if (payload.readableBytes() < payloadLength) {
        return false;
      }
    }
    DataFrame<M> frame = new DataFrame<>(header, payload);
    headerLength = -1;
    header = null;
    payload = Unpooled.EMPTY_BUFFER;
    context.fireChannelRead(frame);
    return in.isReadable();
  }

  /** A buffer whose next bytes are the wanted ones; null if they have not all come. */
  private ByteBuf gather(ChannelHandlerContext context, ByteBuf in, int wanted) {
    if (gathered == null && in.readableBytes() >= wanted) {
      return in;
    }
    if (gathered == null) {
      gathered = context.alloc().buffer(wanted);
    }
    int missing = wanted - gathered.readableBytes();
    gathered.writeBytes(in, Math.min(missing, in.readableBytes()));
    return gathered.readableBytes() < wanted ? null : gathered;
  }

  private void endGathering() {
    if (gathered != null) {
      gathered.release();
      gathered = null;
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
    if (!piece.isDirect()) {
      if (!payload.isReadable()) {
        payload = context.alloc().directBuffer(Math.min(payloadLength, FIRST_BYTES), payloadLength);
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

  @Override
  public void handlerRemoved(ChannelHandlerContext context) {
    broken = true;
    endGathering();
    payload.release();
    payload = Unpooled.EMPTY_BUFFER;
  }
}

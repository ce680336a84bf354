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
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import java.io.IOException;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.hadoop.thirdparty.protobuf.CodedOutputStream;
import org.apache.hadoop.thirdparty.protobuf.MessageLite;

/**
 * Frames on their way out of one channel, from any thread. What gathers while the event loop is
 * busy goes out with one flush, so that answers of one group commit cost one system call, not one
 * each. Bounded by who puts frames in: a server by its budget, a client by its callers' memory.
 * Thread-safe.
 */
public final class DataFrameQueue {
  private record Entry(MessageLite header, ByteBuf payload, Runnable done) {}

  private final Channel channel;
  private final Queue<Entry> waiting = new ConcurrentLinkedQueue<>();
  private final AtomicBoolean scheduled = new AtomicBoolean();

  /** Frames wait until the channel is connected. */
  private volatile boolean open;

  public DataFrameQueue(Channel channel) {
    this.channel = channel;
  }

  /** The channel is connected: what waits goes out. */
  public void open() {
    open = true;
    schedule();
  }

  /**
   * Sends a frame.
   *
   * @param payload one reference is taken over; null for none
   * @param done runs on the event loop when the channel holds no bytes of the frame any more,
   *     written or not; null for nothing
   */
  public void send(MessageLite header, ByteBuf payload, Runnable done) {
    waiting.add(new Entry(header, payload, done));
    if (open) {
      schedule();
    }
  }

  private void schedule() {
    if (scheduled.compareAndSet(false, true)) {
      try {
        channel.eventLoop().execute(this::drain);
      } catch (RejectedExecutionException e) {
        scheduled.set(false);
        discard(); // the event loop has ended
      }
    }
  }

  private void drain() {
    scheduled.set(false); // before looking: who adds from now on schedules again
    boolean any = false;
    for (Entry entry = waiting.poll(); entry != null; entry = waiting.poll()) {
      write(entry);
      any = true;
    }
    if (any) {
      channel.flush();
    }
  }

  private void write(Entry entry) {
    int headerLength = entry.header.getSerializedSize();
    boolean hasPayload = entry.payload != null && entry.payload.isReadable();
    ByteBuf bytes = channel.alloc().directBuffer(8 + headerLength);
    bytes.writeInt(headerLength).writeInt(hasPayload ? entry.payload.readableBytes() : 0);
    try {
      CodedOutputStream coded = CodedOutputStream.newInstance(bytes.nioBuffer(8, headerLength));
      entry.header.writeTo(coded);
      coded.flush();
      bytes.writerIndex(8 + headerLength);
    } catch (IOException e) {
      throw new IllegalStateException("a message does not fit its own size", e);
    }
    ChannelFutureListener whenWritten = entry.done == null ? null : future -> entry.done.run();
    if (hasPayload) {
      var unused = channel.write(bytes, channel.voidPromise());
      write(entry.payload, whenWritten);
    } else {
      if (entry.payload != null) {
        entry.payload.release();
      }
      write(bytes, whenWritten);
    }
  }

  private void write(ByteBuf bytes, ChannelFutureListener whenWritten) {
    if (whenWritten == null) {
      var unused = channel.write(bytes, channel.voidPromise());
    } else {
      var unused = channel.write(bytes).addListener(whenWritten);
    }
  }

  /** The channel is closed: drops what waits. Call again if something was added meanwhile. */
  public void discard() {
    for (Entry entry = waiting.poll(); entry != null; entry = waiting.poll()) {
      if (entry.payload != null) {
        entry.payload.release();
      }
      if (entry.done != null) {
        entry.done.run();
      }
    }
  }
}

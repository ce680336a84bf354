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
package io.stowage.fs;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.stowage.client.DataPath;
import io.stowage.client.ObjectWriter;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.needle.NeedleFacts;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.FileLease;
import io.stowage.common.proto.NeedleBlob;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.SyncFileRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The end of a file that its writer keeps open: what it adds is durable, and visible to whoever
 * opens the file then, when {@link #sync} returns. Owns the file's lease, and the bytes behind its
 * last whole piece. Guarded by a lock of its own: the lease is renewed by another thread.
 *
 * <pre>
 * file      | whole pieces              | short | short | short | not synced |
 *           0                      pieceStart                  synced      length
 * </pre>
 *
 * An hsync writes what is new as a short piece: one packed needle, in a stripe with whatever else
 * this process writes just then, and names it in the file's row. The bytes behind {@code
 * pieceStart} stay in memory; when they are a stripe's worth, they are written again as one whole
 * piece, which takes the place of the short ones. So a file that is synced every 4 KiB ends with
 * the extents, and nearly the space, of one that was not.
 *
 * <p>Memory: {@link #wholeBytes} a stream that was synced, at most {@link #MOST_WHOLE_BYTES}.
 */
final class LeasedFile {
  private static final Logger LOG = LoggerFactory.getLogger(LeasedFile.class);

  /** As HDFS's soft limit. */
  static final long LEASE_MICROS = 60_000_000;

  private static final long RENEWAL_SECONDS = 20;

  /**
   * A lease that was renewed so lately, by a sync, waits for the next turn: so it is renewed every
   * 30 s at least, and of files that are synced all the time no renewal is ever sent.
   */
  private static final long FRESH_NANOS = TimeUnit.SECONDS.toNanos(RENEWAL_SECONDS / 2);

  private static final int BUFFER_BYTES = 1 << 20;
  private static final int FIRST_BUFFER_BYTES = 8 << 10;

  /** Of a stripe of ten data cells and more, a part is enough. */
  private static final int MOST_WHOLE_BYTES = 16 << 20;

  /** A file that is synced byte by byte is written anew before its tail is longer than this. */
  private static final int MOST_SHORT_PIECES = 2_000;

  private final ObjectManager objectManager;
  private final DataPath dataPath;
  private final BucketInfo bucket;
  private final String key;
  private final ByteString needleRowKey;
  private final ByteString holder;
  private final int wholeBytes;

  private final ReentrantLock lock = new ReentrantLock();
  private final List<ByteBuf> behind = new ArrayList<>(); // bytes from pieceStart on
  private FileLease lease;
  private long renewedNanos; // when the lease was asked for
  private long pieceStart;
  private long synced;
  private long length;
  private int shortPieces;
  private boolean ended;
  private ScheduledFuture<?> renewal;

  /**
   * A file just opened.
   *
   * @param needleRowKey what needles name as their row
   * @param length of the file; all of it is synced
   * @param renewals where the lease is renewed from
   * @param end the bytes from {@code pieceStart} on, taken over; may be empty
   */
  LeasedFile(
      ObjectManager objectManager,
      DataPath dataPath,
      ScheduledExecutorService renewals,
      BucketInfo bucket,
      String key,
      ByteString needleRowKey,
      ByteString holder,
      FileLease lease,
      long length,
      List<ByteBuf> end)
      throws StoreException {
    this.objectManager = objectManager;
    this.dataPath = dataPath;
    this.bucket = bucket;
    this.key = key;
    this.needleRowKey = needleRowKey;
    this.holder = holder;
    this.lease = lease;
    this.renewedNanos = System.nanoTime() - FRESH_NANOS; // a while ago, maybe
    this.wholeBytes = wholeBytes(bucket.getPolicy());
    this.length = length;
    this.synced = length;
    behind.addAll(end);
    this.pieceStart = length - behind.stream().mapToLong(ByteBuf::readableBytes).sum();
    this.shortPieces = behind.isEmpty() ? 0 : 1;
    try {
      this.renewal =
          renewals.scheduleWithFixedDelay(
              this::renew, RENEWAL_SECONDS, RENEWAL_SECONDS, TimeUnit.SECONDS);
    } catch (RejectedExecutionException e) {
      release();
      throw new StoreException(
          ErrorCode.UNAVAILABLE, "Cannot keep " + key + " open: the FileSystem is closed", e);
    }
  }

  private static int wholeBytes(String policy) throws StoreException {
    return Math.min(MOST_WHOLE_BYTES, ErasurePolicy.named(policy).k() << 20);
  }

  long length() {
    return length;
  }

  /** Takes bytes; a stripe's worth of them is written, and visible, without a sync. */
  void write(byte[] bytes, int offset, int count) throws StoreException {
    lock.lock();
    try {
      int done = 0;
      while (done < count) {
        ByteBuf last = last();
        int room = (int) Math.min(last.maxWritableBytes(), wholeBytes - (length - pieceStart));
        int some = Math.min(count - done, room);
        last.writeBytes(bytes, offset + done, some);
        done += some;
        length += some;
        if (length - pieceStart >= wholeBytes) {
          syncWhole(false);
        }
      }
    } finally {
      lock.unlock();
    }
  }

  private ByteBuf last() {
    ByteBuf last = behind.isEmpty() ? null : behind.get(behind.size() - 1);
    if (last == null || last.maxWritableBytes() == 0) {
      last = PooledByteBufAllocator.DEFAULT.directBuffer(FIRST_BUFFER_BYTES, BUFFER_BYTES);
      behind.add(last);
    }
    return last;
  }

  /** Makes everything durable and visible. */
  void sync() throws StoreException {
    lock.lock();
    try {
      if (length == synced) {
        return;
      }
      if (shortPieces >= MOST_SHORT_PIECES) {
        syncWhole(false);
        return;
      }
      ObjectWriter.Written piece =
          store(synced, WriteId.ofPiece(holder, synced, false)); // of which all is new
      send(synced, piece, WriteId.ofPiece(holder, synced, false), false);
      shortPieces++;
    } finally {
      lock.unlock();
    }
  }

  /** Syncs everything and ends the lease: the file is an object like any other. */
  void close() throws StoreException {
    lock.lock();
    try {
      boolean whole = length > synced || shortPieces > 1;
      if (whole) {
        syncWhole(true);
      } else {
        send(length, null, ByteString.EMPTY, true);
      }
    } finally {
      lock.unlock();
      end();
    }
  }

  /** All bytes behind the last whole piece become the next. */
  private void syncWhole(boolean close) throws StoreException {
    ByteString pieceId = WriteId.ofPiece(holder, pieceStart, true);
    send(pieceStart, store(pieceStart, pieceId), pieceId, close);
    shortPieces = 1;
    if (length - pieceStart >= wholeBytes) {
      pieceStart = length;
      shortPieces = 0;
      release();
    }
  }

  /** Writes the bytes from a position on. */
  private ObjectWriter.Written store(long from, ByteString pieceId) throws StoreException {
    try (ObjectWriter writer =
        dataPath.write(
            new DataPath.WriteSpec(
                bucket.getId(),
                needleRowKey,
                pieceId,
                bucket.getPolicy(),
                length - from,
                pieceBlob(holder)))) {
      long at = pieceStart;
      for (ByteBuf buffer : behind) {
        int skip = (int) Math.min(Math.max(0, from - at), buffer.readableBytes());
        at += buffer.readableBytes();
        if (skip < buffer.readableBytes()) {
          // Not copied: the buffer only grows behind what is written here.
          writer.write(
              buffer.retainedSlice(buffer.readerIndex() + skip, buffer.readableBytes() - skip));
        }
      }
      return writer.finish();
    }
  }

  /** What a piece's needle says: that it is no object by itself. */
  static ByteString pieceBlob(ByteString holder) {
    return NeedleFacts.blob(
        ObjectMetadata.getDefaultInstance(),
        NeedleBlob.newBuilder().setUploadId(holder).setPartNumber(1).build());
  }

  private void send(long from, ObjectWriter.Written piece, ByteString pieceId, boolean close)
      throws StoreException {
    SyncFileRequest.Builder request =
        request().setFrom(from).setPieceWriteId(pieceId).setClose(close);
    if (piece != null) {
      request.addAllExtents(piece.manifest().getExtentsList()).addAllGrants(piece.grants());
    }
    sync(request.build());
    synced = length;
  }

  private void sync(SyncFileRequest request) throws StoreException {
    long asked = System.nanoTime();
    lease = objectManager.syncFile(request).getLease();
    renewedNanos = asked;
  }

  private SyncFileRequest.Builder request() {
    return SyncFileRequest.newBuilder()
        .setBucket(bucket.getName())
        .setKey(key)
        .setEpoch(lease.getEpoch())
        .setLength(synced)
        .setFrom(synced)
        .setLeaseMicros(LEASE_MICROS)
        .setCursor(lease.getCursor())
        .setRowKey(lease.getRowKey());
  }

  /** On a renewal thread, which waits for nobody: a call under way renews the lease itself. */
  private void renew() {
    if (!lock.tryLock()) {
      return;
    }
    try {
      if (!ended && System.nanoTime() - renewedNanos >= FRESH_NANOS) {
        sync(request().build());
      }
    } catch (StoreException | RuntimeException e) {
      LOG.info("Cannot renew the lease of {}: {}", key, e.toString());
      if (e instanceof StoreException known && known.code() == ErrorCode.LEASE_LOST) {
        renewal.cancel(false); // the next call of the stream's user will tell him
      }
    } finally {
      lock.unlock();
    }
  }

  /** Lets go of everything but the lease, which runs out. */
  void end() {
    lock.lock();
    try {
      ended = true;
      renewal.cancel(false);
      release();
    } finally {
      lock.unlock();
    }
  }

  private void release() {
    behind.forEach(ByteBuf::release);
    behind.clear();
  }
}

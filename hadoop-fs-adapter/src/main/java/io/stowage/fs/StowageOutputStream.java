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
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.needle.NeedleFacts;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.Condition;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.NeedleBlob;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.PutObjectRequest;
import java.io.IOException;
import java.io.OutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.zip.CRC32C;
import org.apache.hadoop.fs.Abortable;
import org.apache.hadoop.fs.CommonPathCapabilities;
import org.apache.hadoop.fs.FSExceptionMessages;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.PathIOException;
import org.apache.hadoop.fs.StreamCapabilities;
import org.apache.hadoop.fs.Syncable;
import org.apache.hadoop.fs.statistics.IOStatistics;
import org.apache.hadoop.fs.statistics.IOStatisticsSource;
import org.apache.hadoop.fs.statistics.StreamStatisticNames;
import org.apache.hadoop.fs.statistics.impl.IOStatisticsStore;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.util.Progressable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes one file, which becomes visible when {@link #close} commits it, whole, or never. Guarded
 * by its own lock, as callers of Hadoop's streams expect.
 *
 * <p>Memory: one chunk here, and what the data path's process-wide budget gives. A file that fits
 * the first chunk is written with its length known, so that it can be packed with others. After an
 * error nothing is committed: later writes and the first close fail too.
 *
 * <p>{@code hsync} promises durability before close, which is not offered yet: it throws. {@code
 * hflush} promises visibility only, and what calls it (event logs) does without; it is a no-op that
 * warns once, as over S3A. The capabilities say no to both.
 */
final class StowageOutputStream extends OutputStream
    implements StreamCapabilities, Abortable, Syncable, IOStatisticsSource {
  private static final Logger LOG = LoggerFactory.getLogger(StowageOutputStream.class);
  private static final AtomicBoolean WARNED_OF_HFLUSH = new AtomicBoolean();

  /** Handed on to the data path at this size; about a stripe's cell. */
  private static final int CHUNK_BYTES = 1 << 20;

  private static final int FIRST_CHUNK_BYTES = 8 << 10;

  private enum State {
    OPEN,
    FAILED,
    CLOSED
  }

  private final ObjectManager objectManager;
  private final DataPath dataPath;
  private final BucketInfo bucket;
  private final String path;
  private final String key;
  private final Condition condition;
  private final ObjectMetadata metadata;
  private final Progressable progress;
  private final ByteString writeId = WriteId.random();
  private final FsStatistics fsStatistics;
  private final IOStatisticsStore counters = FsStatistics.ofOutput();
  private final MessageDigest md5 = newMd5();
  private final CRC32C crc = new CRC32C(); // what getFileChecksum tells
  private State state = State.OPEN;
  private ByteBuf chunk; // null: nothing gathered
  private ObjectWriter writer; // null: nothing handed on yet
  private long length;

  /**
   * Begins a file.
   *
   * @param condition the commit fails if it does not hold by then
   */
  StowageOutputStream(
      ObjectManager objectManager,
      DataPath dataPath,
      BucketInfo bucket,
      String path,
      String key,
      Condition condition,
      ObjectMetadata metadata,
      Progressable progress,
      FsStatistics fsStatistics) {
    this.objectManager = objectManager;
    this.dataPath = dataPath;
    this.bucket = bucket;
    this.path = path;
    this.key = key;
    this.condition = condition;
    this.metadata = metadata;
    this.progress = progress;
    this.fsStatistics = fsStatistics;
  }

  @Override
  public synchronized void write(int b) throws IOException {
    write(new byte[] {(byte) b}, 0, 1);
  }

  @Override
  public synchronized void write(byte[] bytes, int offset, int count) throws IOException {
    Objects.checkFromIndexSize(offset, count, bytes.length);
    requireOpen();
    int done = 0;
    while (done < count) {
      if (chunk == null) {
        chunk = PooledByteBufAllocator.DEFAULT.directBuffer(FIRST_CHUNK_BYTES, CHUNK_BYTES);
      }
      int some = Math.min(count - done, CHUNK_BYTES - chunk.readableBytes());
      chunk.writeBytes(bytes, offset + done, some);
      md5.update(bytes, offset + done, some);
      crc.update(bytes, offset + done, some);
      done += some;
      length += some;
      if (chunk.readableBytes() == CHUNK_BYTES) {
        handOnChunk(-1);
      }
    }
    counters.incrementCounter(StreamStatisticNames.STREAM_WRITE_BYTES, count);
  }

  /** Gives the chunk to the data path, which takes it over in any case. */
  private void handOnChunk(long lengthIfKnown) throws IOException {
    ByteBuf full = chunk;
    chunk = null;
    try {
      if (writer == null) {
        writer = openWriter(lengthIfKnown, full);
      }
      writer.write(full);
    } catch (StoreException e) {
      throw fail(e);
    }
    if (progress != null) {
      progress.progress();
    }
  }

  private ObjectWriter openWriter(long lengthIfKnown, ByteBuf releasedOnError)
      throws StoreException {
    try {
      return dataPath.write(
          new DataPath.WriteSpec(
              bucket.getId(),
              ByteString.copyFromUtf8(key),
              writeId,
              bucket.getPolicy(),
              lengthIfKnown,
              NeedleFacts.blob(
                  metadata,
                  NeedleBlob.newBuilder()
                      .setConditional(isConditional())
                      .setCrc32C(true)
                      .build())));
    } catch (StoreException e) {
      releasedOnError.release();
      throw e;
    }
  }

  private boolean isConditional() {
    return !condition.equals(Condition.getDefaultInstance());
  }

  private IOException fail(StoreException e) {
    counters.incrementCounter(StreamStatisticNames.STREAM_WRITE_EXCEPTIONS, 1);
    state = State.FAILED;
    giveUp();
    return HadoopErrors.of(e, path);
  }

  private void giveUp() {
    if (chunk != null) {
      chunk.release();
      chunk = null;
    }
    if (writer != null) {
      writer.close();
      writer = null;
    }
  }

  private void requireOpen() throws IOException {
    switch (state) {
      case OPEN -> {}
      case FAILED ->
          throw new PathIOException(path, "Cannot write on: an earlier write of this file failed");
      case CLOSED -> throw new PathIOException(path, FSExceptionMessages.STREAM_IS_CLOSED);
    }
  }

  /** Nothing: a chunk goes on when it is full, and all of it at close. */
  @Override
  public void flush() {}

  @Override
  public void hflush() {
    if (WARNED_OF_HFLUSH.compareAndSet(false, true)) {
      LOG.warn("hflush() of {}: a file on stow:// becomes visible when it is closed", path);
    }
  }

  @Override
  public void hsync() {
    throw new UnsupportedOperationException(
        "Cannot hsync " + path + ": a file on stow:// is durable when it is closed, not before");
  }

  @Override
  public synchronized void close() throws IOException {
    switch (state) {
      case CLOSED -> {}
      case FAILED -> {
        end();
        throw new PathIOException(path, "Cannot close: writing failed, and nothing was stored");
      }
      case OPEN -> {
        try {
          commit();
        } finally {
          end();
        }
      }
    }
  }

  private void end() {
    if (state != State.CLOSED) {
      fsStatistics.add(counters);
    }
    state = State.CLOSED;
    giveUp();
  }

  private void commit() throws IOException {
    Manifest manifest = Manifest.getDefaultInstance();
    PutObjectRequest.Builder request = PutObjectRequest.newBuilder();
    try {
      if (chunk != null) {
        handOnChunk(writer == null ? length : -1);
      }
      if (writer != null) {
        ObjectWriter.Written written = writer.finish();
        manifest = written.manifest();
        request.addAllGrants(written.grants()).setClockMicros(written.clockMicros());
      }
      objectManager.putObject(
          request
              .setBucket(bucket.getName())
              .setKey(key)
              .setWriteId(writeId)
              .setLength(length)
              .setMd5(ByteString.copyFrom(md5.digest()))
              .setMetadata(metadata)
              .setManifest(manifest)
              .addChecksums(FileChecksums.stored(crc.getValue()))
              .setCondition(condition)
              .build());
    } catch (StoreException e) {
      if (condition.getMustBeAbsent() && e.code() == ErrorCode.PRECONDITION_FAILED) {
        FileAlreadyExistsException exists =
            new FileAlreadyExistsException(path + " was created by somebody else meanwhile");
        exists.initCause(e);
        throw exists;
      }
      throw HadoopErrors.of(e, path);
    }
  }

  /** Ends without committing: there will be no such file, or the one there was stays. */
  @Override
  public synchronized AbortableResult abort() {
    boolean alreadyClosed = state == State.CLOSED;
    if (!alreadyClosed) {
      end();
    }
    return new AbortableResult() {
      @Override
      public boolean alreadyClosed() {
        return alreadyClosed;
      }

      @Override
      public IOException anyCleanupException() {
        return null;
      }
    };
  }

  @Override
  public boolean hasCapability(String capability) {
    return CommonPathCapabilities.ABORTABLE_STREAM.equals(capability)
        || StreamCapabilities.IOSTATISTICS.equals(capability);
  }

  @Override
  public IOStatistics getIOStatistics() {
    return counters;
  }

  @Override
  public String toString() {
    return "stream to " + path + ", " + state + ", " + length + " bytes";
  }

  private static MessageDigest newMd5() {
    try {
      return MessageDigest.getInstance("MD5"); // the ETag that S3 clients expect and check
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}

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
import io.stowage.client.Placement;
import io.stowage.client.crypt.ObjectCipher;
import io.stowage.client.crypt.PacketLayout;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.needle.NeedleFacts;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.ChecksumAlgorithm;
import io.stowage.common.proto.Condition;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.NeedleBlob;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.OpenFileReply;
import io.stowage.common.proto.PutObjectReply;
import io.stowage.common.proto.PutObjectRequest;
import java.io.IOException;
import java.io.OutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.ScheduledExecutorService;
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
 * Writes one file, which becomes visible when {@link #close} commits it, or when its writer first
 * syncs it. Guarded by its own lock, as callers of Hadoop's streams expect.
 *
 * <p>A file that is never synced is whole or not there. From the first {@link #hsync} or {@link
 * #hflush} on, which do the same, and in a file that is appended to, what was synced is durable and
 * visible to whoever opens the file then, and the stream holds the file's lease ({@link
 * LeasedFile}): who deletes, replaces, renames or recovers the file ends it, and the stream's next
 * call fails.
 *
 * <p>A file that is encrypted is one stream of packets, which cannot be added to, so it cannot be
 * synced; {@link #hasCapability} says that.
 *
 * <p>Memory: one chunk here, a short one where {@link PieceMemory} has no more, and what the data
 * path's process-wide budget gives; of a file that was synced, a stripe. A file that fits the first
 * chunk is written with its length known, so that it can be packed with others. After an error
 * nothing more is committed: later writes and the first close fail too.
 */
final class StowageOutputStream extends OutputStream
    implements StreamCapabilities, Abortable, Syncable, IOStatisticsSource {
  private static final Logger LOGGER = LoggerFactory.getLogger(StowageOutputStream.class);

  /** Once a process: it is of the cluster, not of a file. */
  static final AtomicBoolean WARNED_OF_OLD_OBJECT_MANAGER = new AtomicBoolean();

  /** Hadoop's constant is deprecated, its users are not. */
  private static final String HFLUSH = "hflush";

  /** Handed on to the data path at this size; about a stripe's cell. */
  private static final int CHUNK_BYTES = 1 << 20;

  /** The same where the chunks of all streams are too many. */
  static final int SHORT_CHUNK_BYTES = 64 << 10;

  private static final int FIRST_CHUNK_BYTES = 8 << 10;

  /**
   * A longer file is not hashed for its ETag: MD5 is a large part of what a writer costs, and
   * cannot be divided among processors. docs/adr/0021.
   */
  static final int MD5_LIMIT_BYTES = 8 << 20;

  /** Directories above a file that are missing when it is committed. */
  enum Way {
    IS_MADE,
    /** Was there when the file was created: whoever removed it has taken the file away. */
    WAS_THERE,
    /** The same, and who moved it has, too, even if he did while the file was committed. */
    HAS_TO_BE_THERE
  }

  private enum State {
    OPEN,
    FAILED,
    CLOSED
  }

  private final ObjectManager objectManager;
  private final DataPath dataPath;
  private final ScheduledExecutorService renewals; // of its lease, if it gets one
  private final BucketInfo bucket;
  private final String path;
  private final String key;
  private final Condition condition;
  private final Way way;
  private final ObjectMetadata metadata;
  private final ObjectCipher cipher; // null: kept as it is
  private final Progressable progress;
  private final ByteString writeId = WriteId.random();
  private final FsStatistics fsStatistics;
  private final IOStatisticsStore counters = FsStatistics.ofOutput();
  private final MessageDigest md5 = newMd5(); // of the chunks handed on, up to the limit
  private final CRC32C crc = new CRC32C(); // what getFileChecksum tells
  private State state = State.OPEN;
  private final PieceMemory memory;
  private ByteBuf chunk; // null: nothing gathered
  private boolean longChunk; // more than a short one is taken for it
  private ObjectWriter writer; // null: nothing handed on yet
  private Placement placement; // with the writer
  private long length;
  private LeasedFile leased; // null: not synced yet

  /**
   * Begins a file.
   *
   * @param bucket as it was a moment ago: its default encryption counts
   * @param condition the commit fails if it does not hold by then
   * @param way to the file, at the commit
   * @param cipher of the file's bytes; null: they are kept as they are
   */
  StowageOutputStream(
      ObjectManager objectManager,
      DataPath dataPath,
      ScheduledExecutorService renewals,
      BucketInfo bucket,
      String path,
      String key,
      Condition condition,
      Way way,
      ObjectMetadata metadata,
      ObjectCipher cipher,
      PieceMemory memory,
      Progressable progress,
      FsStatistics fsStatistics) {
    this.objectManager = objectManager;
    this.dataPath = dataPath;
    this.renewals = renewals;
    this.bucket = bucket;
    this.path = path;
    this.key = key;
    this.condition = condition;
    this.way = way;
    this.metadata =
        cipher == null ? metadata : metadata.toBuilder().setEncryption(cipher.envelope()).build();
    this.cipher = cipher;
    this.memory = memory;
    this.progress = progress;
    this.fsStatistics = fsStatistics;
  }

  /** A stream behind the end of a file that was opened for appending. */
  StowageOutputStream(
      ObjectManager objectManager,
      DataPath dataPath,
      ScheduledExecutorService renewals,
      BucketInfo bucket,
      String path,
      String key,
      ByteString holder,
      OpenFileReply opened,
      PieceMemory memory,
      Progressable progress,
      FsStatistics fsStatistics)
      throws StoreException {
    this(
        objectManager,
        dataPath,
        renewals,
        bucket,
        path,
        key,
        Condition.getDefaultInstance(),
        Way.HAS_TO_BE_THERE, // it is, and nothing is placed any more
        ObjectMetadata.getDefaultInstance(),
        null, // what is encrypted is not appended to
        memory,
        progress,
        fsStatistics);
    length = opened.getVersion().getLength();
    leased =
        new LeasedFile(
            objectManager,
            dataPath,
            renewals,
            bucket,
            key,
            opened.getNeedleRowKey(),
            holder,
            opened.getLease(),
            length,
            List.of());
  }

  @Override
  public synchronized void write(int b) throws IOException {
    write(new byte[] {(byte) b}, 0, 1);
  }

  @Override
  public synchronized void write(byte[] bytes, int offset, int count) throws IOException {
    Objects.checkFromIndexSize(offset, count, bytes.length);
    requireOpen();
    if (leased != null) {
      writeLeased(bytes, offset, count);
      return;
    }
    int done = 0;
    while (done < count) {
      if (chunk == null) {
        chunk = PooledByteBufAllocator.DEFAULT.directBuffer(FIRST_CHUNK_BYTES, CHUNK_BYTES);
      }
      int most = longChunk ? CHUNK_BYTES : SHORT_CHUNK_BYTES;
      int some = Math.min(count - done, most - chunk.readableBytes());
      chunk.writeBytes(bytes, offset + done, some);
      crc.update(bytes, offset + done, some);
      done += some;
      length += some;
      if (chunk.readableBytes() == CHUNK_BYTES) {
        handOnChunk(-1);
      } else if (chunk.readableBytes() == SHORT_CHUNK_BYTES && !longChunk) {
        longChunk = memory.tryGather(CHUNK_BYTES);
        if (!longChunk) {
          handOnChunk(-1);
        }
      }
    }
    counters.incrementCounter(StreamStatisticNames.STREAM_WRITE_BYTES, count);
  }

  private void writeLeased(byte[] bytes, int offset, int count) throws IOException {
    try {
      leased.write(bytes, offset, count);
      length = leased.length();
    } catch (StoreException e) {
      throw fail(e);
    }
    counters.incrementCounter(StreamStatisticNames.STREAM_WRITE_BYTES, count);
    if (progress != null) {
      progress.progress();
    }
  }

  /** Gives the chunk to the data path, which takes it over in any case. */
  private void handOnChunk(long lengthIfKnown) throws IOException {
    ByteBuf full = takeChunk();
    try {
      if (writer == null) {
        writer = openWriter(lengthIfKnown, full);
      }
      hash(full);
      writer.write(full);
    } catch (StoreException e) {
      throw fail(e);
    }
    if (progress != null) {
      progress.progress();
    }
  }

  private ByteBuf takeChunk() {
    ByteBuf taken = chunk;
    chunk = null;
    if (longChunk) {
      longChunk = false;
      memory.handedOn(CHUNK_BYTES);
    }
    return taken;
  }

  private void hash(ByteBuf last) {
    if (!isUnhashed()) {
      md5.update(last.nioBuffer());
    }
  }

  private boolean isUnhashed() {
    return length > MD5_LIMIT_BYTES;
  }

  private ObjectWriter openWriter(long lengthIfKnown, ByteBuf releasedOnError)
      throws StoreException {
    ByteString blob =
        NeedleFacts.blob(
            metadata,
            NeedleBlob.newBuilder()
                .setConditional(isConditional())
                .setChecksum( // of the bytes that are stored
                    cipher == null ? ChecksumAlgorithm.CRC32C : ChecksumAlgorithm.CHECKSUM_NONE)
                .setMd5LimitBytes(lengthIfKnown < 0 ? MD5_LIMIT_BYTES : 0)
                .build());
    if (cipher == null) {
      return openWriter(writeId, lengthIfKnown, blob, releasedOnError);
    }
    ObjectWriter stored =
        openWriter(writeId, PacketLayout.cipherLength(lengthIfKnown), blob, releasedOnError);
    return cipher.encrypting(stored, ByteString.EMPTY);
  }

  private ObjectWriter openWriter(
      ByteString needleWriteId, long lengthIfKnown, ByteString blob, ByteBuf releasedOnError)
      throws StoreException {
    try {
      placement = place();
      return dataPath.write(
          new DataPath.WriteSpec(
              bucket.getId(),
              placement.rowKey(),
              needleWriteId,
              bucket.getPolicy(),
              lengthIfKnown,
              blob));
    } catch (StoreException e) {
      releasedOnError.release();
      throw e;
    }
  }

  private Placement place() throws StoreException {
    return way == Way.IS_MADE
        ? Placement.of(objectManager, bucket, key)
        : Placement.inExistingDirectory(objectManager, bucket, key);
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
      takeChunk().release();
    }
    if (writer != null) {
      writer.close();
      writer = null;
    }
    if (leased != null) {
      leased.end();
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

  /** As {@link #hsync}: what is visible to others is durable, too. */
  @Override
  public void hflush() throws IOException {
    hsync();
  }

  @Override
  public synchronized void hsync() throws IOException {
    requireOpen();
    if (cipher != null) {
      throw new UnsupportedOperationException(
          "Cannot sync " + path + ": encrypted files are there when they are closed, not before");
    }
    try {
      if (leased == null) {
        leased = openLeased();
      } else {
        leased.sync();
      }
    } catch (StoreException e) {
      throw failCommit(e);
    }
  }

  /** The first sync: the file comes into being with what was written so far, and stays open. */
  private LeasedFile openLeased() throws IOException, StoreException {
    ByteString pieceId = writeId;
    PutObjectRequest.Builder request;
    List<ByteBuf> end = List.of();
    if (writer != null) {
      if (chunk != null) {
        handOnChunk(-1);
      }
      request = putRequest();
      take(request, placement.told(writer.finish()));
      writer = null;
    } else if (chunk == null) {
      request = putRequest();
    } else {
      hash(chunk);
      request = putRequest();
      pieceId = WriteId.ofPiece(writeId, 0, false);
      ByteBuf copy = chunk.retainedDuplicate();
      try (ObjectWriter piece = openWriter(pieceId, length, LeasedFile.pieceBlob(writeId), copy)) {
        piece.write(copy);
        take(request, placement.told(piece.finish()));
      }
      end = List.of(chunk);
    }
    PutObjectReply reply =
        objectManager.putObject(
            request.setLeaseMicros(LeasedFile.LEASE_MICROS).setPieceWriteId(pieceId).build());
    if (!reply.hasLease()) {
      throw new StoreException(
          ErrorCode.LEASE_LOST, "Cannot go on writing " + key + ": somebody else has closed it");
    }
    takeChunk();
    if (placement == null) {
      placement = place();
    }
    return new LeasedFile(
        objectManager,
        dataPath,
        renewals,
        bucket,
        key,
        placement.rowKey(),
        writeId,
        reply.getLease(),
        length,
        end);
  }

  @Override
  public synchronized void close() throws IOException {
    switch (state) {
      case CLOSED -> {}
      case FAILED -> {
        end();
        throw new PathIOException(
            path,
            leased == null
                ? "Cannot close: writing failed, and nothing was stored"
                : "Cannot close: writing failed; what was synced is there");
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
    try {
      if (leased != null) {
        leased.close();
        return;
      }
      if (chunk != null) {
        handOnChunk(writer == null ? length : -1);
      }
      PutObjectRequest.Builder request = putRequest();
      if (writer != null) {
        take(request, placement.told(writer.finish()));
      }
      PutObjectReply reply = objectManager.putObject(request.build());
      if (request.getUnhashed() && isTakenForHashed(reply.getVersion())) {
        warnOfOldObjectManager();
      }
    } catch (StoreException e) {
      throw failCommit(e);
    }
  }

  private static boolean isTakenForHashed(ObjectVersion version) {
    return version.getPartCount() == 0
        && !version.getMd5().isEmpty(); // which is told who may read the file
  }

  private void warnOfOldObjectManager() {
    if (WARNED_OF_OLD_OBJECT_MANAGER.compareAndSet(false, true)) {
      LOGGER.warn(
          "{} and other files of more than {} bytes get ETags that look as MD5s and are none, which"
              + " clients of S3 that check them refuse: the object managers are older than this"
              + " client. Update them, and write such files again",
          path,
          MD5_LIMIT_BYTES);
    }
  }

  /** Once, when all is handed on, or has been hashed. */
  private PutObjectRequest.Builder putRequest() {
    return PutObjectRequest.newBuilder()
        .setBucket(bucket.getName())
        .setKey(key)
        .setWriteId(writeId)
        .setLength(length)
        .setMd5(etag())
        .setUnhashed(isUnhashed())
        .setMetadata(metadata)
        .setEncryptionDecided(true)
        .setManifest(Manifest.getDefaultInstance())
        .setInExistingDirectory(way == Way.HAS_TO_BE_THERE)
        .setWayWasThere(way == Way.WAS_THERE)
        .addChecksums(FileChecksums.stored(crc.getValue()))
        .setCondition(condition);
  }

  private ByteString etag() {
    if (isUnhashed()) {
      return WriteId.mark(writeId, length);
    }
    byte[] digest = md5.digest();
    return cipher == null ? ByteString.copyFrom(digest) : cipher.etag(digest);
  }

  private static MessageDigest newMd5() {
    try {
      return MessageDigest.getInstance("MD5"); // the ETag that S3 clients expect and check
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has MD5", e);
    }
  }

  private static void take(PutObjectRequest.Builder request, ObjectWriter.Written written) {
    request
        .setManifest(written.manifest())
        .addAllGrants(written.grants())
        .setClockMicros(written.clockMicros());
  }

  private IOException failCommit(StoreException e) {
    counters.incrementCounter(StreamStatisticNames.STREAM_WRITE_EXCEPTIONS, 1);
    if (state == State.OPEN) {
      state = State.FAILED;
    }
    giveUp();
    if (condition.getMustBeAbsent()
        && leased == null
        && e.code() == ErrorCode.PRECONDITION_FAILED) {
      FileAlreadyExistsException exists =
          new FileAlreadyExistsException(path + " was created by somebody else meanwhile");
      exists.initCause(e);
      return exists;
    }
    return HadoopErrors.of(e, path);
  }

  /**
   * Ends without committing: there will be no such file, or the one there was stays. Of a file that
   * was synced, what was synced stays.
   */
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
    return switch (capability.toLowerCase(Locale.ROOT)) {
      case CommonPathCapabilities.ABORTABLE_STREAM, StreamCapabilities.IOSTATISTICS -> true;
      case HFLUSH, StreamCapabilities.HSYNC -> cipher == null;
      default -> false;
    };
  }

  @Override
  public IOStatistics getIOStatistics() {
    return counters;
  }

  @Override
  public String toString() {
    return "stream to " + path + ", " + state + ", " + length + " bytes";
  }
}

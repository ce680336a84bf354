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
package io.stowage.client.twin;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.stowage.client.DataPath;
import io.stowage.client.ObjectReader;
import io.stowage.client.ObjectWriter;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.LeaseGrant;
import io.stowage.common.proto.Manifest;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * A data path whose containers are byte arrays, one for each 4 MiB of an object, so that manifests
 * have several extents without much data. Thread-safe, its writers and readers as the interfaces
 * say.
 */
public final class InMemoryDataPath implements DataPath {
  public static final int EXTENT_BYTES = 4 << 20;
  public static final int MAX_READ = 1 << 20;

  private final Map<Long, byte[]> containers = new ConcurrentHashMap<>();
  private final AtomicLong nextContainer = new AtomicLong(1);
  private final AtomicLong writesUntilFailure = new AtomicLong(Long.MAX_VALUE);
  private final AtomicInteger openWriters = new AtomicInteger();
  private final AtomicInteger openReaders = new AtomicInteger();
  private volatile ReadWatch watch = new ReadWatch() {};
  private final List<RecordSpec> records = new ArrayList<>();

  /** Sees every read; may hold it up, on its thread. */
  public interface ReadWatch {
    /** A read begins. */
    default void begins(long offset, int length) throws StoreException {}

    /** It gives these bytes, which are the caller's then. */
    default void gives(ByteBuf bytes) {}
  }

  /** Has all reads seen from now on. */
  public void watchReads(ReadWatch by) {
    watch = by;
  }

  /**
   * Lets this many calls of write or finish succeed; the next ones fail until this is called again.
   */
  public void failWritesAfter(long calls) {
    writesUntilFailure.set(calls);
  }

  /** Takes a container away, as after a repack: readers of it get NO_SUCH_CONTAINER. */
  public void dropContainer(long id) {
    containers.remove(id);
  }

  /**
   * Takes containers of more than these bytes away but for so many of the newest: a garbage
   * collection for a test that overwrites without end.
   */
  public void dropOldest(int largerThan, int keeping) {
    containers.entrySet().stream()
        .filter(container -> container.getValue().length > largerThan)
        .map(Map.Entry::getKey)
        .sorted(Comparator.reverseOrder())
        .skip(keeping)
        .forEach(this::dropContainer);
  }

  /** Moves a manifest's bytes to new containers and drops the old ones, as a repack does. */
  public Manifest repack(Manifest manifest) {
    Manifest.Builder moved = manifest.toBuilder().clearExtents();
    for (Extent extent : manifest.getExtentsList()) {
      long id = nextContainer.getAndIncrement();
      containers.put(id, containers.remove(extent.getContainer()));
      moved.addExtents(extent.toBuilder().setContainer(id));
    }
    return moved.build();
  }

  /** Writers that were neither finished nor closed. */
  public int openWriters() {
    return openWriters.get();
  }

  /** Readers that were not closed. */
  public int openReaders() {
    return openReaders.get();
  }

  public synchronized List<RecordSpec> records() {
    return List.copyOf(records);
  }

  @Override
  public ObjectWriter write(WriteSpec spec) {
    openWriters.incrementAndGet();
    return new Writer(spec.length());
  }

  @Override
  public ObjectReader read(ReadSpec spec) {
    openReaders.incrementAndGet();
    return new Reader(spec.manifest());
  }

  @Override
  public void settled(ByteString writeId) {}

  @Override
  public synchronized void record(RecordSpec spec) {
    records.add(spec);
  }

  @Override
  public void close() {}

  private void countWrite() throws StoreException {
    if (writesUntilFailure.getAndDecrement() <= 0) {
      throw new StoreException(ErrorCode.NOT_ENOUGH_NODES, "Cannot write: the test says so");
    }
  }

  private final class Writer implements ObjectWriter {
    private final long expected;
    private final Manifest.Builder manifest = Manifest.newBuilder();
    private final List<LeaseGrant> grants = new ArrayList<>();
    private ByteArrayOutputStream gathered = new ByteArrayOutputStream();
    private long length;
    private boolean closed;

    Writer(long expected) {
      this.expected = expected;
    }

    @Override
    public void write(ByteBuf bytes) throws StoreException {
      try {
        countWrite();
        while (bytes.isReadable()) {
          byte[] some = new byte[Math.min(bytes.readableBytes(), EXTENT_BYTES - gathered.size())];
          bytes.readBytes(some);
          gathered.writeBytes(some);
          length += some.length;
          if (gathered.size() == EXTENT_BYTES) {
            endExtent();
          }
        }
      } finally {
        bytes.release();
      }
    }

    private void endExtent() {
      long id = nextContainer.getAndIncrement();
      byte[] bytes = gathered.toByteArray();
      containers.put(id, bytes);
      manifest.addExtents(
          Extent.newBuilder()
              .setContainer(id)
              .setEpoch(1)
              .setWidth(1)
              .setCellLength(bytes.length)
              .setLength(bytes.length));
      grants.add(LeaseGrant.newBuilder().setContainer(id).setEpoch(1).build());
      gathered = new ByteArrayOutputStream();
    }

    @Override
    public Written finish() throws StoreException {
      countWrite();
      if (expected >= 0 && expected != length) {
        throw new StoreException(
            ErrorCode.INCOMPLETE_BODY, "Cannot finish: " + length + " bytes of " + expected);
      }
      if (gathered.size() > 0) {
        endExtent();
      }
      close();
      return new Written(manifest.setLength(length).build(), List.copyOf(grants), 0);
    }

    @Override
    public void close() {
      if (!closed) {
        closed = true;
        openWriters.decrementAndGet();
      }
    }
  }

  private final class Reader implements ObjectReader {
    private final Manifest manifest;
    private boolean closed;

    Reader(Manifest manifest) {
      this.manifest = manifest;
    }

    @Override
    public long length() {
      return manifest.getLength();
    }

    @Override
    public ByteBuf read(long offset, int length) throws StoreException {
      if (offset < 0 || length < 0 || length > MAX_READ || offset + length > length()) {
        throw new IllegalArgumentException(
            "read of " + length + " bytes at " + offset + " of " + length());
      }
      watch.begins(offset, length);
      ByteBuf bytes = ByteBufAllocator.DEFAULT.buffer(Math.max(1, length));
      long start = 0;
      for (Extent extent : manifest.getExtentsList()) {
        long from = Math.max(offset, start);
        long to = Math.min(offset + length, start + extent.getLength());
        if (from < to) {
          byte[] container = containers.get(extent.getContainer());
          if (container == null) {
            bytes.release();
            throw new StoreException(
                ErrorCode.NO_SUCH_CONTAINER, "Cannot read: no container " + extent.getContainer());
          }
          bytes.writeBytes(container, (int) (from - start), (int) (to - from));
        }
        start += extent.getLength();
      }
      watch.gives(bytes);
      return bytes;
    }

    @Override
    public int maxRead() {
      return MAX_READ;
    }

    @Override
    public void close() {
      if (!closed) {
        closed = true;
        openReaders.decrementAndGet();
      }
    }
  }
}

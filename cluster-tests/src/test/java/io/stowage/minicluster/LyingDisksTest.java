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
package io.stowage.minicluster;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.stowage.client.DataPath;
import io.stowage.client.DataPathHarness;
import io.stowage.client.ObjectReader;
import io.stowage.client.ObjectWriter;
import io.stowage.client.StowageDataPath;
import io.stowage.client.TwinCluster;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.Manifest;
import io.stowage.datanode.disk.DiskFile;
import io.stowage.datanode.disk.DiskFiles;
import io.stowage.datanode.disk.LocalDiskFiles;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Real datanodes whose disks return other bytes than were written, without an error: what a reader
 * gets is right, or refused, never wrong. Wrong bytes of up to m disks go unnoticed by users.
 */
class LyingDisksTest {
  private static final int NODES = 5;
  private static final int OBJECTS = 60;

  /** What a disk does to reads of shard files. */
  private enum Lie {
    NONE,
    /** Some byte is another. */
    FLIP,
    /** The bytes of another sector, all of it in order: another object's needle, perhaps. */
    MISDIRECT,
    /** Bytes that were there before anything was written. */
    STALE
  }

  private record Stored(String name, ByteString writeId, Manifest manifest) {
    byte[] bytes() {
      return TestContent.of(name, (int) manifest.getLength());
    }
  }

  @TempDir Path directory;

  private final Map<Integer, Lie> lies = new ConcurrentHashMap<>();

  @Test
  void nothingWrongIsEverServed() throws Exception {
    TwinCluster cluster = RealDatanodes.inProcess(directory, NODES, this::disk);
    cluster.setCapacity(64 << 20);
    try (StowageDataPath path = DataPathHarness.start(cluster)) {
      List<Stored> objects = new ArrayList<>();
      for (int i = 0; i < OBJECTS; i++) {
        // Many of one length and key length: their needles differ in nothing but whose they are.
        objects.add(write(path, i, i % 6 == 0 ? 300_000 : 5_000));
      }
      Map<Lie, Integer> refused = new EnumMap<>(Lie.class);
      for (Lie lie : List.of(Lie.FLIP, Lie.MISDIRECT, Lie.STALE)) {
        for (int liars = 1; liars <= NODES; liars++) {
          for (int disk = 0; disk < NODES; disk++) {
            lies.put(disk, disk < liars ? lie : Lie.NONE);
          }
          int failures = readAll(cluster, path, objects);
          assertTrue(liars > 2 || failures == 0, lie + " of " + liars + " disks: " + failures);
          refused.merge(lie, failures, Integer::sum);
        }
      }
      lies.clear();
      assertEquals(0, readAll(cluster, path, objects), "told the truth, all is there again");
      System.err.println("reads refused with 1 to 5 of 5 disks lying: " + refused);
      assertTrue(cluster.damageReports() > 0, "what was found wrong was reported");
    } finally {
      cluster.close();
    }
  }

  /** How many reads were refused; a wrong byte ends the test. */
  private static int readAll(TwinCluster cluster, DataPath path, List<Stored> objects)
      throws StoreException {
    int refused = 0;
    for (Stored object : objects) {
      byte[] expected = object.bytes();
      for (ByteString writeId : List.of(object.writeId(), ByteString.EMPTY)) {
        ObjectReader reader =
            path.read(new DataPath.ReadSpec(object.manifest(), cluster.places(), writeId));
        try {
          ByteBuf read = reader.read(0, expected.length);
          byte[] bytes = new byte[read.readableBytes()];
          read.readBytes(bytes);
          read.release();
          assertEquals(-1, Arrays.mismatch(expected, bytes), "a wrong byte was served");
        } catch (StoreException e) {
          assertTrue(
              e.code() == ErrorCode.DATA_UNAVAILABLE || e.code() == ErrorCode.CORRUPT_DATA,
              e::toString);
          refused++;
        }
      }
    }
    return refused;
  }

  private static Stored write(DataPath path, int number, int length) throws IOException {
    String name = "object-" + number;
    byte[] bytes = TestContent.of(name, length);
    ByteString writeId = WriteId.random();
    try (ObjectWriter writer =
        path.write(
            new DataPath.WriteSpec(
                7,
                ByteString.copyFromUtf8(String.format("objects/%08d", number)),
                writeId,
                "rs-3-2",
                length,
                ByteString.EMPTY))) {
      writer.write(PooledByteBufAllocator.DEFAULT.directBuffer(length).writeBytes(bytes));
      return new Stored(name, writeId, writer.finish().manifest());
    }
  }

  private DiskFiles disk(int number) {
    return (DiskFiles)
        Proxy.newProxyInstance(
            DiskFiles.class.getClassLoader(),
            new Class<?>[] {DiskFiles.class},
            (proxy, method, arguments) -> {
              try {
                Object result = method.invoke(LocalDiskFiles.INSTANCE, arguments);
                return result instanceof DiskFile file && arguments[0].toString().contains(".shard")
                    ? new LyingFile(file, () -> lies.getOrDefault(number, Lie.NONE))
                    : result;
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  private interface Mood {
    Lie now();
  }

  private record LyingFile(DiskFile file, Mood mood) implements DiskFile {
    /** Objects of two sectors, written alone, take turns on three data shards. */
    private static final long NEXT_OBJECT = 3 * 8_192;

    @Override
    public int read(ByteBuffer into, long position) throws IOException {
      int at = into.position();
      Lie lie = mood.now();
      long from = lie == Lie.MISDIRECT ? Math.max(0, position - NEXT_OBJECT) : position;
      int count = file.read(into, from);
      if (count > 0 && lie == Lie.FLIP) {
        int where = at + ThreadLocalRandom.current().nextInt(count);
        into.put(where, (byte) (into.get(where) ^ 0x10));
      } else if (count > 0 && lie == Lie.STALE) {
        for (int i = at; i < at + count; i++) {
          into.put(i, (byte) 0);
        }
      }
      return count;
    }

    @Override
    public void write(ByteBuffer[] from, long position) throws IOException {
      file.write(from, position);
    }

    @Override
    public void force() throws IOException {
      file.force();
    }

    @Override
    public long size() throws IOException {
      return file.size();
    }

    @Override
    public void close() throws IOException {
      file.close();
    }
  }
}

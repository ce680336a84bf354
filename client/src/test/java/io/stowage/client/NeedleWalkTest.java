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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.ByteBuf;
import io.stowage.client.DataPath.ReadSpec;
import io.stowage.client.DataPath.WriteSpec;
import io.stowage.client.repack.NeedleWalk;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.id.WriteId;
import io.stowage.common.needle.NeedleCodec;
import io.stowage.common.needle.NeedleFacts;
import io.stowage.common.needle.NeedleHeader;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.Manifest;
import io.stowage.common.time.StoreClock;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Every needle of every container is found, whatever users stored and whatever is broken. */
@Timeout(120)
class NeedleWalkTest {
  private static final int PACKING_LIMIT = 8 << 10;
  private static final ErasurePolicy POLICY = ErasurePolicy.RS_3_2;

  private final TwinCluster cluster = TwinCluster.inMemory(5, StoreClock.system());
  private final StowageDataPath path =
      StowageDataPath.create(
          new ClientConfig(PACKING_LIMIT, 32 << 10, 16 << 20),
          cluster,
          cluster,
          StoreClock.system());

  private record Written(ByteString writeId, ByteString payload, Manifest manifest) {}

  private record Address(long container, int shard, long offset) {}

  @AfterEach
  void close() {
    path.close();
    cluster.close();
  }

  private Written write(byte[] payload, boolean known) throws Exception {
    ByteString writeId = WriteId.random();
    WriteSpec spec =
        new WriteSpec(
            7,
            ByteString.copyFromUtf8("some/key"),
            writeId,
            POLICY.name(),
            known ? payload.length : -1,
            ByteString.EMPTY);
    try (ObjectWriter writer = path.write(spec)) {
      for (int at = 0; at < payload.length; at += 20_000) {
        writer.write(
            DataPathContractTest.buffer(payload, at, Math.min(20_000, payload.length - at)));
      }
      return new Written(writeId, ByteString.copyFrom(payload), writer.finish().manifest());
    }
  }

  private static byte[] image(NeedleHeader header) {
    ByteBuffer bytes = ByteBuffer.allocate(header.encodedLength());
    NeedleCodec.encode(header, bytes);
    return bytes.array();
  }

  private static NeedleHeader forged(Random random, NeedleHeader.Kind kind, long payloadLength) {
    return new NeedleHeader(
        kind,
        7,
        ByteString.copyFromUtf8("some/key"),
        WriteId.random(),
        1,
        0,
        0,
        payloadLength,
        kind.hasPayloadCrc() ? random.nextInt() : 0,
        ByteString.EMPTY);
  }

  /** Bytes full of headers at sectors and between, that claim lengths from nothing to terabytes. */
  private static byte[] hostile(Random random, int length) {
    byte[] bytes = new byte[length];
    random.nextBytes(bytes);
    int at = 0;
    while (at + 200 < length) {
      NeedleHeader.Kind kind =
          List.of(NeedleHeader.Kind.values())
              .get(random.nextInt(NeedleHeader.Kind.values().length));
      long claimed =
          switch (random.nextInt(4)) {
            case 0 -> 0;
            case 1 -> random.nextInt(20_000);
            case 2 -> random.nextInt(2_000_000);
            default -> random.nextLong() >>> 1;
          };
      byte[] header = image(forged(random, kind, claimed));
      System.arraycopy(header, 0, bytes, at, header.length);
      at += random.nextBoolean() ? 8 * (1 + random.nextInt(600)) : 4096 - 8 * random.nextInt(20);
    }
    return bytes;
  }

  private List<Written> writeMany(Random random, int rounds) throws Exception {
    List<Written> all = new ArrayList<>();
    ExecutorService threads = Executors.newFixedThreadPool(8);
    for (int round = 0; round < rounds; round++) {
      List<Future<Written>> writes = new ArrayList<>();
      int together = 1 + random.nextInt(12);
      for (int i = 0; i < together; i++) {
        int length =
            switch (random.nextInt(4)) {
              case 0 -> 1 + random.nextInt(300);
              case 1 -> 1 + random.nextInt(PACKING_LIMIT);
              default -> 1 + random.nextInt(400_000);
            };
        byte[] payload =
            random.nextInt(3) == 0
                ? DataPathContractTest.content(length, random.nextLong())
                : hostile(random, length);
        boolean known = random.nextBoolean();
        writes.add(threads.submit(() -> write(payload, known)));
      }
      for (Future<Written> write : writes) {
        all.add(write.get());
      }
    }
    threads.shutdown();
    return all;
  }

  private Map<Address, NeedleHeader> walkAll(List<String> blindSpots) throws Exception {
    Map<Address, NeedleHeader> found = new HashMap<>();
    for (ContainerInfo info : cluster.containers()) {
      NeedleWalk walk = NeedleWalk.of(path.scan(info));
      walk.run(
          needle -> {
            NeedleHeader before =
                found.put(
                    new Address(info.getId(), needle.shard(), needle.offset()), needle.header());
            assertNull(before, "each place is told once");
          });
      if (walk.blindSpots() != null) {
        blindSpots.add(walk.blindSpots());
      }
    }
    return found;
  }

  private static void assertFound(List<Written> all, Map<Address, NeedleHeader> found) {
    for (Written written : all) {
      for (Extent extent : written.manifest().getExtentsList()) {
        NeedleHeader header =
            found.get(
                new Address(extent.getContainer(), extent.getFirstShard(), extent.getOffset()));
        assertNotNull(header, () -> "not found: " + extent);
        assertEquals(written.writeId(), header.writeId());
        assertEquals(extent.getHeaderLength(), header.encodedLength());
      }
    }
  }

  @Test
  void findsEveryNeedleAmongPayloadThatLooksLikeNeedles() throws Exception {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    System.out.println("seed " + seed);
    List<Written> all = writeMany(random, 25);
    List<String> blindSpots = new ArrayList<>();
    assertFound(all, walkAll(blindSpots));
    assertEquals(List.of(), blindSpots);
  }

  @Test
  void findsThemWithAsManyShardsBrokenAsTheCodeBears() throws Exception {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    System.out.println("seed " + seed);
    List<Written> all = writeMany(random, 15);
    int sick = random.nextInt(5);
    cluster.memory(sick).corruptAll();
    cluster.node((sick + 1 + random.nextInt(4)) % 5).setAway(true);
    List<String> blindSpots = new ArrayList<>();
    assertFound(all, walkAll(blindSpots));
    assertEquals(List.of(), blindSpots);
  }

  @Test
  void saysSoWhereItCannotSee() throws Exception {
    writeMany(new Random(1), 5);
    for (int node = 0; node < 3; node++) {
      cluster.node(node).setAway(true);
    }
    List<String> blindSpots = new ArrayList<>();
    walkAll(blindSpots);
    assertTrue(!blindSpots.isEmpty(), "m + 1 shards are away");
  }

  @Test
  void whoseEndNobodyTellsIsNotEmpty() throws Exception {
    long id = write(new byte[5_000], true).manifest().getExtents(0).getContainer();
    ContainerInfo info =
        cluster.containers().stream().filter(c -> c.getId() == id).findFirst().orElseThrow();
    info = info.toBuilder().clearEndOffset().build();
    for (int node = 0; node < 2; node++) {
      cluster.node(node).setAway(true);
    }
    NeedleWalk walk = NeedleWalk.of(path.scan(info));
    walk.run(needle -> {});
    assertNull(walk.blindSpots(), "k shards told it");
    assertTrue(walk.needles() > 0);
    for (int node = 2; node < 5; node++) {
      cluster.node(node).setAway(true);
    }
    walk = NeedleWalk.of(path.scan(info));
    walk.run(needle -> {});
    assertEquals(0, walk.needles());
    assertNotNull(walk.blindSpots());
  }

  @Test
  void aHeaderOfANewerFormatIsABlindSpotWhereItSaysThatItStands() throws Exception {
    assertEquals(0, newerAt(0), "bytes of an object");
    assertEquals(1, newerAt(4096));
  }

  /** Blind spots after a header of a newer format at the second sector, which says to be there. */
  private int newerAt(long shift) throws Exception {
    byte[] payload = new byte[40_000];
    Extent before = write(payload, true).manifest().getExtents(0);
    long address = before.getOffset() + before.getCellLength(); // that of the next
    NeedleHeader forged = forged(new Random(1), NeedleHeader.Kind.PACKED, 0);
    byte[] newer = image(NeedleFacts.placed(forged, before.getContainer(), address + shift));
    newer[4] = 2;
    ByteBuffer bytes = ByteBuffer.wrap(newer);
    bytes.putInt(68, 0);
    bytes.putInt(68, NeedleCodec.crc(bytes.duplicate().rewind()));
    // The second sector of the first cell holds payload from 4,096 less the header on.
    System.arraycopy(newer, 0, payload, 4096 - before.getHeaderLength(), newer.length);
    Extent extent = write(payload, true).manifest().getExtents(0);
    assertEquals(before.getContainer(), extent.getContainer());
    assertEquals(address, extent.getOffset());
    List<String> blindSpots = new ArrayList<>();
    walkAll(blindSpots);
    return blindSpots.size();
  }

  @Test
  void recordsInUsersBytesAreNotTold() throws Exception {
    byte[] payload = new byte[40_000];
    int header = write(payload, true).manifest().getExtents(0).getHeaderLength();
    byte[] fact = {1, 2, 3};
    NeedleHeader record =
        NeedleFacts.header(
            8,
            ByteString.copyFromUtf8("another's"),
            WriteId.random(),
            1,
            ByteString.copyFrom(fact));
    byte[] image = image(NeedleFacts.placed(record, 1L << 40, 0));
    System.arraycopy(image, 0, payload, 4096 - header, image.length);
    System.arraycopy(fact, 0, payload, 4096 - header + image.length, fact.length);
    byte[] endless = image(forged(new Random(1), NeedleHeader.Kind.RECORD, 1L << 40));
    System.arraycopy(endless, 0, payload, 8192 - header, endless.length);
    List<Written> all = List.of(write(payload, true));
    List<String> blindSpots = new ArrayList<>();
    Map<Address, NeedleHeader> found = walkAll(blindSpots);
    assertFound(all, found);
    assertEquals(
        List.of(),
        found.values().stream()
            .filter(needle -> needle.kind() == NeedleHeader.Kind.RECORD)
            .toList());
    assertEquals(List.of(), blindSpots);
  }

  @Test
  void storedBytesAreWhatTheShardsHold() throws Exception {
    writeMany(new Random(2), 10);
    long stored = 0;
    for (ContainerInfo info : cluster.containers()) {
      NeedleWalk walk = NeedleWalk.of(path.scan(info));
      walk.run(needle -> {});
      stored += walk.storedBytes();
      assertEquals(walk.end(), walk.walked());
    }
    assertEquals(cluster.bytesWritten(), stored);
  }

  @Test
  void aNeedleIsWrittenAgainUnderItsOwnHeader() throws Exception {
    Random random = new Random(3);
    for (int length : new int[] {1, 5_000, PACKING_LIMIT, 100_000, 700_000}) {
      Written written = write(hostile(random, length), length % 2 == 0);
      ByteString copied = ByteString.EMPTY;
      for (Extent extent : written.manifest().getExtentsList()) {
        NeedleHeader header = headerOf(extent);
        Manifest one =
            Manifest.newBuilder()
                .setLength(extent.getLength() - extent.getHeaderLength())
                .addExtents(extent)
                .build();
        Manifest again;
        try (ObjectWriter writer = path.rewrite(header, one.getLength(), POLICY.name())) {
          byte[] bytes = DataPathContractTest.readAll(reader(one));
          writer.write(DataPathContractTest.buffer(bytes, 0, bytes.length));
          again = writer.finish().manifest();
        }
        assertEquals(one.getLength(), again.getLength());
        NeedleHeader now = headerOf(again.getExtents(0));
        assertEquals(header.writeId(), now.writeId());
        assertEquals(header.clockMicros(), now.clockMicros());
        assertEquals(header.payloadOffset(), now.payloadOffset());
        assertEquals(header.extentNumber(), now.extentNumber());
        assertEquals(header.kind().hasPayloadCrc(), now.kind().hasPayloadCrc());
        copied = copied.concat(ByteString.copyFrom(DataPathContractTest.readAll(reader(again))));
      }
      assertEquals(written.payload(), copied);
    }
  }

  private ObjectReader reader(Manifest manifest) {
    return path.read(new ReadSpec(manifest, List.of()));
  }

  private NeedleHeader headerOf(Extent extent) throws Exception {
    Manifest headers =
        Manifest.newBuilder()
            .setLength(extent.getHeaderLength())
            .addExtents(
                extent.toBuilder()
                    .setPacked(false)
                    .setLength(extent.getHeaderLength())
                    .setHeaderLength(0))
            .build();
    ByteBuf bytes = reader(headers).read(0, extent.getHeaderLength());
    try {
      return NeedleCodec.decode(bytes.nioBuffer());
    } finally {
      bytes.release();
    }
  }
}

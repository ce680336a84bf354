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
package io.stowage.datanode.store;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.StoreException;
import io.stowage.common.proto.SectorState;
import io.stowage.common.time.StoreClock;
import io.stowage.datanode.fault.SimulatedDisks;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Every pair of crashes of a short life: the process dies after the n-th change of the disk, starts
 * again, and the power fails after the m-th change from then. What was answered in either life must
 * be there in the third. This finds what random crashes hardly do, such as taking a page in the
 * page cache for a durable one and overwriting the last that was.
 */
class TwoCrashesTest {
  private static final Path DIRECTORY = Path.of("/sim/d1");
  private static final int SECTOR = 4096;

  /** Entries from here on cross a block of 512 bytes, within which no page can tear. */
  private static final long FIRST_OFFSET = 71L * SECTOR;

  private SimulatedDisks disks;
  private ShardStore store;
  private Shard shard;
  private final Map<Long, byte[]> answered = new LinkedHashMap<>();
  private long openedEpoch;
  private long sealedEnd;
  private int lives;

  @Test
  void whatWasAnsweredInTwoLivesIsThereInTheThird() throws Exception {
    int pairs = 0;
    String where = "";
    try {
      boolean firstCutShort = true;
      for (int first = 1; firstCutShort; first++) {
        where = "first crash " + first;
        TwoCrashesTest one = new TwoCrashesTest();
        one.begin();
        firstCutShort = one.live(first);
        one.disks.killProcess();
        boolean secondCutShort = true;
        for (int second = 1; secondCutShort; second++) {
          where = "first crash " + first + ", second " + second;
          TwoCrashesTest two = one.copy();
          two.begin();
          secondCutShort = two.live(second);
          for (int seed = 0; seed < 3; seed++) {
            where = "first crash " + first + ", second " + second + ", seed " + seed;
            TwoCrashesTest three = two.copy();
            three.disks.losePower(new Random(seed));
            three.begin();
            three.checkAll();
            three.store.close();
            pairs++;
          }
        }
      }
    } catch (AssertionError | Exception e) {
      throw new AssertionError(where + ": " + e.getMessage(), e);
    }
    assertTrue(pairs > 500, pairs + " runs");
  }

  /** The same as far as it went, so that what led there is lived once. */
  private TwoCrashesTest copy() {
    TwoCrashesTest copy = new TwoCrashesTest();
    copy.disks = disks.copy();
    copy.answered.putAll(answered);
    copy.openedEpoch = openedEpoch;
    copy.sealedEnd = sealedEnd;
    copy.lives = lives;
    return copy;
  }

  private void begin() throws Exception {
    if (disks == null) {
      disks = new SimulatedDisks();
    }
    store =
        ShardStore.open(
            List.of(DIRECTORY), disks, new StoreSettings(0, true, 64 << 20), StoreClock.system());
    shard = new Shard(store, store.diskInfos().get(0).getDiskId());
    lives++;
  }

  /** One process: opens, writes, opens again, writes, and seals in its second life. */
  private boolean live(int changes) {
    disks.stopAfter(changes);
    boolean cutShort = false;
    try {
      long epoch = lives * 10L;
      long next = Math.max(FIRST_OFFSET, open(epoch));
      next = write(epoch, next, 2);
      next = write(epoch, next, 3);
      next = write(epoch, next, 1);
      next = Math.max(next, open(epoch + 1));
      write(epoch + 1, next, 2);
      if (lives == 2) {
        sealedEnd = shard.seal(epoch + 1);
      }
    } catch (Exception e) {
      cutShort = true;
    }
    store.close();
    return cutShort;
  }

  private long open(long epoch) throws Exception {
    long end = shard.open(epoch, 1);
    openedEpoch = epoch;
    for (long offset : answered.keySet()) {
      assertTrue(offset < end);
    }
    return end;
  }

  private long write(long epoch, long offset, int sectors) throws Exception {
    byte[] bytes = Shard.bytes(epoch * 1_000 + offset, sectors * SECTOR);
    shard.write(epoch, offset, bytes, 1);
    answered.put(offset, bytes);
    return offset + bytes.length;
  }

  private void checkAll() throws Exception {
    for (Map.Entry<Long, byte[]> entry : answered.entrySet()) {
      byte[] bytes = entry.getValue();
      var read = shard.readSectors(0, entry.getKey(), bytes.length);
      for (SectorState state : Shard.states(read.reply())) {
        assertEquals(SectorState.WRITTEN, state, "at " + entry.getKey());
      }
      byte[] found = new byte[bytes.length];
      read.payload().readBytes(found);
      assertArrayEquals(bytes, found, "at " + entry.getKey());
    }
    if (sealedEnd > 0) {
      assertEquals(sealedEnd, shard.seal(openedEpoch));
    } else if (openedEpoch > 0) {
      StoreException fenced = Shard.failure(store.open(shard.openRequest(openedEpoch - 1, 1)));
      assertTrue(
          switch (fenced.code()) {
            case FENCED, SHARD_SEALED -> true;
            default -> false;
          },
          fenced.getMessage());
    }
  }
}

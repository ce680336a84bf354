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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.Unpooled;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.Test;

/** Who loses what to whom. */
class PieceMemoryTest {
  private final PieceMemory memory = new PieceMemory(10);

  /** Keeps pieces of one byte. */
  private final class Stream implements PieceMemory.Holder {
    int near;
    int far;

    void read() {
      memory.took(this, 1);
      near++;
    }

    boolean readAhead() {
      boolean room = memory.tryTakeFar(this, 1);
      far += room ? 1 : 0;
      return room;
    }

    @Override
    public void dropFarPieces() {
      memory.gave(far);
      far = 0;
    }

    @Override
    public void dropPieces() {
      dropFarPieces();
      memory.gave(near);
      near = 0;
    }
  }

  @Test
  void whoHasNotReadForLongestLosesFirst() {
    List<Stream> streams = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      streams.add(new Stream());
      streams.get(i).read();
    }
    streams.get(0).read();
    assertEquals(2, streams.get(0).near);
    assertEquals(0, streams.get(1).near);
    assertEquals(1, streams.get(2).near);
    assertEquals(10, memory.bytes());
  }

  @Test
  void whatIsFarAheadGoesBeforeAnyNextPiece() {
    Stream idle = new Stream();
    idle.read();
    Stream first = new Stream();
    first.read();
    assertTrue(first.readAhead());
    Stream second = new Stream();
    second.read();
    for (int i = 0; i < 6; i++) {
      assertTrue(second.readAhead());
    }
    assertFalse(second.readAhead(), "there is no room");
    assertEquals(10, memory.bytes());
    assertTrue(memory.tryGather(1));
    assertEquals(0, first.far);
    assertEquals(6, second.far);
    new Stream().read();
    assertEquals(0, second.far);
    assertEquals(List.of(1, 1, 1), List.of(idle.near, first.near, second.near));
    assertEquals(5, memory.bytes());
  }

  @Test
  void whoReadsFarAheadHasNotReadForLongest() {
    Stream goesOn = new Stream();
    goesOn.read();
    Stream idle = new Stream();
    idle.read();
    assertTrue(goesOn.readAhead());
    goesOn.dropFarPieces();
    for (int i = 0; i < 9; i++) {
      new Stream().read();
    }
    assertEquals(0, idle.near);
    assertEquals(1, goesOn.near);
  }

  @Test
  void whatIsRefusedAThreadTakesNothingFromOthers() {
    List<Stream> streams = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      streams.add(new Stream());
      streams.get(i).read();
    }
    KeptPieces refused = new KeptPieces(memory);
    assertFalse(
        refused.fetchAhead(
            0,
            5,
            () -> Unpooled.EMPTY_BUFFER,
            read -> {
              throw new RejectedExecutionException("all threads are busy");
            }));
    assertEquals(10, memory.bytes());
    assertTrue(streams.stream().allMatch(stream -> stream.near == 1));
  }

  @Test
  void streamsThatKeepNothingAreNotAskedInPlaceOfOthers() {
    for (int i = 0; i < 100; i++) {
      Stream gaveBack = new Stream();
      gaveBack.read();
      gaveBack.dropPieces();
    }
    for (int i = 0; i < 100; i++) {
      new Stream().read();
      assertTrue(memory.bytes() <= 10, memory.bytes() + " bytes are kept");
    }
  }
}

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
package io.stowage.client.repack;

import io.stowage.client.ContainerScan;
import io.stowage.client.ContainerScan.Content;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.needle.NeedleCodec;
import io.stowage.common.needle.NeedleFacts;
import io.stowage.common.needle.NeedleHeader;
import java.nio.ByteBuffer;
import java.util.NavigableSet;
import java.util.TreeSet;

/**
 * Finds every needle of a container by its header, from the first address to the last. Confined to
 * one thread; memory is a window of every data shard, whatever the container holds.
 *
 * <p><b>Where needles can begin.</b> The writer begins every cell of a packed stripe, and the first
 * cell of a streamed run, with a needle, at a sector; and within a cell, a needle follows where the
 * one before ends. So the walk tests <i>every</i> sector of every data shard for a header, and from
 * each packed needle or record that it finds goes on to where that one says it ends, to the next
 * multiple of 8. Nothing is ever skipped on the word of a header.
 *
 * <p><b>Payload that looks like a needle</b> (a user may store anything, a shard file too) is
 * therefore found as well, and a chain may lead from it to where nothing real begins. That costs a
 * question: whoever asks the object manager hears that no manifest names that address. Of a record,
 * and of a header of a newer format, nobody can be asked: these are told only if they say that they
 * stand here, or repack would carry users' bytes on as facts. It hides nothing: a real needle is
 * either at a sector, which is tested whatever lies before it, or behind a real needle, whose
 * header is authentic. Each position is looked at once, so the work is bounded by the container's
 * size.
 *
 * <p>What can be neither read nor decoded may have held a needle, and is counted. So is a header of
 * a newer format. A container with either must not be taken for empty.
 */
public final class NeedleWalk {
  private static final int SECTOR = 4096;
  private static final int MAGIC = 0x53544E44;

  /** Sectors read beyond those whose needles a window is searched for: a whole header's worth. */
  private static final int LOOK_AHEAD = (NeedleCodec.MAX_HEADER_BYTES + SECTOR) / SECTOR + 1;

  private static final int STEP = ContainerScan.MOST_SECTORS - LOOK_AHEAD;

  /** No cell is larger, so no needle follows another from farther away. */
  private static final long LONGEST_STEP = 32L << 20;

  private final ContainerScan scan;
  private final RateLimit rate;
  private final NavigableSet<Long>[] expected; // by data shard: where needles end, from here on
  private long end;
  private long walked;
  private long storedBytes;
  private long needles;
  private long unreadableSectors;
  private long firstUnreadable = -1;
  private long tooNew;

  /**
   * A needle.
   *
   * @param shard data shard that it begins on
   * @param offset shard address of its header
   */
  public record Found(NeedleHeader header, int shard, long offset) {}

  /** Told of each needle, in the order of their addresses on each shard. */
  @FunctionalInterface
  public interface Visitor {
    void visit(Found needle) throws StoreException;
  }

  @SuppressWarnings({"unchecked", "rawtypes"})
  NeedleWalk(ContainerScan scan, RateLimit rate) {
    this.scan = scan;
    this.rate = rate;
    this.expected = new NavigableSet[scan.policy().k()];
    for (int i = 0; i < expected.length; i++) {
      expected[i] = new TreeSet<>();
    }
  }

  /** A walk as fast as the shards are read. */
  public static NeedleWalk of(ContainerScan scan) {
    return new NeedleWalk(scan, null);
  }

  /** Walks the whole container; what the visitor throws ends it. */
  public void run(Visitor visitor) throws StoreException {
    end = scan.end();
    for (long from = 0; from < end; from += (long) STEP * SECTOR) {
      int sectors = (int) Math.min(ContainerScan.MOST_SECTORS, (end - from + SECTOR - 1) / SECTOR);
      int searched = Math.min(STEP, sectors);
      if (rate != null) {
        rate.take((long) sectors * SECTOR * expected.length);
      }
      try (ContainerScan.Window window = scan.read(from, sectors)) {
        storedBytes += window.storedBytes(searched);
        for (int shard = 0; shard < expected.length; shard++) {
          search(window, shard, searched, visitor);
        }
      }
      walked = Math.min(end, from + (long) searched * SECTOR);
    }
  }

  private void search(ContainerScan.Window window, int shard, int searched, Visitor visitor)
      throws StoreException {
    ByteBuffer bytes = window.bytes(shard);
    NavigableSet<Long> todo = expected[shard];
    for (int sector = 0; sector < searched; sector++) {
      Content content = window.content(shard, sector);
      if (content == Content.UNREADABLE) {
        if (unreadableSectors++ == 0) {
          firstUnreadable = window.from() + (long) sector * SECTOR;
        }
      } else if (content == Content.DATA && bytes.getInt(sector * SECTOR) == MAGIC) {
        todo.add(window.from() + (long) sector * SECTOR);
      }
    }
    long searchedEnd = window.from() + (long) searched * SECTOR;
    while (!todo.isEmpty() && todo.first() < searchedEnd) {
      long at = todo.pollFirst();
      int index = (int) (at - window.from());
      if (window.content(shard, index / SECTOR) != Content.DATA) {
        continue;
      }
      NeedleHeader header = decode(bytes, index, at);
      if (header == null || isForgedRecord(header, at)) {
        continue;
      }
      needles++;
      visitor.visit(new Found(header, shard, at));
      if (header.kind().hasPayloadCrc() && header.payloadLength() < LONGEST_STEP) {
        todo.add(next(at + header.encodedLength() + header.payloadLength()));
      }
    }
  }

  private static long next(long address) {
    return (address + NeedleCodec.ALIGNMENT - 1) & -NeedleCodec.ALIGNMENT;
  }

  private NeedleHeader decode(ByteBuffer bytes, int index, long at) {
    if (index + NeedleCodec.FIXED_BYTES > bytes.limit() || bytes.getInt(index) != MAGIC) {
      return null;
    }
    ByteBuffer header = bytes.slice(index, bytes.limit() - index);
    try {
      return NeedleCodec.decode(header);
    } catch (StoreException e) {
      if (e.code() == ErrorCode.FORMAT_TOO_NEW
          && NeedleFacts.endsAsOneAt(header, scan.container(), at)) {
        tooNew++;
      }
      return null;
    }
  }

  private boolean isForgedRecord(NeedleHeader header, long at) {
    if (header.kind() != NeedleHeader.Kind.RECORD) {
      return false;
    }
    try {
      return header.payloadLength() >= LONGEST_STEP
          || !NeedleFacts.standsAt(NeedleFacts.rest(header.blob()), scan.container(), at);
    } catch (StoreException e) {
      return true; // none of ours: the header's own checksum is right
    }
  }

  /** Shard address behind the last sector; known once the walk runs. */
  public long end() {
    return end;
  }

  /** Shard address up to which was walked. */
  public long walked() {
    return walked;
  }

  /** Bytes in written sectors of all shards. */
  public long storedBytes() {
    return storedBytes;
  }

  public long needles() {
    return needles;
  }

  /** Why there may be needles that were not found; null if there are none. */
  public String blindSpots() {
    if (unreadableSectors > 0) {
      return unreadableSectors
          + " sectors of data shards can be neither read nor decoded, the first at shard address "
          + firstUnreadable
          + "; "
          + scan.failures();
    }
    if (!scan.knowsEnd()) {
      return "fewer than k shards say how far they reach; " + scan.failures();
    }
    return tooNew > 0 ? tooNew + " needles are of a newer format" : null;
  }
}

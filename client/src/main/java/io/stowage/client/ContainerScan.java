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

import io.stowage.common.data.DatanodeDirectory;
import io.stowage.common.data.ShardService.ShardBytes;
import io.stowage.common.erasure.ErasureCoders;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ByteRange;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ReadShardRequest;
import io.stowage.common.proto.SectorState;
import io.stowage.common.proto.StatShardReply;
import io.stowage.common.proto.StatShardRequest;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Reads a container from its beginning to its end as it lies, without knowing what is in it: what
 * data shards hold, with the sectors that are lost decoded from the others. For those who look for
 * needles. Confined to one thread.
 *
 * <p>A sector is data, a hole, or unreadable. A stripe that is acknowledged is on all its shards,
 * so one of whose shards a healthy shard says "never written" was given up by its writer, and no
 * manifest names it: where such a stripe cannot be decoded, that is a hole, not a loss. A shard
 * that failed once is not asked again: its node would hold up every further read.
 */
public final class ContainerScan {
  /** Sectors of every shard that one read fetches at most: 1 MiB. */
  public static final int MOST_SECTORS = 256;

  private static final int SECTOR = Sectors.BYTES;
  private static final long ANSWER_SECONDS = 15;

  private final ContainerInfo info;
  private final ShardPlaces places;
  private final DatanodeDirectory directory;
  private final String[] failures; // by shard; null: well so far
  private final boolean[] absent; // by shard: its node says that it has none
  private int toldEnds; // shards that said how far they reach, or that they are not there

  /** What is at one address of one data shard. */
  public enum Content {
    DATA,
    HOLE,
    /** There may be data, and it can be neither read nor decoded now. */
    UNREADABLE
  }

  private ContainerScan(ContainerInfo info, ShardPlaces places, DatanodeDirectory directory) {
    this.info = info;
    this.places = places;
    this.directory = directory;
    this.failures = new String[places.policy().shards()];
    this.absent = new boolean[failures.length];
    for (int i = 0; i < failures.length; i++) {
      failures[i] = places.knows(i) ? null : "nowhere";
    }
  }

  static ContainerScan of(ContainerInfo info, DatanodeDirectory directory) throws StoreException {
    return new ContainerScan(info, ShardPlaces.of(info), directory);
  }

  public ErasurePolicy policy() {
    return places.policy();
  }

  public long container() {
    return places.container();
  }

  /**
   * The shard address behind the last sector that any shard has, of those that answer: see {@link
   * #knowsEnd}.
   */
  public long end() throws StoreException {
    List<CompletableFuture<StatShardReply>> asked = new ArrayList<>();
    for (int i = 0; i < failures.length; i++) {
      asked.add(
          failures[i] != null
              ? null
              : places
                  .service(directory, i)
                  .stat(StatShardRequest.newBuilder().setShard(places.key(i)).build()));
    }
    long end = info.getEndOffset();
    toldEnds = 0;
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(ANSWER_SECONDS);
    for (int i = 0; i < failures.length; i++) {
      StatShardReply reply = asked.get(i) == null ? null : await(i, asked.get(i), deadline);
      if (reply != null) {
        end = Math.max(end, reply.getReport().getEnd());
      }
      toldEnds += reply != null || absent[i] ? 1 : 0;
    }
    return end;
  }

  /**
   * Whether nothing that was ever acknowledged can lie behind {@link #end}: that is on m+1 shards,
   * and k have told, be it that they are not there.
   */
  public boolean knowsEnd() {
    return toldEnds >= policy().k();
  }

  /** The answer, or null, with the failure noted. */
  private <T> T await(int shard, CompletableFuture<T> answer, long deadlineNanos)
      throws StoreException {
    try {
      return answer.get(Math.max(1, deadlineNanos - System.nanoTime()), TimeUnit.NANOSECONDS);
    } catch (ExecutionException e) {
      failures[shard] = String.valueOf(e.getCause().getMessage());
      absent[shard] =
          e.getCause() instanceof StoreException cause && cause.code() == ErrorCode.NO_SUCH_SHARD;
    } catch (TimeoutException e) {
      failures[shard] = "no answer within " + ANSWER_SECONDS + " s";
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new StoreException(ErrorCode.UNAVAILABLE, "Cannot read: interrupted", e);
    }
    return null;
  }

  /**
   * Reads sectors of all data shards.
   *
   * @param from shard address, whole sectors
   */
  public Window read(long from, int sectors) throws StoreException {
    if (sectors < 1 || sectors > MOST_SECTORS || from % SECTOR != 0) {
      throw new IllegalArgumentException(sectors + " sectors from " + from);
    }
    ShardAnswer[] answers = new ShardAnswer[failures.length];
    try {
      int k = policy().k();
      ask(answers, 0, k, from, sectors);
      Window window = new Window(from, sectors, answers);
      if (!window.resolve()) {
        ask(answers, k, failures.length, from, sectors);
        window.hasParities = true;
        window.resolve();
      }
      return window;
    } catch (StoreException | RuntimeException | Error e) {
      close(answers);
      throw e;
    }
  }

  private static void close(ShardAnswer[] answers) {
    for (ShardAnswer answer : answers) {
      if (answer != null) {
        answer.close();
      }
    }
  }

  private void ask(ShardAnswer[] answers, int first, int end, long from, int sectors)
      throws StoreException {
    ByteRange range =
        ByteRange.newBuilder().setOffset(from).setLength((long) sectors * SECTOR).build();
    List<CompletableFuture<ShardBytes>> asked = new ArrayList<>();
    for (int i = first; i < end; i++) {
      asked.add(
          failures[i] != null
              ? null
              : places
                  .service(directory, i)
                  .read(
                      ReadShardRequest.newBuilder()
                          .setShard(places.key(i))
                          .addRanges(range) // epoch 0: whichever wrote it
                          .setSectorCrcs(true)
                          .build()));
    }
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(ANSWER_SECONDS);
    StoreException interrupted = null;
    for (int i = first; i < end; i++) {
      CompletableFuture<ShardBytes> future = asked.get(i - first);
      ShardBytes bytes = null;
      if (future != null) {
        try {
          bytes = interrupted == null ? await(i, future, deadline) : null;
        } catch (StoreException e) {
          interrupted = e;
        }
        if (bytes == null) {
          Executors.whenDone(future, (late, error) -> release(late)); // whenever it comes
        }
      }
      answers[i] = bytes == null ? ShardAnswer.none(failures[i]) : ShardAnswer.of(bytes, sectors);
    }
    if (interrupted != null) {
      throw interrupted;
    }
  }

  private static void release(ShardBytes late) {
    if (late != null) {
      late.payload().release();
    }
  }

  /** Which shards could not be asked, for messages; empty if all could. */
  public String failures() {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < failures.length; i++) {
      if (failures[i] != null) {
        text.append(text.length() == 0 ? "" : "; ")
            .append(places.describe(i))
            .append(": ")
            .append(failures[i]);
      }
    }
    return text.toString();
  }

  /** Some sectors of all data shards. Owns their bytes; confined to the scan's thread. */
  public final class Window implements AutoCloseable {
    private final long from;
    private final int sectors;
    private final ShardAnswer[] answers;
    private final Content[][] contents;
    private final ByteBuffer[] patched; // by data shard: a copy with what was decoded; or null
    private boolean hasParities;

    private Window(long from, int sectors, ShardAnswer[] answers) {
      this.from = from;
      this.sectors = sectors;
      this.answers = answers;
      this.contents = new Content[policy().k()][sectors];
      this.patched = new ByteBuffer[policy().k()];
    }

    /** Fills in the contents; false if the parities have to be asked first. */
    private boolean resolve() {
      for (int sector = 0; sector < sectors; sector++) {
        int used = used(sector);
        for (int shard = 0; shard < contents.length; shard++) {
          Content content = content(shard, sector, used);
          if (content == null) {
            return false;
          }
          contents[shard][sector] = content;
        }
      }
      return true;
    }

    /** Bitmap of the data shards that the sector's stripe uses; 0 if nobody tells. */
    private int used(int sector) {
      for (ShardAnswer answer : answers) {
        if (answer != null && answer.state(sector) == SectorState.WRITTEN) {
          return answer.usedShards(sector);
        }
      }
      return 0;
    }

    private Content content(int shard, int sector, int used) {
      SectorState state = answers[shard].state(sector);
      if (state == SectorState.WRITTEN) {
        return Content.DATA;
      }
      boolean isUsed = (used >>> shard & 1) != 0;
      if (used != 0 && !isUsed) {
        return Content.HOLE;
      }
      if (used == 0 && nobodyLost(sector)) {
        return Content.HOLE;
      }
      if (!hasParities) {
        return null;
      }
      if (isUsed && decode(shard, sector)) {
        return Content.DATA;
      }
      return wasGivenUp(sector, used) ? Content.HOLE : Content.UNREADABLE;
    }

    /** Whether every data shard says that it never wrote the sector. */
    private boolean nobodyLost(int sector) {
      for (int i = 0; i < contents.length; i++) {
        if (answers[i].state(sector) != SectorState.NEVER_WRITTEN) {
          return false;
        }
      }
      return true;
    }

    /** Whether a shard that the sector's stripe must have, if it was acknowledged, lacks it. */
    private boolean wasGivenUp(int sector, int used) {
      for (int i = 0; i < answers.length; i++) {
        boolean needed = i >= contents.length || (used >>> i & 1) != 0;
        if (needed && answers[i].state(sector) == SectorState.NEVER_WRITTEN) {
          return true;
        }
      }
      return false;
    }

    private boolean decode(int shard, int sector) {
      int[] sources = new int[sectors];
      int[] holes = new int[sectors];
      if (!Decoding.findSources(policy(), shard, answers, sector, sources, holes)) {
        return false;
      }
      ByteBuffer[] in = new ByteBuffer[answers.length];
      for (int i = 0; i < in.length; i++) {
        if ((holes[sector] >>> i & 1) != 0) {
          in[i] = Decoding.zeroSector();
        } else if ((sources[sector] >>> i & 1) != 0) {
          in[i] = answers[i].sectors(sector, 1);
        }
      }
      if (patched[shard] == null) {
        patched[shard] = copy(shard);
      }
      ErasureCoders.of(policy())
          .decode(
              in,
              new int[] {shard},
              new ByteBuffer[] {patched[shard].slice(sector * SECTOR, SECTOR)});
      return true;
    }

    private ByteBuffer copy(int shard) {
      ByteBuffer copy = ByteBuffer.allocateDirect(sectors * SECTOR);
      for (int sector = 0; sector < sectors; sector++) {
        if (answers[shard].state(sector) == SectorState.WRITTEN) {
          copy.slice(sector * SECTOR, SECTOR).put(answers[shard].sectors(sector, 1));
        }
      }
      return copy;
    }

    /** Shard address of the first sector. */
    public long from() {
      return from;
    }

    public int sectors() {
      return sectors;
    }

    public Content content(int shard, int sector) {
      return contents[shard][sector];
    }

    /** All sectors of a data shard; what is not data in them means nothing. */
    public ByteBuffer bytes(int shard) {
      if (patched[shard] == null) {
        boolean any = false;
        for (Content content : contents[shard]) {
          any |= content == Content.DATA;
        }
        if (!any) {
          return ByteBuffer.allocate(0);
        }
        return answers[shard].sectors(0, sectors);
      }
      return patched[shard].duplicate();
    }

    /** Bytes that the first so many sectors take on all shards: a stripe has all its parities. */
    public long storedBytes(int ofSectors) {
      long stored = 0;
      for (int sector = 0; sector < ofSectors; sector++) {
        int written = 0;
        for (Content[] ofShard : contents) {
          written += ofShard[sector] == Content.DATA ? 1 : 0;
        }
        stored += written == 0 ? 0 : written + policy().m();
      }
      return stored * SECTOR;
    }

    @Override
    public void close() {
      ContainerScan.close(answers);
    }
  }
}

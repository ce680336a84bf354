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

import io.netty.buffer.ByteBuf;
import io.stowage.common.data.ShardService.ShardBytes;
import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.StoreException;
import io.stowage.common.needle.NeedleCodec;
import io.stowage.common.needle.NeedleHeader;
import io.stowage.common.proto.ByteRange;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.ReadShardRequest;
import io.stowage.common.proto.SectorState;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.IntPredicate;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Bytes of one shard that a read wants, and the answers that bring them: from that shard, or from k
 * others at the same addresses. Confined to the reading thread.
 */
final class RangeRead implements AutoCloseable {
  /** A part of the result: {@code length} bytes of {@code bytes} from {@code index} on. */
  record Part(ByteBuf bytes, int index, int length, int resultOffset) {
    /** The part as a buffer of its own, with a reference of its own. */
    ByteBuf take() {
      return bytes.retainedSlice(index, length);
    }
  }

  /** Sectors of a report of damage, at most; the same bound stands in {@code scm.proto}. */
  private static final int MAX_REPORTED = 256 * Sectors.BYTES;

  private record Wanted(ExtentMap.Piece piece, int resultOffset) {}

  private final Extent extent;
  private final int shard;
  private final ByteString writeId; // that its needle must name; empty: sectors are read

  /** Whether the own shard is asked for the bare needle, which proves itself. */
  private boolean bare;

  private boolean wantedAgain;
  private final List<Wanted> wanted = new ArrayList<>();
  private final List<ByteRange> sectorRanges =
      new ArrayList<>(); // whole sectors around what is wanted

  private ShardPlaces places;
  private final ShardAnswer[] answers;
  private int asked; // bitmap of shards with a request that is neither answered nor given up
  private boolean othersAsked;
  private boolean restAsked;
  private long dueNanos; // until when those that were asked are waited for
  private boolean graced;
  private long ownAskedNanos;
  private long othersAskedNanos;
  private ByteBuf result; // bytes of the sector ranges in order, or the needle's
  private boolean resultIsBare;
  private boolean done;
  private Map<Integer, ByteRange> unwritten = Map.of();

  private RangeRead(Extent extent, ShardPlaces places, int shard, ByteString writeId) {
    this.extent = extent;
    this.places = places;
    this.shard = shard;
    this.writeId = writeId;
    this.bare = !writeId.isEmpty();
    this.answers = new ShardAnswer[places.policy().shards()];
  }

  /**
   * Reads a packed needle whole, of which {@code count} bytes from {@code from} on are wanted. Its
   * CRC says that it is whole, the write id that it is the one: a disk that returns other bytes
   * than were asked for could return another object's. A needle of another write id (bytes may have
   * passed from one version to another) proves nothing, and its sectors' CRCs are asked for.
   */
  static RangeRead wholeNeedle(
      Extent extent, ShardPlaces places, ByteString writeId, int from, int count, int at) {
    RangeRead range = new RangeRead(extent, places, extent.getFirstShard(), writeId);
    long begin = Sectors.roundDown(extent.getOffset());
    long end = Sectors.roundUp(extent.getOffset() + extent.getLength());
    range.sectorRanges.add(byteRange(begin, end));
    range.wanted.add(
        new Wanted(
            new ExtentMap.Piece(extent.getFirstShard(), extent.getOffset() + from, count), at));
    return range;
  }

  /** Reads the sectors around pieces that {@link #want} adds. */
  static RangeRead sectors(Extent extent, ShardPlaces places, int shard) {
    return new RangeRead(extent, places, shard, ByteString.EMPTY);
  }

  void want(ExtentMap.Piece piece, int resultOffset) {
    wanted.add(new Wanted(piece, resultOffset));
    long begin = Sectors.roundDown(piece.offset());
    long end = Sectors.roundUp(piece.offset() + piece.length());
    int last = sectorRanges.size() - 1;
    if (last >= 0) {
      ByteRange before = sectorRanges.get(last);
      if (begin <= before.getOffset() + before.getLength()) {
        sectorRanges.set(last, byteRange(before.getOffset(), end));
        return;
      }
    }
    sectorRanges.add(byteRange(begin, end));
  }

  private static ByteRange byteRange(long begin, long end) {
    return ByteRange.newBuilder().setOffset(begin).setLength(end - begin).build();
  }

  long container() {
    return extent.getContainer();
  }

  int shard() {
    return shard;
  }

  ShardPlaces places() {
    return places;
  }

  boolean isDone() {
    return done;
  }

  boolean othersAsked() {
    return othersAsked;
  }

  /** What to ask a shard: the bare needle of its own, else sectors with their states and CRCs. */
  ReadShardRequest request(int of) {
    ReadShardRequest.Builder request =
        ReadShardRequest.newBuilder()
            .setShard(places.key(of))
            .setEpoch(extent.getEpoch())
            .setToken(places.token());
    if (bare && of == shard) {
      request.addRanges(byteRange(extent.getOffset(), extent.getOffset() + extent.getLength()));
    } else {
      request.addAllRanges(sectorRanges).setSectorCrcs(true);
    }
    return request.build();
  }

  /** Where it begins, for a report. */
  ByteRange firstSectors() {
    ByteRange first = sectorRanges.get(0);
    return first.toBuilder().setLength(Math.min(first.getLength(), MAX_REPORTED)).build();
  }

  /** Bytes that any shard is asked for. */
  long requestBytes() {
    return (long) sectors() * Sectors.BYTES;
  }

  void asked(int of, long nowNanos) {
    asked |= 1 << of;
    if (of == shard) {
      ownAskedNanos = nowNanos;
    } else if (othersAskedNanos == 0) {
      othersAskedNanos = nowNanos;
    }
  }

  /**
   * Whether others brought the bytes while the own shard, asked long before them, has still not
   * answered: by comparison it is late, however slow all of them are.
   */
  boolean wasOutrun(int times, long nowNanos) {
    return done
        && waitsFor(shard)
        && othersAskedNanos != 0
        && nowNanos - ownAskedNanos > times * (nowNanos - othersAskedNanos);
  }

  long dueNanos() {
    return dueNanos;
  }

  void setDueNanos(long nanos) {
    dueNanos = nanos;
  }

  /** True once: for a reader that was itself held up when the time was over. */
  boolean takeGrace() {
    boolean first = !graced;
    graced = true;
    return first;
  }

  boolean waitsFor(int of) {
    return (asked >>> of & 1) != 0;
  }

  boolean waitsForAny() {
    return asked != 0;
  }

  /** Whether k other shards are left when those of suspects are not counted. */
  boolean canDoWithout(IntPredicate suspect) {
    int healthy = 0;
    for (int i = 0; i < answers.length; i++) {
      healthy += i != shard && places.knows(i) && !suspect.test(i) ? 1 : 0;
    }
    return healthy >= places.policy().k();
  }

  /**
   * Shards to ask next: k others at first, data before parity, since the healthy ones need no
   * decoding, and suspects last; then all that are left, the range's own if it was avoided. Empty
   * if all were asked.
   */
  List<Integer> othersToAsk(IntPredicate suspect) {
    List<Integer> others = new ArrayList<>();
    if (!othersAsked) {
      othersAsked = true;
      addOthers(others, i -> !suspect.test(i));
      addOthers(others, suspect);
    } else if (!restAsked) {
      restAsked = true;
      for (int i = 0; i < answers.length; i++) {
        if (places.knows(i) && !waitsFor(i) && answers[i] == null) {
          others.add(i);
        }
      }
    }
    return others;
  }

  private void addOthers(List<Integer> others, IntPredicate which) {
    for (int i = 0; i < answers.length && others.size() < places.policy().k(); i++) {
      if (i != shard && places.knows(i) && which.test(i)) {
        others.add(i);
      }
    }
  }

  /**
   * Takes places that were looked up again; forgets failures of shards that moved, and says which.
   */
  List<Integer> moved(ShardPlaces now) {
    List<Integer> again = new ArrayList<>();
    for (int i = 0; i < answers.length; i++) {
      if (now.differsFrom(places, i)) {
        if (answers[i] != null) {
          answers[i].close();
          answers[i] = null;
        }
        asked &= ~(1 << i);
        if (now.knows(i) && (i == shard || othersAsked)) {
          again.add(i);
        }
      }
    }
    places = now;
    return again;
  }

  /**
   * Takes a shard's answer, with its bytes. Gives what was wrong with it, for the report, or null.
   */
  String accept(int of, ShardBytes bytes) {
    asked &= ~(1 << of);
    if (done || answers[of] != null) {
      bytes.payload().release();
      return null;
    }
    if (bare && of == shard) {
      return acceptNeedle(bytes.payload());
    }
    ShardAnswer answer = ShardAnswer.of(bytes, sectors());
    answers[of] = answer;
    if (of == shard && answer.isAllWritten()) {
      finish(bytes.payload().retain());
      return null;
    }
    return answer.damage();
  }

  private String acceptNeedle(ByteBuf bytes) {
    try {
      if (!checkNeedle(bytes, 0).writeId().equals(writeId)) {
        bytes.release();
        bare = false;
        wantedAgain = true;
        return null;
      }
    } catch (StoreException e) {
      bytes.release();
      answers[shard] = ShardAnswer.none(e.getMessage());
      return e.getMessage();
    }
    resultIsBare = true;
    finish(bytes);
    return null;
  }

  /** True once if the own shard has to be asked again, for sectors. */
  boolean takeWantedAgain() {
    boolean again = wantedAgain;
    wantedAgain = false;
    return again;
  }

  /** Takes a shard's refusal. */
  void fail(int of, String why) {
    asked &= ~(1 << of);
    if (!done && answers[of] == null) {
      answers[of] = ShardAnswer.none(why);
    }
  }

  /** Whether the shard itself is known not to give the bytes. */
  boolean hasFailedItself() {
    return !done && answers[shard] != null;
  }

  /** Decodes if the answers suffice; gives what the decoded bytes are wrong about, or null. */
  void tryDecode() throws StoreException {
    if (done || !othersAsked) {
      return;
    }
    ByteBuf decoded = Decoding.decode(places.policy(), shard, answers, sectors());
    if (decoded == null) {
      return;
    }
    unwritten = findUnwritten();
    if (!bare) {
      finish(decoded);
      return;
    }
    int before = (int) (extent.getOffset() - sectorRanges.get(0).getOffset());
    try {
      checkNeedle(decoded, before);
    } catch (StoreException e) {
      decoded.release();
      throw new CorruptDataException(
          "Cannot read from container "
              + ShardPlaces.name(container())
              + ": the needle at "
              + extent.getOffset()
              + " of shard "
              + shard
              + " is wrong, and so is what the other shards say of it: "
              + e.getMessage());
    }
    finish(decoded);
  }

  /**
   * Once it is decoded: by shard, a sector that the shard calls never written though the stripe has
   * it. The stripe is a manifest's, so all its cells were durable once: a disk has dropped that.
   */
  Map<Integer, ByteRange> unwritten() {
    return unwritten;
  }

  private Map<Integer, ByteRange> findUnwritten() {
    Map<Integer, ByteRange> found = new TreeMap<>();
    int sectors = sectors();
    for (int of = 0; of < answers.length; of++) {
      for (int sector = 0; answers[of] != null && sector < sectors; sector++) {
        if (answers[of].state(sector) == SectorState.NEVER_WRITTEN
            && Decoding.isInStripe(places.policy(), of, answers, sector)) {
          long address = addressOf(sector);
          found.put(of, byteRange(address, address + Sectors.BYTES));
          break;
        }
      }
    }
    return found;
  }

  private long addressOf(int sector) {
    long left = (long) sector * Sectors.BYTES;
    for (ByteRange range : sectorRanges) {
      if (left < range.getLength()) {
        return range.getOffset() + left;
      }
      left -= range.getLength();
    }
    throw new IllegalStateException("sector " + sector + " was not asked for");
  }

  private int sectors() {
    long sectors = 0;
    for (ByteRange range : sectorRanges) {
      sectors += range.getLength() / Sectors.BYTES;
    }
    return Math.toIntExact(sectors);
  }

  private void finish(ByteBuf bytes) {
    result = bytes;
    done = true;
    releaseAnswers();
  }

  /** The header's and the payload's CRC, and that it is as long as the manifest says. */
  private NeedleHeader checkNeedle(ByteBuf bytes, int at) throws StoreException {
    int length = (int) extent.getLength();
    if (bytes.readableBytes() < at + length) {
      throw new CorruptDataException(
          "needle of " + length + " bytes, but " + bytes.readableBytes() + " were sent");
    }
    ByteBuffer needle = bytes.nioBuffer(bytes.readerIndex() + at, length);
    NeedleHeader header = NeedleCodec.decode(needle);
    if (header.encodedLength() != extent.getHeaderLength()
        || header.payloadLength() != needle.remaining()
        || !header.kind().hasPayloadCrc()) {
      throw new CorruptDataException("another needle than the manifest's");
    }
    if (NeedleCodec.crc(needle) != header.payloadCrc()) {
      throw new CorruptDataException("payload of a needle fails its checksum");
    }
    return header;
  }

  /** Adds what is wanted of the result. */
  void addParts(List<Part> parts) {
    for (Wanted want : wanted) {
      long start = resultIsBare ? extent.getOffset() : startOf(want.piece().offset());
      int index = result.readerIndex() + (int) (want.piece().offset() - start);
      parts.add(new Part(result, index, want.piece().length(), want.resultOffset()));
    }
  }

  /** The shard address that the result would begin at if its range of this address came first. */
  private long startOf(long address) {
    long before = 0;
    for (ByteRange range : sectorRanges) {
      if (address < range.getOffset() + range.getLength()) {
        return range.getOffset() - before;
      }
      before += range.getLength();
    }
    throw new IllegalStateException("address " + address + " was not asked for");
  }

  /** What every shard answered, for the message of a read that cannot succeed. */
  String describeFailures() {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < answers.length; i++) {
      String why =
          answers[i] != null
              ? answers[i].damage()
              : places.knows(i) ? (waitsFor(i) ? "no answer" : "not asked") : "nowhere";
      if (why != null) {
        text.append(text.length() == 0 ? "" : "; ")
            .append(places.describe(i))
            .append(": ")
            .append(why);
      }
    }
    return text.toString();
  }

  private void releaseAnswers() {
    for (ShardAnswer answer : answers) {
      if (answer != null) {
        answer.close();
      }
    }
    Arrays.fill(answers, null);
  }

  @Override
  public void close() {
    done = true;
    releaseAnswers();
    if (result != null) {
      result.release();
      result = null;
    }
  }
}

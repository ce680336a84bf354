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
package io.stowage.scm.container;

import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.OperatorWord;
import java.util.function.Predicate;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Where container rows, the leader epoch and the cluster id are kept. Every mutation is one atomic
 * compare-and-set of one row and is durable, beyond a loss of power, when it returns. Blocking;
 * thread-safe.
 */
public interface ContainerStore extends AutoCloseable {
  /** Id of this cluster: minted by whoever asks first, the same for all who ask later. */
  String clusterId() throws StoreException;

  /**
   * Raises the leader epoch and returns it: nobody else ever gets the same.
   *
   * @param heard it shall be above this, too
   * @throws StoreException INVALID_ARGUMENT if nobody can have heard of that ({@link
   *     LeaderEpoch#next}); nothing is written then
   */
  LeaderEpoch raiseLeaderEpoch(String scmId, long heard) throws StoreException;

  /** The highest epoch that was ever handed out. */
  LeaderEpoch leaderEpoch() throws StoreException;

  /** A container's row, or null. */
  ContainerRow read(long id) throws StoreException;

  /**
   * Writes a row if it still is what the caller saw.
   *
   * @param leader written into the row; a row of a higher epoch is never written over
   * @param before the row to be replaced; null: there must be none
   * @param after what to write; its row version and leader epoch are set here
   * @throws io.stowage.common.error.NotLeaderException if {@code before} is of a higher epoch
   * @throws io.stowage.common.error.OutcomeUnknownException if the write may have happened or may
   *     yet happen; a later write with the same {@code before} cannot also succeed
   */
  Outcome write(LeaderEpoch leader, ContainerRow before, ContainerInfo after) throws StoreException;

  /**
   * Rows by ascending id, until {@code more} says false.
   *
   * @param afterId rows with higher ids only; 0: from the first
   * @param sinceMicros rows written with this stamp or a later one only; 0: all
   */
  void scan(long afterId, long sinceMicros, Predicate<ContainerRow> more) throws StoreException;

  /**
   * Removes a row if it still is what the caller saw; its id is never used again.
   *
   * @return whether it is gone, by this call or before
   * @throws io.stowage.common.error.NotLeaderException if {@code row} is of a higher epoch
   */
  boolean remove(LeaderEpoch leader, ContainerRow row) throws StoreException;

  /** What operators have said. */
  OperatorCell operatorWord() throws StoreException;

  /** Writes what operators have said, if that still is what the caller saw. */
  boolean writeOperatorWord(OperatorCell before, OperatorWord after) throws StoreException;

  /** The host that a datanode is of; null: nobody has said. */
  String hostOf(String nodeId) throws StoreException;

  /**
   * Writes whose a datanode is, if that still is what the caller saw.
   *
   * @param before null: nobody has said
   */
  boolean writeHost(String nodeId, String before, String host) throws StoreException;

  /**
   * Notes dead bytes of a container, unless this run has noted some before and they were not folded
   * since; durable when it returns.
   *
   * @param run of two bytes or more
   */
  void addDeadBytes(long id, ByteString run, long bytes) throws StoreException;

  /**
   * Containers of which dead bytes were noted since, each with all that were ever noted of it.
   *
   * @param sinceMicros 0: all
   */
  void scanDeadBytes(long sinceMicros, DeadBytesTaker take) throws StoreException;

  /**
   * Makes one cell of those that were noted of a container before a time, all at once: the sum
   * stays what it is. Runs that were folded are not known any more.
   *
   * @return how many runs were folded; 0: fewer than two, or somebody else was faster
   */
  int foldDeadBytes(long id, long beforeMicros) throws StoreException;

  @Override
  void close();

  /**
   * What operators have said, as it was read.
   *
   * @param stampMicros raised by every write; 0: nothing was ever said
   */
  record OperatorCell(long stampMicros, OperatorWord word) {}

  /** Takes a container's id, its dead bytes, and of how many cells they are the sum. */
  interface DeadBytesTaker {
    void take(long id, long bytes, int cells);
  }

  /** What became of a write. */
  sealed interface Outcome {
    /** It happened; the row as it is now. */
    record Written(ContainerRow row) implements Outcome {}

    /** The row was not what the caller saw; it is this now (null: there is none). */
    record Changed(ContainerRow row) implements Outcome {}
  }
}

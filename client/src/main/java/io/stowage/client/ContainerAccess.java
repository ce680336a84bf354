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
import io.stowage.common.error.StoreException;
import io.stowage.common.needle.NeedleHeader;
import io.stowage.common.proto.ContainerInfo;
import java.util.List;

/**
 * Containers as those see them who look after them, not after objects: all of what is in one, and
 * needles that move to another. Thread-safe.
 */
public interface ContainerAccess {
  /** Begins to read a container from end to end; asks nobody yet. */
  ContainerScan scan(ContainerInfo container) throws StoreException;

  /**
   * Begins to write a needle's payload once more, in another container, under the header that it
   * has: same row, write id, clock, place in the object. What comes out takes the place of the
   * needle's extent.
   *
   * @param header of the needle as it is
   * @param payloadLength bytes that will be written; of a streamed needle that was cut short fewer
   *     than its header says
   */
  ObjectWriter rewrite(NeedleHeader header, long payloadLength, String policy)
      throws StoreException;

  /**
   * Writes packed needles and records once more, together, so that they share stripes. Takes over
   * the payloads; returns when each is durable or has failed.
   *
   * @return for each, in order, what became of it
   */
  List<Rewritten> rewriteAll(List<Packed> needles, String policy) throws StoreException;

  /** A needle whose payload its header's CRC covers. */
  record Packed(NeedleHeader header, ByteBuf payload) {}

  /** What became of one: written, or why not; the other is null. */
  record Rewritten(ObjectWriter.Written written, StoreException failure) {}
}

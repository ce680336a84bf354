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
import io.stowage.common.proto.LeaseGrant;
import io.stowage.common.proto.Manifest;
import java.util.List;

/** Takes the bytes of one object. Confined to the thread of its caller. */
public interface ObjectWriter extends AutoCloseable {
  /**
   * Adds bytes; takes over one reference of the buffer in any case. Blocks while the process-wide
   * budget of stripe memory is used up, which is how a slow disk slows a fast client.
   */
  void write(ByteBuf bytes) throws StoreException;

  /**
   * Waits until every byte is durable on all shards and says where. An object of 0 bytes has no
   * extents.
   */
  Written finish() throws StoreException;

  /**
   * Gives up if not finished: what was written stays as garbage for the collector. Never throws.
   */
  @Override
  void close();

  /**
   * What a finished writer tells.
   *
   * @param manifest where the bytes are
   * @param grants of every (container, epoch) in the manifest
   * @param clockMicros the clock in the needles' headers, which the commit passes on
   */
  record Written(Manifest manifest, List<LeaseGrant> grants, long clockMicros) {}
}

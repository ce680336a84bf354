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
package io.stowage.datanode.disk;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * An open file of a disk, as a shard file needs it. Positional only, so that readers and the one
 * writer share it. Thread-safe.
 */
public interface DiskFile extends AutoCloseable {
  /**
   * Reads until the buffer is full or the file ends.
   *
   * @return bytes read; less than what was asked for only at the end of the file
   */
  int read(ByteBuffer into, long position) throws IOException;

  /**
   * The same for who reads once what nobody may ask for again, as scrubbers and rebuilds do: it
   * pushes nothing out of memory that others read often.
   */
  default int readOnce(ByteBuffer into, long position) throws IOException {
    return read(into, position);
  }

  /**
   * Writes all remaining bytes of some buffers, one behind the other. They may be lost until {@link
   * #force} has returned. What is contiguous belongs into one call: how it is cut into buffers says
   * nothing of how it is best written.
   */
  void write(ByteBuffer[] from, long position) throws IOException;

  default void write(ByteBuffer from, long position) throws IOException {
    write(new ByteBuffer[] {from}, position);
  }

  /**
   * Makes every write that returned before this call durable. After it failed, nothing is known of
   * what was written since the last one that succeeded, and asking again proves nothing: the
   * operating system may have dropped the bytes and forgotten that it did.
   */
  void force() throws IOException;

  long size() throws IOException;

  /** Whether it was opened to be read only: every write fails, as long as it is open. */
  default boolean isReadOnly() {
    return false;
  }

  @Override
  void close() throws IOException;
}

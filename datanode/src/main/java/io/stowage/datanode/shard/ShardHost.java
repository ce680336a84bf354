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
package io.stowage.datanode.shard;

import io.stowage.common.error.StoreException;
import io.stowage.common.time.StoreClock;
import io.stowage.datanode.disk.DiskFiles;
import java.io.IOException;
import java.nio.file.Path;

/** What a shard file needs of the disk that it is on. Thread-safe. */
public interface ShardHost {
  DiskFiles files();

  StoreClock clock();

  OpenFiles openFiles();

  PageCache pageCache();

  /** Bytes of payload that wait for their I/O, of the whole node. */
  MemoryBudget writeMemory();

  /** Why nothing is to wait for the disk any more, for good; null while it takes writes. */
  StoreException refusal(ShardId shard);

  /** What is done on the disk is counted here. */
  DiskFigures figures();

  /** False: durability is the page cache's; nothing is forced but superblocks. */
  boolean forcesData();

  /** Runs work that blocks on this disk; it must not take long while others wait. */
  void execute(Runnable work);

  /** Others wait for the threads of {@link #execute}. */
  boolean othersWait();

  /** Refuses bytes that would eat into the disk's reserve (DISK_FULL). */
  void admit(long bytes) throws StoreException;

  /** Something that reports tell of the shard has changed. */
  void changed(ShardFile shard);

  /** The shard will take no more writes; the disk itself may be at fault. */
  void failed(ShardFile shard, Throwable cause);

  /** The shard's file is no longer there, or never came to be. */
  void gone(ShardFile shard);

  /**
   * Makes the directory that a shard file is to be created in, durably, unless it is there. What
   * that is in has been there since the disk's identity was read: where it is missing the disk is
   * away, its path perhaps a directory of another file system, and this fails.
   */
  void makeDirectoryOf(Path shard) throws IOException;

  /** Where files go that no longer count. */
  Path quarantine();
}

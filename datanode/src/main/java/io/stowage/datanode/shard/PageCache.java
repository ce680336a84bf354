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

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Checksum pages of segments that nobody writes to any more, least recently used out first. Pages
 * in here never change; one that was not read whole is not kept, since the next try may tell more:
 * that costs each read of its segment one more of the disk, until the shard is made anew.
 * Thread-safe.
 */
public final class PageCache {
  private record Key(ShardFile shard, int segment) {}

  private final Map<Key, ChecksumPage> pages;

  /**
   * @param limit pages, of about 4 KiB each
   */
  public PageCache(int limit) {
    this.pages =
        new LinkedHashMap<>(16, 0.75f, true) {
          @Override
          protected boolean removeEldestEntry(Map.Entry<Key, ChecksumPage> eldest) {
            return size() > limit;
          }
        };
  }

  synchronized ChecksumPage get(ShardFile shard, int segment) {
    return pages.get(new Key(shard, segment));
  }

  synchronized void put(ShardFile shard, ChecksumPage page) {
    if (page.isSound()) {
      pages.put(new Key(shard, page.segment), page);
    }
  }

  synchronized void remove(ShardFile shard, int segment) {
    pages.remove(new Key(shard, segment));
  }
}

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

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.concurrent.atomic.AtomicIntegerArray;

/**
 * Which regions of files were read lately, about: fingerprints in a table of fixed size, each in
 * the one slot that its hash names, where the newest stays. So what was read is forgotten when
 * about as many other regions have been read since as there are slots, and nothing has to be
 * cleaned up. Thread-safe, without locks: notes that race are lost at worst.
 *
 * <p>Its errors cost speed alone: a region that was forgotten is read past the page cache though it
 * may be in it, and two in {@code 2^31} that share a slot are taken for one another.
 */
final class RecentReads {
  /** A read of at least so much has the start of a region in it, and shares it with none beside. */
  static final int REGION_BYTES = LocalDiskFile.DIRECT_BYTES;

  /** 16 MiB of them, for 128 GiB of memory and more. */
  private static final int MAX_SLOTS = 1 << 22;

  private final AtomicIntegerArray slots;

  /**
   * @param slots a power of two; 4 bytes each
   */
  RecentReads(int slots) {
    this.slots = new AtomicIntegerArray(slots);
  }

  /**
   * Remembers as much as this machine's page cache can hold: what the kernel may still have must
   * not be forgotten here, and what it cannot have any more should be. Two to four slots for each
   * region that fits into memory, an 8,192nd of it at most. A region survives n others with {@code
   * e^(-n/slots)}, a read of eight (1 MiB) if four do. Of such reads are known, after others of
   * half the memory, 98 % and more; of all of it, 84 to 98 %; of four times as much, 2 to 33 %; of
   * eight times, 2 % at most. Of reads of one region: 78 to 88, 61 to 78, 14 to 37, 2 to 14 %.
   */
  static RecentReads ofThisMachine() {
    long memory =
        ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize();
    return new RecentReads(
        (int) Math.min(MAX_SLOTS, 4 * Long.highestOneBit(memory / REGION_BYTES)));
  }

  /** Of a file, by whatever tells it from others; 64 bits, so that it meets no other. */
  static long identity(String name) {
    long hash = 1;
    for (int i = 0; i < name.length(); i++) {
      hash = mix(hash + name.charAt(i));
    }
    return hash;
  }

  /**
   * Notes a read of at least {@link #REGION_BYTES}.
   *
   * @return whether at least half of it was read lately: one region of many may survive by chance
   */
  boolean note(long file, long position, int length) {
    int known = 0;
    long first = (position + REGION_BYTES - 1) / REGION_BYTES;
    long end = (position + length - 1) / REGION_BYTES;
    for (long region = first; region <= end; region++) {
      long hash = mix(file + region);
      int slot = (int) hash & slots.length() - 1;
      int fingerprint = (int) (hash >>> 32) | 1; // 0 is an empty slot
      known += slots.getOpaque(slot) == fingerprint ? 1 : 0;
      slots.setOpaque(slot, fingerprint);
    }
    return 2L * known >= end - first + 1;
  }

  /** Finalizer of MurmurHash3, by Austin Appleby: every bit depends on every bit. */
  private static long mix(long value) {
    long hash = (value ^ value >>> 33) * 0xff51afd7ed558ccdL;
    hash = (hash ^ hash >>> 33) * 0xc4ceb9fe1a85ec53L;
    return hash ^ hash >>> 33;
  }
}

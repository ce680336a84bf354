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
package io.stowage.dev.fsck;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;

/**
 * Sorts more entries than fit into memory: gathers, sorts and writes runs to files, and merges them
 * when read. An entry is a key and a value, both bytes; equal keys keep the order of their coming.
 * Confined to one thread; filled first, then read, any number of times.
 *
 * <p>Memory: {@link #bytesInMemory} while it is filled, {@link #READ_BYTES} and an entry a run
 * while it is read. When there are {@link #MOST_RUNS}, or the largest entries of all but one of
 * them take {@link #bytesInMemory} together, they are merged into one. Disk: the entries once,
 * twice while runs are merged.
 */
final class SpillSorter implements AutoCloseable {
  static final int MOST_RUNS = 64;
  private static final int READ_BYTES = 256 << 10;

  /** What the JVM needs for an entry beside its bytes. */
  private static final int ENTRY_OVERHEAD = 80;

  private final Path directory;
  private final String name;
  private final long bytesInMemory;
  private final List<Entry> gathered = new ArrayList<>();
  private final List<Path> runs = new ArrayList<>();
  private long gatheredBytes;
  private long largestGathered;
  private long largestBytes; // of an entry in any run
  private long headBytes; // of the largest entry of each run, together
  private long count;
  private int nextRun;

  /** A key and a value. The bytes are not copied, and nobody changes them. */
  static final class Entry {
    private final byte[] key;
    private final byte[] value;

    Entry(byte[] key, byte[] value) {
      this.key = key;
      this.value = value;
    }

    byte[] key() {
      return key;
    }

    byte[] value() {
      return value;
    }
  }

  /** Entries in the order of their keys. */
  interface Entries extends AutoCloseable {
    /** The next, or null behind the last. */
    Entry next() throws IOException;

    @Override
    void close() throws IOException;
  }

  SpillSorter(Path directory, String name, long bytesInMemory) {
    this.directory = directory;
    this.name = name;
    this.bytesInMemory = bytesInMemory;
  }

  void add(byte[] key, byte[] value) throws IOException {
    gathered.add(new Entry(key, value));
    count++;
    long bytes = (long) key.length + value.length + ENTRY_OVERHEAD;
    gatheredBytes += bytes;
    largestGathered = Math.max(largestGathered, bytes);
    if (gatheredBytes >= bytesInMemory) {
      spill();
    }
  }

  long count() {
    return count;
  }

  private void spill() throws IOException {
    gathered.sort(Comparator.comparing(Entry::key, Arrays::compareUnsigned));
    Path run = newRun();
    try (DataOutputStream out = writing(run)) {
      for (Entry entry : gathered) {
        write(out, entry);
      }
    }
    runs.add(run);
    largestBytes = Math.max(largestBytes, largestGathered);
    headBytes += largestGathered;
    gathered.clear();
    gatheredBytes = 0;
    largestGathered = 0;
    if (runs.size() == MOST_RUNS || headBytes - largestBytes > bytesInMemory) {
      Path merged = newRun();
      try (DataOutputStream out = writing(merged);
          Entries all = new Merge(runs)) {
        for (Entry entry = all.next(); entry != null; entry = all.next()) {
          write(out, entry);
        }
      }
      for (Path old : runs) {
        Files.delete(old);
      }
      runs.clear();
      runs.add(merged);
      headBytes = largestBytes;
    }
  }

  private Path newRun() {
    return directory.resolve(name + "-" + nextRun++);
  }

  private static DataOutputStream writing(Path run) throws IOException {
    return new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(run), READ_BYTES));
  }

  private static void write(DataOutputStream out, Entry entry) throws IOException {
    out.writeInt(entry.key().length);
    out.writeInt(entry.value().length);
    out.write(entry.key());
    out.write(entry.value());
  }

  /** All entries, sorted. Nothing is added afterwards. */
  Entries sorted() throws IOException {
    if (!gathered.isEmpty()) {
      spill();
    }
    return new Merge(runs);
  }

  /** All entries, key by key. Nothing is added afterwards. */
  Groups groups() throws IOException {
    return new Groups(sorted());
  }

  /** Entries key by key, of which no two are held at once. */
  static final class Groups implements AutoCloseable {
    private final Entries entries;
    private Entry next;
    private byte[] key;

    private Groups(Entries entries) throws IOException {
      this.entries = entries;
      this.next = entries.next();
    }

    /** The next key, whether or not all of the last one was read; null behind the last. */
    byte[] nextKey() throws IOException {
      while (isOfKey()) {
        next = entries.next();
      }
      key = next == null ? null : next.key();
      return key;
    }

    /** The next value of this key; null behind the last. */
    byte[] nextValue() throws IOException {
      if (!isOfKey()) {
        return null;
      }
      byte[] value = next.value();
      next = entries.next();
      return value;
    }

    private boolean isOfKey() {
      return next != null && key != null && Arrays.equals(key, next.key());
    }

    @Override
    public void close() throws IOException {
      entries.close();
    }
  }

  /** A value that begins with a letter, which says what it is. */
  static byte[] tagged(byte tag, byte[] value) {
    byte[] out = new byte[1 + value.length];
    out[0] = tag;
    System.arraycopy(value, 0, out, 1, value.length);
    return out;
  }

  @Override
  public void close() throws IOException {
    gathered.clear();
    for (Path run : runs) {
      Files.deleteIfExists(run);
    }
    runs.clear();
  }

  /** Reads all runs side by side. */
  private static final class Merge implements Entries {
    private final List<Run> opened = new ArrayList<>();
    private final PriorityQueue<Run> heads =
        new PriorityQueue<>(
            Comparator.comparing((Run run) -> run.head.key(), Arrays::compareUnsigned)
                .thenComparingInt(run -> run.number));

    Merge(List<Path> runs) throws IOException {
      try {
        for (Path path : runs) {
          Run run = new Run(opened.size(), path);
          opened.add(run);
          if (run.advance()) {
            heads.add(run);
          }
        }
      } catch (IOException e) {
        close();
        throw e;
      }
    }

    @Override
    public Entry next() throws IOException {
      Run first = heads.poll();
      if (first == null) {
        return null;
      }
      Entry entry = first.head;
      if (first.advance()) {
        heads.add(first);
      }
      return entry;
    }

    @Override
    public void close() throws IOException {
      for (Run run : opened) {
        run.in.close();
      }
    }
  }

  private static final class Run {
    private final int number;
    private final DataInputStream in;
    private Entry head;

    Run(int number, Path path) throws IOException {
      this.number = number;
      this.in =
          new DataInputStream(new BufferedInputStream(Files.newInputStream(path), READ_BYTES));
    }

    boolean advance() throws IOException {
      int keyLength;
      try {
        keyLength = in.readInt();
      } catch (EOFException e) {
        return false;
      }
      byte[] key = new byte[keyLength];
      byte[] value = new byte[in.readInt()];
      in.readFully(key);
      in.readFully(value);
      head = new Entry(key, value);
      return true;
    }
  }
}

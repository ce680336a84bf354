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
package io.stowage.dev.content;

import io.stowage.dev.s3.S3Connection;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Objects;

/**
 * Bytes that follow from a seed and their position alone, so that any range of any object can be
 * checked without keeping it: eight at a time, SplitMix64 of the word's index (Steele, Lea, Flood:
 * "Fast Splittable Pseudorandom Number Generators"). Does not compress. Immutable.
 */
public record GeneratedContent(long seed, long lengthBytes) implements S3Connection.Body {
  private static final VarHandle LONGS =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final int WRITE_BYTES = 64 * 1024;

  public GeneratedContent {
    if (lengthBytes < 0) {
      throw new IllegalArgumentException("lengthBytes " + lengthBytes);
    }
  }

  /**
   * The content of a key: a later run, or another process, can tell whether it reads what was
   * written.
   */
  public static GeneratedContent of(String key, long lengthBytes) {
    long hash = 0xcbf29ce484222325L; // FNV-1a, 64 bits
    for (int i = 0; i < key.length(); i++) {
      hash = (hash ^ key.charAt(i)) * 0x100000001b3L;
    }
    return new GeneratedContent(hash, lengthBytes);
  }

  public void fill(long position, byte[] bytes, int offset, int count) {
    Objects.checkFromIndexSize(offset, count, bytes.length);
    int i = 0;
    for (; i < count && ((position + i) & 7) != 0; i++) {
      bytes[offset + i] = byteAt(position + i);
    }
    for (; i + 8 <= count; i += 8) {
      LONGS.set(bytes, offset + i, wordAt((position + i) >>> 3));
    }
    for (; i < count; i++) {
      bytes[offset + i] = byteAt(position + i);
    }
  }

  /** The position of the first byte that is not as it should be, or -1. */
  public long findMismatch(long position, byte[] bytes, int offset, int count) {
    Objects.checkFromIndexSize(offset, count, bytes.length);
    if (position < 0 || position + count > lengthBytes) {
      return lengthBytes;
    }
    int i = 0;
    while (i < count) {
      if (((position + i) & 7) == 0
          && i + 8 <= count
          && (long) LONGS.get(bytes, offset + i) == wordAt((position + i) >>> 3)) {
        i += 8;
      } else if (bytes[offset + i] == byteAt(position + i)) {
        i++;
      } else {
        return position + i;
      }
    }
    return -1;
  }

  @Override
  public void writeTo(OutputStream out) throws IOException {
    byte[] buffer = new byte[(int) Math.min(WRITE_BYTES, lengthBytes)];
    for (long position = 0; position < lengthBytes; position += buffer.length) {
      int count = (int) Math.min(buffer.length, lengthBytes - position);
      fill(position, buffer, 0, count);
      out.write(buffer, 0, count);
    }
  }

  private byte byteAt(long position) {
    return (byte) (wordAt(position >>> 3) >>> ((position & 7) * 8));
  }

  private long wordAt(long index) {
    long z = seed + (index + 1) * 0x9e3779b97f4a7c15L;
    z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
    z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
    return z ^ (z >>> 31);
  }
}

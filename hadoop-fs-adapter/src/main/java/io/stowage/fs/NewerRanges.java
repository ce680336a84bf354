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
package io.stowage.fs;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.IntFunction;
import org.apache.hadoop.fs.FileRange;

/**
 * Between Hadoop's ranges and {@link VectoredRead}'s. Loaded only when a vectored read is asked
 * for, which no Hadoop can do that has no FileRange. Stateless.
 */
final class NewerRanges {
  private NewerRanges() {}

  /** What to read, and where each range's bytes are to be told. */
  static List<VectoredRead.Range> of(
      List<? extends FileRange> ranges, IntFunction<ByteBuffer> allocate) {
    List<VectoredRead.Range> result = new ArrayList<>(ranges.size());
    for (FileRange range : ranges) {
      CompletableFuture<ByteBuffer> data = new CompletableFuture<>();
      result.add(
          new VectoredRead.Range(
              range.getOffset(), range.getLength(), allocate, data, range::setData));
    }
    return result;
  }
}

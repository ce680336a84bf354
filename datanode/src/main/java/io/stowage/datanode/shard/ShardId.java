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

import io.stowage.common.proto.ShardKey;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Which shard of which container, in which rebuild. Immutable.
 *
 * @param container container id
 * @param index 0..k-1 data, k..k+m-1 parity
 * @param generation 0 for the first, one more for every rebuild
 */
public record ShardId(long container, int index, int generation) {
  private static final Pattern FILE_NAME =
      Pattern.compile("([0-9a-f]{16})-([0-9]{1,2})-([0-9]{1,10})\\.shard");

  public ShardId {
    if (index < 0 || index >= ShardFormat.MAX_SHARDS || generation < 0) {
      throw new IllegalArgumentException(
          "no shard has index " + index + ", generation " + generation);
    }
  }

  public static ShardId of(ShardKey key) {
    return new ShardId(key.getContainer(), key.getIndex(), key.getGeneration());
  }

  /** Id of a shard file by its name; null if it is not the name of one. */
  public static ShardId ofFileName(String name) {
    Matcher matcher = FILE_NAME.matcher(name);
    if (!matcher.matches()) {
      return null;
    }
    long generation = Long.parseLong(matcher.group(3));
    int index = Integer.parseInt(matcher.group(2));
    if (generation > Integer.MAX_VALUE || index >= ShardFormat.MAX_SHARDS) {
      return null;
    }
    return new ShardId(
        Long.parseUnsignedLong(matcher.group(1), 16), index, Math.toIntExact(generation));
  }

  public String fileName() {
    return String.format("%016x-%d-%d.shard", container, index, generation);
  }

  /** Directory that the file is in, below the disk's shards: ids are random, so 256 fill evenly. */
  public String directoryName() {
    return String.format("%02x", container & 0xff);
  }

  @Override
  public String toString() {
    return String.format("shard %016x-%d generation %d", container, index, generation);
  }
}

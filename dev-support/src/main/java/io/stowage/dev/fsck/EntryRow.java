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

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * A row key of a bucket of layout FILE_SYSTEM, behind the bucket's id: directory id and name
 * (docs/format/hbase-tables.md). Immutable.
 *
 * @param name empty: it is the directory's anchor
 */
record EntryRow(long directoryId, String name) {
  /** Id of every bucket's root. */
  static final long ROOT = 0;

  private static final int ID_DIGITS = 16;

  /** What a row key says; null if it is none of such a bucket. */
  static EntryRow parse(ByteString rowKey) {
    if (rowKey.size() < ID_DIGITS) {
      return null;
    }
    try {
      String digits = rowKey.substring(0, ID_DIGITS).toString(StandardCharsets.US_ASCII);
      return new EntryRow(
          HexFormat.fromHexDigitsToLong(digits), rowKey.substring(ID_DIGITS).toStringUtf8());
    } catch (IllegalArgumentException e) {
      return null;
    }
  }

  static EntryRow anchor(long directoryId) {
    return new EntryRow(directoryId, "");
  }

  boolean isAnchor() {
    return name.isEmpty();
  }

  ByteString rowKey() {
    return ByteString.copyFromUtf8(HexFormat.of().toHexDigits(directoryId) + name);
  }

  @Override
  public String toString() {
    return "directory "
        + HexFormat.of().toHexDigits(directoryId)
        + (isAnchor() ? "" : " name " + name);
  }
}

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
package io.stowage.om.object;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.om.table.ObjectRowLayout;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * How a listing groups keys: those under the prefix that hold the delimiter behind it are one
 * common prefix, up to and with the delimiter's first occurrence. Immutable.
 *
 * @param delimiter any text; empty: every key stands for itself
 */
public record Grouping(String prefix, String delimiter) {
  /** The common prefix that a key under the prefix belongs to; null if it stands for itself. */
  public String commonPrefix(String key) {
    int cut = delimiter.isEmpty() ? -1 : key.indexOf(delimiter, prefix.length());
    return cut < 0 ? null : key.substring(0, cut + delimiter.length());
  }

  /**
   * The first row that a listing looks at which goes on behind a marker: behind everything that the
   * marker stands for, if it is a common prefix.
   *
   * @param after a key, or a common prefix; empty: from the first
   */
  public ByteString firstRow(long bucketId, String after) throws StoreException {
    ByteString first = ObjectRowLayout.row(bucketId, prefix);
    if (after.isEmpty()) {
      return first;
    }
    if (after.length() > ObjectRowLayout.MAX_KEY_BYTES) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT, "Cannot list after a key of " + after.length() + " letters");
    }
    ByteString row = ObjectRowLayout.row(bucketId, after);
    ByteString behind =
        isCommonPrefix(after) ? ObjectRowLayout.behindPrefix(row) : ObjectRowLayout.behind(row);
    return ByteString.unsignedLexicographicalComparator().compare(behind, first) > 0
        ? behind
        : first;
  }

  /** Whether keys are grouped under exactly this text. */
  public boolean isCommonPrefix(String text) {
    return text.startsWith(prefix) && text.equals(commonPrefix(text));
  }
}

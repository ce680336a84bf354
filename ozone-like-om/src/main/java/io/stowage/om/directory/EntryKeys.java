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
package io.stowage.om.directory;

import java.util.HexFormat;

/**
 * Row keys of a FILE_SYSTEM bucket, behind the bucket's id. Described in {@code
 * docs/format/hbase-tables.md}.
 *
 * <pre>
 * directory id (16 hexadecimal digits)  name (UTF-8)   an entry of the directory
 * directory id (16 hexadecimal digits)                 the directory's anchor
 * </pre>
 */
final class EntryKeys {
  /** Id of every bucket's root, which has no entry and is never removed. */
  static final long ROOT = 0;

  static final int ID_DIGITS = 16;

  private EntryKeys() {}

  static String entry(long directoryId, String name) {
    return HexFormat.of().toHexDigits(directoryId) + name;
  }

  /** The directory of an entry's row; null where this is no entry. */
  static Long directoryOf(String rowKey) {
    if (rowKey.length() <= ID_DIGITS) {
      return null;
    }
    try {
      return HexFormat.fromHexDigitsToLong(rowKey, 0, ID_DIGITS);
    } catch (IllegalArgumentException e) {
      return null;
    }
  }

  /** The name of an entry, by its row. */
  static String nameOf(String rowKey) {
    return rowKey.substring(ID_DIGITS);
  }

  static String anchor(long directoryId) {
    return HexFormat.of().toHexDigits(directoryId);
  }
}

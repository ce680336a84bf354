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
package io.stowage.common.access;

import java.nio.ByteBuffer;
import java.util.Base64;
import java.util.zip.CRC32C;

/**
 * Version ids as clients, policies and the audit log see them: 16 letters that mean nothing to
 * them, safe in a URL. They hold the id (8 bytes) and its CRC32C, so that a text that was cut or
 * mistyped is told from the id of a version that is no more. Stateless.
 */
public final class VersionText {
  /** The namespace's name of a key's null version. */
  public static final long NULL_VERSION = -1;

  public static final String NULL = "null";

  public static final int LETTERS = 16;

  private VersionText() {}

  /** Of an id that is not {@link #NULL_VERSION}. */
  public static String of(long id) {
    ByteBuffer bytes = ByteBuffer.allocate(Long.BYTES + Integer.BYTES).putLong(id);
    return Base64.getUrlEncoder().encodeToString(bytes.putInt(crc(bytes.array())).array());
  }

  /** As a request names it; null: the current one is meant, by 0. */
  public static String ofNamed(long id) {
    return id == 0 ? null : id == NULL_VERSION ? NULL : of(id);
  }

  /** Null: no version has such an id. */
  public static Long parse(String text) {
    if (text.length() != LETTERS) {
      return null;
    }
    try {
      ByteBuffer bytes = ByteBuffer.wrap(Base64.getUrlDecoder().decode(text));
      long id = bytes.getLong();
      return bytes.getInt() == crc(bytes.array()) && id > 0 ? id : null;
    } catch (IllegalArgumentException e) {
      return null;
    }
  }

  private static int crc(byte[] bytes) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, 0, Long.BYTES);
    return (int) crc.getValue();
  }
}

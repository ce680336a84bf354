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
package io.stowage.s3.access;

import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import java.nio.ByteBuffer;
import java.util.Base64;
import java.util.zip.CRC32C;

/**
 * Version ids as clients see them: 16 letters that mean nothing to them, safe in a URL. They hold
 * the id (8 bytes) and its CRC32C, so that a text that was cut or mistyped is told from the id of a
 * version that is no more. Stateless.
 */
public final class VersionIds {
  /** No version is named: the current one is meant. */
  public static final long CURRENT = 0;

  /** The namespace's name of a key's null version. */
  public static final long NULL_VERSION = -1;

  public static final String NULL = "null";

  private static final int LETTERS = 16;

  private VersionIds() {}

  /**
   * As it goes out.
   *
   * @param versioned false: the null version
   */
  public static String text(long id, boolean versioned) {
    if (!versioned) {
      return NULL;
    }
    ByteBuffer bytes = ByteBuffer.allocate(Long.BYTES + Integer.BYTES).putLong(id);
    return Base64.getUrlEncoder().encodeToString(bytes.putInt(crc(bytes.array())).array());
  }

  private static int crc(byte[] bytes) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, 0, Long.BYTES);
    return (int) crc.getValue();
  }

  /** The id that a parameter names; {@link #CURRENT} if it was not sent. */
  public static long parse(String name, String text) throws S3Exception {
    if (text == null) {
      return CURRENT;
    }
    if (text.equals(NULL)) {
      return NULL_VERSION;
    }
    if (text.length() == LETTERS) {
      try {
        ByteBuffer bytes = ByteBuffer.wrap(Base64.getUrlDecoder().decode(text));
        long id = bytes.getLong();
        if (bytes.getInt() == crc(bytes.array()) && id > 0) {
          return id;
        }
      } catch (IllegalArgumentException e) {
        throw invalid(name, text, e);
      }
    }
    throw invalid(name, text, null);
  }

  private static S3Exception invalid(String name, String text, Throwable cause) {
    String message =
        text.isEmpty() ? "Version id cannot be the empty string" : "Invalid version id specified";
    S3Exception refusal = new S3Exception(S3Error.INVALID_ARGUMENT, message, cause);
    return refusal.with("ArgumentName", name).with("ArgumentValue", text);
  }
}

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

import io.stowage.common.access.VersionText;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;

/** Version ids in requests of S3 and answers, as {@link VersionText} writes them. Stateless. */
public final class VersionIds {
  /** No version is named: the current one is meant. */
  public static final long CURRENT = 0;

  /** The namespace's name of a key's null version. */
  public static final long NULL_VERSION = VersionText.NULL_VERSION;

  public static final String NULL = VersionText.NULL;

  private VersionIds() {}

  /**
   * As it goes out.
   *
   * @param versioned false: the null version
   */
  public static String text(long id, boolean versioned) {
    return versioned ? VersionText.of(id) : NULL;
  }

  /** The id that a parameter names; {@link #CURRENT} if it was not sent. */
  public static long parse(String name, String text) throws S3Exception {
    if (text == null) {
      return CURRENT;
    }
    if (text.equals(NULL)) {
      return NULL_VERSION;
    }
    Long id = VersionText.parse(text);
    if (id == null) {
      throw invalid(name, text);
    }
    return id;
  }

  private static S3Exception invalid(String name, String text) {
    String message =
        text.isEmpty() ? "Version id cannot be the empty string" : "Invalid version id specified";
    S3Exception refusal = new S3Exception(S3Error.INVALID_ARGUMENT, message);
    return refusal.with("ArgumentName", name).with("ArgumentValue", text);
  }
}

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
package io.stowage.dev.cli;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;

/**
 * A bucket and a key (or the start of keys), as people write them: {@code BUCKET/KEY}. Immutable.
 */
record ObjectName(String bucket, String key) {
  /** Splits at the first slash; the key may be empty. */
  static ObjectName parse(String text) {
    int slash = text.indexOf('/');
    return slash < 0
        ? new ObjectName(text, "")
        : new ObjectName(text.substring(0, slash), text.substring(slash + 1));
  }

  /** The same, for commands that work on one object. */
  static ObjectName parseWithKey(String text) throws StoreException {
    ObjectName name = parse(text);
    if (name.bucket().isEmpty() || name.key().isEmpty()) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT, "Cannot use '" + text + "': expected BUCKET/KEY");
    }
    return name;
  }

  @Override
  public String toString() {
    return bucket + "/" + key;
  }
}

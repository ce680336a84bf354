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
package io.stowage.common.error;

import java.io.IOException;

/**
 * A store operation that did not succeed, with the reason as an {@link ErrorCode}. The message
 * reads "Cannot X: Y" with ids and sizes. Subclasses exist only where callers act differently.
 */
public class StoreException extends IOException {
  private static final long serialVersionUID = 1L;

  private final ErrorCode code;

  public StoreException(ErrorCode code, String message) {
    super(message);
    this.code = code;
  }

  public StoreException(ErrorCode code, String message, Throwable cause) {
    super(message, cause);
    this.code = code;
  }

  public final ErrorCode code() {
    return code;
  }

  /** The exception class that callers expect for a code, for errors that came over a wire. */
  public static StoreException of(ErrorCode code, String message) {
    return switch (code) {
      case NOT_LEADER -> new NotLeaderException(message);
      case OUTCOME_UNKNOWN -> new OutcomeUnknownException(message, null);
      case CORRUPT_DATA -> new CorruptDataException(message);
      default -> new StoreException(code, message);
    };
  }
}

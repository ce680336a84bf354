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
package io.stowage.s3.http;

import io.stowage.s3.error.S3Exception;

/** What stands above HTTP. Thread-safe. */
public interface RequestHandler {
  /** Answers a request; called on a worker, may block. An exception is answered as a failure. */
  Response handle(Request request) throws S3Exception;

  /**
   * The answer to a request that went wrong, also one that never got as far as {@link #handle}.
   * Does not block.
   *
   * @param target null if the request line could not be read
   */
  Response failure(String requestId, String method, String target, Throwable cause);

  /**
   * How the answer to a request begins whose end takes long: 200 and the start of a document, which
   * every answer that the operation can still give begins with. Does not block.
   */
  Response beginning(String requestId);
}

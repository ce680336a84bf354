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

import io.netty.buffer.ByteBuf;
import io.stowage.s3.error.S3Exception;

/** The bytes of a request's body, in order. Confined to the worker that runs the operation. */
public interface BodySource extends AutoCloseable {
  /**
   * The next piece, never empty, which the caller then owns; null at the end. Blocks until there is
   * one. A body that ends early, stalls, or whose sender left is an {@link S3Exception}.
   */
  ByteBuf next() throws S3Exception;

  /** Bytes in all as the framing declares them; -1 if it does not. */
  long declaredLength();

  /**
   * Whether the body's end cannot be missed although no length is declared: an object may be made
   * of it.
   */
  default boolean tellsItsEnd() {
    return false;
  }

  /** Frees what was not taken. Never throws; may be called again. */
  @Override
  void close();
}

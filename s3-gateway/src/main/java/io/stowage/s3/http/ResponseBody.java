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

/**
 * A response's bytes, at least one, made as the client takes them. Used by one worker at a time.
 */
public interface ResponseBody extends AutoCloseable {
  /** Bytes in all. */
  long length();

  /**
   * Length of the next piece, at most {@link HttpLimits#MOST_PIECE_BYTES}; 0 at the end. Asked
   * before memory for it is taken.
   */
  int nextLength();

  /** The next piece, exactly {@link #nextLength} bytes, which the caller then owns. Blocks. */
  ByteBuf next() throws S3Exception;

  /** Never throws. */
  @Override
  void close();
}

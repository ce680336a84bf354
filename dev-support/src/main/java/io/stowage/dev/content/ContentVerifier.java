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
package io.stowage.dev.content;

import io.stowage.dev.s3.S3Connection;
import io.stowage.dev.s3.S3Response;
import java.io.IOException;

/**
 * Takes the bytes of one response and compares them with what their key and position say they must
 * be. Wrong bytes are an exception of their own: they are not an error rate. Confined to one
 * thread.
 */
public final class ContentVerifier implements S3Connection.Sink {
  /** The store returned bytes that were never put there. */
  public static final class WrongContentException extends IOException {
    WrongContentException(String message) {
      super(message);
    }
  }

  private final String name;
  private final GeneratedContent content;
  private final long end;
  private long position;

  /** Expects bytes {@code offset} to {@code offset + length - 1} of a key's generated content. */
  public ContentVerifier(String key, long offset, long length) {
    this(key, GeneratedContent.of(key, offset + length), offset);
  }

  /** Expects the content from an offset to its end. */
  public ContentVerifier(String name, GeneratedContent content, long offset) {
    this.name = name;
    this.content = content;
    this.position = offset;
    this.end = content.lengthBytes();
  }

  @Override
  public void accept(byte[] bytes, int offset, int count) throws WrongContentException {
    long wrong = content.findMismatch(position, bytes, offset, count);
    if (wrong >= 0) {
      throw new WrongContentException(name + " is wrong at byte " + wrong);
    }
    position += count;
  }

  /** Whether all expected bytes came. */
  public boolean isComplete() {
    return position == end;
  }

  /** Checks that a success brought all bytes; gives the response back. */
  public S3Response complete(S3Response response) throws WrongContentException {
    if (response.isSuccess() && position != end) {
      throw new WrongContentException(name + " ended at byte " + position + " of " + end);
    }
    return response;
  }
}

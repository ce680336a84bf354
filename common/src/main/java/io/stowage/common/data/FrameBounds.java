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
package io.stowage.common.data;

/**
 * What the owner of a connection lets its {@link DataFrameDecoder} keep of a frame that is not
 * whole: whoever can open a connection can begin frames. Called on the channel's event loop.
 */
public interface FrameBounds<M> {
  /** Part of a frame. */
  enum Part {
    HEADER,
    PAYLOAD
  }

  /** Of a header. */
  int mostHeaderBytes();

  /**
   * Whether a frame's payload is wanted that has not come yet. If not, it is dropped as it comes,
   * and the frame is the next one that is passed on, without it.
   */
  boolean wantsPayload(M header);

  /**
   * So many more bytes are kept.
   *
   * @return whether they may; if not, they do not count, and the connection is of no more use
   */
  boolean keep(Part part, long bytes);

  /** Of what was kept so many bytes are not any more: the frame is whole, or will never be. */
  void free(Part part, long bytes);

  /** Of replies: a client has chosen whom it asks. */
  static <M> FrameBounds<M> ofReplies() {
    return new FrameBounds<>() {
      @Override
      public int mostHeaderBytes() {
        return DataLimits.MAX_HEADER_BYTES;
      }

      @Override
      public boolean wantsPayload(M header) {
        return true;
      }

      @Override
      public boolean keep(Part part, long bytes) {
        return true;
      }

      @Override
      public void free(Part part, long bytes) {}
    };
  }
}

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
import io.netty.handler.codec.http.DefaultHttpContent;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.util.ReferenceCountUtil;
import java.util.ArrayDeque;

/**
 * What one read of a connection brought and what cannot be gone on with yet: heads and pieces of
 * requests that are sent ahead. Small pieces that wait are copied together, so that a read of tiny
 * chunks holds not much more than its bytes. Owns the messages. Confined to the event loop.
 */
final class MessagesAhead {
  private final ArrayDeque<Object> messages = new ArrayDeque<>(); // what one read brings
  private final PieceJoiner joiner = new PieceJoiner();

  /** Takes over the message. */
  void add(Object message) {
    ByteBuf joined = null;
    if (isPlainPiece(message) && isPlainPiece(messages.peekLast())) {
      ByteBuf last = ((HttpContent) messages.peekLast()).content();
      joined = joiner.join(last, ((HttpContent) message).content());
    }
    if (joined == null) {
      joiner.letGo();
      messages.add(message);
    } else {
      messages.pollLast();
      messages.add(new DefaultHttpContent(joined));
    }
  }

  private static boolean isPlainPiece(Object message) {
    return message instanceof HttpContent content
        && !(message instanceof LastHttpContent)
        && content.decoderResult().isSuccess();
  }

  /** The first, which is the caller's from now on; null if there is none. */
  Object poll() {
    Object message = messages.poll();
    if (messages.isEmpty()) {
      joiner.letGo();
    }
    return message;
  }

  boolean isEmpty() {
    return messages.isEmpty();
  }

  /** Messages that wait. */
  int count() {
    return messages.size();
  }

  /** Lets go of all messages. */
  void clear() {
    for (Object message; (message = poll()) != null; ) {
      ReferenceCountUtil.release(message);
    }
  }
}

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
package io.stowage.s3.event;

import java.io.IOException;

/** What takes events: a webhook, a topic. Thread-safe. */
interface EventSink extends AutoCloseable {
  /**
   * Hands an event over and returns when it was taken; whoever throws gets it again. One that was
   * closed takes nothing.
   *
   * @param key of the object, {@code bucket/key}: what keeps events of a key in order
   */
  void send(String key, byte[] document) throws IOException, InterruptedException;

  @Override
  void close();
}

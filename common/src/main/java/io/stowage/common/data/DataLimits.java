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

/** Bounds of the data plane, the same on both sides of a connection and for in-process calls. */
public final class DataLimits {
  /** Payload of one request or reply: the largest cell, and repair's sequential reads. */
  public static final int MAX_PAYLOAD_BYTES = 16 << 20;

  /** Encoded DataReply: a list of shards rules. */
  public static final int MAX_HEADER_BYTES = 16 << 20;

  /** Encoded DataRequest: CRCs of a largest payload are 16 KiB, ranges and a token rule. */
  public static final int MAX_REQUEST_HEADER_BYTES = 1 << 20;

  private DataLimits() {}
}

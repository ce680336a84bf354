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
package io.stowage.s3.auth;

/** How a request's signature covers its body. Immutable. */
public sealed interface PayloadSigning {
  /** Not at all: UNSIGNED-PAYLOAD, and presigned requests. */
  record Unsigned() implements PayloadSigning {}

  /**
   * By the hash of the whole body.
   *
   * @param sha256 64 lower-case hex digits
   */
  record WholeBody(String sha256) implements PayloadSigning {}

  /** aws-chunked with a trailer, nothing of it signed: STREAMING-UNSIGNED-PAYLOAD-TRAILER. */
  record UnsignedChunks() implements PayloadSigning {}

  /**
   * aws-chunked, chunk by chunk, each signature covering the one before:
   * STREAMING-AWS4-HMAC-SHA256- PAYLOAD, or with -TRAILER.
   *
   * @param seedSignature of the request's head
   * @param trailer whether a signed trailer follows
   */
  record SignedChunks(
      SigningKey signingKey, String timestamp, String scope, String seedSignature, boolean trailer)
      implements PayloadSigning {}
}

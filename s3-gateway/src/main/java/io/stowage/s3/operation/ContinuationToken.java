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
package io.stowage.s3.operation;

import io.stowage.s3.error.S3Exception;
import java.nio.charset.StandardCharsets;
import java.util.Base64;

/** Opaque names of places in listings: clients must not learn to build them. Stateless. */
final class ContinuationToken {
  private static final String VERSION = "1";

  private ContinuationToken() {}

  static String encode(String last) {
    return VERSION
        + Base64.getUrlEncoder()
            .withoutPadding()
            .encodeToString(last.getBytes(StandardCharsets.UTF_8));
  }

  static String decode(String token) throws S3Exception {
    try {
      if (token.startsWith(VERSION) && token.length() > 1) {
        return new String(
            Base64.getUrlDecoder().decode(token.substring(1)), StandardCharsets.UTF_8);
      }
    } catch (IllegalArgumentException e) {
      throw wrong(token);
    }
    throw wrong(token);
  }

  private static S3Exception wrong(String token) {
    return S3Call.invalid(
        "continuation-token", token, "The continuation token provided is incorrect");
  }
}

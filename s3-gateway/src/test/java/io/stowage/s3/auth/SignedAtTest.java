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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.HttpHeaders;
import java.time.Instant;
import java.util.Map;
import org.junit.jupiter.api.Test;

class SignedAtTest {
  private static final Map<String, String> LINK = Map.of("X-Amz-Date", "20261101T000000Z");

  /** Nothing that a signature does not cover says how old it is. */
  @Test
  void anEmptyHeaderSaysNothingOfALink() {
    HttpHeaders headers = new DefaultHttpHeaders().add("authorization", "");
    headers.add("date", "Sun, 22 Nov 2026 00:00:00 GMT");
    assertFalse(Authenticator.isSignedByHeader(headers));
    assertEquals(Instant.parse("2026-11-01T00:00:00Z"), Authenticator.signedAt(headers, LINK));
    assertNull(Authenticator.signedAt(headers, Map.of("AWSAccessKeyId", "AK")));
    headers.set("authorization", "AWS AK:signature");
    assertEquals(Instant.parse("2026-11-22T00:00:00Z"), Authenticator.signedAt(headers, Map.of()));
  }
}

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
package io.stowage.common.policy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class PolicyCacheTest {
  private final PolicyCache cache = new PolicyCache();

  private static String policy(String resource) {
    return "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\""
        + resource
        + "\"}}";
  }

  @Test
  void parsesATextOnce() throws MalformedPolicyException {
    Policy first = cache.ofUser(policy("a"));
    assertSame(first, cache.ofUser(policy("a")));
    assertNotSame(first, cache.ofUser(policy("b")));
    assertThrows(MalformedPolicyException.class, () -> cache.ofBucket(policy("a"), "bucket"));
    assertThrows(MalformedPolicyException.class, () -> cache.ofUser("{"));
    assertEquals(2, cache.count());
  }

  @Test
  void keepsNoMoreThanItsBound() throws MalformedPolicyException {
    String long10k = "x".repeat(10_000);
    for (int i = 0; i < 1_000; i++) {
      cache.ofUser(policy(long10k + i));
    }
    assertTrue(cache.count() <= PolicyCache.MOST_CHARS / 10_000);
    Policy last = cache.ofUser(policy(long10k + 999));
    assertSame(last, cache.ofUser(policy(long10k + 999)));
  }
}

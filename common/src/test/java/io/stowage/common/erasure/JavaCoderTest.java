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
package io.stowage.common.erasure;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import org.junit.jupiter.api.Test;

class JavaCoderTest extends ErasureCoderContractTest {
  @Override
  ErasureCoder coder(ErasurePolicy policy) {
    return new JavaCoder(policy);
  }

  @Test
  void oneCoderServesAllCallersOfAPolicy() {
    ErasureCoder coder = ErasureCoders.of(ErasurePolicy.RS_3_2);
    assertSame(coder, ErasureCoders.of(ErasurePolicy.RS_3_2));
    assertEquals(ErasurePolicy.RS_3_2, coder.policy());
  }
}

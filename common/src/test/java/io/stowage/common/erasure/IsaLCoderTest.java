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

import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;

/** Runs where libisal is installed ({@code apt-get install libisal2}); says so where it is not. */
class IsaLCoderTest extends ErasureCoderContractTest {
  @BeforeAll
  static void libraryIsInstalled() {
    try {
      new IsaLCoder(ErasurePolicy.RS_1_2);
    } catch (LinkageError e) {
      Assumptions.abort("libisal is not installed here: " + e.getMessage());
    }
  }

  @Override
  ErasureCoder coder(ErasurePolicy policy) {
    return new IsaLCoder(policy);
  }
}

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
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class UriEncodingTest {
  @Test
  void encodesAllButTheUnreserved() {
    assertEquals("a-b.c_d~e%20%2B%25%2F%C3%BC", UriEncoding.encode("a-b.c_d~e +%/ü", false));
    assertEquals("a/b%3Ac", UriEncoding.encode("a/b:c", true));
  }

  @Test
  void canonicalFormDoesNotDependOnHowTheClientEncoded() throws Exception {
    RequestTarget one = RequestTarget.parse("/b/%7e%61%2fx+y!?b=2&a=%20&a=%2B&a&X-Amz-Signature=s");
    RequestTarget two = RequestTarget.parse("/b/~a/x%2By%21?a=+&b=2&a=&a=%2b");
    assertEquals(two.canonicalPath(), one.canonicalPath());
    assertEquals("/b/~a/x%2By%21", one.canonicalPath());
    assertEquals("a=&a=%20&a=%2B&b=2", one.canonicalQuery());
    assertEquals(one.canonicalQuery(), two.canonicalQuery());
    assertEquals("/b/~a/x+y!", one.path());
  }

  @ParameterizedTest
  @ValueSource(strings = {"/%", "/%4", "/%zz", "/%ff", "/a?%=1", "/a?b=%c3", "nopath", "/a#b"})
  void refusesWhatIsNoUri(String target) {
    S3Exception e = assertThrows(S3Exception.class, () -> RequestTarget.parse(target));
    assertEquals(S3Error.INVALID_URI, e.error());
  }
}

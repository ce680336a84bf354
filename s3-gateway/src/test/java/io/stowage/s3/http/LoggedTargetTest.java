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

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class LoggedTargetTest {
  @Test
  void whatProvesSomethingIsLeftOutHoweverItsNameIsWritten() {
    for (String name :
        new String[] {
          "X-Amz-Signature",
          "x-amz-signature",
          "Signature",
          "X-Amz-Security-Token",
          "X%2DAmz-Sign%61ture",
          "%58-Amz-Security%2dToken",
          "x-amz-server-side-encryption-customer-key",
        }) {
      assertEquals(
          "/b/k?versionId=3&" + name + "=-&X-Amz-Expires=60",
          LoggedTarget.of("/b/k?versionId=3&" + name + "=c2Vj%2Fcm=V0&X-Amz-Expires=60"));
      assertEquals("/b/k?" + name + "=-", LoggedTarget.of("/b/k?" + name + "=c2VjcmV0"));
    }
  }

  @Test
  void theRestIsAsItCame() {
    for (String target :
        new String[] {
          "/", "/b/k%3Fx", "/b?", "/b?list-type=2&continuation-token=abc%3D", "/b?a&&b=%zz&%4", "*",
        }) {
      assertEquals(target, LoggedTarget.of(target));
    }
  }

  @Test
  void nothingBeginsALineOfItsOwn() {
    assertEquals("/b??2026 ERROR?x=?", LoggedTarget.of("/b?\n2026 ERROR?x=\r"));
  }
}

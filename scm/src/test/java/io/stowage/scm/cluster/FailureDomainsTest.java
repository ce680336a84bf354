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
package io.stowage.scm.cluster;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.util.Map;
import org.junit.jupiter.api.Test;

class FailureDomainsTest {
  @Test
  void isOneForAllOrAnotherForSome() throws Exception {
    assertEquals(FailureDomains.all(FailureDomain.DISK), FailureDomains.parse("disk"));
    FailureDomains domains = FailureDomains.parse("host, rs-3-2=rack,rs-1-2=disk");
    assertEquals(
        new FailureDomains(
            FailureDomain.HOST, Map.of("rs-3-2", FailureDomain.RACK, "rs-1-2", FailureDomain.DISK)),
        domains);
    assertEquals(FailureDomain.RACK, domains.of(ErasurePolicy.named("rs-3-2")));
    assertEquals(FailureDomain.DISK, domains.of(ErasurePolicy.named("rs-1-2")));
    assertEquals(FailureDomain.HOST, domains.of(ErasurePolicy.named("rs-6-3")));
  }

  @Test
  void refusesWhatItCannotRead() {
    for (String text :
        new String[] {
          "",
          "shelf",
          "rs-3-2=rack",
          "host,",
          "host,rack",
          "host,rs-3-2",
          "host,rs-3-2=shelf",
          "host,rs-3-2=rack=disk",
          "host,rs-99-9=rack",
          "host,rs-3-2=rack,rs-3-2=disk"
        }) {
      assertEquals(
          ErrorCode.BAD_CONFIGURATION,
          assertThrows(StoreException.class, () -> FailureDomains.parse(text), text).code(),
          text);
    }
  }
}

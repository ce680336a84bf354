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
package io.stowage.fs;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.stowage.common.delegation.DelegationTokenIdentifier;
import io.stowage.common.delegation.DelegationTokenSelector;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.security.token.Token;
import org.junit.jupiter.api.Test;

/** Who renews tokens of several clusters; what is asked of servers, tests with a KDC show. */
class TokenCallsTest {
  private static final String PRINCIPAL = "stowage.om.kerberos.principal";

  private static Token<DelegationTokenIdentifier> token(String... objectManagers) {
    return new Token<>(
        new byte[1],
        new byte[1],
        DelegationTokenIdentifier.KIND,
        DelegationTokenSelector.service(List.of(objectManagers)));
  }

  private static String principalFor(
      Token<DelegationTokenIdentifier> token, Configuration configuration) throws Exception {
    return TokenCalls.settingsFor(token, configuration).get(PRINCIPAL);
  }

  @Test
  void aTokenIsRenewedByThePrincipalOfItsCluster() throws Exception {
    Configuration conf = new Configuration(false);
    conf.set("stowage.om.addresses", "127.0.0.1:1,127.0.0.1:2");
    conf.set(PRINCIPAL, "om/_HOST@NEAR");
    conf.set("stowage.bucket.beside.fs.block-size", "1m");
    conf.set("stowage.bucket.far.om.addresses", "127.0.0.1:3, 127.0.0.1:4");
    conf.set("stowage.bucket.far.om.kerberos.principal", "om/_HOST@FAR");
    assertEquals("om/_HOST@NEAR", principalFor(token("127.0.0.1:1", "127.0.0.1:9"), conf));
    assertEquals("om/_HOST@FAR", principalFor(token("127.0.0.1:4"), conf));
    assertEquals("om/_HOST@NEAR", principalFor(token("127.0.0.1:5"), conf), "nobody names it");
    conf.unset("stowage.om.addresses");
    conf.unset(PRINCIPAL);
    assertEquals("om/_HOST@FAR", principalFor(token("127.0.0.1:3"), conf));
  }
}

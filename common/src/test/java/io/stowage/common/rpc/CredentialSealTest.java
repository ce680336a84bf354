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
package io.stowage.common.rpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.conf.KeyStores;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.secret.SecretSeal;
import java.nio.file.Path;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.security.alias.CredentialProvider;
import org.apache.hadoop.security.alias.CredentialProviderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is sealed where there is a password, and what people are told where there is none. */
class CredentialSealTest {
  @TempDir private Path directory;

  private static StowageConfig secure(boolean security) throws Exception {
    return StowageConfig.of(Map.of(Keys.SECURITY_ENABLED.name(), String.valueOf(security)));
  }

  @Test
  void withThePasswordSecretsAreSealedAndNobodyIsTold() throws Exception {
    Configuration hadoop = new Configuration(false);
    hadoop.set(
        CredentialProviderFactory.CREDENTIAL_PROVIDER_PATH,
        "localjceks://file" + directory.resolve("credentials.jceks"));
    KeyStores.letHadoopReadItsKeys();
    CredentialProvider provider = CredentialProviderFactory.getProviders(hadoop).get(0);
    provider.createCredentialEntry(
        CredentialSeal.ALIAS, "a password of many letters".toCharArray());
    provider.flush();
    SecretSeal seal = CredentialSeal.of(secure(true), hadoop);
    assertNotSame(SecretSeal.NONE, seal);
    assertEquals("", CredentialSeal.warning(secure(true), hadoop));
  }

  @Test
  void withoutItTheyAreNotAndThatIsSaidWhereSecurityIsOn() throws Exception {
    Configuration hadoop = new Configuration(false);
    assertSame(SecretSeal.NONE, CredentialSeal.of(secure(true), hadoop));
    String told = CredentialSeal.warning(secure(true), hadoop);
    assertTrue(told.startsWith("INSECURE: ") && told.contains(CredentialSeal.ALIAS), told);
    assertEquals("", CredentialSeal.warning(secure(false), hadoop), "Exposure speaks of that");
  }
}

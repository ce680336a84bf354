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
package io.stowage.common.tls;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files of authorities as others write them. */
class DataTlsTest {
  /** As openssl writes one, of an authority that revoked nothing. */
  private static final String REVOKED =
      """
      -----BEGIN X509 CRL-----
      MIGnME8CAQEwCgYIKoZIzj0EAwIwEDEOMAwGA1UEAwwFZmlyc3QXDTI2MTEyMjE0
      MDkwNFoXDTM2MTExOTE0MDkwNFqgDjAMMAoGA1UdFAQDAgEBMAoGCCqGSM49BAMC
      A0gAMEUCIHiGVk7m20CC1jWR2AUdPc783Rs3GX+CV+E4OV7iNkUHAiEA6OkNYGeM
      HGUPqwDP4EzgCbF/lgGl2JbhCKTBElweyIM=
      -----END X509 CRL-----
      """;

  @TempDir private Path directory;

  private String authority(String name) throws Exception {
    return Files.readString(new TestAuthority(name).write(directory.resolve(name + ".pem")));
  }

  private Path bundle(String... parts) throws IOException {
    return Files.writeString(directory.resolve("bundle.pem"), String.join("", parts));
  }

  private static Set<String> trusted(Path bundle) throws IOException {
    return Stream.of(DataTls.trust(bundle).getAcceptedIssuers())
        .map(each -> each.getSubjectX500Principal().getName())
        .collect(Collectors.toSet());
  }

  private static String refusal(Path authorities) {
    return assertThrows(IOException.class, () -> DataTls.trust(authorities)).getMessage();
  }

  @Test
  void believesAllAuthoritiesOfABundleWhateverElseIsInIt() throws Exception {
    Path key = new TestAuthority("third").issue(directory, "host", "127.0.0.1").key();
    Path bundle =
        bundle(
            "0 of three - the first -----\n# subject=CN = first\n",
            REVOKED,
            authority("first"),
            Files.readString(key),
            "# the second\r\n",
            authority("second").replace("\n", "\r\n"),
            authority("third").replace("CERTIFICATE", "X509 CERTIFICATE"),
            REVOKED);
    assertEquals(Set.of("CN=first", "CN=second", "CN=third"), trusted(bundle));
    Map<String, String> settings =
        Map.of(Keys.TLS_MODE.name(), "only", Keys.TLS_AUTHORITIES.name(), bundle.toString());
    assertTrue(ClientTls.from(StowageConfig.of(settings)).isOn());
  }

  /** As editors of other systems leave one, alone or in the middle of what was put together. */
  @Test
  void believesAnAuthorityBehindAByteOrderMark() throws Exception {
    Path bundle = bundle("\uFEFF", authority("first"), "\uFEFF", authority("second"));
    assertEquals(Set.of("CN=first", "CN=second"), trusted(bundle));
    Path half = bundle("\uFEFF", authority("first").substring(0, 100));
    assertTrue(refusal(half).startsWith(half + " ends, or has something else,"), refusal(half));
  }

  @Test
  void aFileWithoutACertificateIsRefusedByItsName() throws Exception {
    for (String nothing : new String[] {"", "# none yet\n", REVOKED}) {
      Path bundle = bundle(nothing);
      assertEquals(bundle + " has no certificate", refusal(bundle));
    }
    Path bundle = bundle("");
    Map<String, String> settings =
        Map.of(Keys.TLS_MODE.name(), "only", Keys.TLS_AUTHORITIES.name(), bundle.toString());
    StoreException e =
        assertThrows(StoreException.class, () -> ClientTls.from(StowageConfig.of(settings)));
    assertEquals(ErrorCode.BAD_CONFIGURATION, e.code());
    assertTrue(e.getMessage().endsWith(bundle + " has no certificate"), e.getMessage());
  }

  /** Who copies a file over another makes it short first; those of before stay in force then. */
  @Test
  void aFileThatIsNotWholeIsRefused() throws Exception {
    String second = authority("second");
    Path half = bundle(authority("first"), second.substring(0, second.length() / 2));
    assertTrue(refusal(half).startsWith(half + " ends, or has something else,"), refusal(half));
    Path torn = bundle(authority("first"), second.replaceFirst("MII", "!"));
    assertTrue(refusal(torn).startsWith(torn + ": "), refusal(torn));
  }
}

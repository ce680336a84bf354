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
package io.stowage.common.conf;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ExposureTest {
  static Stream<String> binds() {
    return Exposure.binds().stream().map(ConfigKey::name);
  }

  @Test
  void everyServerHasItsKey() {
    assertEquals(
        List.of(
            "stowage.datanode.bind",
            "stowage.metrics.bind",
            "stowage.om.bind",
            "stowage.s3.bind",
            "stowage.s3.console.bind",
            "stowage.s3.tls.bind",
            "stowage.scm.bind"),
        binds().sorted().toList());
  }

  @ParameterizedTest
  @MethodSource("binds")
  void nothingButLoopbackWithoutSecurity(String key) throws StoreException {
    for (String address : List.of("0.0.0.0:1", ":1", "192.0.2.7:1", "[::]:1")) {
      StoreException refused =
          assertThrows(
              StoreException.class,
              () -> Exposure.check(StowageConfig.of(Map.of(key, address))),
              address);
      assertEquals(ErrorCode.BAD_CONFIGURATION, refused.code());
      assertTrue(refused.getMessage().contains(key + " = " + address), refused.getMessage());
      assertTrue(refused.getMessage().contains("--insecure"), refused.getMessage());
    }
    for (String address : List.of("127.0.0.1:1", "localhost:1", "[::1]:1", "127.8.8.8:0")) {
      assertEquals(List.of(), Exposure.check(StowageConfig.of(Map.of(key, address))));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"0.0.0.0:9878", "192.0.2.7:9878"})
  void saysWhatIsExposedOnDemand(String address) throws StoreException {
    StowageConfig config =
        StowageConfig.of(Map.of("stowage.s3.bind", address, "stowage.insecure", "true"));
    List<String> exposed = Exposure.check(config);
    assertEquals(List.of("stowage.s3.bind = " + address), exposed);
    assertTrue(Exposure.warning(exposed).contains(address));
  }

  @Test
  void withSecurityAnyAddressGoes() throws StoreException {
    StowageConfig config =
        StowageConfig.of(
            Map.of("stowage.s3.bind", "0.0.0.0:1", "stowage.security.enabled", "true"));
    assertEquals(List.of(), Exposure.check(config));
  }

  @Test
  void defaultsAreLoopback() throws StoreException {
    assertEquals(List.of(), Exposure.check(StowageConfig.of(Map.of())));
  }
}

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
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.conf.Keys;
import io.stowage.common.error.StoreException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SiteConfigurationTest {
  @TempDir Path directory;

  @Test
  void readsBothFilesAndExpandsVariables() throws IOException {
    write("core-site.xml", "fs.defaultFS", "stow://b");
    write("stowage-site.xml", "stowage.om.addresses", "${place}:1,${place}:2");
    System.setProperty("place", "h");
    try {
      Configuration hadoop = SiteConfiguration.fromDirectory(directory);
      assertEquals("stow://b", hadoop.get("fs.defaultFS"));
      assertEquals(List.of("h:1", "h:2"), SiteConfiguration.stowage(hadoop).get(Keys.OM_ADDRESSES));
    } finally {
      System.clearProperty("place");
    }
  }

  @Test
  void whoMayReachAServiceMayStandInHadoopsFile() throws IOException {
    write("hadoop-policy.xml", RpcSecurity.CONTAINER_MANAGER_ACL, "ann");
    write("stowage-site.xml", Keys.SECURITY_ENABLED.name(), "true");
    Configuration server = RpcSecurity.ofServer(SiteConfiguration.fromDirectory(directory));
    assertEquals("ann", server.get(RpcSecurity.CONTAINER_MANAGER_ACL));
    assertEquals("*", server.get(RpcSecurity.OBJECT_MANAGER_ACL), "which nobody set");
    write("stowage-site.xml", RpcSecurity.CONTAINER_MANAGER_ACL, "bob");
    Configuration beside = SiteConfiguration.fromDirectory(directory);
    assertEquals("bob", beside.get(RpcSecurity.CONTAINER_MANAGER_ACL), "beside our own settings");
  }

  @Test
  void refusesADirectoryWithoutOurFile() {
    StoreException refusal =
        assertThrows(StoreException.class, () -> SiteConfiguration.fromDirectory(directory));
    assertTrue(refusal.getMessage().contains("no stowage-site.xml in"), refusal.getMessage());
  }

  @Test
  void refusesAMalformedFile() throws IOException {
    Files.writeString(directory.resolve("stowage-site.xml"), "<configuration><property>");
    assertThrows(StoreException.class, () -> SiteConfiguration.fromDirectory(directory));
  }

  @Test
  void refusesAnUnknownKeyOfOurs() throws IOException {
    write("stowage-site.xml", "stowage.om.adresses", "h:1");
    Configuration hadoop = SiteConfiguration.fromDirectory(directory);
    assertThrows(StoreException.class, () -> SiteConfiguration.stowage(hadoop));
  }

  private void write(String file, String name, String value) throws IOException {
    Files.writeString(
        directory.resolve(file),
        "<configuration><property><name>"
            + name
            + "</name><value>"
            + value
            + "</value></property></configuration>");
  }
}

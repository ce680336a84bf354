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
package io.stowage.minicluster;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ClusterDirectoryTest {
  @TempDir Path root;

  @Test
  void keepsKeyAndPortsFromTheFirstStart() throws Exception {
    ClusterDirectory.AccessKey key;
    int port;
    try (ClusterDirectory directory = ClusterDirectory.open(root.resolve("new/deep"))) {
      key = directory.accessKey();
      port = directory.port("om");
      assertEquals(port, directory.port("om"));
      assertNotEquals(port, directory.port("scm"));
      directory.checkClusterId("one");
    }
    try (ClusterDirectory directory = ClusterDirectory.open(root.resolve("new/deep"))) {
      assertEquals(key, directory.accessKey());
      assertEquals(port, directory.port("om"));
      directory.checkClusterId("one");
      assertEquals(
          "rw-------",
          PosixFilePermissions.toString(Files.getPosixFilePermissions(directory.credentials())));
      assertEquals(
          "rwx------",
          PosixFilePermissions.toString(Files.getPosixFilePermissions(directory.root())));
    }
  }

  @Test
  void takesAnotherPortWhenTheKeptOneIsTaken() throws Exception {
    try (ClusterDirectory directory = ClusterDirectory.open(root)) {
      int port = directory.port("om");
      try (ServerSocket taken = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
        assertEquals(port, taken.getLocalPort());
        assertNotEquals(port, directory.port("om"));
      }
    }
  }

  @Test
  void aSecondUserIsRefused() throws Exception {
    try (ClusterDirectory directory = ClusterDirectory.open(root)) {
      StoreException refused =
          assertThrows(StoreException.class, () -> ClusterDirectory.open(directory.root()));
      assertTrue(refused.getMessage().contains("another process is running"), refused::toString);
    }
  }

  @Test
  void aDirectoryOfSomebodyElseIsRefusedAndLeftAlone() throws Exception {
    Files.writeString(root.resolve("thesis.tex"), "chapter 1");
    StoreException refused = assertThrows(StoreException.class, () -> ClusterDirectory.open(root));
    assertTrue(refused.getMessage().contains("not a Stowage data directory"), refused::toString);
    try (var files = Files.list(root)) {
      assertEquals(1, files.count());
    }
  }

  @Test
  void aNewerFormatIsRefused() throws Exception {
    Files.writeString(root.resolve("cluster.properties"), "format.version=2\n");
    StoreException refused = assertThrows(StoreException.class, () -> ClusterDirectory.open(root));
    assertEquals(ErrorCode.FORMAT_TOO_NEW, refused.code());
  }

  @Test
  void metadataOfAnotherClusterIsRefused() throws Exception {
    try (ClusterDirectory directory = ClusterDirectory.open(root)) {
      directory.checkClusterId("one");
      StoreException refused =
          assertThrows(StoreException.class, () -> directory.checkClusterId("two"));
      assertEquals(ErrorCode.WRONG_CLUSTER, refused.code());
    }
  }

  @Test
  void aFileInItsPlaceIsRefused() throws Exception {
    Path file = Files.createFile(root.resolve("file"));
    StoreException refused = assertThrows(StoreException.class, () -> ClusterDirectory.open(file));
    assertTrue(refused.getMessage().contains("not a directory"), refused::toString);
  }

  @Test
  void confIsWhatHadoopReads() throws Exception {
    try (ClusterDirectory directory = ClusterDirectory.open(root)) {
      directory.writeConf("core-site.xml", Map.of("fs.stow.impl", "a<b>&c"));
      Configuration read = new Configuration(false);
      read.addResource(directory.conf().resolve("core-site.xml").toUri().toURL());
      assertEquals("a<b>&c", read.get("fs.stow.impl"));
    }
  }
}

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
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.delegation.DelegationTokenIdentifier;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.stream.Stream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.security.token.DtFetcher;
import org.apache.hadoop.security.token.TokenIdentifier;
import org.apache.hadoop.security.token.TokenRenewer;
import org.junit.jupiter.api.Test;

/** What is in the jar that jobs get, and what must not be. */
class ShadedJarIT {
  private static final String RELOCATED = "io/stowage/fs/shaded/";

  private static Path jar() throws IOException {
    Path target = Path.of(System.getProperty("stowage.root"), "hadoop-fs-adapter", "target");
    try (Stream<Path> files = Files.list(target)) {
      List<Path> jars =
          files
              .filter(
                  file ->
                      file.getFileName().toString().matches("stowage-hadoop-fs-.*-shaded\\.jar"))
              .toList();
      assertEquals(1, jars.size(), () -> "shaded jars in " + target + ": " + jars);
      return jars.get(0);
    }
  }

  private static List<String> entries() throws IOException {
    try (JarFile jar = new JarFile(jar().toFile())) {
      return jar.stream().filter(entry -> !entry.isDirectory()).map(JarEntry::getName).toList();
    }
  }

  @Test
  void everyClassIsOurs() throws IOException {
    List<String> strays =
        entries().stream()
            .filter(name -> name.endsWith(".class") && !name.startsWith("io/stowage/"))
            .toList();
    assertEquals(List.of(), strays);
    assertTrue(
        entries().stream().noneMatch(name -> name.contains("com/sun/jna")), "JNA is in the jar");
  }

  @Test
  void everythingNeededIsThere() throws IOException {
    List<String> entries = entries();
    for (String name :
        List.of(
            "io/stowage/fs/StowageFileSystem.class",
            "io/stowage/fs/StowageFs.class",
            "io/stowage/fs/BucketFileSystem.class",
            "stowage-default.xml",
            "io/stowage/client/DataPath.class",
            "io/stowage/common/proto/Manifest.class",
            RELOCATED + "io/netty/buffer/ByteBuf.class",
            RELOCATED + "com/backblaze/erasure/ReedSolomon.class",
            "META-INF/native/libio_stowage_fs_shaded_netty_transport_native_epoll_x86_64.so")) {
      assertTrue(entries.contains(name), name + " is missing");
    }
    List<String> natives =
        entries.stream()
            .filter(name -> name.startsWith("META-INF/native/"))
            .filter(name -> !name.contains("io_stowage_fs_shaded_"))
            .toList();
    assertEquals(List.of(), natives, "native libraries that another Netty would take for its own");
  }

  @Test
  void theFileSystemIsAnnouncedAndBehindItTheOneForNewerHadoops() throws IOException {
    assertEquals(
        List.of(StowageFileSystem.class.getName(), NewerStowageFileSystem.class.getName()),
        announced(FileSystem.class));
  }

  @Test
  void whoeverHandlesTokensFindsOurs() throws IOException {
    assertEquals(List.of(StowageTokenFetcher.class.getName()), announced(DtFetcher.class));
    assertEquals(List.of(StowageTokenRenewer.class.getName()), announced(TokenRenewer.class));
    assertEquals(
        List.of(DelegationTokenIdentifier.class.getName()), announced(TokenIdentifier.class));
  }

  private static List<String> announced(Class<?> service) throws IOException {
    try (JarFile jar = new JarFile(jar().toFile());
        InputStream in =
            jar.getInputStream(jar.getJarEntry("META-INF/services/" + service.getName()))) {
      return new String(in.readAllBytes(), java.nio.charset.StandardCharsets.UTF_8)
          .lines()
          .filter(line -> !line.startsWith("#") && !line.isBlank())
          .toList();
    }
  }

  @Test
  void theClassesThatConfigurationsNameLoadOnJava8() throws IOException {
    assertEquals(52, majorVersion("io/stowage/fs/StowageFileSystem.class"));
    assertEquals(52, majorVersion("io/stowage/fs/NewerStowageFileSystem.class"));
    assertEquals(52, majorVersion("io/stowage/fs/StowageFs.class"));
    assertEquals(52, majorVersion("io/stowage/fs/CountedElsewhere.class"));
    assertEquals(52, majorVersion("io/stowage/fs/StowageTokenFetcher.class"));
    assertEquals(52, majorVersion("io/stowage/fs/StowageTokenRenewer.class"));
    assertEquals(52, majorVersion("io/stowage/common/delegation/DelegationTokenIdentifier.class"));
    assertEquals(52, majorVersion("io/stowage/common/delegation/DelegationTokenSelector.class"));
    assertEquals(61, majorVersion("io/stowage/fs/BucketFileSystem.class"));
  }

  private static int majorVersion(String name) throws IOException {
    try (JarFile jar = new JarFile(jar().toFile());
        DataInputStream in = new DataInputStream(jar.getInputStream(jar.getJarEntry(name)))) {
      assertEquals(0xCAFEBABE, in.readInt());
      in.readUnsignedShort();
      return in.readUnsignedShort();
    }
  }

  /** With the jar's Netty and its native library, apart from the one on this test's classpath. */
  @Test
  void theRelocatedNettyFindsItsNativeLibrary() throws Exception {
    try (URLClassLoader alone =
        new URLClassLoader(
            new URL[] {jar().toUri().toURL()}, ClassLoader.getPlatformClassLoader())) {
      Class<?> epoll =
          Class.forName("io.stowage.fs.shaded.io.netty.channel.epoll.Epoll", true, alone);
      Object cause = epoll.getMethod("unavailabilityCause").invoke(null);
      if (System.getProperty("os.name").equals("Linux")
          && System.getProperty("os.arch").equals("amd64")) {
        assertEquals(null, cause);
      } else {
        assertNotNull(cause);
      }
    }
  }
}

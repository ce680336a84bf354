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

import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;

import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** When certificates and keys that were replaced are used. */
class TlsFilesTest {
  private static final Duration DEADLINE = Duration.ofSeconds(30);

  @TempDir private Path directory;
  private final AtomicInteger refused = new AtomicInteger();

  /** As the operating system does it, root or not: who may not read a file is refused. */
  private SslContext load(Path key) throws IOException {
    if (!Files.getPosixFilePermissions(key).contains(PosixFilePermission.OWNER_READ)) {
      refused.incrementAndGet();
      throw new AccessDeniedException(key.toString());
    }
    return SslContextBuilder.forClient().build();
  }

  private interface Condition {
    boolean holds() throws Exception;
  }

  private static void await(Condition condition) throws Exception {
    long end = System.nanoTime() + DEADLINE.toNanos();
    while (!condition.holds() && System.nanoTime() < end) {
      Thread.sleep(50); // files are looked at once a second
    }
  }

  @Test
  void aKeyThatCouldNotBeReadIsUsedOnceItCanBe() throws Exception {
    Path key = Files.writeString(directory.resolve("host.key"), "first");
    TlsFiles files = TlsFiles.read("serve TLS", List.of(key), () -> load(key));
    SslContext first = files.current();
    Files.writeString(key, "the second");
    Files.setPosixFilePermissions(key, PosixFilePermissions.fromString("---------"));
    await(() -> files.current() != first || refused.get() > 0);
    assertSame(first, files.current(), "goes on with the one before");
    Files.setPosixFilePermissions(key, PosixFilePermissions.fromString("rw-------"));
    await(() -> files.current() != first);
    assertNotSame(first, files.current(), "the new key is readable and never read");
  }
}

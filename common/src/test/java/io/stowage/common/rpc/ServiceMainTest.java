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
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ServiceMainTest {
  @TempDir private Path directory;

  private static ServiceMain.Running start(ServiceMain.Service service) throws Exception {
    return ServiceMain.startOnce(
        "test", service, StowageConfig.of(Map.of()), new Configuration(false), 1);
  }

  @Test
  void aRoleWaitsForWhatItNeeds() throws Exception {
    AtomicInteger attempts = new AtomicInteger();
    ServiceMain.Running running = new ServiceMain.Running(() -> {}, List.of());
    assertSame(
        running,
        start(
            (config, hadoop) -> {
              if (attempts.incrementAndGet() < 3) {
                throw new StoreException(ErrorCode.UNAVAILABLE, "Cannot reach HBase");
              }
              return running;
            }));
    assertEquals(3, attempts.get());
  }

  @Test
  void aRoleThatIsWronglyConfiguredEnds() {
    AtomicInteger attempts = new AtomicInteger();
    StoreException said =
        assertThrows(
            StoreException.class,
            () ->
                start(
                    (config, hadoop) -> {
                      attempts.incrementAndGet();
                      throw new StoreException(ErrorCode.BAD_CONFIGURATION, "port in use");
                    }));
    assertEquals(ErrorCode.BAD_CONFIGURATION, said.code());
    assertEquals(1, attempts.get());
  }

  /** A role as its process runs it. */
  static final class Probe {
    private Probe() {}

    public static void main(String[] args) {
      ServiceMain.run(
          "probe",
          KerberosLogin.Role.SCM,
          args,
          (config, hadoop) -> new ServiceMain.Running(() -> {}, List.of()));
    }
  }

  @Test
  void eachStartSaysWhatIsInsecureAndOneThatNobodyAskedForIsNone() throws Exception {
    Role asked = run("open", "", "--insecure");
    Role unasked = run("closed", "");
    Role secured =
        run(
            "secured",
            property(Keys.SECURITY_ENABLED.name(), "true")
                + property("hadoop.rpc.protection", "authentication"));
    try {
      asked.awaitSaid("stowage probe: serving");
      asked.awaitSaid("stowage probe: INSECURE: security is off, and other machines reach");
      assertTrue(asked.said().contains(Keys.SCM_BIND.name() + " = 0.0.0.0:1"), asked::said);
      assertEquals(1, unasked.exit());
      assertTrue(unasked.said().contains("say --insecure"), unasked::said);
      assertFalse(unasked.said().contains("serving"), unasked::said);
      assertEquals(1, secured.exit(), "it has no principal");
      assertTrue(
          secured.said().contains("stowage probe: INSECURE: hadoop.rpc.protection"), secured::said);
    } finally {
      for (Role role : List.of(asked, unasked, secured)) {
        role.process.destroyForcibly();
      }
    }
  }

  private static String property(String name, String value) {
    return "<property><name>" + name + "</name><value>" + value + "</value></property>";
  }

  private Role run(String name, String settings, String... more) throws Exception {
    Path conf = Files.createDirectories(directory.resolve(name));
    Files.writeString(
        conf.resolve("stowage-site.xml"),
        "<configuration>"
            + property(Keys.SCM_BIND.name(), "0.0.0.0:1")
            + settings
            + "</configuration>");
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty(
                    "surefire.test.class.path", System.getProperty("java.class.path")),
                Probe.class.getName(),
                "--conf",
                conf.toString()));
    command.addAll(List.of(more));
    Path output = directory.resolve(name + ".out");
    return new Role(
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start(),
        output);
  }

  private record Role(Process process, Path output) {
    String said() {
      try {
        return Files.readString(output);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    void awaitSaid(String what) throws Exception {
      long deadline = System.nanoTime() + Duration.ofMinutes(2).toNanos();
      while (!said().contains(what)) {
        assertTrue(System.nanoTime() < deadline && process.isAlive(), this::said);
        Thread.sleep(20); // between two looks
      }
    }

    int exit() throws Exception {
      assertTrue(process.waitFor(2, TimeUnit.MINUTES), this::said);
      return process.exitValue();
    }
  }
}

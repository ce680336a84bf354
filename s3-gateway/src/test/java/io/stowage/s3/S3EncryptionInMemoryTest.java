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
package io.stowage.s3;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.stowage.common.error.StoreException;
import io.stowage.s3.suite.RawS3;
import io.stowage.s3.suite.S3EncryptionTest;
import io.stowage.s3.suite.S3Suite;
import java.security.MessageDigest;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

/** Encryption over the in-memory twins. */
class S3EncryptionInMemoryTest extends S3EncryptionTest {
  private InMemoryTarget gateway;

  @Override
  protected S3Suite.Target startTarget() throws Exception {
    gateway = new InMemoryTarget(Map.of());
    return gateway.target();
  }

  @AfterAll
  void stop() {
    gateway.close();
  }

  /** Amazon's rule: keys are not sent in the clear. */
  @Test
  void keysAreTakenOverTlsOnlyIfTheSettingSaysSo() throws Exception {
    byte[] key = new byte[32];
    String md5 = Base64.getEncoder().encodeToString(MessageDigest.getInstance("MD5").digest(key));
    for (String transport : List.of("tls", "loopback", "any")) {
      try (InMemoryTarget target =
          new InMemoryTarget(Map.of("stowage.s3.sse-c-transport", transport))) {
        RawS3 raw =
            new RawS3(
                target.target().endpoint(),
                InMemoryTarget.ACCESS_KEY,
                InMemoryTarget.SECRET_KEY,
                "us-east-1");
        assertEquals(200, raw.call("PUT", "/keys").send().status());
        RawS3.Reply reply =
            raw.call("PUT", "/keys/k")
                .body("text")
                .header("x-amz-server-side-encryption-customer-algorithm", "AES256")
                .header(
                    "x-amz-server-side-encryption-customer-key",
                    Base64.getEncoder().encodeToString(key))
                .header("x-amz-server-side-encryption-customer-key-md5", md5)
                .send();
        boolean refused = transport.equals("tls");
        assertEquals(refused ? 400 : 200, reply.status(), transport);
        assertEquals(refused ? "InvalidRequest" : "", reply.code());
      }
    }
    assertThrows(
        StoreException.class,
        () -> new InMemoryTarget(Map.of("stowage.s3.sse-c-transport", "carrier pigeon")));
  }
}

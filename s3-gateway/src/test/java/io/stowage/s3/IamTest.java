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

import io.stowage.s3.suite.S3IamTest;
import io.stowage.s3.suite.S3Suite.Target;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import software.amazon.awssdk.auth.credentials.AwsCredentials;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.sts.StsClient;
import software.amazon.awssdk.services.sts.model.Credentials;
import software.amazon.awssdk.services.sts.model.StsException;

/** IAM and STS over the in-memory twins. */
class IamTest extends S3IamTest {
  private InMemoryTarget target;

  @Override
  protected Target startTarget() throws Exception {
    target = new InMemoryTarget(Map.of());
    target.addIdentity("AKADMIN", "secret", "root", true);
    return new Target(target.target().endpoint(), "AKADMIN", "secret", "us-east-1");
  }

  @AfterEach
  void nothingIsLeftInMemory() {
    target.checkIdle();
  }

  @AfterAll
  void stopGateway() {
    target.close();
  }

  @Test
  void aKeyThatIsNoUsersHasSessionsToo() {
    target.addIdentity("AKROOT", "secret", "root-of-some", false);
    AwsCredentials root = basic("AKROOT", "secret");
    Credentials session;
    try (StsClient sts = sts(root)) {
      session = sts.getSessionToken().credentials();
      assertThrows(StsException.class, () -> sts.getSessionToken(b -> b.durationSeconds(7_200)));
    }
    try (S3Client client = s3(of(session));
        StsClient sts = sts(of(session))) {
      String bucket = "of-" + name;
      client.createBucket(b -> b.bucket(bucket));
      try (S3Client owner = s3(root)) {
        owner.deleteBucket(b -> b.bucket(bucket)); // the same owner
        assertEquals(owner.listBuckets().owner().id(), client.listBuckets().owner().id());
      }
      assertThrows(StsException.class, sts::getSessionToken);
    }
  }
}

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
package io.stowage.s3.suite;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.net.URI;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.CreateBucketRequest;
import software.amazon.awssdk.services.s3.model.S3Exception;

/**
 * What the suites by the AWS SDK share: the target and its clients, buckets that nobody else has,
 * and requests in one line.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class S3Suite {
  private static final AtomicInteger BUCKETS = new AtomicInteger();

  /** An endpoint to test. */
  public record Target(URI endpoint, String accessKey, String secretKey, String region) {
    public S3Client client() {
      return S3Client.builder()
          .endpointOverride(endpoint)
          .region(Region.of(region))
          .credentialsProvider(credentials())
          .forcePathStyle(true)
          .httpClientBuilder(UrlConnectionHttpClient.builder().socketTimeout(Duration.ofMinutes(2)))
          .build();
    }

    public RawS3 raw() {
      return new RawS3(endpoint, accessKey, secretKey, region);
    }

    StaticCredentialsProvider credentials() {
      return StaticCredentialsProvider.create(AwsBasicCredentials.create(accessKey, secretKey));
    }
  }

  protected Target target;
  protected S3Client s3;
  RawS3 raw;

  /** Starts what is tested, or finds it. */
  protected abstract Target startTarget() throws Exception;

  @BeforeAll
  void connect() throws Exception {
    target = startTarget();
    s3 = target.client();
    raw = target.raw();
  }

  @AfterAll
  void disconnect() {
    if (s3 != null) {
      s3.close();
    }
  }

  final String newBucket(String prefix, Consumer<CreateBucketRequest.Builder> with) {
    String bucket =
        prefix + "-" + Long.toString(System.nanoTime(), 36) + "-" + BUCKETS.incrementAndGet();
    s3.createBucket(
        b -> {
          b.bucket(bucket);
          with.accept(b);
        });
    return bucket;
  }

  protected static byte[] bytes(int length, long seed) {
    byte[] bytes = new byte[length];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  /** By a code, or by any if it is null: answers to HEAD have none. */
  static void fails(int status, String code, Runnable call) {
    S3Exception e = assertThrows(S3Exception.class, call::run);
    if (code != null) {
      assertEquals(code, e.awsErrorDetails().errorCode(), e::getMessage);
    }
    assertEquals(status, e.statusCode(), e::getMessage);
  }

  final void copy(String fromBucket, String from, String toBucket, String to) {
    s3.copyObject(
        b ->
            b.sourceBucket(fromBucket)
                .sourceKey(from)
                .destinationBucket(toBucket)
                .destinationKey(to));
  }
}

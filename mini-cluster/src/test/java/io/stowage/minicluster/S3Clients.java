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

import java.net.URI;
import java.time.Duration;
import javax.net.ssl.TrustManager;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.awscore.retry.AwsRetryStrategy;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3ClientBuilder;

/** The AWS SDK for Java at its defaults, but for the endpoint; and without its retries. */
final class S3Clients {
  private S3Clients() {}

  static S3Client of(MiniStowageCluster cluster) {
    return of(cluster, 0);
  }

  static S3Client of(MiniStowageCluster cluster, int gateway) {
    return builder(cluster.s3Endpoint(gateway), cluster.accessKey(), cluster.secretKey()).build();
  }

  static S3ClientBuilder builder(URI endpoint, String accessKey, String secretKey) {
    return builder(endpoint, accessKey, secretKey, null);
  }

  /**
   * A client over TLS.
   *
   * @param trusted whom it believes; null: whom the JDK does
   */
  static S3ClientBuilder builder(
      URI endpoint, String accessKey, String secretKey, TrustManager[] trusted) {
    UrlConnectionHttpClient.Builder http =
        UrlConnectionHttpClient.builder()
            .connectionTimeout(Duration.ofSeconds(5))
            .socketTimeout(Duration.ofSeconds(60));
    if (trusted != null) {
      http.tlsTrustManagersProvider(() -> trusted);
    }
    return S3Client.builder()
        .endpointOverride(endpoint)
        .region(Region.US_EAST_1)
        .forcePathStyle(true)
        .credentialsProvider(
            StaticCredentialsProvider.create(AwsBasicCredentials.create(accessKey, secretKey)))
        .httpClientBuilder(http);
  }

  /** One attempt a call: what the store answers is what the test sees. */
  static S3Client impatient(URI endpoint, String accessKey, String secretKey) {
    return builder(endpoint, accessKey, secretKey)
        .overrideConfiguration(o -> o.retryStrategy(AwsRetryStrategy.doNotRetry()))
        .build();
  }
}

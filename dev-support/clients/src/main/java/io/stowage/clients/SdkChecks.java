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
package io.stowage.clients;

import static io.stowage.clients.ClientsCheck.bytes;
import static io.stowage.clients.ClientsCheck.check;

import io.stowage.clients.ClientsCheck.Endpoint;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.async.AsyncRequestBody;
import software.amazon.awssdk.core.async.AsyncResponseTransformer;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3AsyncClient;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.ChecksumAlgorithm;
import software.amazon.awssdk.services.s3.model.ChecksumMode;
import software.amazon.awssdk.services.s3.model.ObjectIdentifier;
import software.amazon.awssdk.services.s3.model.PutObjectResponse;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.transfer.s3.S3TransferManager;
import software.amazon.awssdk.transfer.s3.model.CompletedDirectoryDownload;
import software.amazon.awssdk.transfer.s3.model.CompletedDirectoryUpload;

/** The AWS SDK for Java v2 in its kinds. Stateless. */
final class SdkChecks {
  private static final int MIB = 1 << 20;

  /** A client that waits for ever is a failure too. */
  private static final int PATIENCE_SECONDS = 60;

  /** What the store checks. The SDK knows others, which it sends where it is told to alone. */
  private static final List<ChecksumAlgorithm> ALGORITHMS =
      List.of(
          ChecksumAlgorithm.CRC32,
          ChecksumAlgorithm.CRC32_C,
          ChecksumAlgorithm.CRC64_NVME,
          ChecksumAlgorithm.SHA1,
          ChecksumAlgorithm.SHA256);

  private SdkChecks() {}

  private static StaticCredentialsProvider credentials(Endpoint e) {
    return StaticCredentialsProvider.create(AwsBasicCredentials.create(e.accessKey(), e.secretKey()));
  }

  static String sync(Endpoint e) {
    try (S3Client s3 =
        S3Client.builder()
            .endpointOverride(URI.create(e.url()))
            .region(Region.US_EAST_1)
            .forcePathStyle(true)
            .credentialsProvider(credentials(e))
            .build()) {
      s3.createBucket(b -> b.bucket(e.bucket()));
      int count = 0;
      for (ChecksumAlgorithm algorithm : ALGORITHMS) {
        byte[] content = bytes(300_000 + count, count);
        String key = "by " + algorithm;
        s3.putObject(
            b -> b.bucket(e.bucket()).key(key).checksumAlgorithm(algorithm),
            RequestBody.fromBytes(content));
        byte[] got =
            s3.getObjectAsBytes(
                    b -> b.bucket(e.bucket()).key(key).checksumMode(ChecksumMode.ENABLED))
                .asByteArray();
        check(Arrays.equals(content, got), "content by " + algorithm);
        count++;
      }
      int keys =
          (int) s3.listObjectsV2Paginator(b -> b.bucket(e.bucket()).maxKeys(2)).contents().stream().count();
      check(keys == count, keys + " keys are listed");
      s3.listObjectsV2(b -> b.bucket(e.bucket()))
          .contents()
          .forEach(o -> s3.deleteObject(b -> b.bucket(e.bucket()).key(o.key())));
      s3.deleteBucket(b -> b.bucket(e.bucket()));
      return count + " checksum algorithms, listing by pages";
    }
  }

  static String asyncNetty(Endpoint e) {
    try (S3AsyncClient s3 =
        S3AsyncClient.builder()
            .endpointOverride(URI.create(e.url()))
            .region(Region.US_EAST_1)
            .forcePathStyle(true)
            .credentialsProvider(credentials(e))
            .multipartEnabled(true)
            .build()) {
      return parallel(s3, e);
    }
  }

  static String crt(Endpoint e) {
    try (S3AsyncClient s3 =
        S3AsyncClient.crtBuilder()
            .endpointOverride(URI.create(e.url()))
            .region(Region.US_EAST_1)
            .forcePathStyle(true)
            .credentialsProvider(credentials(e))
            .build()) {
      return parallel(s3, e);
    }
  }

  private static String parallel(S3AsyncClient s3, Endpoint e) {
    s3.createBucket(b -> b.bucket(e.bucket())).orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).join();
    List<CompletableFuture<PutObjectResponse>> puts = new ArrayList<>();
    int[] sizes = {0, 1, 100, 70_000, 300_000, MIB, 9 * MIB + 7, 33 * MIB + 1};
    for (int i = 0; i < sizes.length; i++) {
      int seed = i;
      puts.add(
          s3.putObject(
              b -> b.bucket(e.bucket()).key("size/" + sizes[seed]),
              AsyncRequestBody.fromBytes(bytes(sizes[seed], seed))));
    }
    puts.forEach(put -> put.orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).join());
    for (int i = 0; i < sizes.length; i++) {
      int size = sizes[i];
      byte[] got =
          s3.getObject(
                  b -> b.bucket(e.bucket()).key("size/" + size), AsyncResponseTransformer.toBytes())
              .orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).join()
              .asByteArray();
      check(Arrays.equals(bytes(size, i), got), "content of " + size + " bytes");
    }
    try {
      s3.headObject(b -> b.bucket(e.bucket()).key("none")).orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).join();
      throw new AssertionError("a key that is not there was found");
    } catch (java.util.concurrent.CompletionException refused) {
      check(
          refused.getCause() instanceof S3Exception s3e && s3e.statusCode() == 404,
          refused.toString());
    }
    s3.copyObject(
            b ->
                b.sourceBucket(e.bucket())
                    .sourceKey("size/" + (33 * MIB + 1))
                    .destinationBucket(e.bucket())
                    .destinationKey("copy"))
        .orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).join();
    List<ObjectIdentifier> keys =
        s3.listObjectsV2(b -> b.bucket(e.bucket())).orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).join().contents().stream()
            .map(o -> ObjectIdentifier.builder().key(o.key()).build())
            .toList();
    check(keys.size() == sizes.length + 1, keys.size() + " keys are listed");
    check(
        s3.deleteObjects(b -> b.bucket(e.bucket()).delete(d -> d.objects(keys))).orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).join().errors().isEmpty(),
        "errors of a bulk delete");
    s3.deleteBucket(b -> b.bucket(e.bucket())).orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).join();
    return sizes.length + " sizes side by side, copy, bulk delete";
  }

  static String transferManager(Endpoint e) throws Exception {
    Path from = Files.createTempDirectory("stowage-from");
    Path to = Files.createTempDirectory("stowage-to");
    try (S3AsyncClient s3 =
            S3AsyncClient.crtBuilder()
                .endpointOverride(URI.create(e.url()))
                .region(Region.US_EAST_1)
                .forcePathStyle(true)
                .credentialsProvider(credentials(e))
                .build();
        S3TransferManager transfers = S3TransferManager.builder().s3Client(s3).build()) {
      s3.createBucket(b -> b.bucket(e.bucket())).orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).join();
      Files.createDirectories(from.resolve("sub/directory"));
      Files.write(from.resolve("large"), bytes(40 * MIB, 1));
      for (int i = 0; i < 20; i++) {
        Files.write(from.resolve("sub/directory/" + i), bytes(1000 * i, i));
      }
      CompletedDirectoryUpload up =
          transfers.uploadDirectory(b -> b.bucket(e.bucket()).source(from)).completionFuture().orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).join();
      check(up.failedTransfers().isEmpty(), up.toString());
      CompletedDirectoryDownload down =
          transfers.downloadDirectory(b -> b.bucket(e.bucket()).destination(to)).completionFuture().orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).join();
      check(down.failedTransfers().isEmpty(), down.toString());
      check(Files.mismatch(from.resolve("large"), to.resolve("large")) == -1, "the large file");
      for (int i = 0; i < 20; i++) {
        String name = "sub/directory/" + i;
        check(Files.mismatch(from.resolve(name), to.resolve(name)) == -1, name);
      }
      return "a directory of 21 files both ways";
    }
  }
}

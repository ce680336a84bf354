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

import io.minio.BucketExistsArgs;
import io.minio.ComposeObjectArgs;
import io.minio.ComposeSource;
import io.minio.GetObjectArgs;
import io.minio.GetObjectTagsArgs;
import io.minio.GetPresignedObjectUrlArgs;
import io.minio.ListObjectsArgs;
import io.minio.MakeBucketArgs;
import io.minio.MinioClient;
import io.minio.PutObjectArgs;
import io.minio.RemoveBucketArgs;
import io.minio.RemoveObjectsArgs;
import io.minio.Result;
import io.minio.SetObjectTagsArgs;
import io.minio.StatObjectArgs;
import io.minio.http.Method;
import io.minio.messages.DeleteError;
import io.minio.messages.DeleteObject;
import io.minio.messages.Item;
import io.stowage.clients.ClientsCheck.Endpoint;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.net.URI;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** MinIO's client for Java. Stateless. */
final class MinioCheck {
  private static final int MIB = 1 << 20;

  private MinioCheck() {}

  static String run(Endpoint e) throws Exception {
    MinioClient minio =
        MinioClient.builder().endpoint(e.url()).credentials(e.accessKey(), e.secretKey()).build();
    String bucket = e.bucket();
    minio.makeBucket(MakeBucketArgs.builder().bucket(bucket).build());
    check(minio.bucketExists(BucketExistsArgs.builder().bucket(bucket).build()), "the bucket");
    byte[] content = bytes(17 * MIB + 3, 1);
    // Of unknown length, so in parts.
    minio.putObject(
        PutObjectArgs.builder().bucket(bucket).object("dir/in parts").stream(
                new ByteArrayInputStream(content), -1, 5L * MIB)
            .userMetadata(Map.of("colour", "blue"))
            .build());
    minio.putObject(
        PutObjectArgs.builder().bucket(bucket).object("dir/whole").stream(
                new ByteArrayInputStream(content, 0, 1000), 1000, -1)
            .contentType("text/plain")
            .build());
    try (InputStream in =
        minio.getObject(
            GetObjectArgs.builder()
                .bucket(bucket)
                .object("dir/in parts")
                .offset(6L * MIB)
                .length(1000L)
                .build())) {
      check(
          Arrays.equals(Arrays.copyOfRange(content, 6 * MIB, 6 * MIB + 1000), in.readAllBytes()),
          "a range");
    }
    check(
        minio
            .statObject(StatObjectArgs.builder().bucket(bucket).object("dir/in parts").build())
            .userMetadata()
            .get("colour")
            .equals("blue"),
        "metadata");
    minio.composeObject(
        ComposeObjectArgs.builder()
            .bucket(bucket)
            .object("composed")
            .sources(
                List.of(
                    ComposeSource.builder().bucket(bucket).object("dir/in parts").build(),
                    ComposeSource.builder().bucket(bucket).object("dir/whole").build()))
            .build());
    check(
        minio.statObject(StatObjectArgs.builder().bucket(bucket).object("composed").build()).size()
            == content.length + 1000,
        "the composed object's size");
    minio.setObjectTags(
        SetObjectTagsArgs.builder().bucket(bucket).object("composed").tags(Map.of("a", "b")).build());
    check(
        minio
            .getObjectTags(GetObjectTagsArgs.builder().bucket(bucket).object("composed").build())
            .get()
            .equals(Map.of("a", "b")),
        "tags");
    String link =
        minio.getPresignedObjectUrl(
            GetPresignedObjectUrlArgs.builder()
                .method(Method.GET)
                .bucket(bucket)
                .object("dir/whole")
                .expiry(60)
                .build());
    try (InputStream in = URI.create(link).toURL().openStream()) {
      check(Arrays.equals(Arrays.copyOf(content, 1000), in.readAllBytes()), "a presigned link");
    }
    List<DeleteObject> keys = new ArrayList<>();
    for (Result<Item> item :
        minio.listObjects(ListObjectsArgs.builder().bucket(bucket).recursive(true).build())) {
      keys.add(new DeleteObject(item.get().objectName()));
    }
    check(keys.size() == 3, keys.size() + " keys are listed");
    for (Result<DeleteError> error :
        minio.removeObjects(RemoveObjectsArgs.builder().bucket(bucket).objects(keys).build())) {
      throw new AssertionError(error.get().message());
    }
    minio.removeBucket(RemoveBucketArgs.builder().bucket(bucket).build());
    return "parts, ranges, compose, tags, presigned, bulk delete";
  }
}

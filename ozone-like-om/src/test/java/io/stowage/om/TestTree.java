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
package io.stowage.om;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.BucketLayout;
import io.stowage.common.proto.Condition;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.common.proto.DeleteDirectoryRequest;
import io.stowage.common.proto.FindPathReply;
import io.stowage.common.proto.FindPathRequest;
import io.stowage.common.proto.ListObjectsReply;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.PlaceObjectRequest;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.PutPartRequest;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** A bucket of layout FILE_SYSTEM, and requests to it in one line each. */
final class TestTree {
  final TestOm om;
  final String bucket;

  TestTree(TestOm om, String bucket) {
    this.om = om;
    this.bucket = bucket;
  }

  static TestTree create(TestOm om, String bucket) throws StoreException {
    om.om.createBucket(
        CreateBucketRequest.newBuilder()
            .setName(bucket)
            .setOwner("owner")
            .setLayout(BucketLayout.FILE_SYSTEM)
            .setWriteId(WriteId.random())
            .build());
    return new TestTree(om, bucket);
  }

  /** The same bucket by another object manager. */
  TestTree by(TestOm other) {
    return new TestTree(other, bucket);
  }

  /** The row that needles of a key are to name, as a writer asks for it before it writes. */
  ByteString place(String key) throws StoreException {
    String rowKey =
        om.om
            .placeObject(PlaceObjectRequest.newBuilder().setBucket(bucket).setKey(key).build())
            .getRowKey();
    return ByteString.copyFrom(ByteBuffer.allocate(8).putLong(om.bucketId(bucket)).flip())
        .concat(ByteString.copyFromUtf8(rowKey));
  }

  PutObjectRequest.Builder putRequest(String key, String content, ByteString placed) {
    PutObjectRequest.Builder put = om.putRequest(bucket, key, content);
    return put.setManifest(put.getManifest().toBuilder().setOriginRow(placed));
  }

  ObjectVersion put(String key, String content) throws StoreException {
    return om.om.putObject(putRequest(key, content, place(key)).build()).getVersion();
  }

  void putPart(String key, ByteString upload, int number, String content) throws StoreException {
    PutPartRequest.Builder put =
        om.partRequest(bucket, key, upload, number, content, content.length());
    put.getPartBuilder().getManifestBuilder().setOriginRow(place(key));
    om.om.putPart(put.build());
  }

  void makeDirectory(String path) throws StoreException {
    om.om.putObject(
        PutObjectRequest.newBuilder()
            .setBucket(bucket)
            .setKey(path + "/")
            .setWriteId(WriteId.random())
            .setMd5(TestOm.md5(""))
            .setManifest(Manifest.getDefaultInstance())
            .build());
  }

  /** False if it is there already. */
  boolean makeDirectoryIfAbsent(String path) throws StoreException {
    try {
      om.om.putObject(
          PutObjectRequest.newBuilder()
              .setBucket(bucket)
              .setKey(path + "/")
              .setWriteId(WriteId.random())
              .setMd5(TestOm.md5(""))
              .setManifest(Manifest.getDefaultInstance())
              .setCondition(Condition.newBuilder().setMustBeAbsent(true))
              .build());
      return true;
    } catch (StoreException e) {
      if (e.code() == ErrorCode.PRECONDITION_FAILED) {
        return false;
      }
      throw e;
    }
  }

  boolean deleteDirectory(String path, boolean recursive, ByteString id) throws StoreException {
    return om.om
        .deleteDirectory(
            DeleteDirectoryRequest.newBuilder()
                .setBucket(bucket)
                .setPath(path)
                .setWriteId(id)
                .setRecursive(recursive)
                .build())
        .getDeleted();
  }

  boolean deleteDirectory(String path, boolean recursive) throws StoreException {
    return deleteDirectory(path, recursive, WriteId.random());
  }

  void rename(String from, String to) throws StoreException {
    om.rename(bucket, from, to, false);
  }

  /** What a path is; null: nothing. */
  FindPathReply find(String path) throws StoreException {
    try {
      return om.om.findPath(FindPathRequest.newBuilder().setBucket(bucket).setPath(path).build());
    } catch (StoreException e) {
      if (e.code() == ErrorCode.NO_SUCH_KEY) {
        return null;
      }
      throw e;
    }
  }

  boolean isDirectory(String path) throws StoreException {
    FindPathReply found = find(path);
    return found != null && found.getDirectory();
  }

  ObjectVersion get(String key) throws StoreException {
    return om.get(bucket, key);
  }

  /** Keys and common prefixes as one listing tells them, page by page. */
  List<String> list(String prefix, String delimiter, String after, int pageSize)
      throws StoreException {
    List<String> all = new ArrayList<>();
    String from = after;
    while (true) {
      ListObjectsReply page = om.list(bucket, prefix, delimiter, from, pageSize);
      List<String> told = new ArrayList<>();
      page.getObjectsList().forEach(object -> told.add(object.getKey()));
      told.addAll(page.getCommonPrefixesList());
      told.sort(TestTree::byBytes);
      all.addAll(told);
      if (!page.getMore()) {
        return all;
      }
      if (told.isEmpty()) {
        throw new AssertionError("more, but nothing on this page");
      }
      from = page.getLast();
    }
  }

  List<String> keys() throws StoreException {
    return list("", "", "", 1_000);
  }

  static int byBytes(String a, String b) {
    return ByteString.unsignedLexicographicalComparator()
        .compare(ByteString.copyFromUtf8(a), ByteString.copyFromUtf8(b));
  }

  static ErrorCode codeOf(Call call) {
    try {
      call.run();
      return null;
    } catch (StoreException e) {
      return e.code();
    }
  }

  interface Call {
    void run() throws StoreException;
  }
}

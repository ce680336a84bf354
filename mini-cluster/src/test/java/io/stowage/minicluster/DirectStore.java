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

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.stowage.client.DataPath;
import io.stowage.client.ObjectReader;
import io.stowage.client.ObjectWriter;
import io.stowage.client.RecordingNamespace;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.AbortUploadRequest;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.CompletePart;
import io.stowage.common.proto.CompleteUploadRequest;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.common.proto.CreateUploadRequest;
import io.stowage.common.proto.DeleteObjectsRequest;
import io.stowage.common.proto.DeletedObject;
import io.stowage.common.proto.GetBucketRequest;
import io.stowage.common.proto.GetObjectReply;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.ObjectToDelete;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.PutPartRequest;
import io.stowage.common.proto.RenameObjectRequest;
import io.stowage.common.proto.UploadedPart;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Puts, gets, deletes and renames of one bucket through an object manager and a data path of this
 * JVM, without HTTP between. Thread-safe.
 */
final class DirectStore {
  private static final int PIECE = 1 << 20;

  private final Supplier<ObjectManager> om;
  private final Supplier<DataPath> data;
  private final String bucket;

  DirectStore(Supplier<ObjectManager> om, Supplier<DataPath> data, String bucket) {
    this.om = om;
    this.data = data;
    this.bucket = bucket;
  }

  static DirectStore of(MiniStowageCluster cluster, String bucket) {
    return new DirectStore(() -> cluster.objectManager(0), () -> cluster.dataPath(0), bucket);
  }

  /** As gateways do it: what the headers of needles do not tell is recorded beside the data. */
  static DirectStore recording(MiniStowageCluster cluster, String bucket) {
    ObjectManager recording =
        RecordingNamespace.over(cluster.objectManager(0), cluster.dataPath(0));
    return new DirectStore(() -> recording, () -> cluster.dataPath(0), bucket);
  }

  void create(String policy) throws StoreException {
    om.get()
        .createBucket(
            CreateBucketRequest.newBuilder()
                .setName(bucket)
                .setOwner("test")
                .setPolicy(policy)
                .setWriteId(WriteId.random())
                .build());
  }

  BucketInfo bucket() throws StoreException {
    return om.get().getBucket(GetBucketRequest.newBuilder().setName(bucket).build()).getBucket();
  }

  private ObjectWriter.Written write(String key, ByteString writeId, byte[] bytes)
      throws StoreException {
    BucketInfo info = bucket();
    try (ObjectWriter writer =
        data.get()
            .write(
                new DataPath.WriteSpec(
                    info.getId(),
                    ByteString.copyFromUtf8(key),
                    writeId,
                    info.getPolicy(),
                    bytes.length,
                    ByteString.EMPTY))) {
      for (int at = 0; at < bytes.length; at += PIECE) {
        int length = Math.min(PIECE, bytes.length - at);
        writer.write(
            PooledByteBufAllocator.DEFAULT.directBuffer(length).writeBytes(bytes, at, length));
      }
      return writer.finish();
    }
  }

  void put(String key, byte[] bytes) throws StoreException {
    ByteString writeId = WriteId.random();
    ObjectWriter.Written written = write(key, writeId, bytes);
    om.get()
        .putObject(
            PutObjectRequest.newBuilder()
                .setBucket(bucket)
                .setKey(key)
                .setWriteId(writeId)
                .setClockMicros(written.clockMicros())
                .setLength(bytes.length)
                .setMd5(md5(bytes))
                .setManifest(written.manifest())
                .addAllGrants(written.grants())
                .build());
  }

  GetObjectReply head(String key) throws StoreException {
    return om.get()
        .getObject(
            GetObjectRequest.newBuilder()
                .setBucket(bucket)
                .setKey(key)
                .setWantManifest(true)
                .build());
  }

  GetObjectReply headVersion(String key, long versionId) throws StoreException {
    return om.get()
        .getObject(
            GetObjectRequest.newBuilder()
                .setBucket(bucket)
                .setKey(key)
                .setVersionId(versionId)
                .setWantManifest(true)
                .build());
  }

  /** The bytes, or null if there is no such key. */
  byte[] get(String key) throws StoreException {
    // A container may go between the look at the row and the read: then the row is looked at again.
    for (int attempt = 0; ; attempt++) {
      try {
        return getOnce(key);
      } catch (StoreException e) {
        if (e.code() == ErrorCode.NO_SUCH_KEY) {
          return null;
        }
        if (attempt == 3) {
          throw e;
        }
      }
    }
  }

  private byte[] getOnce(String key) throws StoreException {
    return read(head(key));
  }

  byte[] read(GetObjectReply reply) throws StoreException {
    byte[] bytes = new byte[(int) reply.getVersion().getLength()];
    try (ObjectReader reader =
        data.get().read(DataPath.ReadSpec.of(reply.getVersion(), reply.getContainersList()))) {
      for (int at = 0; at < bytes.length; at += reader.maxRead()) {
        int length = Math.min(reader.maxRead(), bytes.length - at);
        ByteBuf part = reader.read(at, length);
        part.readBytes(bytes, at, length);
        part.release();
      }
    }
    return bytes;
  }

  void delete(List<String> keys) throws StoreException {
    DeleteObjectsRequest.Builder request = DeleteObjectsRequest.newBuilder().setBucket(bucket);
    for (String key : keys) {
      request.addObjects(ObjectToDelete.newBuilder().setKey(key).setWriteId(WriteId.random()));
    }
    for (DeletedObject deleted : om.get().deleteObjects(request.build()).getObjectsList()) {
      if (deleted.getErrorCode() != 0) {
        throw StoreException.of(
            ErrorCode.ofNumber(deleted.getErrorCode()), deleted.getErrorMessage());
      }
    }
  }

  void rename(String source, String target) throws StoreException {
    om.get()
        .renameObject(
            RenameObjectRequest.newBuilder()
                .setBucket(bucket)
                .setSource(source)
                .setTarget(target)
                .setOverwrite(true)
                .setWriteId(WriteId.random())
                .build());
  }

  /** A writer that dies when its bytes are on the disks and before anybody is told of them. */
  void writeAndDie(String key, byte[] bytes) throws StoreException {
    ObjectWriter.Written unused = write(key, WriteId.random(), bytes);
  }

  /** A multipart upload of parts that are large enough but for the last. */
  void upload(String key, List<byte[]> parts) throws StoreException {
    ByteString uploadId = beginUpload(key);
    List<CompletePart> complete = new ArrayList<>();
    for (int i = 0; i < parts.size(); i++) {
      complete.add(putPart(key, uploadId, i + 1, parts.get(i)));
    }
    om.get()
        .completeUpload(
            CompleteUploadRequest.newBuilder()
                .setBucket(bucket)
                .setKey(key)
                .setUploadId(uploadId)
                .setWriteId(WriteId.random())
                .addAllParts(complete)
                .build());
  }

  ByteString beginUpload(String key) throws StoreException {
    return om.get()
        .createUpload(
            CreateUploadRequest.newBuilder()
                .setBucket(bucket)
                .setKey(key)
                .setWriteId(WriteId.random())
                .build())
        .getUploadId();
  }

  CompletePart putPart(String key, ByteString uploadId, int number, byte[] bytes)
      throws StoreException {
    ByteString writeId = WriteId.random();
    ObjectWriter.Written written = write(key, writeId, bytes);
    ByteString md5 = md5(bytes);
    om.get()
        .putPart(
            PutPartRequest.newBuilder()
                .setBucket(bucket)
                .setKey(key)
                .setUploadId(uploadId)
                .setPart(
                    UploadedPart.newBuilder()
                        .setNumber(number)
                        .setLength(bytes.length)
                        .setMd5(md5)
                        .setWriteId(writeId)
                        .setManifest(written.manifest()))
                .addAllGrants(written.grants())
                .build());
    return CompletePart.newBuilder().setNumber(number).setMd5(md5).build();
  }

  void abortUpload(String key, ByteString uploadId) throws StoreException {
    om.get()
        .abortUpload(
            AbortUploadRequest.newBuilder()
                .setBucket(bucket)
                .setKey(key)
                .setUploadId(uploadId)
                .build());
  }

  private static ByteString md5(byte[] bytes) {
    try {
      return ByteString.copyFrom(MessageDigest.getInstance("MD5").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}

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
package io.stowage.fs;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.stowage.client.DataPath;
import io.stowage.client.ObjectWriter;
import io.stowage.client.Placement;
import io.stowage.client.crypt.ObjectCipher;
import io.stowage.client.crypt.PacketLayout;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.AbortUploadRequest;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.ChecksumAlgorithm;
import io.stowage.common.proto.CompletePart;
import io.stowage.common.proto.CompleteUploadRequest;
import io.stowage.common.proto.CreateUploadRequest;
import io.stowage.common.proto.ListPartsRequest;
import io.stowage.common.proto.ListUploadsReply;
import io.stowage.common.proto.ListUploadsRequest;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.NeedleBlob;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.PutPartRequest;
import io.stowage.common.proto.UploadInfo;
import io.stowage.common.proto.UploadedPart;
import io.stowage.common.time.StoreClock;
import java.io.EOFException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.zip.CRC32C;
import org.apache.hadoop.fs.BBPartHandle;
import org.apache.hadoop.fs.BBUploadHandle;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.PartHandle;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.PathHandle;
import org.apache.hadoop.fs.UploadHandle;
import org.apache.hadoop.fs.impl.AbstractMultipartUploader;
import org.apache.hadoop.fs.impl.MultipartUploaderBuilderImpl;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.fs.statistics.IOStatistics;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.util.LambdaUtils;

/**
 * Uploads in parts, the same that S3 clients make: they see one another's, and may go on with them.
 * Calls do what they are asked for before they return. An upload handle is S3's upload id, a part's
 * handle its MD5. Thread-safe.
 */
final class StowageMultipartUploader extends AbstractMultipartUploader {
  private static final int CHUNK_BYTES = 1 << 20;

  /** Uploads of one page of a listing. */
  private static final int PAGE = 1_000;

  private final BucketFileSystem fileSystem;
  private final ObjectManager objectManager;
  private final ClusterConnection cluster;
  private final BucketInfo bucket;
  private final FreshBucket fresh;
  private final FsPermission permission; // before the umask

  /** Makes one; there are no options. Confined to its caller. */
  static final class Builder
      extends MultipartUploaderBuilderImpl<StowageMultipartUploader, Builder> {
    private final BucketFileSystem fileSystem;

    Builder(BucketFileSystem fileSystem, Path base) {
      super(fileSystem, base);
      this.fileSystem = fileSystem;
    }

    @Override
    public Builder getThisBuilder() {
      return this;
    }

    @Override
    public StowageMultipartUploader build() {
      rejectUnknownMandatoryKeys(Set.of(), " for " + getPath());
      return fileSystem.newMultipartUploader(getPath(), getPermission());
    }
  }

  StowageMultipartUploader(
      BucketFileSystem fileSystem,
      Path base,
      ObjectManager objectManager,
      ClusterConnection cluster,
      BucketInfo bucket,
      FreshBucket fresh,
      FsPermission permission) {
    super(base);
    this.fileSystem = fileSystem;
    this.objectManager = objectManager;
    this.cluster = cluster;
    this.bucket = bucket;
    this.fresh = fresh;
    this.permission = permission;
  }

  @Override
  public CompletableFuture<UploadHandle> startUpload(Path path) {
    checkPath(path);
    return LambdaUtils.eval(
        new CompletableFuture<>(),
        () -> {
          try {
            ObjectCipher cipher = cluster.cipherOfNew(fresh.get());
            ObjectMetadata.Builder kept = fileSystem.metadataOfUpload(path, permission).toBuilder();
            if (cipher != null) {
              kept.setEncryption(cipher.envelope());
            }
            ByteString id =
                objectManager
                    .createUpload(
                        CreateUploadRequest.newBuilder()
                            .setBucket(bucket.getName())
                            .setKey(fileSystem.keyOf(path))
                            .setWriteId(WriteId.random())
                            .setMetadata(kept)
                            .setEncryptionDecided(true)
                            .setChecksumAlgorithm(ChecksumAlgorithm.CRC32C)
                            .setChecksumFullObject(true)
                            .build())
                    .getUploadId();
            return BBUploadHandle.from(ByteBuffer.wrap(id.toByteArray()));
          } catch (StoreException e) {
            throw HadoopErrors.of(e, path.toString());
          }
        });
  }

  @Override
  public CompletableFuture<PartHandle> putPart(
      UploadHandle upload, int number, boolean last, Path path, InputStream bytes, long length) {
    return putPart(upload, number, path, bytes, length);
  }

  /** What Hadoop 3.3.4 calls. */
  public CompletableFuture<PartHandle> putPart(
      UploadHandle upload, int number, Path path, InputStream bytes, long length) {
    checkPutArguments(path, bytes, number, upload, length);
    ByteString id = idOf(upload);
    return LambdaUtils.eval(
        new CompletableFuture<>(),
        () -> {
          try (InputStream in = bytes) {
            UploadedPart part = put(id, number, path, in, length);
            return BBPartHandle.from(ByteBuffer.wrap(part.getMd5().toByteArray()));
          } catch (StoreException e) {
            throw HadoopErrors.of(e, path.toString());
          }
        });
  }

  private UploadedPart put(ByteString id, int number, Path path, InputStream in, long length)
      throws IOException {
    ByteString writeId = WriteId.random();
    MessageDigest md5 = newMd5();
    CRC32C crc = new CRC32C();
    String key = fileSystem.keyOf(path);
    ObjectCipher cipher = cipherOf(id, key);
    UploadedPart.Builder part = UploadedPart.newBuilder();
    PutPartRequest.Builder request = PutPartRequest.newBuilder();
    if (length > 0) {
      ObjectWriter.Written written = write(id, number, writeId, key, in, length, md5, crc, cipher);
      part.setManifest(written.manifest());
      request.addAllGrants(written.grants());
    } else {
      part.setManifest(Manifest.getDefaultInstance());
    }
    part.setNumber(number)
        .setLength(length)
        .setMd5(etag(cipher, md5.digest()))
        .setEncrypted(cipher != null)
        .addChecksums(FileChecksums.stored(crc.getValue()))
        .setModifiedMicros(StoreClock.system().wallMicros())
        .setWriteId(writeId);
    objectManager.putPart(
        request.setBucket(bucket.getName()).setKey(key).setUploadId(id).setPart(part).build());
    return part.build();
  }

  /** The cipher of an upload, which whoever began it has chosen; null: none. */
  private ObjectCipher cipherOf(ByteString id, String key) throws StoreException {
    UploadInfo upload =
        objectManager
            .listParts(
                ListPartsRequest.newBuilder()
                    .setBucket(bucket.getName())
                    .setKey(key)
                    .setUploadId(id)
                    .setLimit(1)
                    .build())
            .getUpload();
    return cluster.cipherOf(
        bucket.getId(),
        ObjectVersion.newBuilder().setKey(key).setMetadata(upload.getMetadata()).build());
  }

  private static ByteString etag(ObjectCipher cipher, byte[] md5) {
    return cipher == null ? ByteString.copyFrom(md5) : cipher.etag(md5);
  }

  private ObjectWriter.Written write(
      ByteString id,
      int number,
      ByteString writeId,
      String key,
      InputStream in,
      long length,
      MessageDigest md5,
      CRC32C crc,
      ObjectCipher cipher)
      throws IOException {
    Placement placement = Placement.of(objectManager, bucket, key);
    ObjectWriter stored =
        cluster
            .dataPath()
            .write(
                new DataPath.WriteSpec(
                    bucket.getId(),
                    placement.rowKey(),
                    writeId,
                    bucket.getPolicy(),
                    cipher == null ? length : PacketLayout.cipherLength(length),
                    NeedleBlob.newBuilder()
                        .setUploadId(id)
                        .setPartNumber(number)
                        .build()
                        .toByteString()));
    try (ObjectWriter writer = cipher == null ? stored : cipher.encrypting(stored, writeId)) {
      byte[] chunk = new byte[(int) Math.min(CHUNK_BYTES, length)];
      for (long left = length; left > 0; ) {
        int count = in.readNBytes(chunk, 0, (int) Math.min(chunk.length, left));
        if (count == 0) {
          throw new EOFException(
              "part " + number + " ends " + left + " bytes before its " + length + " bytes");
        }
        md5.update(chunk, 0, count);
        crc.update(chunk, 0, count);
        ByteBuf bytes = PooledByteBufAllocator.DEFAULT.directBuffer(count);
        writer.write(bytes.writeBytes(chunk, 0, count));
        left -= count;
      }
      return placement.told(writer.finish());
    }
  }

  @Override
  public CompletableFuture<PathHandle> complete(
      UploadHandle upload, Path path, Map<Integer, PartHandle> handles) throws IOException {
    checkPath(path);
    ByteString id = idOf(upload);
    checkPartHandles(handles);
    requireNoDirectory(path);
    CompleteUploadRequest.Builder request =
        CompleteUploadRequest.newBuilder()
            .setBucket(bucket.getName())
            .setKey(fileSystem.keyOf(path))
            .setUploadId(id)
            .setWriteId(WriteId.random());
    new TreeMap<>(handles)
        .forEach(
            (number, handle) ->
                request.addParts(
                    CompletePart.newBuilder()
                        .setNumber(number)
                        .setMd5(ByteString.copyFrom(handle.bytes().duplicate()))));
    return LambdaUtils.eval(
        new CompletableFuture<>(),
        () -> {
          try {
            ObjectVersion version = objectManager.completeUpload(request.build()).getVersion();
            return new StowagePathHandle(
                fileSystem.keyOf(path), StowagePathHandle.contentOf(version));
          } catch (StoreException e) {
            throw HadoopErrors.of(e, path.toString());
          }
        });
  }

  private void requireNoDirectory(Path path) throws IOException {
    try {
      if (fileSystem.getFileStatus(path).isDirectory()) {
        throw new FileAlreadyExistsException(path + " is a directory");
      }
    } catch (FileNotFoundException e) {
      // nothing in the way
    }
  }

  @Override
  public CompletableFuture<Void> abort(UploadHandle upload, Path path) {
    checkPath(path);
    ByteString id = idOf(upload);
    return LambdaUtils.eval(
        new CompletableFuture<Void>(),
        () -> {
          try {
            abort(fileSystem.keyOf(path), id);
          } catch (StoreException e) {
            throw HadoopErrors.of(e, path.toString());
          }
          return null;
        });
  }

  private void abort(String key, ByteString id) throws StoreException {
    objectManager.abortUpload(
        AbortUploadRequest.newBuilder()
            .setBucket(bucket.getName())
            .setKey(key)
            .setUploadId(id)
            .build());
  }

  @Override
  public CompletableFuture<Integer> abortUploadsUnderPath(Path path) {
    checkPath(path);
    return LambdaUtils.eval(
        new CompletableFuture<>(),
        () -> {
          try {
            return abortBelow(fileSystem.keyOf(path));
          } catch (StoreException e) {
            throw HadoopErrors.of(e, path.toString());
          }
        });
  }

  private int abortBelow(String key) throws StoreException {
    int aborted = 0;
    ListUploadsRequest.Builder request =
        ListUploadsRequest.newBuilder()
            .setBucket(bucket.getName())
            .setPrefix(key.isEmpty() ? "" : key + "/")
            .setLimit(PAGE);
    while (true) {
      ListUploadsReply page = objectManager.listUploads(request.build());
      for (UploadInfo upload : page.getUploadsList()) {
        abort(upload.getKey(), upload.getUploadId());
        aborted++;
        request.setKeyMarker(upload.getKey()).setUploadIdMarker(upload.getUploadId());
      }
      if (!page.getMore()) {
        return aborted;
      }
    }
  }

  private ByteString idOf(UploadHandle upload) {
    byte[] id = upload.toByteArray();
    checkUploadId(id);
    return ByteString.copyFrom(ByteBuffer.wrap(id));
  }

  @Override
  public IOStatistics getIOStatistics() {
    return fileSystem.getIOStatistics();
  }

  private static MessageDigest newMd5() {
    try {
      return MessageDigest.getInstance("MD5");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}

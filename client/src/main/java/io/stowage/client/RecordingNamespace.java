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
package io.stowage.client;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.AbandonedFact;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.CompleteUploadReply;
import io.stowage.common.proto.CreateBucketReply;
import io.stowage.common.proto.CreateUploadReply;
import io.stowage.common.proto.DeleteBucketReply;
import io.stowage.common.proto.DeleteDirectoryReply;
import io.stowage.common.proto.DeleteObjectsReply;
import io.stowage.common.proto.Fact;
import io.stowage.common.proto.GetBucketRequest;
import io.stowage.common.proto.PlaceObjectReply;
import io.stowage.common.proto.PutObjectReply;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.PutPartRequest;
import io.stowage.common.proto.RecordNeedle;
import io.stowage.common.proto.RecoverFileReply;
import io.stowage.common.proto.RenameObjectReply;
import io.stowage.common.proto.RenamePrefixReply;
import io.stowage.common.proto.SetObjectMetadataReply;
import io.stowage.common.proto.SyncFileReply;
import io.stowage.common.proto.SyncFileRequest;
import io.stowage.common.proto.UpdateBucketReply;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.function.Consumer;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * An object manager whose mutations leave their record needles beside the data: what the object
 * manager tells with an answer goes to the data path before the caller has the answer, and so does
 * the end of every commit. Every user of a namespace that has a data path goes through one of
 * these; the rules are in docs/format/needle.md.
 *
 * <p>A proxy, because all but a few of the methods have nothing to record. Thread-safe.
 */
public final class RecordingNamespace {
  private final ObjectManager namespace;
  private final DataPath data;

  private RecordingNamespace(ObjectManager namespace, DataPath data) {
    this.namespace = namespace;
    this.data = data;
  }

  /** Neither of the two is closed here. */
  public static ObjectManager over(ObjectManager namespace, DataPath data) {
    RecordingNamespace recording = new RecordingNamespace(namespace, data);
    return (ObjectManager)
        Proxy.newProxyInstance(
            ObjectManager.class.getClassLoader(),
            new Class<?>[] {ObjectManager.class},
            (proxy, method, arguments) -> recording.call(method, arguments));
  }

  private Object call(Method method, Object[] arguments) throws Throwable {
    Object reply;
    try {
      reply = method.invoke(namespace, arguments);
    } catch (InvocationTargetException e) {
      // Only what was surely refused: a version that this calls abandoned is lost to a rebuild. Of
      // what was sent twice an RPC client says that the outcome is unknown, as the first may have
      // been done.
      if (e.getCause() instanceof StoreException failure
          && failure.code().blame() == ErrorCode.Blame.CALLER) {
        recordAbandoned(arguments[0]);
      }
      throw e.getCause();
    } finally {
      settled(arguments);
    }
    recordsOf(reply).forEach(recordsTo(data));
    return reply;
  }

  /** Writes what an object manager in the same process has to record of its own work. */
  public static Consumer<RecordNeedle> recordsTo(DataPath data) {
    return record ->
        data.record(
            new DataPath.RecordSpec(
                record.getBucketId(),
                record.getRowKey(),
                record.getWriteId(),
                record.getPolicy(),
                record.getStamp(),
                record.getFact().toByteString()));
  }

  private void settled(Object[] arguments) {
    if (arguments == null) {
      return;
    }
    if (arguments[0] instanceof SyncFileRequest sync && !sync.getPieceWriteId().isEmpty()) {
      data.settled(sync.getPieceWriteId());
    }
    if (arguments[0] instanceof PutObjectRequest put) {
      data.settled(put.getPieceWriteId().isEmpty() ? put.getWriteId() : put.getPieceWriteId());
    } else if (arguments[0] instanceof PutPartRequest put) {
      data.settled(put.getPart().getWriteId());
    }
  }

  private static List<RecordNeedle> recordsOf(Object reply) {
    if (reply instanceof PutObjectReply put) {
      return put.getRecordsList();
    } else if (reply instanceof SyncFileReply synced) {
      return synced.getRecordsList();
    } else if (reply instanceof RecoverFileReply recovered) {
      return recovered.getRecordsList();
    } else if (reply instanceof DeleteObjectsReply deleted) {
      return deleted.getRecordsList();
    } else if (reply instanceof SetObjectMetadataReply changed) {
      return changed.getRecordsList();
    } else if (reply instanceof CompleteUploadReply completed) {
      return completed.getRecordsList();
    } else if (reply instanceof RenameObjectReply renamed) {
      return renamed.getRecordsList();
    } else if (reply instanceof RenamePrefixReply renamed) {
      return renamed.getRecordsList();
    } else if (reply instanceof PlaceObjectReply placed) {
      return placed.getRecordsList();
    } else if (reply instanceof DeleteDirectoryReply deleted) {
      return deleted.getRecordsList();
    } else if (reply instanceof CreateUploadReply created) {
      return created.getRecordsList();
    } else if (reply instanceof CreateBucketReply created) {
      return created.getRecordsList();
    } else if (reply instanceof UpdateBucketReply updated) {
      return updated.getRecordsList();
    } else if (reply instanceof DeleteBucketReply deleted) {
      return deleted.getRecordsList();
    }
    return List.of();
  }

  /**
   * Bytes whose commit was refused lie on the disks like any other's. Not told if the bucket cannot
   * be looked up, which is no worse than a writer that dies here.
   */
  private void recordAbandoned(Object request) {
    if (request instanceof PutObjectRequest put && put.getManifest().getExtentsCount() > 0) {
      ByteString origin = put.getManifest().getOriginRow();
      recordAbandoned(
          put.getBucket(),
          origin.isEmpty() ? ByteString.copyFromUtf8(put.getKey()) : Placement.rowKey(origin),
          put.getWriteId());
    }
  }

  private void recordAbandoned(String bucketName, ByteString rowKey, ByteString writeId) {
    BucketInfo bucket;
    try {
      bucket =
          namespace
              .getBucket(GetBucketRequest.newBuilder().setName(bucketName).build())
              .getBucket();
    } catch (StoreException e) {
      return;
    }
    data.record(
        new DataPath.RecordSpec(
            bucket.getId(), rowKey, writeId, bucket.getPolicy(), 0, abandoned().toByteString()));
  }

  static Fact abandoned() {
    return Fact.newBuilder().setAbandoned(AbandonedFact.getDefaultInstance()).build();
  }
}

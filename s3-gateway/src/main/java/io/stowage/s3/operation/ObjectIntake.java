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
package io.stowage.s3.operation;

import io.netty.buffer.ByteBuf;
import io.stowage.client.DataPath;
import io.stowage.client.ObjectWriter;
import io.stowage.client.Placement;
import io.stowage.client.crypt.ObjectCipher;
import io.stowage.client.crypt.PacketLayout;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.BucketInfo;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.payload.Payload;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * The way of an object's bytes from a request into containers. What it returns may be committed:
 * every byte is durable, and everything that the request claimed of its body was right. If it
 * throws, the bytes that were written are named by nobody and do not exist. Thread-safe.
 */
final class ObjectIntake {
  private final ObjectManager namespace;
  private final DataPath data;

  ObjectIntake(Backend backend) {
    this.namespace = backend.namespace();
    this.data = backend.data();
  }

  /**
   * @param blob what the needle says of itself, a NeedleBlob
   * @param cipher of the bytes; null: they are stored as they are
   * @param isPart whether they are a part of an upload, whose key the write id then names
   */
  ObjectWriter.Written store(
      BucketInfo bucket,
      String key,
      ByteString writeId,
      ByteString blob,
      ObjectCipher cipher,
      boolean isPart,
      Payload payload)
      throws S3Exception, StoreException {
    Placement placement = Placement.of(namespace, bucket, key);
    DataPath.WriteSpec spec =
        new DataPath.WriteSpec(
            bucket.getId(),
            placement.rowKey(),
            writeId,
            bucket.getPolicy(),
            cipher == null ? payload.length() : PacketLayout.cipherLength(payload.length()),
            blob);
    try (ObjectWriter writer = writer(spec, cipher, isPart)) {
      for (ByteBuf piece; (piece = payload.next()) != null; ) {
        writer.write(piece);
      }
      return placement.told(writer.finish());
    }
  }

  private ObjectWriter writer(DataPath.WriteSpec spec, ObjectCipher cipher, boolean isPart)
      throws StoreException {
    ObjectWriter stored = data.write(spec);
    return cipher == null
        ? stored
        : cipher.encrypting(stored, isPart ? spec.writeId() : ByteString.EMPTY);
  }
}

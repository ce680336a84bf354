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
import io.stowage.client.MovedVersion;
import io.stowage.client.ObjectReader;
import io.stowage.client.crypt.ObjectCipher;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.GetObjectReply;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.BodySource;
import io.stowage.s3.http.ResponseBody;

/**
 * A range of one version's bytes, in order, for a response or for a copy. When the bytes have moved
 * since the version was looked up (a repack), it looks again, pinned to the same version, so that
 * no answer is ever spliced from two. Confined to one thread at a time.
 */
final class ObjectSource implements ResponseBody, BodySource {
  /** One read. Large enough to cover stripes' cells in parallel, small enough for many at once. */
  private static final int MOST_READ = 1 << 20;

  private final Backend backend;
  private final String bucket;
  private final ObjectVersion version;
  private final ObjectCipher cipher;
  private final long length;
  private ObjectReader reader;
  private long offset;
  private long rest;

  /**
   * @param cipher that the bytes are encrypted with; null: none
   */
  ObjectSource(
      Backend backend, String bucket, GetObjectReply found, ObjectCipher cipher, ByteRange range)
      throws StoreException {
    this.cipher = cipher;
    this.backend = backend;
    this.bucket = bucket;
    this.version = found.getVersion();
    this.offset = range.first();
    this.length = range.length();
    this.rest = length;
    this.reader = read(found);
  }

  private ObjectReader read(GetObjectReply found) throws StoreException {
    ObjectReader stored =
        backend.data().read(DataPath.ReadSpec.of(found.getVersion(), found.getContainersList()));
    if (cipher == null) {
      return stored;
    }
    try {
      return cipher.decrypting(stored, found.getVersion());
    } catch (StoreException e) {
      stored.close();
      throw e;
    }
  }

  @Override
  public long length() {
    return length;
  }

  @Override
  public long declaredLength() {
    return length;
  }

  @Override
  public int nextLength() {
    return (int) Math.min(rest, Math.min(MOST_READ, reader.maxRead()));
  }

  /** The next piece; null at the end. */
  private ByteBuf take() throws StoreException {
    int bytes = nextLength();
    if (bytes == 0) {
      return null;
    }
    ByteBuf piece;
    try {
      piece = reader.read(offset, bytes);
    } catch (StoreException e) {
      lookAgain(e);
      piece = reader.read(offset, bytes);
    }
    offset += bytes;
    rest -= bytes;
    return piece;
  }

  private void lookAgain(StoreException before) throws StoreException {
    GetObjectReply found = MovedVersion.find(backend.namespace(), bucket, version, before);
    if (found.getVersion().getManifest().equals(version.getManifest())) {
      throw before;
    }
    reader.close();
    reader = read(found);
  }

  @Override
  public ByteBuf next() throws S3Exception {
    try {
      return take();
    } catch (StoreException e) {
      throw S3Exception.of(e);
    }
  }

  @Override
  public void close() {
    reader.close();
  }
}

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

import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectVersion;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Writes objects' bytes into containers and reads them back; knows nothing of the namespace. The
 * writer commits what it got by ObjectManager.putObject or putPart. One per process, shared by all
 * threads. Thread-safe.
 */
public interface DataPath extends AutoCloseable {
  /**
   * Begins an object's bytes. Nothing exists until the caller commits the manifest that {@link
   * ObjectWriter#finish} gives.
   */
  ObjectWriter write(WriteSpec spec) throws StoreException;

  /** Reads a manifest's payload. Never blocks, asks nobody yet. */
  ObjectReader read(ReadSpec spec);

  /**
   * Adds a record needle (a committed fact that no needle header tells) to a later stripe, within
   * seconds; not waited for. {@link RecordingNamespace} does it for all callers.
   */
  void record(RecordSpec spec);

  /**
   * Tells that the commit of what was stored under a write id has ended, well or not. A hint, by
   * which small objects gather while their predecessors are committed; {@link RecordingNamespace}
   * gives it for all callers.
   */
  void settled(ByteString writeId);

  @Override
  void close();

  /**
   * What is to be written.
   *
   * @param bucketId bucket that the object is in
   * @param rowKey key, or directory id + name, for the needle's header
   * @param writeId 16 bytes, the same as in the commit
   * @param policy erasure policy name
   * @param length payload bytes, or -1 if not known
   * @param metadata what the needle is to say of the object, as known at the start: an
   *     ObjectMetadata or NeedleBlob message, or one behind the other
   */
  record WriteSpec(
      long bucketId,
      ByteString rowKey,
      ByteString writeId,
      String policy,
      long length,
      ByteString metadata) {}

  /**
   * What is to be read.
   *
   * @param containers places of the manifest's containers, as OM told them; looked up again when
   *     found stale
   * @param writeId of the request that wrote the bytes: a small object is then read without the
   *     sectors' checksums, since its needle says whose it is. Empty if not known, or of more than
   *     one request (uploads by parts); one that is not the needle's costs a second read
   */
  record ReadSpec(Manifest manifest, List<ContainerInfo> containers, ByteString writeId) {
    public ReadSpec(Manifest manifest, List<ContainerInfo> containers) {
      this(manifest, containers, ByteString.EMPTY);
    }

    /** The bytes of a version as OM told it. */
    public static ReadSpec of(ObjectVersion version, List<ContainerInfo> containers) {
      return new ReadSpec(
          version.getManifest(),
          containers,
          version.getPartCount() == 0 ? version.getWriteId() : ByteString.EMPTY);
    }
  }

  /**
   * A record needle: {@code what} is a Fact message (see docs/format/needle.md), for fsck
   * --rebuild.
   */
  record RecordSpec(
      long bucketId,
      ByteString rowKey,
      ByteString writeId,
      String policy,
      long stamp,
      ByteString what) {}
}

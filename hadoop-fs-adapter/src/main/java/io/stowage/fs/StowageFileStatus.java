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

import io.stowage.common.access.FileAcls;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
import java.util.HexFormat;
import org.apache.hadoop.fs.EtagSource;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Status of a file or directory, with the ETag that S3 shows of the same object. What nobody has
 * set is shown as every object store shows it: all bits, and the owner as the group. Immutable, as
 * far as Hadoop's class is.
 */
final class StowageFileStatus extends FileStatus implements EtagSource {
  private static final long serialVersionUID = 1L;

  private final String etag;
  private final byte[] writeId; // of the content; null: a directory

  private StowageFileStatus(
      long length,
      boolean directory,
      long blockSize,
      long micros,
      ObjectMetadata metadata,
      String user,
      Path path,
      String etag,
      byte[] writeId) {
    super(
        length,
        directory,
        1, // erasure coding is the store's business; replication would have jobs multiply sizes
        blockSize,
        metadata.getFile().getModifiedMillisPlusOne() != 0
            ? metadata.getFile().getModifiedMillisPlusOne() - 1
            : micros / 1_000,
        Math.max(0, metadata.getFile().getAccessedMillisPlusOne() - 1),
        FileAcls.permission(metadata.getFile(), directory),
        owner(metadata, user),
        group(metadata, user),
        null,
        path,
        metadata.getFile().getHasAcl(),
        false,
        false);
    this.etag = etag;
    this.writeId = writeId;
  }

  static StowageFileStatus ofFile(ObjectVersion version, Path path, String user, long blockSize) {
    return new StowageFileStatus(
        version.getLength(),
        false,
        blockSize,
        version.getModifiedMicros(),
        version.getMetadata(),
        user,
        path,
        etagOf(version),
        StowagePathHandle.contentOf(version).toByteArray());
  }

  /**
   * Status of a directory.
   *
   * @param metadata of its marker, or none
   */
  static StowageFileStatus ofDirectory(
      ObjectMetadata metadata, long micros, Path path, String user) {
    return new StowageFileStatus(0, true, 0, micros, metadata, user, path, null, null);
  }

  private static String owner(ObjectMetadata metadata, String user) {
    String owner = metadata.getFile().getOwner();
    if (!owner.isEmpty()) {
      return owner;
    }
    return metadata.getOwner().isEmpty() ? user : metadata.getOwner();
  }

  private static String group(ObjectMetadata metadata, String user) {
    String group = metadata.getFile().getGroup();
    return group.isEmpty() ? owner(metadata, user) : group;
  }

  /** S3's ETag of a version, without quotes; null if it has none. */
  static String etagOf(ObjectVersion version) {
    if (version.getMd5().isEmpty()) {
      return null;
    }
    String hex = HexFormat.of().formatHex(version.getMd5().toByteArray());
    return version.getPartCount() == 0 ? hex : hex + "-" + version.getPartCount();
  }

  /** Of the write that made the file. */
  ByteString writeId() {
    return ByteString.copyFrom(writeId);
  }

  @Override
  public String getEtag() {
    return etag;
  }
}

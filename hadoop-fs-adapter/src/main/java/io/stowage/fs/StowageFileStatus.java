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

import io.stowage.common.proto.ObjectVersion;
import java.util.HexFormat;
import org.apache.hadoop.fs.EtagSource;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.permission.FsPermission;

/**
 * Status of a file or directory, with the ETag that S3 shows of the same object. Permissions are
 * those of every object store: what the store allows is not told by nine bits.
 */
final class StowageFileStatus extends FileStatus implements EtagSource {
  private static final long serialVersionUID = 1L;
  private static final FsPermission FILE = FsPermission.createImmutable((short) 0666);
  private static final FsPermission DIRECTORY = FsPermission.createImmutable((short) 0777);

  private final String etag;

  private StowageFileStatus(
      long length,
      boolean directory,
      long blockSize,
      long micros,
      String owner,
      Path path,
      String etag) {
    super(
        length,
        directory,
        1, // erasure coding is the store's business; replication would have jobs multiply sizes
        blockSize,
        micros / 1_000,
        0,
        directory ? DIRECTORY : FILE,
        owner,
        owner,
        path);
    this.etag = etag;
  }

  static StowageFileStatus ofFile(ObjectVersion version, Path path, String user, long blockSize) {
    String owner = version.getMetadata().getOwner();
    return new StowageFileStatus(
        version.getLength(),
        false,
        blockSize,
        version.getModifiedMicros(),
        owner.isEmpty() ? user : owner,
        path,
        etagOf(version));
  }

  static StowageFileStatus ofDirectory(long micros, Path path, String user) {
    return new StowageFileStatus(0, true, 0, micros, user, path, null);
  }

  private static String etagOf(ObjectVersion version) {
    if (version.getMd5().isEmpty()) {
      return null;
    }
    String hex = HexFormat.of().formatHex(version.getMd5().toByteArray());
    return version.getPartCount() == 0 ? hex : hex + "-" + version.getPartCount();
  }

  @Override
  public String getEtag() {
    return etag;
  }
}

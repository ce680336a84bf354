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

import org.apache.hadoop.fs.BlockLocation;
import org.apache.hadoop.fs.EtagSource;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** A {@link StowageFileStatus} with block locations; it too has to show the ETag. */
final class StowageLocatedFileStatus extends LocatedFileStatus implements EtagSource {
  private static final long serialVersionUID = 1L;

  private final String etag;
  private final byte[] writeId; // null: a directory

  StowageLocatedFileStatus(StowageFileStatus status, BlockLocation[] locations) {
    super(status, locations);
    this.etag = status.getEtag();
    this.writeId = status.isDirectory() ? null : status.writeId().toByteArray();
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

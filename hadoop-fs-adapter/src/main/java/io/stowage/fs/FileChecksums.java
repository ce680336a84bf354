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

import io.stowage.common.proto.Checksum;
import io.stowage.common.proto.ChecksumAlgorithm;
import io.stowage.common.proto.ObjectVersion;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.zip.CRC32C;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.CompositeCrcFileChecksum;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileChecksum;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.MD5MD5CRC32GzipFileChecksum;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.MD5Hash;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.util.DataChecksum;

/**
 * COMPOSITE-CRC32C of files: the CRC32C of all bytes, however they were cut into blocks, which is
 * also how HDFS combines its own. What was written through this FileSystem has it in the row; of
 * what came by S3 without, the bytes are read. Stateless.
 */
final class FileChecksums {
  private static final String MODE = "dfs.checksum.combine.mode";
  private static final String COMPOSITE = "COMPOSITE_CRC";

  /** Told with the checksum, and not part of it: HDFS's usual chunk. */
  private static final int BYTES_PER_CRC = 512;

  private static final int CHUNK_BYTES = 1 << 20;

  private FileChecksums() {}

  /** Whether the one setting that HDFS needs for it asks for checksums that can be compared. */
  static boolean isOn(Configuration conf) {
    return COMPOSITE.equalsIgnoreCase(conf.getTrimmed(MODE));
  }

  /** As a version keeps it. */
  static Checksum stored(long crc) {
    return Checksum.newBuilder()
        .setAlgorithm(ChecksumAlgorithm.CRC32C)
        .setValue(ByteString.copyFrom(ByteBuffer.allocate(4).putInt((int) crc).flip()))
        .build();
  }

  /**
   * Of a file's first bytes.
   *
   * @param length how many; more than there are: all
   */
  static FileChecksum of(FileSystem fileSystem, Path path, ObjectVersion version, long length)
      throws IOException {
    long bytes = Math.min(length, version.getLength());
    if (bytes == 0) {
      return ofNothing();
    }
    if (bytes == version.getLength()) {
      for (Checksum checksum : version.getChecksumsList()) {
        if (checksum.getAlgorithm() == ChecksumAlgorithm.CRC32C
            && !checksum.getComposite()
            && checksum.getValue().size() == 4) {
          return composite(checksum.getValue().asReadOnlyByteBuffer().getInt());
        }
      }
    }
    CRC32C crc = new CRC32C();
    byte[] chunk = new byte[(int) Math.min(CHUNK_BYTES, Math.max(1, bytes))];
    try (FSDataInputStream in = fileSystem.open(path)) {
      for (long left = bytes; left > 0; ) {
        int count = in.read(chunk, 0, (int) Math.min(chunk.length, left));
        if (count < 0) {
          throw new EOFException(path + " became shorter than " + bytes + " bytes");
        }
        crc.update(chunk, 0, count);
        left -= count;
      }
    }
    return composite((int) crc.getValue());
  }

  /** What HDFS has always told of no bytes, whatever it is set to: the MD5 of 32 zeros. */
  private static FileChecksum ofNothing() {
    return new MD5MD5CRC32GzipFileChecksum(0, 0, MD5Hash.digest(new byte[32]));
  }

  private static FileChecksum composite(int crc) {
    return new CompositeCrcFileChecksum(crc, DataChecksum.Type.CRC32C, BYTES_PER_CRC);
  }
}

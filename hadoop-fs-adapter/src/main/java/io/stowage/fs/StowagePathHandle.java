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
import java.io.IOException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Objects;
import org.apache.hadoop.fs.InvalidPathHandleException;
import org.apache.hadoop.fs.PathHandle;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * A file by its key and, if only that content will do, the id of the write that made it. Bytes: a
 * format (1), a flag (1: any content will do), the write id (16), the key in UTF-8. Immutable.
 */
final class StowagePathHandle implements PathHandle {
  private static final long serialVersionUID = 1L;
  private static final byte FORMAT = 1;
  private static final int WRITE_ID_BYTES = 16;

  private final String key;
  private final byte[] writeId; // null: any content will do

  /**
   * Names a file.
   *
   * @param writeId null: whatever is there when it is opened
   */
  StowagePathHandle(String key, ByteString writeId) {
    this.key = key;
    this.writeId = writeId == null ? null : writeId.toByteArray();
  }

  static StowagePathHandle parse(PathHandle handle) throws InvalidPathHandleException {
    if (handle instanceof StowagePathHandle ours) {
      return ours;
    }
    try {
      ByteBuffer bytes = handle.bytes().duplicate();
      byte format = bytes.get();
      if (format != FORMAT) {
        throw new InvalidPathHandleException("Cannot open a path handle of format " + format);
      }
      boolean any = bytes.get() != 0;
      byte[] writeId = new byte[WRITE_ID_BYTES];
      bytes.get(writeId);
      String key = StandardCharsets.UTF_8.decode(bytes).toString();
      return new StowagePathHandle(key, any ? null : ByteString.copyFrom(writeId));
    } catch (BufferUnderflowException e) {
      throw new InvalidPathHandleException("Cannot open a path handle: it is cut short", e);
    }
  }

  /**
   * What tells one content from others: the write id of who made the version, mixed with what
   * stands for its bytes, since a writer may append to what it made. Of a file whose content one
   * may not know it names none.
   */
  static ByteString contentOf(ObjectVersion version) {
    byte[] content = Arrays.copyOf(version.getWriteId().toByteArray(), WRITE_ID_BYTES);
    ByteString md5 = version.getMd5();
    for (int i = 0; i < Math.min(content.length, md5.size()); i++) {
      content[i] ^= md5.byteAt(i);
    }
    return ByteString.copyFrom(content);
  }

  String key() {
    return key;
  }

  /** Refuses a file that is not the one that is named. */
  void require(ByteString found) throws IOException {
    if (writeId != null && !found.equals(ByteString.copyFrom(writeId))) {
      throw new InvalidPathHandleException("/" + key + " is another file than the handle names");
    }
  }

  @Override
  public ByteBuffer bytes() {
    byte[] name = key.getBytes(StandardCharsets.UTF_8);
    ByteBuffer bytes = ByteBuffer.allocate(2 + WRITE_ID_BYTES + name.length);
    bytes.put(FORMAT).put((byte) (writeId == null ? 1 : 0));
    bytes.put(writeId == null ? new byte[WRITE_ID_BYTES] : writeId).put(name);
    return bytes.flip().asReadOnlyBuffer();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof PathHandle handle && bytes().equals(handle.bytes());
  }

  @Override
  public int hashCode() {
    return Objects.hash(bytes());
  }

  @Override
  public String toString() {
    return "handle of /" + key + (writeId == null ? "" : ", one content only");
  }
}

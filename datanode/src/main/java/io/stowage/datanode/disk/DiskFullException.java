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
package io.stowage.datanode.disk;

import java.io.IOException;

/** A write for which the file system had no room, or its user no quota. */
public final class DiskFullException extends IOException {
  private static final long serialVersionUID = 1L;

  /** Of other threads, and of the file system's own notes about what was to be written. */
  private static final long ROOM_OF_WRITES_BESIDE = 1 << 20;

  public DiskFullException(String message, IOException cause) {
    super(message, cause);
  }

  /**
   * What a write that failed is to be thrown as. The JDK tells errno by its text alone, and that is
   * in the language of the process: where it is none that is known here, the file system is asked.
   * A full disk may break, too, or be made read-only.
   *
   * @param room bytes that the file system has left
   * @param wanted bytes that were to be written
   */
  static IOException of(IOException failure, long room, long wanted) {
    String text = String.valueOf(failure.getMessage());
    boolean full =
        text.contains("No space left")
            || text.contains("quota exceeded")
            || (room < wanted + ROOM_OF_WRITES_BESIDE
                && !text.contains("Read-only file system")
                && !text.contains("Input/output error"));
    return full ? new DiskFullException(text, failure) : failure;
  }
}

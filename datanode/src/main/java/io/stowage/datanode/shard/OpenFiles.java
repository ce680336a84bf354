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
package io.stowage.datanode.shard;

import io.stowage.datanode.disk.DiskFile;
import io.stowage.datanode.disk.DiskFiles;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The open shard files of one disk, so that a disk of many shards needs few descriptors. Files in
 * use stay open; of the others the least recently used one is closed when there are too many. One
 * per disk, so that a disk that hangs in open blocks nobody else. Thread-safe.
 */
public final class OpenFiles implements AutoCloseable {
  private final DiskFiles files;
  private final int limit;
  private final Map<Path, Handle> handles = new LinkedHashMap<>(16, 0.75f, true);
  private boolean closed;

  /**
   * @param limit files kept open; more only while all of them are in use
   */
  public OpenFiles(DiskFiles files, int limit) {
    this.files = files;
    this.limit = limit;
  }

  /** One use of an open file; closing it ends the use, not the file. */
  final class Handle implements AutoCloseable {
    private final DiskFile file;
    private int users;
    private boolean forgotten;

    private Handle(DiskFile file) {
      this.file = file;
    }

    DiskFile file() {
      return file;
    }

    @Override
    public void close() throws IOException {
      release(this);
    }
  }

  synchronized Handle acquire(Path path) throws IOException {
    if (closed) {
      throw new IOException("the disk is closed");
    }
    Handle handle = handles.get(path);
    if (handle == null) {
      handle = new Handle(files.open(path));
      if (handle.file.isReadOnly()) {
        handle.forgotten = true; // who writes later opens it again, and may then
      } else {
        handles.put(path, handle);
        closeIdleBeyondLimit();
      }
    }
    handle.users++;
    return handle;
  }

  /** The path no longer names the file: it was deleted or renamed. Those who use it may go on. */
  synchronized void forget(Path path) throws IOException {
    Handle handle = handles.remove(path);
    if (handle != null) {
      handle.forgotten = true;
      if (handle.users == 0) {
        handle.file.close();
      }
    }
  }

  private synchronized void release(Handle handle) throws IOException {
    handle.users--;
    if (handle.users == 0 && handle.forgotten) {
      handle.file.close();
    }
  }

  private void closeIdleBeyondLimit() throws IOException {
    Iterator<Handle> eldestFirst = handles.values().iterator();
    while (handles.size() > limit && eldestFirst.hasNext()) {
      Handle idle = eldestFirst.next();
      // the file just opened is the last in this order and has no user yet
      if (idle.users == 0 && eldestFirst.hasNext()) {
        eldestFirst.remove();
        idle.file.close();
      }
    }
  }

  synchronized int openCount() {
    return handles.size();
  }

  @Override
  public synchronized void close() throws IOException {
    closed = true;
    for (Path path : handles.keySet().toArray(new Path[0])) {
      forget(path);
    }
  }
}

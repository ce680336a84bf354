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
package io.stowage.minicluster;

import io.stowage.datanode.disk.DiskFile;
import io.stowage.datanode.disk.DiskFiles;
import io.stowage.datanode.disk.LocalDiskFiles;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;

/**
 * Local files whose forces return at once. For tests that tell tenths of a second apart and lose no
 * power: how long a disk takes is none of their cases. Stateless.
 */
final class UnforcedFiles {
  static final DiskFiles INSTANCE =
      (DiskFiles)
          Proxy.newProxyInstance(
              DiskFiles.class.getClassLoader(),
              new Class<?>[] {DiskFiles.class},
              (proxy, method, arguments) -> {
                if (method.getName().equals("forceDirectory")) {
                  return null;
                }
                try {
                  Object result = method.invoke(LocalDiskFiles.INSTANCE, arguments);
                  return result instanceof DiskFile file ? new Unforced(file) : result;
                } catch (InvocationTargetException e) {
                  throw e.getCause();
                }
              });

  private UnforcedFiles() {}

  private record Unforced(DiskFile file) implements DiskFile {
    @Override
    public int read(ByteBuffer into, long position) throws IOException {
      return file.read(into, position);
    }

    @Override
    public int readOnce(ByteBuffer into, long position) throws IOException {
      return file.readOnce(into, position);
    }

    @Override
    public void write(ByteBuffer[] from, long position) throws IOException {
      file.write(from, position);
    }

    @Override
    public void force() {}

    @Override
    public long size() throws IOException {
      return file.size();
    }

    @Override
    public void close() throws IOException {
      file.close();
    }
  }
}

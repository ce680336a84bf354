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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.stowage.datanode.fault.SimulatedDisks;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class OpenFilesTest {
  private final SimulatedDisks disks = new SimulatedDisks();
  private final OpenFiles files = new OpenFiles(disks, 2);

  private Path file(int number) {
    Path path = Path.of("/sim/f" + number);
    if (!disks.exists(path)) {
      disks.setContents(path, new byte[] {(byte) number});
    }
    return path;
  }

  @Test
  void keepsFewIdleFilesOpen() throws Exception {
    for (int i = 0; i < 20; i++) {
      files.acquire(file(i)).close();
    }
    assertEquals(2, files.openCount());
  }

  @Test
  void filesInUseStayOpenBeyondTheLimit() throws Exception {
    List<OpenFiles.Handle> used = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      used.add(files.acquire(file(i)));
    }
    for (int i = 0; i < 5; i++) {
      ByteBuffer read = ByteBuffer.allocate(1);
      used.get(i).file().read(read, 0);
      assertEquals(i, read.get(0));
    }
    for (OpenFiles.Handle handle : used) {
      handle.close();
    }
    for (int i = 5; i < 10; i++) {
      files.acquire(file(i)).close();
    }
    assertEquals(2, files.openCount());
  }

  @Test
  void aForgottenFileIsReadableToThoseWhoUseIt() throws Exception {
    OpenFiles.Handle handle = files.acquire(file(1));
    files.forget(file(1));
    assertEquals(0, files.openCount());
    assertEquals(1, handle.file().read(ByteBuffer.allocate(1), 0));
    handle.close();
  }

  @Test
  void aClosedDiskOpensNothing() throws Exception {
    files.close();
    assertThrows(IOException.class, () -> files.acquire(file(1)));
  }
}

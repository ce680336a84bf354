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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.PutObjectRequest;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Files of more than 8 MiB with object managers that take their ETags for MD5s, and others. */
class OldObjectManagerTest {
  private final AtomicBoolean warned = StowageOutputStream.WARNED_OF_OLD_OBJECT_MANAGER;
  private boolean old;

  @AfterEach
  void forget() {
    warned.set(false);
  }

  @Test
  void whoWritesToOneIsWarned() throws IOException {
    try (TwinCluster twins = TwinCluster.start(this::knowsNothing)) {
      twins.createBucket("b");
      try (FileSystem fs = twins.open("b")) {
        warned.set(false);
        write(fs, (8 << 20) + 1);
        assertFalse(warned.get());
        old = true;
        write(fs, 8 << 20);
        assertFalse(warned.get());
        write(fs, (8 << 20) + 1);
        assertEquals((8 << 20) + 1, fs.getFileStatus(new Path("/f")).getLen());
        assertTrue(warned.get());
      }
    }
  }

  private static void write(FileSystem fs, int length) throws IOException {
    try (FSDataOutputStream out = fs.create(new Path("/f"))) {
      out.write(new byte[length]);
    }
  }

  private ObjectManager knowsNothing(TwinCluster twins) {
    return (ObjectManager)
        Proxy.newProxyInstance(
            ObjectManager.class.getClassLoader(),
            new Class<?>[] {ObjectManager.class},
            (proxy, method, arguments) -> {
              if (old && arguments != null && arguments[0] instanceof PutObjectRequest put) {
                arguments[0] = put.toBuilder().clearUnhashed().build();
              }
              try {
                return method.invoke(twins.objectManager, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }
}

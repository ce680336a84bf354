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

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.FindPathReply;
import io.stowage.common.proto.FindPathRequest;
import io.stowage.common.proto.ListObjectsRequest;
import io.stowage.common.proto.PutObjectRequest;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * A task aborts while its job cleans up: what is deleted or renamed in a tree that somebody removes
 * meanwhile does not bring the tree back.
 */
@Timeout(120)
class RemovedTreesTest {
  private static final Path TREE = new Path("/j/_temporary");
  private static final Path FILE = new Path(TREE, "0/task/part");
  private static final Path DIRECTORY = new Path(TREE, "0/task");

  private TwinCluster twins;
  private FileSystem fs;
  private FileSystem other;
  private volatile Path found; // when this was, the tree is removed
  private volatile PutObjectRequest lastPut;
  private volatile boolean inMadeDirectory; // as an object manager says it of layout FILE_SYSTEM

  @BeforeEach
  void start() throws IOException {
    twins = TwinCluster.start(by -> watched());
    twins.createBucket("b");
    fs = twins.open("b");
    other = twins.open("b");
    other.mkdirs(new Path("/j"));
    other.create(FILE).close();
  }

  @AfterEach
  void stop() throws IOException {
    fs.close();
    other.close();
    twins.close();
  }

  private ObjectManager watched() {
    return (ObjectManager)
        Proxy.newProxyInstance(
            ObjectManager.class.getClassLoader(),
            new Class<?>[] {ObjectManager.class},
            (proxy, method, arguments) -> {
              if (arguments != null && arguments[0] instanceof PutObjectRequest put) {
                lastPut = put;
              }
              Object answer;
              try {
                answer = method.invoke(twins.objectManager, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
              if (inMadeDirectory && answer instanceof FindPathReply reply) {
                return reply.toBuilder().setInMadeDirectory(true).build();
              }
              if (arguments != null && isOf(arguments[0], found)) {
                found = null;
                assertTrue(other.delete(TREE, true));
              }
              return answer;
            });
  }

  private static boolean isOf(Object request, Path path) {
    if (path == null) {
      return false;
    }
    String key = path.toString().substring(1);
    return (request instanceof FindPathRequest find && find.getPath().equals(key))
        || (request instanceof ListObjectsRequest list && list.getPrefix().equals(key + "/"));
  }

  private void assertRemoved() throws IOException {
    assertTrue(found == null, "nothing was removed meanwhile");
    assertFalse(other.exists(TREE), "the tree is there again");
    assertArrayEquals(new FileStatus[0], other.listStatus(new Path("/j")));
  }

  @Test
  void byDeletingAFile() throws IOException {
    found = FILE;
    assertFalse(fs.delete(FILE, false));
    assertRemoved();
  }

  @Test
  void byDeletingADirectory() throws IOException {
    found = DIRECTORY;
    fs.delete(DIRECTORY, true);
    assertRemoved();
  }

  @Test
  void byRenamingAFile() throws IOException {
    found = FILE;
    assertFalse(fs.rename(FILE, new Path("/j/part")));
    assertRemoved();
  }

  @Test
  void byRenamingADirectory() throws IOException {
    found = DIRECTORY;
    fs.rename(DIRECTORY, new Path("/j/task"));
    assertRemoved();
  }

  /** The object manager refuses a file whose directory is not there any more, where it is told. */
  @Test
  @SuppressWarnings("deprecation") // by Hadoop, for createFile
  void whoDoesNotMakeTheWayAgainSaysSoAtTheCommit() throws IOException {
    fs.createNonRecursive(FILE, true, 4_096, (short) 1, 1 << 20, null).close();
    assertTrue(lastPut.getKey().endsWith("part") && lastPut.getInExistingDirectory());
    try (FSDataOutputStream out = fs.createFile(FILE).overwrite(true).build()) {
      out.write(1);
      out.hsync();
      assertTrue(lastPut.getInExistingDirectory());
    }
    fs.create(FILE).close();
    assertFalse(lastPut.getInExistingDirectory());
    assertFalse(lastPut.getWayWasThere(), "nobody has said that it was");
    inMadeDirectory = true;
    fs.create(FILE).close();
    assertTrue(lastPut.getWayWasThere());
    assertFalse(lastPut.getInExistingDirectory());
  }

  /** Of a directory that is there only for what is in it the marker is still put. */
  @Test
  void whoTakesTheLastOfADirectoryLeavesTheDirectory() throws IOException {
    assertTrue(fs.delete(FILE, false));
    assertTrue(fs.delete(DIRECTORY, false));
    assertTrue(fs.getFileStatus(DIRECTORY.getParent()).isDirectory());
  }
}

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
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.URI;
import java.security.PrivilegedExceptionAction;
import java.util.EnumSet;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.CreateFlag;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileContext;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Options;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RemoteIterator;
import org.apache.hadoop.security.UserGroupInformation;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Services make a FileContext for each of their users and can close none: what it held is given
 * back when nobody can use it any more, and not before.
 */
@Timeout(120)
class ForgottenFileContextTest {
  private TwinCluster twins;
  private int clusters; // before
  private int readersLeftOpen;

  @BeforeEach
  void start() throws IOException {
    twins = TwinCluster.start();
    twins.createBucket("b");
    clusters = ClusterConnection.openClusters();
  }

  @AfterEach
  void stop() throws IOException {
    twins.close();
    assertEquals(0, twins.dataPath.openWriters(), "writers left open");
    assertEquals(readersLeftOpen, twins.dataPath.openReaders(), "readers left open");
  }

  /** Of a user who is another than all others of this name. */
  private FileContext context() throws Exception {
    Configuration conf = new Configuration();
    twins.settings().forEach(conf::set);
    conf.set("fs.AbstractFileSystem.stow.impl", StowageFs.class.getName());
    return UserGroupInformation.createRemoteUser("yarn")
        .doAs(
            (PrivilegedExceptionAction<FileContext>)
                () -> FileContext.getFileContext(URI.create("stow://b"), conf));
  }

  private static FSDataOutputStream create(FileContext context, String path) throws IOException {
    return context.create(
        new Path(path), EnumSet.of(CreateFlag.CREATE), Options.CreateOpts.createParent());
  }

  private void write(String path, byte[] content) throws Exception {
    try (FSDataOutputStream out = create(context(), path)) {
      out.write(content);
    }
  }

  private static void awaitCollected(BooleanSupplier done, String what) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (!done.getAsBoolean()) {
      assertTrue(System.nanoTime() < deadline, what);
      System.gc();
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
    }
  }

  private int open() {
    return ClusterConnection.openClusters() - clusters;
  }

  /** By methods of their own: a frame that goes on may hold what its variables held. */
  private void useAndForget(String path) throws Exception {
    FileContext context = context();
    create(context, path).close();
    assertEquals(0, context.getFileStatus(new Path(path)).getLen());
  }

  @Test
  void whatManyUsersHeldIsGivenBack() throws Exception {
    for (int i = 0; i < 20; i++) {
      useAndForget("/logs/app" + i);
    }
    awaitCollected(() -> open() == 0, "clusters are still held");
    awaitCollected(() -> twins.connected.get() == 0, "clusters are still connected");
  }

  @Test
  void streamsAndListingsKeepWhatTheyUse() throws Exception {
    useStreamsAndForget();
    awaitCollected(() -> open() == 0, "clusters are still held");
    awaitCollected(() -> twins.connected.get() == 0, "clusters are still connected");
  }

  private void useStreamsAndForget() throws Exception {
    byte[] content = new byte[3 << 20];
    FSDataOutputStream plain = create(context(), "/logs/plain");
    FSDataOutputStream synced = create(context(), "/logs/synced");
    synced.write(1);
    synced.hsync();
    write("/read", content);
    FSDataInputStream in = context().open(new Path("/read"));
    RemoteIterator<FileStatus> listing = context().listStatus(new Path("/"));
    awaitCollected(() -> open() == 4, "the one that wrote and closed its file is still held");
    for (int i = 0; i < 10; i++) {
      System.gc(); // of the others nothing goes, however often
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
    }
    assertEquals(4, open());
    plain.write(content);
    plain.close();
    synced.write(2);
    synced.close();
    assertArrayEquals(content, in.readAllBytes());
    in.close();
    assertTrue(listing.hasNext());
    try (FileSystem fs = twins.open("b")) {
      assertEquals(3 << 20, fs.getFileStatus(new Path("/logs/plain")).getLen());
      assertEquals(2, fs.getFileStatus(new Path("/logs/synced")).getLen());
    }
  }

  @Test
  void whoLeavesAStreamOpenIsForgottenWithWhatItKeeps() throws Exception {
    ClusterConnection cluster = ClusterConnection.open(twins.configuration());
    PieceMemory memory = cluster.pieceMemory();
    cluster.close();
    long before = memory.bytes();
    write("/read", new byte[3 << 20]);
    readAndForget("/read");
    assertTrue(memory.bytes() > before, "the stream kept nothing");
    awaitCollected(() -> open() == 0, "clusters are still held");
    awaitCollected(() -> memory.bytes() == before, "bytes are still kept");
  }

  private void readAndForget(String path) throws Exception {
    FSDataInputStream in = context().open(new Path(path));
    readersLeftOpen++;
    in.readFully(new byte[2 << 20]); // so much that there is a piece fetched ahead, too
  }

  /** A close is an end for all who share the cluster only when it is the last one. */
  @Test
  void aCloseCountsOnce() throws Exception {
    FileSystem first = twins.open("b");
    FileSystem second = twins.open("b");
    first.close(); // a second time
    useAndForget("/f");
    awaitCollected(() -> open() == 1, "the context's is still held");
    assertTrue(second.mkdirs(new Path("/d")));
    second.close();
    assertEquals(0, open());
  }
}

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

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.PooledByteBufAllocator;
import io.netty.util.ResourceLeakDetector;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileRange;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.log4j.AppenderSkeleton;
import org.apache.log4j.Logger;
import org.apache.log4j.spi.LoggingEvent;
import org.junit.jupiter.api.Test;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.S3Exception;

/**
 * A cluster that was used, also badly, and closed leaves nothing behind in its JVM: no thread, no
 * buffer, no open file.
 */
class LeaksIT {
  private static final String BUCKET = "leaks";

  /** Threads of the HBase that all clusters of the JVM share, and of the JVM and its tools. */
  private static final List<String> NOT_OURS =
      List.of(
          "RS",
          "master/",
          "regionserver/",
          "MASTER",
          "PEWorker",
          "RpcServer",
          "NIOWorker",
          "SyncThread",
          "SessionTracker",
          "ProcessThread",
          "RequestThrottler",
          "zkserver",
          "ConnectionExpirer",
          "MemStoreFlusher",
          "LogRoller",
          "Store",
          "MobFile",
          "HFile",
          "OldWALs",
          "LruBlock",
          "Metrics",
          "org.apache.hadoop.fs",
          "org.apache.hadoop.hbase",
          "Common-Cleaner",
          "process reaper",
          "surefire",
          "ForkJoin",
          "Cleaner-",
          "WAL-",
          "AsyncFSWAL",
          "region-location",
          "snapshot",
          "SnapshotHandler",
          "Idle-Rpc",
          "Timer for",
          "NamespaceStat",
          "RollingWAL",
          "LeaseRecovery",
          "log-roller",
          "split",
          "procedure",
          "Chore",
          "idle-connection-timeout-thread",
          "java-sdk-http");

  /** Of open files, from one use to the next. */
  private static final int MOST_GROWTHS = 3;

  private final List<String> leaks = new ArrayList<>(); // guarded by itself

  @Test
  void nothingIsLeftOfAUsedCluster() throws Exception {
    ResourceLeakDetector.Level before = ResourceLeakDetector.getLevel();
    ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.PARANOID);
    AppenderSkeleton appender =
        new AppenderSkeleton() {
          @Override
          protected void append(LoggingEvent event) {
            if (event.getRenderedMessage().contains("LEAK:")) {
              synchronized (leaks) {
                leaks.add(event.getRenderedMessage());
              }
            }
          }

          @Override
          public void close() {}

          @Override
          public boolean requiresLayout() {
            return false;
          }
        };
    collect(); // what another test of this JVM has lost is not of this cluster
    Logger.getRootLogger().addAppender(appender);
    try {
      useAndClose(); // what is made once a JVM is made here
      Set<String> threads = threads();
      int files = mostOpenFiles();
      List<Integer> grown = new ArrayList<>();
      do {
        useAndClose();
        awaitNoMoreThan(threads);
        int now = awaitNoMoreFilesThan(files);
        if (now <= files) {
          break;
        }
        // HBase, which is shared, makes event loops as it needs them; a leak comes with each use.
        grown.add(now - files);
        files = now;
      } while (grown.size() < MOST_GROWTHS);
      assertTrue(grown.size() < MOST_GROWTHS, () -> "open files more with each use: " + grown);
      collect();
      synchronized (leaks) {
        assertEquals(List.of(), leaks);
      }
    } finally {
      Logger.getRootLogger().removeAppender(appender);
      ResourceLeakDetector.setLevel(before);
    }
  }

  private static void useAndClose() throws Exception {
    try (MiniStowageCluster cluster = MiniStowageCluster.builder().start();
        S3Client s3 =
            S3Clients.impatient(cluster.s3Endpoint(), cluster.accessKey(), cluster.secretKey())) {
      s3.createBucket(b -> b.bucket(BUCKET));
      for (int length : new int[] {0, 100, 70_000, 3_000_000}) {
        String key = "key" + length;
        s3.putObject(
            b -> b.bucket(BUCKET).key(key), RequestBody.fromBytes(TestContent.of(key, length)));
        assertEquals(
            null,
            TestContent.mismatch(
                key, length, s3.getObjectAsBytes(b -> b.bucket(BUCKET).key(key)).asByteArray()));
      }
      assertThrows(S3Exception.class, () -> s3.getObjectAsBytes(b -> b.bucket(BUCKET).key("none")));
      // A reader that goes away in the middle, and writers that send less than they said.
      s3.getObject(b -> b.bucket(BUCKET).key("key3000000")).abort();
      for (int i = 0; i < 5; i++) {
        cutShort(cluster.s3Endpoint());
      }
      useFiles(cluster);
    }
  }

  /** Also as a job ends that is stopped: its streams are closed behind their FileSystem. */
  private static void useFiles(MiniStowageCluster cluster) throws Exception {
    byte[] content = TestContent.of("file", 3_000_000);
    Path whole = new Path("/files/whole");
    Path synced = new Path("/files/synced");
    FSDataInputStream late;
    FSDataOutputStream unsynced;
    FSDataOutputStream open;
    try (FileSystem files = cluster.fileSystem(BUCKET)) {
      try (FSDataOutputStream out = files.create(whole)) {
        out.write(content);
      }
      try (FSDataOutputStream out = files.create(synced)) {
        out.write(content, 0, 1_000_000);
        out.hsync();
        out.write(content, 1_000_000, 2_000_000);
      }
      for (Path path : List.of(whole, synced)) {
        try (FSDataInputStream in = files.open(path)) {
          assertArrayEquals(content, in.readAllBytes());
        }
        try (FSDataInputStream in = files.open(path)) {
          assertEquals(content[0] & 0xff, in.read()); // and what was read ahead is for nothing
        }
      }
      List<FileRange> ranges =
          List.of(
              FileRange.createFileRange(0, 100_000), FileRange.createFileRange(2_000_000, 100_000));
      try (FSDataInputStream in = files.open(whole)) {
        in.readVectored(ranges, ByteBuffer::allocateDirect);
        assertEquals(100_000, ranges.get(1).getData().get().remaining());
      }
      late = files.open(whole);
      assertEquals(content[0] & 0xff, late.read());
      unsynced = files.create(new Path("/files/unsynced"));
      unsynced.write(content);
      open = files.create(new Path("/files/open"));
      open.write(content);
      open.hsync();
      open.write(content);
    }
    late.close();
    assertThrows(IOException.class, unsynced::close);
    assertThrows(IOException.class, open::close);
  }

  private static void cutShort(URI endpoint) throws IOException {
    try (Socket socket = new Socket(endpoint.getHost(), endpoint.getPort())) {
      OutputStream out = socket.getOutputStream();
      out.write(
          ("PUT /" + BUCKET + "/cut HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
              .getBytes(StandardCharsets.ISO_8859_1));
      out.write(new byte[10_000]);
      out.flush();
    }
  }

  private static Set<String> threads() {
    return Thread.getAllStackTraces().keySet().stream()
        // Pools grow and shrink: what counts is whether one is there.
        .map(thread -> thread.getName().replaceAll("[0-9]+$", ""))
        .filter(name -> NOT_OURS.stream().noneMatch(name::contains))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  private static void awaitNoMoreThan(Set<String> allowed) throws InterruptedException {
    long deadline = System.nanoTime() + 60_000_000_000L;
    Set<String> more;
    do {
      more = threads();
      more.removeAll(allowed);
      if (more.isEmpty()) {
        return;
      }
      Thread.sleep(50);
    } while (System.nanoTime() < deadline);
    throw new AssertionError("threads left behind: " + more);
  }

  private static int openFiles() {
    String[] files = new File("/proc/self/fd").list();
    return files == null ? 0 : files.length;
  }

  /** Within a second: HBase, which is shared, opens and closes some all the time. */
  private static int mostOpenFiles() throws InterruptedException {
    int first = openFiles();
    Thread.sleep(1_000);
    return Math.max(first, openFiles());
  }

  private static int awaitNoMoreFilesThan(int limit) throws InterruptedException {
    long deadline = System.nanoTime() + 30_000_000_000L;
    int now = openFiles();
    while (now > limit && System.nanoTime() < deadline) {
      Thread.sleep(50);
      now = openFiles();
    }
    return now;
  }

  /** Leaks are found when a lost buffer was collected and another one is taken. */
  private static void collect() throws InterruptedException {
    for (int i = 0; i < 5; i++) {
      System.gc();
      Thread.sleep(100);
      for (int j = 0; j < 100; j++) {
        PooledByteBufAllocator.DEFAULT.directBuffer(16).release();
        PooledByteBufAllocator.DEFAULT.heapBuffer(16).release();
      }
    }
  }
}

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

import io.netty.buffer.ByteBuf;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * The MD5 of a file that is written, which costs more than all else that is done to its bytes: one
 * chunk is hashed by another thread while the next is written. Confined to its stream's lock.
 */
final class ChunkDigest {
  /** Of all streams of the process; a chunk that finds none free is hashed by its writer. */
  private static final ThreadPoolExecutor HASHERS = hashers();

  private final MessageDigest md5 = newMd5(); // of the task under way, else the stream's
  private CompletableFuture<Void> underWay = CompletableFuture.completedFuture(null);

  private static ThreadPoolExecutor hashers() {
    return new ThreadPoolExecutor(
        0,
        Math.max(1, Runtime.getRuntime().availableProcessors() / 2),
        1,
        TimeUnit.SECONDS,
        new SynchronousQueue<>(),
        work -> {
          Thread thread = new Thread(work, "stowage-file-digests");
          thread.setDaemon(true);
          return thread;
        },
        new ThreadPoolExecutor.CallerRunsPolicy());
  }

  private static MessageDigest newMd5() {
    try {
      return MessageDigest.getInstance("MD5"); // the ETag that S3 clients expect and check
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Takes a chunk that is the whole file, or its end: there is nothing to be done meanwhile. */
  void update(ByteBuf chunk) throws StoreException {
    await();
    md5.update(chunk.nioBuffer());
  }

  /** Takes a chunk while others use its bytes, which nobody changes; one is under way at a time. */
  void updateMeanwhile(ByteBuf chunk) throws StoreException {
    await();
    ByteBuf kept = chunk.retainedDuplicate();
    ByteBuffer bytes = kept.nioBuffer();
    underWay =
        CompletableFuture.runAsync(
            () -> {
              try {
                md5.update(bytes);
              } finally {
                kept.release();
              }
            },
            HASHERS);
  }

  private void await() throws StoreException {
    try {
      underWay.join();
    } catch (CompletionException e) {
      throw new StoreException(
          ErrorCode.INTERNAL, "Cannot hash what was written: " + e.getCause(), e.getCause());
    }
  }

  /** Of all chunks; to be asked for once. */
  byte[] digest() throws StoreException {
    await();
    return md5.digest();
  }
}

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
package io.stowage.dev.bench;

import io.stowage.dev.content.GeneratedContent;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.concurrent.TimeUnit;
import java.util.zip.CRC32;
import java.util.zip.CRC32C;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Hashes on one thread: blocks a second. Bytes in a second are that times {@code blockBytes}. These
 * bound a signed PUT: it is hashed for its ETag, its signature, and its sectors.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 3, time = 1)
public class ChecksumBenchmark {
  private static final int SECTOR_BYTES = 4096;

  @Param({"4096", "1048576"})
  private int blockBytes;

  private ByteBuffer direct;
  private byte[] heap;
  private MessageDigest md5;
  private MessageDigest sha1;
  private MessageDigest sha256;

  @Setup
  public void fillBlock() throws NoSuchAlgorithmException {
    heap = new byte[blockBytes];
    new GeneratedContent(1, blockBytes).fill(0, heap, 0, blockBytes);
    direct = ByteBuffer.allocateDirect(blockBytes).put(heap).flip();
    md5 = MessageDigest.getInstance("MD5");
    sha1 = MessageDigest.getInstance("SHA-1");
    sha256 = MessageDigest.getInstance("SHA-256");
  }

  /** As datanodes do: a CRC for each 4 KiB sector. */
  @Benchmark
  public int crc32cOfSectors() {
    int all = 0;
    for (int offset = 0; offset < blockBytes; offset += SECTOR_BYTES) {
      CRC32C crc = new CRC32C();
      crc.update(direct.duplicate().position(offset).limit(offset + SECTOR_BYTES));
      all ^= (int) crc.getValue();
    }
    return all;
  }

  @Benchmark
  public long crc32() {
    CRC32 crc = new CRC32();
    crc.update(direct.duplicate());
    return crc.getValue();
  }

  @Benchmark
  public byte[] md5() {
    md5.update(direct.duplicate());
    return md5.digest();
  }

  @Benchmark
  public byte[] sha1() {
    sha1.update(direct.duplicate());
    return sha1.digest();
  }

  @Benchmark
  public byte[] sha256() {
    sha256.update(direct.duplicate());
    return sha256.digest();
  }
}

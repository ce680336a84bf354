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

import com.backblaze.erasure.ReedSolomon;
import io.stowage.common.erasure.ErasureCoder;
import io.stowage.common.erasure.ErasureCoders;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.StoreException;
import io.stowage.dev.content.GeneratedContent;
import java.nio.ByteBuffer;
import java.util.concurrent.TimeUnit;
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
 * Reed-Solomon on one thread: stripes a second of {@code cellBytes} cells. Data in a second is that
 * times k times cellBytes. {@code fastest} is what the store uses on this machine, {@code
 * reference} JavaReedSolomon's loop on heap arrays.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 3, time = 1)
public class CodingBenchmark {
  @Param({"rs-3-2", "rs-6-3", "rs-10-4"})
  private String policy;

  @Param({"fastest", "java"})
  private String coder;

  @Param({"4096", "262144"})
  private int cellBytes;

  private ErasureCoder tested;
  private ByteBuffer[] data;
  private ByteBuffer[] parity;
  private ByteBuffer[] survivors;
  private int[] wanted;
  private ByteBuffer[] decoded;
  private ReedSolomon reference;
  private byte[][] arrays;

  @Setup
  public void fillStripe() throws StoreException {
    ErasurePolicy rs = ErasurePolicy.named(policy);
    tested = coder.equals("java") ? ErasureCoders.plainJava(rs) : ErasureCoders.of(rs);
    reference = ReedSolomon.create(rs.k(), rs.m());
    arrays = new byte[rs.shards()][cellBytes];
    data = new ByteBuffer[rs.k()];
    parity = new ByteBuffer[rs.m()];
    survivors = new ByteBuffer[rs.shards()];
    for (int i = 0; i < rs.shards(); i++) {
      ByteBuffer cell = ByteBuffer.allocateDirect(cellBytes);
      if (i < rs.k()) {
        new GeneratedContent(i, cellBytes).fill(0, arrays[i], 0, cellBytes);
        cell.put(0, arrays[i]);
        data[i] = cell;
      } else {
        parity[i - rs.k()] = cell;
      }
      survivors[i] = cell;
    }
    tested.encode(data, parity);
    wanted = new int[] {0, rs.k() == 1 ? 1 : rs.k() - 1};
    decoded = new ByteBuffer[wanted.length];
    for (int i = 0; i < wanted.length; i++) {
      survivors[wanted[i]] = null;
      decoded[i] = ByteBuffer.allocateDirect(cellBytes);
    }
  }

  @Benchmark
  public ByteBuffer[] encode() {
    tested.encode(data, parity);
    return parity;
  }

  /** Two data cells, the first and the last, from the others. */
  @Benchmark
  public ByteBuffer[] decodeTwo() {
    tested.decode(survivors, wanted, decoded);
    return decoded;
  }

  /** The same for both values of {@code coder}. */
  @Benchmark
  public byte[][] encodeByReference() {
    reference.encodeParity(arrays, 0, cellBytes);
    return arrays;
  }
}

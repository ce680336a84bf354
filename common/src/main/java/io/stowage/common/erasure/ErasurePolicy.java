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
package io.stowage.common.erasure;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.util.List;

/**
 * Height of a stripe: k data and m parity shards, Reed-Solomon. rs-1-2 is three-way replication.
 * Immutable.
 *
 * @param name as written in configuration, container rows and bucket settings
 * @param k data shards
 * @param m parity shards; any m of the k+m may be lost
 */
public record ErasurePolicy(String name, int k, int m) {
  public static final ErasurePolicy RS_1_2 = new ErasurePolicy("rs-1-2", 1, 2);
  public static final ErasurePolicy RS_3_2 = new ErasurePolicy("rs-3-2", 3, 2);
  public static final ErasurePolicy RS_6_3 = new ErasurePolicy("rs-6-3", 6, 3);
  public static final ErasurePolicy RS_10_4 = new ErasurePolicy("rs-10-4", 10, 4);

  public static final List<ErasurePolicy> ALL = List.of(RS_1_2, RS_3_2, RS_6_3, RS_10_4);

  public ErasurePolicy {
    if (k < 1 || m < 1 || k + m > 32) {
      throw new IllegalArgumentException("no erasure policy has k=" + k + ", m=" + m);
    }
  }

  /** Shards of a container: k+m. */
  public int shards() {
    return k + m;
  }

  /** Looks a policy up by name. */
  public static ErasurePolicy named(String name) throws StoreException {
    for (ErasurePolicy policy : ALL) {
      if (policy.name.equals(name)) {
        return policy;
      }
    }
    throw new StoreException(
        ErrorCode.INVALID_ARGUMENT,
        "Cannot use erasure policy '"
            + name
            + "': known are "
            + ALL.stream().map(ErasurePolicy::name).toList());
  }

  @Override
  public String toString() {
    return name;
  }
}

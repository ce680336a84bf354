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

import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.GetBucketRequest;
import io.stowage.common.time.StoreClock;
import java.time.Duration;

/**
 * What writers have to know of a bucket's settings: its record, never older than {@link #FRESH}
 * when a file is begun. What it is (id, layout, policy) does not change, what it wants (encryption)
 * does while a FileSystem lives. Thread-safe.
 */
final class FreshBucket {
  /**
   * A look-up for each file would cost as much as the file's commit; whoever changes a default does
   * not expect writers all over a cluster to hear of it sooner.
   */
  static final Duration FRESH = Duration.ofSeconds(10);

  private final ObjectManager objectManager;
  private final StoreClock clock;
  private volatile Seen seen;

  private record Seen(BucketInfo bucket, long atNanos) {}

  FreshBucket(ObjectManager objectManager, BucketInfo bucket, StoreClock clock) {
    this.objectManager = objectManager;
    this.clock = clock;
    this.seen = new Seen(bucket, clock.monotonicNanos());
  }

  BucketInfo get() throws StoreException {
    Seen last = seen;
    if (clock.monotonicNanos() - last.atNanos < FRESH.toNanos()) {
      return last.bucket;
    }
    long now = clock.monotonicNanos();
    BucketInfo bucket =
        objectManager
            .getBucket(GetBucketRequest.newBuilder().setName(last.bucket.getName()).build())
            .getBucket();
    if (bucket.getId() == last.bucket.getId()) {
      seen = new Seen(bucket, now);
      return bucket;
    }
    // Deleted and made anew: this FileSystem is the old one's, as its commits will tell.
    return last.bucket;
  }
}

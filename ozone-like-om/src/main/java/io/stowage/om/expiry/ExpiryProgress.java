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
package io.stowage.om.expiry;

import io.stowage.common.error.StoreException;
import io.stowage.common.expiry.LifecycleRules;
import io.stowage.common.proto.CollectorRecord;
import io.stowage.common.proto.LifecycleStatusReply;
import io.stowage.om.bucket.Buckets;
import io.stowage.om.object.ObjectRows;
import io.stowage.om.region.RegionTurn;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.row.Stamps;
import io.stowage.om.table.BucketRowLayout;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * How far {@link Expirer}s are, by their records in table {@code bucket}; asks none of them. A
 * region that was merged into another leaves its record, which is then never done again.
 * Thread-safe.
 */
public final class ExpiryProgress {
  /** Records read at a time; they have a hundred bytes. */
  private static final int PAGE = 1_000;

  private final Expirer.Settings settings;
  private final Buckets buckets;
  private final RowCommitter records;
  private final Stamps stamps;

  public ExpiryProgress(
      Expirer.Settings settings, Buckets buckets, RowCommitter records, ObjectRows rows) {
    this.settings = settings;
    this.buckets = buckets;
    this.records = records;
    this.stamps = rows.stamps();
  }

  public LifecycleStatusReply status() throws StoreException {
    AtomicInteger withRules = new AtomicInteger();
    AtomicLong passedOver = new AtomicLong();
    buckets.forEach(
        bucket -> {
          try {
            withRules.addAndGet(LifecycleRules.of(bucket).isEmpty() ? 0 : 1);
          } catch (StoreException e) {
            withRules.incrementAndGet(); // that nobody can read
            passedOver.incrementAndGet();
          }
        });
    long now = stamps.now();
    long period = settings.periodMicros();
    int regions = 0;
    int done = 0;
    int atWork = 0;
    long oldest = Long.MAX_VALUE;
    ByteString from = BucketRowLayout.COLLECTORS;
    while (true) {
      List<Row> page =
          records.scan(
              from,
              BucketRowLayout.BEHIND_COLLECTORS,
              'm',
              BucketRowLayout.LIFECYCLE.qualifier(),
              PAGE);
      for (Row row : page) {
        from = ObjectRowLayout.behind(row.key());
        ByteString cell = row.value(BucketRowLayout.LIFECYCLE);
        if (cell == null) {
          continue;
        }
        CollectorRecord record = RegionTurn.parse(cell);
        regions++;
        passedOver.addAndGet(record.getPassedOver());
        oldest = Math.min(oldest, record.getCollectedMicros());
        if (!record.hasRun() && record.getCollectedMicros() / period >= now / period) {
          done++;
        }
        if (!record.getHolder().isEmpty() && now < record.getClaimedUntilMicros()) {
          atWork++;
        }
      }
      if (page.size() < PAGE) {
        return LifecycleStatusReply.newBuilder()
            .setBuckets(withRules.get())
            .setRegions(regions)
            .setRegionsDone(done)
            .setRegionsAtWork(atWork)
            .setOldestDoneMicros(regions == 0 ? 0 : oldest)
            .setPeriodMicros(period)
            .setPassedOver(passedOver.get())
            .build();
      }
    }
  }
}

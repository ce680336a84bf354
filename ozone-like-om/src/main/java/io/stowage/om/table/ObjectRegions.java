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
package io.stowage.om.table;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.apache.hadoop.hbase.HRegionLocation;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.AsyncAdmin;
import org.apache.hadoop.hbase.client.AsyncConnection;
import org.apache.hadoop.hbase.client.RegionInfo;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.UnsafeByteOperations;

/**
 * Regions in HBase. Compacting is major, of the families that collecting leaves tombstones in: a
 * minor compaction keeps delete markers, since what they hide may lie in files that it leaves out.
 * The region is flushed first, or markers in memory would stay.
 */
record ObjectRegions(AsyncConnection connection, TableName table) implements Regions {
  private static final Duration TIMEOUT = Duration.ofSeconds(60);
  private static final String FAMILIES = "cgmvx";
  private static final Comparator<ByteString> ORDER =
      ByteString.unsignedLexicographicalComparator();

  @Override
  public List<ByteString> starts() throws IOException {
    List<ByteString> starts = new ArrayList<>();
    for (RegionInfo region : regions()) {
      starts.add(UnsafeByteOperations.unsafeWrap(region.getStartKey()));
    }
    starts.sort(ORDER);
    return starts;
  }

  private List<RegionInfo> regions() throws IOException {
    List<RegionInfo> regions = new ArrayList<>();
    for (HRegionLocation location :
        HBaseRowStore.await(connection.getRegionLocator(table).getAllRegionLocations(), TIMEOUT)) {
      if (!location.getRegion().isSplit()) {
        regions.add(location.getRegion());
      }
    }
    return regions;
  }

  @Override
  public void compact(ByteString from, ByteString to) throws IOException {
    AsyncAdmin admin = connection.getAdmin();
    for (RegionInfo region : regions()) {
      ByteString start = UnsafeByteOperations.unsafeWrap(region.getStartKey());
      if (ORDER.compare(start, from) >= 0 && ORDER.compare(start, to) < 0) {
        HBaseRowStore.await(admin.flushRegion(region.getRegionName()), TIMEOUT);
        for (int i = 0; i < FAMILIES.length(); i++) {
          HBaseRowStore.await(
              admin.majorCompactRegion(
                  region.getRegionName(), HBaseRowStore.family(FAMILIES.charAt(i))),
              TIMEOUT);
        }
      }
    }
  }
}

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
package io.stowage.common.conf;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.StoreException;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class StowageConfigTest {
  @Test
  void everyDefaultIsWithinItsOwnBounds() throws Exception {
    StowageConfig none = StowageConfig.of(Map.of());
    for (ConfigKey<?> key : Keys.all()) {
      if (key.defaultText() != null) {
        none.get(key);
      }
    }
  }

  @Test
  void noTwoKeysShareAName() {
    Set<String> names = new HashSet<>();
    for (ConfigKey<?> key : Keys.all()) {
      assertTrue(names.add(key.name()), key.name());
      assertTrue(key.name().startsWith(StowageConfig.PREFIX), key.name());
    }
  }

  @Test
  void anUnknownKeyIsRefusedWithTheNearestKnownOne() {
    StoreException e =
        assertThrows(
            StoreException.class, () -> StowageConfig.of(Map.of("stowage.datanode.disk", "/d")));
    assertTrue(e.getMessage().contains("stowage.datanode.disks"), e.getMessage());
  }

  @Test
  void valuesAreParsedWithUnits() throws Exception {
    StowageConfig config =
        StowageConfig.of(
            Map.of(
                "stowage.container.capacity", "64m",
                "stowage.commit-window", "250ms",
                "stowage.datanode.disks", " /a , /b",
                "other.key", "ignored"));
    assertEquals(64L << 20, config.get(Keys.CONTAINER_CAPACITY));
    assertEquals(Duration.ofMillis(250), config.get(Keys.COMMIT_WINDOW));
    assertEquals(List.of("/a", "/b"), config.get(Keys.DATANODE_DISKS));
  }

  @Test
  void valuesOutOfBoundsAreRefusedWithTheBounds() throws Exception {
    StowageConfig config = StowageConfig.of(Map.of("stowage.container.capacity", "1k"));
    StoreException e =
        assertThrows(StoreException.class, () -> config.get(Keys.CONTAINER_CAPACITY));
    assertTrue(e.getMessage().contains("4194304 to"), e.getMessage());
  }

  @Test
  void aBucketMayHaveSettingsOfItsOwn() throws Exception {
    Map<String, String> all =
        Map.of(
            "stowage.om.addresses", "a:1",
            "stowage.fs.read-ahead", "1m",
            "stowage.bucket.far.om.addresses", "b:2",
            "stowage.bucket.far.away.om.addresses", "c:3",
            "stowage.bucket.far.fs.block-size", "64m");
    assertEquals(
        Map.of(
            "stowage.om.addresses", "b:2",
            "stowage.fs.read-ahead", "1m",
            "stowage.fs.block-size", "64m"),
        BucketSettings.of(all, "far"));
    assertEquals("c:3", BucketSettings.of(all, "far.away").get("stowage.om.addresses"));
    assertEquals(Set.of("far", "far.away"), BucketSettings.buckets(all));
    Map<String, String> theRest = BucketSettings.of(all, "near");
    assertEquals(2, theRest.size(), theRest.toString());
    assertEquals(theRest, StowageConfig.of(all).settings(), "who opens no bucket");
    for (String wrong :
        List.of("stowage.bucket.far.fs.blok-size", "stowage.bucket.fs.block-size")) {
      StoreException e =
          assertThrows(StoreException.class, () -> StowageConfig.of(Map.of(wrong, "64m")), wrong);
      assertTrue(e.getMessage().contains(wrong), e.getMessage());
    }
  }
}

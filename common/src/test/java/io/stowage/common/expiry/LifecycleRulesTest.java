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
package io.stowage.common.expiry;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.expiry.LifecycleRules.Due;
import io.stowage.common.expiry.LifecycleRules.Facts;
import io.stowage.common.proto.LifecycleRule;
import io.stowage.common.proto.LifecycleRuleSet;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class LifecycleRulesTest {
  private static final DayLength DAY = DayLength.REAL;

  private static LifecycleRules rules(LifecycleRule.Builder... rules) throws Exception {
    LifecycleRuleSet.Builder set = LifecycleRuleSet.newBuilder().setFormat(1);
    for (LifecycleRule.Builder rule : rules) {
      set.addRules(rule.setEnabled(!rule.getId().equals("disabled")));
    }
    return LifecycleRules.parse(set.build().toByteString());
  }

  private static LifecycleRule.Builder rule(String id, String prefix) {
    return LifecycleRule.newBuilder().setId(id).setPrefix(prefix);
  }

  private static long micros(String instant) {
    return Instant.parse(instant).toEpochMilli() * 1_000;
  }

  private static Facts facts(String key) {
    return new Facts(key, 50, Map.of("a", "1", "b", "2"));
  }

  @Test
  void aDayIsOverAtTheMidnightThatFollowsIt() {
    assertEquals(micros("2026-03-03T00:00:00Z"), DAY.after(micros("2026-03-01T10:30:00Z"), 1));
    assertEquals(micros("2026-03-02T00:00:00Z"), DAY.after(micros("2026-03-01T00:00:00Z"), 1));
    assertEquals(20_000_000L, new DayLength(10).after(0, 2));
    assertEquals(23_000_000L, new DayLength(10).after(3_000_000, 2));
  }

  @Test
  void theEarliestRuleThatFitsCounts() throws Exception {
    LifecycleRules rules =
        rules(
            rule("ten", "").setDays(10),
            rule("three", "p/").setDays(3),
            rule("dated", "p/q").setDateMicros(micros("2026-03-02T00:00:00Z")),
            rule("disabled", "").setDays(1));
    long made = micros("2026-03-01T00:00:01Z");
    assertEquals("ten", rules.current(facts("x"), made, DAY).rule());
    Due due = rules.current(facts("p/x"), made, DAY);
    assertEquals(new Due(micros("2026-03-05T00:00:00Z"), "three"), due);
    assertTrue(due.isPast(due.micros()));
    assertEquals("dated", rules.current(facts("p/q"), made, DAY).rule());
    assertEquals(List.of(""), rules.prefixes());
  }

  @Test
  void filtersByTagsAndSize() throws Exception {
    LifecycleRules tags = rules(rule("t", "").setDays(1).putTags("a", "1").putTags("b", "2"));
    assertEquals("t", tags.current(facts("k"), 0, DAY).rule());
    assertNull(tags.current(new Facts("k", 50, Map.of("a", "1")), 0, DAY));
    assertNull(tags.current(new Facts("k", 50, Map.of("a", "1", "b", "3")), 0, DAY));
    LifecycleRules sizes = rules(rule("s", "").setDays(1).setLeastSize(50).setSizeBelow(51));
    assertEquals("s", sizes.current(new Facts("k", 50, Map.of()), 0, DAY).rule());
    assertNull(sizes.current(new Facts("k", 49, Map.of()), 0, DAY));
    assertNull(sizes.current(new Facts("k", 51, Map.of()), 0, DAY));
    assertNull(sizes.deleteMarker("k", 0, DAY));
  }

  @Test
  void keepsTheNewestNoncurrentVersions() throws Exception {
    LifecycleRules rules =
        rules(rule("n", "").setNoncurrentDays(2).setNewerNoncurrent(3), rule("other", "z"));
    assertNull(rules.noncurrent(facts("k"), 0, 2, DAY));
    assertEquals(2 * 86_400_000_000L, rules.noncurrent(facts("k"), 0, 3, DAY).micros());
    assertNull(rules.current(facts("k"), 0, DAY));
  }

  @Test
  void prefixesThatBeginWithAnotherAreLeftOut() throws Exception {
    assertEquals(
        List.of("a", "b/"),
        rules(
                rule("1", "b/").setDays(1),
                rule("2", "a").setDays(1),
                rule("3", "ab/c").setDays(1),
                rule("4", "b/x").setDays(1),
                rule("5", "a").setDays(2))
            .prefixes());
  }

  @Test
  void deleteMarkersAndUploads() throws Exception {
    LifecycleRules rules =
        rules(
            rule("m", "m/").setExpiredDeleteMarker(true),
            rule("d", "d/").setDays(1),
            rule("u", "u/").setAbortDays(7));
    assertEquals(5, rules.deleteMarker("m/k", 5, DAY).micros());
    assertEquals("d", rules.deleteMarker("d/k", 5, DAY).rule());
    assertNull(rules.deleteMarker("u/k", 5, DAY));
    assertEquals("u", rules.upload("u/k", 0, DAY).rule());
    assertNull(rules.upload("m/k", 0, DAY));
    assertTrue(rules.abortsUploads());
  }
}

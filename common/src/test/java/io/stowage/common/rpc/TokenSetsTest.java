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
package io.stowage.common.rpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.io.Text;
import org.junit.jupiter.api.Test;

class TokenSetsTest {
  private static Set<Text> set(String... identifiers) {
    Set<Text> set = new HashSet<>();
    for (String identifier : identifiers) {
      set.add(new Text(identifier));
    }
    return set;
  }

  @Test
  void aSetHasOneNumberWhoeverAsks() {
    TokenSets sets = new TokenSets(10);
    assertEquals(0, sets.numberOf(set()));
    int one = sets.numberOf(set("a", "b"));
    assertNotEquals(0, one);
    assertNotEquals(one, sets.numberOf(set("a")));
    assertEquals(one, sets.numberOf(set("b", "a")));
    assertEquals(0, sets.numberOf(set()));
  }

  /** What a connection that was made with one would have to do with the other's. */
  @Test
  void setsWithOneHashHaveDifferentNumbers() {
    Map<Integer, Set<Text>> byHash = new HashMap<>();
    int alike = 0;
    for (int i = 0; alike < 5; i++) {
      Set<Text> now = set("token " + i);
      Set<Text> before = byHash.put(Math.floorMod(now.hashCode(), 1_000), now);
      if (before != null) {
        alike++;
        assertNotEquals(TokenSets.SHARED.numberOf(before), TokenSets.SHARED.numberOf(now));
      }
    }
  }

  @Test
  void anyTwoOfTheLastHaveDifferentNumbersAndTheirCountIsBounded() {
    TokenSets sets = new TokenSets(8);
    Set<Text> inUse = set("in use");
    int number = sets.numberOf(inUse);
    for (int i = 0; i < 1_000; i++) {
      Set<Integer> numbers = new HashSet<>(Set.of(number));
      for (int last = Math.max(0, i - 6); last <= i; last++) {
        int its = sets.numberOf(set("set " + last));
        assertTrue(its >= 1 && its <= 8, its + " of 8");
        assertTrue(numbers.add(its), () -> "two have " + its);
      }
      assertEquals(number, sets.numberOf(inUse), "of what is asked for again and again");
    }
  }

  @Test
  void whoChangesHisSetChangesNoNumber() {
    TokenSets sets = new TokenSets(8);
    Set<Text> his = set("a");
    int number = sets.numberOf(his);
    his.add(new Text("b"));
    assertNotEquals(number, sets.numberOf(his));
    assertEquals(number, sets.numberOf(set("a")));
  }
}

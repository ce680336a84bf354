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

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.LifecycleRule;
import io.stowage.common.proto.LifecycleRuleSet;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Predicate;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;

/**
 * A bucket's rules of expiration that are enabled, and what they say of a version. Where several
 * rules fit, the earliest time counts. Immutable.
 */
public final class LifecycleRules {
  /** Name of the bucket's setting that holds a {@code LifecycleRuleSet}. */
  public static final String SETTING = "lifecycle.rules";

  public static final int FORMAT = 1;

  public static final LifecycleRules NONE = new LifecycleRules(List.of());

  private final List<LifecycleRule> rules;

  /** When something is due, and by which rule. */
  public record Due(long micros, String rule) {
    public boolean isPast(long nowMicros) {
      return micros <= nowMicros;
    }
  }

  /** What a rule's filter looks at. */
  public record Facts(String key, long size, Map<String, String> tags) {}

  private LifecycleRules(List<LifecycleRule> rules) {
    this.rules = rules;
  }

  public static LifecycleRules of(BucketInfo bucket) throws StoreException {
    ByteString setting = bucket.getSettingsMap().get(SETTING);
    return setting == null ? NONE : parse(setting);
  }

  static LifecycleRules parse(ByteString setting) throws StoreException {
    LifecycleRuleSet set;
    try {
      set = LifecycleRuleSet.parseFrom(setting);
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException("Cannot read rules of a lifecycle: " + e.getMessage());
    }
    if (set.getFormat() > FORMAT) {
      throw new StoreException(
          ErrorCode.FORMAT_TOO_NEW,
          "Cannot read rules of a lifecycle of format " + set.getFormat());
    }
    return new LifecycleRules(
        set.getRulesList().stream().filter(LifecycleRule::getEnabled).toList());
  }

  public boolean isEmpty() {
    return rules.isEmpty();
  }

  /** Prefixes under which anything may expire, none of which begins with another. */
  public List<String> prefixes() {
    TreeSet<String> all = new TreeSet<>();
    rules.forEach(rule -> all.add(rule.getPrefix()));
    List<String> outermost = new ArrayList<>();
    for (String prefix : all) { // a prefix of another comes before it
      if (outermost.stream().noneMatch(prefix::startsWith)) {
        outermost.add(prefix);
      }
    }
    return outermost;
  }

  /** When a current version expires; null: never. */
  public Due current(Facts facts, long modifiedMicros, DayLength day) {
    Due first = null;
    for (LifecycleRule rule : rules) {
      if (!fits(rule, facts)) {
        continue;
      }
      if (rule.getDays() > 0) {
        first = earlier(first, day.after(modifiedMicros, rule.getDays()), rule);
      }
      if (rule.getDateMicros() > 0) {
        first = earlier(first, rule.getDateMicros(), rule);
      }
    }
    return first;
  }

  /**
   * When a version that is not current goes for good; null: never.
   *
   * @param replacedMicros when the next newer version came
   * @param newerNoncurrent how many versions are newer, not counting the current one
   */
  public Due noncurrent(Facts facts, long replacedMicros, long newerNoncurrent, DayLength day) {
    Due first = null;
    for (LifecycleRule rule : rules) {
      if (rule.getNoncurrentDays() > 0
          && newerNoncurrent >= rule.getNewerNoncurrent()
          && fits(rule, facts)) {
        first = earlier(first, day.after(replacedMicros, rule.getNoncurrentDays()), rule);
      }
    }
    return first;
  }

  /** When a delete marker goes that is all that is left of its key; null: never. */
  public Due deleteMarker(String key, long modifiedMicros, DayLength day) {
    Due first = null;
    for (LifecycleRule rule : rules) {
      boolean selects =
          rule.getTagsCount() > 0 || rule.getLeastSize() > 0 || rule.getSizeBelow() > 0;
      if (selects || !key.startsWith(rule.getPrefix())) {
        continue; // a delete marker has neither tags nor size
      }
      if (rule.getExpiredDeleteMarker()) {
        first = earlier(first, modifiedMicros, rule);
      }
      if (rule.getDays() > 0) {
        first = earlier(first, day.after(modifiedMicros, rule.getDays()), rule);
      }
      if (rule.getDateMicros() > 0) {
        first = earlier(first, rule.getDateMicros(), rule);
      }
    }
    return first;
  }

  /** When an upload is aborted; null: never. */
  public Due upload(String key, long createdMicros, DayLength day) {
    Due first = null;
    for (LifecycleRule rule : rules) {
      if (rule.getAbortDays() > 0 && key.startsWith(rule.getPrefix())) {
        first = earlier(first, day.after(createdMicros, rule.getAbortDays()), rule);
      }
    }
    return first;
  }

  /** Whether any rule ever removes versions that are not current. */
  public boolean expiresNoncurrent() {
    return any(rule -> rule.getNoncurrentDays() > 0);
  }

  /** Whether any rule selects by tags. */
  public boolean readsTags() {
    return any(rule -> rule.getTagsCount() > 0);
  }

  /** Whether any rule ever aborts uploads. */
  public boolean abortsUploads() {
    return any(rule -> rule.getAbortDays() > 0);
  }

  private boolean any(Predicate<LifecycleRule> does) {
    return rules.stream().anyMatch(does);
  }

  private static boolean fits(LifecycleRule rule, Facts facts) {
    return facts.key().startsWith(rule.getPrefix())
        && facts.size() >= rule.getLeastSize()
        && (rule.getSizeBelow() == 0 || facts.size() < rule.getSizeBelow())
        && facts.tags().entrySet().containsAll(rule.getTagsMap().entrySet());
  }

  private static Due earlier(Due first, long micros, LifecycleRule rule) {
    return first != null && first.micros() <= micros ? first : new Due(micros, rule.getId());
  }
}

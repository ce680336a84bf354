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
package io.stowage.common.event;

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.EventNote;
import io.stowage.common.proto.EventRule;
import io.stowage.common.proto.EventRuleSet;
import io.stowage.common.proto.EventTarget;
import io.stowage.common.proto.Versioning;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;

/**
 * Whom a bucket's owner wants told of what: by kind of event and by prefix and suffix of the key.
 * Immutable.
 */
public final class EventRules {
  /** Name of the bucket's setting that holds an {@code EventRuleSet}. */
  public static final String SETTING = "notification.rules";

  public static final int FORMAT = 1;

  public static final EventRules NONE = new EventRules(List.of());

  private final List<EventRule> rules;

  private EventRules(List<EventRule> rules) {
    this.rules = rules;
  }

  public static EventRules of(BucketInfo bucket) throws StoreException {
    ByteString setting = bucket.getSettingsMap().get(SETTING);
    if (setting == null) {
      return NONE;
    }
    EventRuleSet set;
    try {
      set = EventRuleSet.parseFrom(setting);
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException("Cannot read rules of notification: " + e.getMessage());
    }
    if (set.getFormat() > FORMAT) {
      throw new StoreException(
          ErrorCode.FORMAT_TOO_NEW,
          "Cannot read rules of notification of format " + set.getFormat());
    }
    return of(set);
  }

  public static EventRules of(EventRuleSet set) {
    return new EventRules(set.getRulesList());
  }

  /**
   * A note of a change that is about to be made. It has a name also if nobody is to be told: then
   * it says that somebody looked.
   *
   * @param name of the event, as {@code ObjectCreated:Put}
   */
  public EventNote.Builder note(BucketInfo bucket, String name, String key, long nowMicros) {
    EventNote.Builder note = EventNote.newBuilder().setName(name);
    List<EventTarget> targets = targets("s3:" + name, key);
    if (targets.isEmpty()) {
      return note;
    }
    return note.setId(WriteId.random())
        .addAllTargets(targets)
        .setVersioned(bucket.getVersioning() != Versioning.UNVERSIONED)
        .setBucket(bucket.getName())
        .setBucketOwner(bucket.getOwner())
        .setRegion(bucket.getRegion())
        .setTimeMicros(nowMicros);
  }

  /** Who is to be told of an event ({@code s3:ObjectCreated:Put}) on a key. */
  List<EventTarget> targets(String event, String key) {
    List<EventTarget> targets = new ArrayList<>();
    for (EventRule rule : rules) {
      if (covers(rule, event, key)) {
        targets.add(rule.getTarget());
      }
    }
    return targets;
  }

  private static boolean covers(EventRule rule, String event, String key) {
    return key.startsWith(rule.getPrefix())
        && key.endsWith(rule.getSuffix())
        && rule.getEventsList().stream().anyMatch(pattern -> means(pattern, event));
  }

  /** Whether an event is one of those that a rule names, the last part of which may be a star. */
  public static boolean means(String pattern, String event) {
    return pattern.endsWith("*")
        ? event.startsWith(pattern.substring(0, pattern.length() - 1))
        : pattern.equals(event);
  }
}

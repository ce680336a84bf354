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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.EventNote;
import io.stowage.common.proto.EventRule;
import io.stowage.common.proto.EventRuleSet;
import io.stowage.common.proto.EventTarget;
import io.stowage.common.proto.Versioning;
import java.util.List;
import org.junit.jupiter.api.Test;

class EventRulesTest {
  private static EventRule rule(String arn, String prefix, String suffix, String... events) {
    return EventRule.newBuilder()
        .setTarget(EventTarget.newBuilder().setArn(arn))
        .setPrefix(prefix)
        .setSuffix(suffix)
        .addAllEvents(List.of(events))
        .build();
  }

  private static BucketInfo bucket(int format, EventRule... rules) {
    EventRuleSet set =
        EventRuleSet.newBuilder().setFormat(format).addAllRules(List.of(rules)).build();
    return BucketInfo.newBuilder()
        .setName("bucket")
        .setOwner("owner")
        .setVersioning(Versioning.SUSPENDED)
        .putSettings(EventRules.SETTING, set.toByteString())
        .build();
  }

  @Test
  void choosesByKindPrefixAndSuffix() throws Exception {
    EventRules rules =
        EventRules.of(
            bucket(
                1,
                rule("a", "", "", "s3:ObjectCreated:*"),
                rule("b", "in/", ".jpg", "s3:ObjectCreated:Put", "s3:ObjectRemoved:Delete")));
    assertEquals(List.of("a", "b"), arns(rules, "s3:ObjectCreated:Put", "in/x.jpg"));
    assertEquals(List.of("a"), arns(rules, "s3:ObjectCreated:Copy", "in/x.jpg"));
    assertEquals(List.of("a"), arns(rules, "s3:ObjectCreated:Put", "in/x.png"));
    assertEquals(List.of("b"), arns(rules, "s3:ObjectRemoved:Delete", "in/x.jpg"));
    assertEquals(List.of(), arns(rules, "s3:ObjectRemoved:DeleteMarkerCreated", "in/x.jpg"));
    assertEquals(List.of(), arns(rules, "s3:LifecycleExpiration:Delete", "in/x.jpg"));
  }

  private static List<String> arns(EventRules rules, String event, String key) {
    return rules.targets(event, key).stream().map(EventTarget::getArn).toList();
  }

  @Test
  void aNoteForNobodySaysThatSomebodyLooked() throws Exception {
    BucketInfo bucket = bucket(1, rule("a", "", "", "s3:ObjectCreated:Put"));
    EventNote told = EventRules.of(bucket).note(bucket, "ObjectCreated:Put", "k", 7).build();
    assertFalse(told.getId().isEmpty());
    assertTrue(told.getVersioned());
    assertEquals(7, told.getTimeMicros());
    assertEquals(
        EventNote.newBuilder().setName("ObjectCreated:Copy").build(),
        EventRules.of(bucket).note(bucket, "ObjectCreated:Copy", "k", 7).build());
    BucketInfo plain = BucketInfo.newBuilder().setName("plain").build();
    assertTrue(EventRules.of(plain).note(plain, "ObjectCreated:Put", "k", 7).getId().isEmpty());
  }

  @Test
  void whatALaterVersionWroteIsNotGuessedAt() {
    StoreException refused = assertThrows(StoreException.class, () -> EventRules.of(bucket(2)));
    assertEquals(ErrorCode.FORMAT_TOO_NEW, refused.code());
  }
}

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
package io.stowage.s3.setting;

import static io.stowage.s3.xml.XmlShape.element;
import static io.stowage.s3.xml.XmlShape.text;
import static io.stowage.s3.xml.XmlShape.word;

import io.stowage.s3.error.S3Exception;
import io.stowage.s3.xml.XmlElement;
import io.stowage.s3.xml.XmlShape;
import java.util.List;

/**
 * Where the access log of a bucket goes. Immutable.
 *
 * @param partitioned whether keys name account, region, bucket and day before the time
 * @param byEventTime with {@code partitioned}: whether the day is that of the lines, not that of
 *     the delivery
 */
public record LoggingTarget(
    String bucket, String prefix, boolean partitioned, boolean byEventTime) {
  private static final XmlShape GRANTS =
      element(
          "TargetGrants",
          element(
                  "Grant",
                  element(
                      "Grantee",
                      text("ID").optional(),
                      text("DisplayName").optional(),
                      text("EmailAddress").optional(),
                      text("URI").optional()),
                  word("Permission", "READ", "WRITE", "FULL_CONTROL"))
              .times(0, 100));

  public static final XmlShape SHAPE =
      element(
          "BucketLoggingStatus",
          element(
                  "LoggingEnabled",
                  text("TargetBucket"),
                  text("TargetPrefix", prefix -> prefix.length() <= 800),
                  GRANTS.optional(),
                  element(
                          "TargetObjectKeyFormat",
                          element("SimplePrefix").optional(),
                          element(
                                  "PartitionedPrefix",
                                  word("PartitionDateSource", "EventTime", "DeliveryTime")
                                      .optional())
                              .optional())
                      .optional())
              .optional());

  /** Reads a document; null if nothing is to be logged. */
  public static LoggingTarget of(XmlElement document) throws S3Exception {
    SHAPE.check(document);
    List<XmlElement> enabled = document.children("LoggingEnabled");
    if (enabled.isEmpty()) {
      return null;
    }
    XmlElement target = enabled.get(0);
    boolean partitioned = false;
    boolean byEventTime = false;
    for (XmlElement format : target.children("TargetObjectKeyFormat")) {
      for (XmlElement partition : format.children("PartitionedPrefix")) {
        partitioned = true;
        byEventTime = "EventTime".equals(partition.childText("PartitionDateSource"));
      }
    }
    return new LoggingTarget(
        target.childText("TargetBucket"),
        target.childText("TargetPrefix"),
        partitioned,
        byEventTime);
  }
}

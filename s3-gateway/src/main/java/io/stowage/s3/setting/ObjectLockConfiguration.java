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

import io.stowage.common.expiry.Retention;
import io.stowage.common.proto.LockMode;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.xml.XmlElement;
import io.stowage.s3.xml.XmlOut;
import io.stowage.s3.xml.XmlShape;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * A bucket's object lock configuration: that versions can be locked, and the retention of new ones
 * that ask for none. Immutable.
 *
 * @param document as it is given back
 * @param defaultRetention as object managers apply it; null: none
 */
public record ObjectLockConfiguration(String document, ByteString defaultRetention) {
  private static final int MOST_DAYS = 36_500;
  private static final int DAYS_OF_A_YEAR = 365;

  private static final XmlShape SHAPE =
      element(
          "ObjectLockConfiguration",
          word("ObjectLockEnabled", "Enabled"),
          element(
                  "Rule",
                  element(
                      "DefaultRetention",
                      word("Mode", "GOVERNANCE", "COMPLIANCE"),
                      wholeNumber("Days").optional(),
                      wholeNumber("Years").optional()))
              .optional());

  private static XmlShape wholeNumber(String name) {
    return text(name, value -> value.strip().matches("-?[0-9]{1,9}"));
  }

  /** Without a default. */
  public static ObjectLockConfiguration enabled() {
    return new ObjectLockConfiguration(
        XmlOut.document("ObjectLockConfiguration").text("ObjectLockEnabled", "Enabled").finish(),
        null);
  }

  public static ObjectLockConfiguration of(XmlElement document) throws S3Exception {
    SHAPE.check(document);
    List<XmlElement> rules = document.children("Rule");
    if (rules.isEmpty()) {
      return enabled();
    }
    XmlElement retention = rules.get(0).children("DefaultRetention").get(0);
    String days = retention.childText("Days");
    String years = retention.childText("Years");
    if ((days == null) == (years == null)) {
      throw new S3Exception(S3Error.MALFORMED_XML).with("Element", "DefaultRetention");
    }
    long period =
        days != null
            ? Long.parseLong(days.strip())
            : Long.parseLong(years.strip()) * DAYS_OF_A_YEAR;
    if (period < 1) {
      throw new S3Exception(S3Error.INVALID_RETENTION_PERIOD);
    }
    if (period > MOST_DAYS) {
      throw new S3Exception(
          S3Error.INVALID_RETENTION_PERIOD,
          "Default retention period is too large: at most " + MOST_DAYS + " days or 100 years");
    }
    XmlOut out = XmlOut.document("ObjectLockConfiguration").text("ObjectLockEnabled", "Enabled");
    out.copy(rules.get(0));
    return new ObjectLockConfiguration(
        out.finish(),
        Retention.defaultOf(LockMode.valueOf(retention.childText("Mode")), (int) period));
  }
}

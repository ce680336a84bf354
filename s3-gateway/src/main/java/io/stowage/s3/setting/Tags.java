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

import io.stowage.s3.auth.UriEncoding;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.xml.XmlElement;
import io.stowage.s3.xml.XmlOut;
import io.stowage.s3.xml.XmlShape;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;

/** Tag sets of buckets and objects, as the S3 API bounds them. */
public final class Tags {
  public static final int MOST_OF_A_BUCKET = 50;
  public static final int MOST_OF_AN_OBJECT = 10;

  /** What S3 says of a header x-amz-tagging that is none. */
  private static final String TAGGING_HEADER = "x-amz-tagging";

  private static final int LONGEST_KEY = 128;
  private static final int LONGEST_VALUE = 256;

  /** Letters, spaces and digits of every script, and a few signs. */
  private static final Pattern ALLOWED = Pattern.compile("[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*");

  static final XmlShape SHAPE =
      element(
          "Tagging", element("TagSet", element("Tag", text("Key"), text("Value")).times(0, 1_000)));

  private Tags() {}

  /** The tags of a Tagging document. */
  public static Map<String, String> of(XmlElement document, int most) throws S3Exception {
    if (document == null) {
      throw new S3Exception(S3Error.MALFORMED_XML);
    }
    SHAPE.check(document);
    Map<String, String> tags = new TreeMap<>();
    for (XmlElement tag : document.children("TagSet").get(0).children("Tag")) {
      add(tags, tag.childText("Key"), tag.childText("Value"), most);
    }
    checkCount(tags, most);
    return tags;
  }

  /** Whether a document of the right shape holds no tag. */
  public static boolean areNone(XmlElement document) {
    return document.children("TagSet").get(0).children().isEmpty();
  }

  /** The tags of the header x-amz-tagging, which is written like a query. */
  public static Map<String, String> ofHeader(String header) throws S3Exception {
    Map<String, String> tags = new TreeMap<>();
    for (String pair : header.split("&", -1)) {
      int equals = pair.indexOf('=');
      String key = UriEncoding.decodeText(equals < 0 ? pair : pair.substring(0, equals), true);
      String value = equals < 0 ? "" : UriEncoding.decodeText(pair.substring(equals + 1), true);
      boolean legible = ALLOWED.matcher(key).matches() && ALLOWED.matcher(value).matches();
      if (!legible || tags.containsKey(key)) {
        throw new S3Exception(
                S3Error.INVALID_ARGUMENT,
                "The header '"
                    + TAGGING_HEADER
                    + "' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag"
                    + " name duplicates.")
            .with("ArgumentName", TAGGING_HEADER)
            .with("ArgumentValue", header);
      }
      add(tags, key, value, MOST_OF_AN_OBJECT);
    }
    checkCount(tags, MOST_OF_AN_OBJECT);
    return tags;
  }

  /** Adds one tag, if S3 allows it on what may have {@code most}. */
  static void add(Map<String, String> tags, String key, String value, int most) throws S3Exception {
    if (key.isEmpty() || key.length() > LONGEST_KEY || !ALLOWED.matcher(key).matches()) {
      throw new S3Exception(S3Error.INVALID_TAG, "The TagKey you have provided is invalid")
          .with("TagKey", key);
    }
    if (value.length() > LONGEST_VALUE || !ALLOWED.matcher(value).matches()) {
      throw new S3Exception(S3Error.INVALID_TAG, "The TagValue you have provided is invalid")
          .with("TagKey", key)
          .with("TagValue", value);
    }
    if (key.startsWith("aws:")) {
      String why =
          most == MOST_OF_AN_OBJECT
              ? "Your TagKey cannot be prefixed with aws:"
              : "System tags cannot be added/updated by requester";
      throw new S3Exception(S3Error.INVALID_TAG, why).with("TagKey", key);
    }
    if (tags.put(key, value) != null) {
      throw new S3Exception(S3Error.INVALID_TAG, "Cannot provide multiple Tags with the same key")
          .with("TagKey", key);
    }
  }

  public static void checkCount(Map<String, String> tags, int most) throws S3Exception {
    if (tags.size() > most) {
      String what = most == MOST_OF_AN_OBJECT ? "Object tags" : "Bucket tag count";
      throw new S3Exception(S3Error.BAD_REQUEST, what + " cannot be greater than " + most);
    }
  }

  /** The document that a GET answers. */
  public static String document(Map<String, String> tags) {
    XmlOut out = XmlOut.document("Tagging").open("TagSet");
    new TreeMap<>(tags)
        .forEach((key, value) -> out.open("Tag").text("Key", key).text("Value", value).close());
    return out.finish();
  }
}

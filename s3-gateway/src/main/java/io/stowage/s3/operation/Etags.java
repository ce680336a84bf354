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
package io.stowage.s3.operation;

import io.stowage.common.proto.ObjectVersion;
import java.util.HexFormat;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** Entity tags: MD5 of the bytes, or MD5 of the parts' MD5s with their number. Stateless. */
final class Etags {
  private Etags() {}

  /** Without quotes. */
  static String of(ObjectVersion version) {
    String hex = hex(version.getMd5());
    return version.getPartCount() == 0 ? hex : hex + "-" + version.getPartCount();
  }

  static String hex(ByteString md5) {
    return HexFormat.of().formatHex(md5.toByteArray());
  }

  static String quoted(String etag) {
    return "\"" + etag + "\"";
  }

  /** Without quotes and weakness mark. */
  static String unquote(String etag) {
    String text = etag.trim();
    if (text.startsWith("W/")) {
      text = text.substring(2);
    }
    return text.length() >= 2 && text.startsWith("\"") && text.endsWith("\"")
        ? text.substring(1, text.length() - 1)
        : text;
  }

  /** Whether a list of tags, or {@code *}, names this one. */
  static boolean listMatches(String list, String etag) {
    for (String item : list.split(",", -1)) {
      String tag = unquote(item);
      if (tag.equals("*") || tag.equals(etag)) {
        return true;
      }
    }
    return false;
  }
}

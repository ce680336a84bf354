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
package io.stowage.common.access;

import io.stowage.common.proto.ObjectMetadata;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** Whose extended attributes are, by their names. Stateless. */
public final class ExtendedAttributes {
  private static final String OF_USERS = "user.";

  private ExtendedAttributes() {}

  /**
   * The first attribute outside of "user." that is another afterwards: those ("trusted.",
   * "security.", "system.", "raw.") are superusers' alone. Null: none.
   */
  public static String trustedChange(
      Map<String, ByteString> before, Map<String, ByteString> after) {
    Map<String, ByteString> all = new TreeMap<>(before);
    all.putAll(after);
    for (String name : all.keySet()) {
      if (isTrusted(name) && !Objects.equals(before.get(name), after.get(name))) {
        return name;
      }
    }
    return null;
  }

  private static boolean isTrusted(String name) {
    return !name.regionMatches(true, 0, OF_USERS, 0, OF_USERS.length());
  }

  /** What somebody is told who is no superuser: nothing of what is outside of "user.". */
  public static ObjectMetadata untrusted(ObjectMetadata metadata) {
    ObjectMetadata.Builder told = metadata.toBuilder();
    trusted(metadata).forEach(told::removeXattrs);
    return told.build();
  }

  public static boolean hasTrusted(ObjectMetadata metadata) {
    return !trusted(metadata).isEmpty();
  }

  /**
   * A change by somebody who was told {@link #untrusted} of what it is made from: what he was not
   * told, and so has not said, stays.
   */
  public static ObjectMetadata withTrustedOf(ObjectMetadata before, ObjectMetadata change) {
    ObjectMetadata.Builder whole = change.toBuilder();
    for (String name : trusted(before)) {
      if (!change.containsXattrs(name)) {
        whole.putXattrs(name, before.getXattrsOrThrow(name));
      }
    }
    return whole.build();
  }

  private static List<String> trusted(ObjectMetadata metadata) {
    return metadata.getXattrsCount() == 0
        ? List.of()
        : metadata.getXattrsMap().keySet().stream().filter(ExtendedAttributes::isTrusted).toList();
  }
}

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
package io.stowage.fs;

import io.stowage.common.proto.FileAttributes;
import io.stowage.common.proto.ObjectMetadata;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.HadoopIllegalArgumentException;
import org.apache.hadoop.fs.XAttrSetFlag;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * What a FileSystem can say of a file or directory: owner, permission, times, extended attributes.
 * From metadata to metadata; who stores them compares with what was read. Stateless.
 */
final class Attributes {
  /** As HDFS counts them. */
  static final int MOST_XATTRS = 32;

  /** Of all names and values of one object together: they are read with every look at it. */
  static final int MOST_XATTR_BYTES = 64 << 10;

  /** Of a user's or group's name: both are kept in the row's head. */
  static final int LONGEST_NAME = 100;

  /** What S3 knows of an object is shown under this, as over S3A, and cannot be set. */
  private static final String HEADER = "header.";

  private static final String USER = "user.";
  private static final String TRUSTED = "trusted.";

  private Attributes() {}

  /**
   * Gives something to somebody.
   *
   * @param owner null or empty: as it was
   * @param group null or empty: as it was
   */
  static ObjectMetadata withOwner(ObjectMetadata before, String owner, String group) {
    FileAttributes.Builder file = before.getFile().toBuilder();
    if (owner != null && !owner.isEmpty()) {
      file.setOwner(shortEnough(owner));
    }
    if (group != null && !group.isEmpty()) {
      file.setGroup(shortEnough(group));
    }
    return before.toBuilder().setFile(file).build();
  }

  private static String shortEnough(String name) {
    if (name.length() > LONGEST_NAME) {
      throw new HadoopIllegalArgumentException(
          "Cannot use a name of " + name.length() + " characters; " + LONGEST_NAME + " at most");
    }
    return name;
  }

  /** Sets times; -1: as it was. */
  static ObjectMetadata withTimes(ObjectMetadata before, long modified, long accessed) {
    FileAttributes.Builder file = before.getFile().toBuilder();
    if (modified >= 0) {
      file.setModifiedMillisPlusOne(modified + 1);
    }
    if (accessed >= 0) {
      file.setAccessedMillisPlusOne(accessed + 1);
    }
    return before.toBuilder().setFile(file).build();
  }

  /** All extended attributes, those that S3 knows included. */
  static Map<String, byte[]> xattrs(ObjectMetadata metadata) {
    Map<String, byte[]> all = new TreeMap<>();
    metadata
        .getHeadersMap()
        .forEach((name, value) -> all.put(HEADER + headerName(name), utf8(value)));
    metadata.getUserMap().forEach((name, value) -> all.put(HEADER + name, utf8(value)));
    metadata.getXattrsMap().forEach((name, value) -> all.put(name, value.toByteArray()));
    return all;
  }

  /** As a name is kept: HDFS's name spaces are the same in small letters and in capitals. */
  static String xattrName(String name) {
    int dot = name.indexOf('.');
    return dot < 0 ? name : name.substring(0, dot).toLowerCase(Locale.ROOT) + name.substring(dot);
  }

  /** "content-type" to "Content-Type", as S3A spells it. */
  private static String headerName(String name) {
    StringBuilder spelled = new StringBuilder(name);
    for (int i = 0; i < name.length(); i++) {
      if (i == 0 || name.charAt(i - 1) == '-') {
        spelled.setCharAt(i, Character.toUpperCase(name.charAt(i)));
      }
    }
    return spelled.toString();
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  static ObjectMetadata withXattr(
      ObjectMetadata before, String given, byte[] value, EnumSet<XAttrSetFlag> flags)
      throws IOException {
    String name = settable(given);
    XAttrSetFlag.validate(name, before.containsXattrs(name), flags);
    ObjectMetadata after =
        before.toBuilder()
            .putXattrs(name, value == null ? ByteString.EMPTY : ByteString.copyFrom(value))
            .build();
    int bytes = 0;
    for (Map.Entry<String, ByteString> each : after.getXattrsMap().entrySet()) {
      bytes += utf8(each.getKey()).length + each.getValue().size();
    }
    if (after.getXattrsCount() > MOST_XATTRS || bytes > MOST_XATTR_BYTES) {
      throw new IOException(
          "Cannot set extended attribute "
              + name
              + ": there would be "
              + after.getXattrsCount()
              + " of "
              + bytes
              + " bytes, and "
              + MOST_XATTRS
              + " of "
              + MOST_XATTR_BYTES
              + " bytes may be");
    }
    return after;
  }

  static ObjectMetadata withoutXattr(ObjectMetadata before, String given) throws IOException {
    String name = settable(given);
    if (!before.containsXattrs(name)) {
      throw new IOException("No matching attributes found for remove operation: " + name);
    }
    return before.toBuilder().removeXattrs(name).build();
  }

  /**
   * The name that one is kept under. Of HDFS's name spaces those that any path may have: "system"
   * and "security" are its own, and "raw" is of its raw paths, which there are none of here.
   */
  private static String settable(String given) {
    String name = xattrName(given);
    boolean ours = name.startsWith(USER) || name.startsWith(TRUSTED);
    if (!ours || name.equals(USER) || name.equals(TRUSTED)) {
      throw new HadoopIllegalArgumentException(
          "Cannot set extended attribute "
              + given
              + ": a name begins with user. or trusted., and what begins with "
              + HEADER
              + " is S3's");
    }
    return name;
  }
}

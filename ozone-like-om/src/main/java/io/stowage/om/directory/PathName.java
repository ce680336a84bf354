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
package io.stowage.om.directory;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * A key of S3 taken as a path: names between slashes. Immutable.
 *
 * @param names from the root on; none: the root itself
 * @param directory whether the key ends with a slash, so that it means a directory's marker
 */
record PathName(List<String> names, boolean directory) {
  /** As in the file systems that people come from. */
  static final int MOST_NAME_BYTES = 255;

  /**
   * Of the whole path; longer ones come into being when a directory is renamed, and can be read.
   */
  static final int MOST_PATH_BYTES = 1_024;

  PathName {
    names = List.copyOf(names);
  }

  /** Reads a key; INVALID_ARGUMENT, which names what is wrong, if it is no path. */
  static PathName parse(String key) throws StoreException {
    List<String> names = new ArrayList<>();
    boolean directory = key.endsWith("/");
    String path = directory ? key.substring(0, key.length() - 1) : key;
    if (!path.isEmpty() || directory) {
      for (String name : path.split("/", -1)) {
        names.add(requireName(key, name));
      }
    }
    return new PathName(names, directory);
  }

  /**
   * The same for who looks for something that is there: a key that is no path means nothing, as the
   * root does.
   */
  static PathName parseOrRoot(String key) {
    try {
      return parse(key);
    } catch (StoreException e) {
      return new PathName(List.of(), true);
    }
  }

  /** The same of a key that is about to be used for something new. */
  static PathName parseNew(String key) throws StoreException {
    PathName path = parse(key);
    int bytes = key.getBytes(StandardCharsets.UTF_8).length;
    if (bytes > MOST_PATH_BYTES) {
      throw refused(key, "it has " + bytes + " bytes, and the longest has " + MOST_PATH_BYTES);
    }
    if (path.names().isEmpty()) {
      throw refused(key, "it is the root");
    }
    return path;
  }

  private static String requireName(String key, String name) throws StoreException {
    if (name.isEmpty()) {
      throw refused(key, "a name in it is empty");
    }
    if (name.equals(".") || name.equals("..")) {
      throw refused(key, "a name in it is " + name);
    }
    if (!StandardCharsets.UTF_8.newEncoder().canEncode(name)) {
      throw refused(key, "it is not a Unicode text");
    }
    int bytes = name.getBytes(StandardCharsets.UTF_8).length;
    if (bytes > MOST_NAME_BYTES) {
      throw refused(
          key, "a name in it has " + bytes + " bytes, and the longest has " + MOST_NAME_BYTES);
    }
    return name;
  }

  private static StoreException refused(String key, String why) {
    return new StoreException(
        ErrorCode.INVALID_ARGUMENT,
        "Cannot use " + key + " as a path in a bucket of layout FILE_SYSTEM: " + why);
  }

  /** Of the names alone: without slashes at its ends. */
  String text() {
    return String.join("/", names);
  }

  /** The same of the directory that it is in. */
  String parentText() {
    return String.join("/", parents());
  }

  boolean isRoot() {
    return names.isEmpty();
  }

  /** The last name. */
  String name() {
    return names.get(names.size() - 1);
  }

  /** Names of the directories on the way to the last one. */
  List<String> parents() {
    return names.subList(0, names.size() - 1);
  }
}

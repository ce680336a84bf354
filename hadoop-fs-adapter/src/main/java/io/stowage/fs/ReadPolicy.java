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

import java.util.Collection;
import java.util.Locale;
import java.util.Optional;

/**
 * How a file is going to be read, as openFile may say by {@code fs.option.openfile.read.policy}: of
 * a list of names the first that is known counts. Immutable.
 */
enum ReadPolicy {
  /** Small pieces first, larger ones and read-ahead while reads stay in sequence. */
  ADAPTIVE,
  /** From front to back: the largest pieces and read-ahead at once. */
  SEQUENTIAL,
  /** Here and there: small pieces, nothing ahead. */
  RANDOM;

  /** The option's name; Hadoop 3.3.4 does not have the constant. */
  static final String OPTION = "fs.option.openfile.read.policy";

  static ReadPolicy of(Collection<String> names) {
    return names.stream()
        .map(ReadPolicy::named)
        .flatMap(Optional::stream)
        .findFirst()
        .orElse(ADAPTIVE);
  }

  private static Optional<ReadPolicy> named(String name) {
    return switch (name.trim().toLowerCase(Locale.ROOT)) {
      case "whole-file", "sequential", "avro", "csv", "json" -> Optional.of(SEQUENTIAL);
      case "random", "columnar", "orc", "parquet", "vector", "hbase" -> Optional.of(RANDOM);
      case "adaptive", "default" -> Optional.of(ADAPTIVE);
      default -> Optional.empty();
    };
  }
}

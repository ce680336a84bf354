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
package io.stowage.common.conf;

/**
 * Renders docs/CONFIGURATION.md from {@link Keys}, so that the page cannot say anything else than
 * the code. Stateless.
 */
public final class ConfigReference {
  private ConfigReference() {}

  /** The whole page, Markdown. */
  public static String render() {
    StringBuilder page = new StringBuilder();
    page.append(
        """
        # Configuration reference

        Generated from the code; do not edit. Settings live in `stowage-site.xml` (Hadoop's format) on the class path or in \
        the directory given by `--conf`. A setting under `stowage.` that is not listed here stops the start. `stowage.bucket.NAME.REST` counts in the place of `stowage.REST` for a FileSystem of that bucket.
        """);
    for (ConfigKey.Tag tag : ConfigKey.Tag.values()) {
      page.append("\n## ")
          .append(title(tag))
          .append("\n\n| key | default | allowed | meaning |\n|---|---|---|---|\n");
      for (ConfigKey<?> key : Keys.all()) {
        if (key.tag() == tag) {
          page.append("| `").append(key.name()).append("` | ").append(defaultOf(key)).append(" | ");
          page.append(key.bounds()).append(" | ").append(key.doc()).append(" |\n");
        }
      }
    }
    return page.toString();
  }

  private static String title(ConfigKey.Tag tag) {
    return switch (tag) {
      case BASIC -> "What an installation sets";
      case TUNING -> "What the code chooses well enough for most";
      case TEST -> "For tests";
    };
  }

  private static String defaultOf(ConfigKey<?> key) {
    return key.defaultText() == null ? "must be set" : "`" + key.defaultText() + "`";
  }
}

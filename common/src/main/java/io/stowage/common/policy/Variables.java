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
package io.stowage.common.policy;

import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Policy variables, {@code ${aws:username}} and the like. Stateless. */
final class Variables {
  private static final Map<String, String> LITERAL = Map.of("*", "*", "?", "?", "$", "$");

  private Variables() {}

  /** The text with its variables filled in; one without a value matches nothing that is real. */
  static String fill(String text, Question question) {
    int open = text.indexOf("${");
    if (open < 0) {
      return text;
    }
    StringBuilder filled = new StringBuilder();
    int from = 0;
    while (open >= 0) {
      int close = text.indexOf('}', open);
      if (close < 0) {
        break;
      }
      filled.append(text, from, open).append(value(text.substring(open + 2, close), question));
      from = close + 1;
      open = text.indexOf("${", from);
    }
    return filled.append(text, from, text.length()).toString();
  }

  /** Whether one of a text's variables is a tag that the object has. */
  static boolean askForTags(String text) {
    return text.toLowerCase(Locale.ROOT).contains("${" + Question.EXISTING_TAG);
  }

  private static String value(String name, Question question) {
    String literal = LITERAL.get(name);
    if (literal != null) {
      return literal;
    }
    List<String> values = question.facts().get(name.toLowerCase(Locale.ROOT));
    return values == null || values.size() != 1 ? "${" + name + "}" : values.get(0);
  }
}

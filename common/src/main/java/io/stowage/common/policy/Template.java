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

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * A text of a policy: a pattern, in which policy variables, <code>${aws:username}</code> or <code>
 * ${aws:username, 'nobody'}</code>, are filled in. What is filled in stands for itself, whatever
 * stars it has, and so do <code>${*}</code>, <code>${?}</code> and <code>${$}</code>. Immutable.
 */
final class Template {
  private static final Map<String, String> LITERAL = Map.of("*", "*", "?", "?", "$", "$");

  /**
   * A piece of the text: a pattern, or a variable.
   *
   * @param pattern null: a variable
   * @param variable a fact's key, in lower case
   * @param otherwise the value where there is no such fact; null: none
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Piece(int[] pattern, String variable, String otherwise) {
    static Piece of(int[] pattern) {
      return new Piece(pattern, null, null);
    }

    /** What it is to a question; null: nothing is known. */
    int[] fill(Question question) {
      if (pattern != null) {
        return pattern;
      }
      List<String> values = question.facts().get(variable);
      String value = values == null || values.size() != 1 ? otherwise : values.get(0);
      return value == null ? null : value.chars().toArray();
    }
  }

  private final String text;
  private final List<Piece> pieces;

  private Template(String text, List<Piece> pieces) {
    this.text = text;
    this.pieces = pieces;
  }

  /**
   * Reads a text.
   *
   * @param variables whether there are any in the policy's version of the language; else they are
   *     text as everything else
   */
  static Template of(String text, boolean variables) {
    List<Piece> pieces = new ArrayList<>();
    int from = 0;
    int open = variables ? text.indexOf("${") : -1;
    while (open >= 0) {
      int close = text.indexOf('}', open);
      if (close < 0) {
        break;
      }
      pieces.add(Piece.of(Patterns.of(text.substring(from, open))));
      pieces.add(variable(text.substring(open + 2, close)));
      from = close + 1;
      open = text.indexOf("${", from);
    }
    pieces.add(Piece.of(Patterns.of(text.substring(from))));
    return new Template(text, List.copyOf(pieces));
  }

  private static Piece variable(String said) {
    String literal = LITERAL.get(said);
    if (literal != null) {
      return Piece.of(literal.chars().toArray());
    }
    int comma = said.indexOf(',');
    String name = (comma < 0 ? said : said.substring(0, comma)).strip().toLowerCase(Locale.ROOT);
    String otherwise = comma < 0 ? "" : said.substring(comma + 1).strip();
    boolean quoted =
        otherwise.length() >= 2 && otherwise.startsWith("'") && otherwise.endsWith("'");
    return new Piece(null, name, quoted ? otherwise.substring(1, otherwise.length() - 1) : null);
  }

  /** As it is written. */
  String text() {
    return text;
  }

  /** The pattern that it is to a question; null if a variable has no value: it matches nothing. */
  int[] fill(Question question) {
    if (pieces.size() == 1) {
      return pieces.get(0).fill(question);
    }
    int[][] filled = new int[pieces.size()][];
    int length = 0;
    for (int i = 0; i < filled.length; i++) {
      filled[i] = pieces.get(i).fill(question);
      if (filled[i] == null) {
        return null;
      }
      length += filled[i].length;
    }
    int[] all = new int[length];
    int end = 0;
    for (int[] piece : filled) {
      System.arraycopy(piece, 0, all, end, piece.length);
      end += piece.length;
    }
    return all;
  }

  boolean matches(Question question, String value) {
    int[] pattern = fill(question);
    return pattern != null && Patterns.matches(pattern, value);
  }

  /** Whether all that begins with a value that it matches is matched, too. */
  boolean matchesAllBelow(Question question, String value) {
    int[] pattern = fill(question);
    return pattern != null
        && pattern.length > 0
        && pattern[pattern.length - 1] == Patterns.ANY_TEXT
        && Patterns.matches(pattern, value);
  }

  /** Whether one of its variables is a tag that the object has. */
  boolean asksForTags() {
    return pieces.stream()
        .anyMatch(p -> p.variable != null && p.variable.startsWith(Question.EXISTING_TAG));
  }
}

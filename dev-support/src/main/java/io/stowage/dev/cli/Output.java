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
package io.stowage.dev.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What a command answers: a table or a list of facts for people, JSON for programs. Numbers of
 * bytes are given as numbers; people see them with a unit. Confined to one thread.
 */
final class Output {
  /** A number of bytes, so that people can be shown a unit. */
  record Bytes(long count) {
    @Override
    public String toString() {
      if (count < 10_000) {
        return count + " B";
      }
      double value = count;
      int unit = 0;
      while (value >= 1024 && unit < 5) {
        value /= 1024;
        unit++;
      }
      return String.format(
          Locale.ROOT, "%.1f %s", value, List.of("B", "KiB", "MiB", "GiB", "TiB", "PiB").get(unit));
    }
  }

  private static final ObjectMapper JSON = new ObjectMapper();

  private final PrintWriter out;
  private final boolean json;

  Output(PrintWriter out, boolean json) {
    this.out = out;
    this.json = json;
  }

  boolean isJson() {
    return json;
  }

  /** One thing with several facts, in their order. */
  void facts(Map<String, ?> facts) {
    if (json) {
      out.println(toJson(facts));
    } else {
      int width = facts.keySet().stream().mapToInt(String::length).max().orElse(0);
      facts.forEach(
          (name, value) -> {
            if (value instanceof List<?> list) {
              out.println(name + (list.isEmpty() ? ": none" : ":"));
              list.forEach(item -> out.println("  " + text(item)));
            } else {
              out.printf("%-" + (width + 1) + "s %s%n", name + ":", text(value));
            }
          });
    }
    out.flush();
  }

  /** Many things alike: an array in JSON, a table with a heading for people. */
  void rows(List<? extends Map<String, ?>> rows) {
    if (json) {
      out.println(toJson(rows));
    } else if (rows.isEmpty()) {
      out.println("none");
    } else {
      table(rows);
    }
    out.flush();
  }

  /** Something was done; programs get it as a fact. */
  void done(String sentence) {
    out.println(json ? toJson(Map.of("done", sentence)) : sentence);
    out.flush();
  }

  private void table(List<? extends Map<String, ?>> rows) {
    List<String> columns = new ArrayList<>(rows.get(0).keySet());
    int[] widths = new int[columns.size()];
    for (int i = 0; i < widths.length; i++) {
      String column = columns.get(i);
      widths[i] =
          Math.max(
              column.length(),
              rows.stream().mapToInt(row -> text(row.get(column)).length()).max().orElse(0));
    }
    line(columns, widths);
    for (Map<String, ?> row : rows) {
      line(columns.stream().map(column -> text(row.get(column))).toList(), widths);
    }
  }

  private void line(List<String> cells, int[] widths) {
    StringBuilder line = new StringBuilder();
    for (int i = 0; i < widths.length; i++) {
      boolean last = i == widths.length - 1;
      String cell = cells.get(i);
      line.append(cell).append(last ? "" : " ".repeat(widths[i] - cell.length() + 2));
    }
    out.println(line);
  }

  private static String text(Object value) {
    if (value instanceof Map<?, ?> map) {
      StringBuilder text = new StringBuilder();
      map.forEach(
          (name, item) ->
              text.append(text.isEmpty() ? "" : ", ").append(name).append(' ').append(text(item)));
      return text.isEmpty() ? "-" : text.toString();
    }
    return value == null || value.toString().isEmpty() ? "-" : value.toString();
  }

  private static String toJson(Object value) {
    try {
      return JSON.writeValueAsString(plain(value));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("maps, lists, text and numbers are always JSON", e);
    }
  }

  private static Object plain(Object value) {
    if (value instanceof Bytes bytes) {
      return bytes.count();
    }
    if (value instanceof Map<?, ?> map) {
      Map<String, Object> copy = new LinkedHashMap<>();
      map.forEach((name, item) -> copy.put(camelCase(name.toString()), plain(item)));
      return copy;
    }
    if (value instanceof List<?> list) {
      return list.stream().map(Output::plain).toList();
    }
    return value instanceof Number || value instanceof Boolean || value == null
        ? value
        : value.toString();
  }

  /** "leader epoch" for people is "leaderEpoch" for programs. */
  private static String camelCase(String words) {
    StringBuilder name = new StringBuilder();
    for (String word : words.split(" ", -1)) {
      name.append(
          name.isEmpty()
              ? word
              : word.substring(0, 1).toUpperCase(Locale.ROOT) + word.substring(1));
    }
    return name.toString();
  }
}

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
package io.stowage.common.metrics;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A page in Prometheus's text format 0.0.4, read as strictly as Prometheus does and a little more:
 * every line is one that it takes, no series is there twice, and the lines of a name stand together
 * under one type. Immutable.
 */
public final class PrometheusPage {
  private static final String NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
  private static final Pattern HELP = Pattern.compile("# HELP (" + NAME + ") .*");
  private static final Pattern TYPE =
      Pattern.compile("# TYPE (" + NAME + ") (counter|gauge|histogram|summary|untyped)");
  private static final String LABEL =
      "([a-zA-Z_][a-zA-Z0-9_]*)=\"((?:[^\"\\\\\\n]|\\\\[\\\\\"n])*)\"";
  private static final Pattern LABELS = Pattern.compile(LABEL);
  private static final Pattern SAMPLE =
      Pattern.compile(
          "(" + NAME + ")(?:\\{((?:" + LABEL + "(?:,(?=[a-zA-Z_])|(?=\\})))*)\\})? (\\S+)");

  private record Series(String name, Map<String, String> labels) {}

  private final Map<Series, Double> samples;

  private PrometheusPage(Map<Series, Double> samples) {
    this.samples = samples;
  }

  /** Fails with the first line that is wrong. */
  public static PrometheusPage parse(String text) {
    Map<Series, Double> samples = new LinkedHashMap<>();
    Set<String> typed = new HashSet<>();
    String current = "";
    if (!text.isEmpty() && !text.endsWith("\n")) {
      throw new AssertionError("the last line does not end");
    }
    for (String line : text.lines().toList()) {
      Matcher type = TYPE.matcher(line);
      Matcher sample = SAMPLE.matcher(line);
      if (type.matches()) {
        current = type.group(1);
        check(typed.add(current), "a second type of " + current, line);
      } else if (sample.matches()) {
        check(sample.group(1).equals(current), "not under its type", line);
        Series series = new Series(current, labels(sample.group(2)));
        double value = Double.parseDouble(sample.group(5).replace("Inf", "Infinity"));
        check(samples.put(series, value) == null, "there twice", line);
      } else {
        check(HELP.matcher(line).matches(), "no line of Prometheus", line);
      }
    }
    return new PrometheusPage(samples);
  }

  private static void check(boolean right, String what, String line) {
    if (!right) {
      throw new AssertionError(what + ": " + line);
    }
  }

  private static Map<String, String> labels(String text) {
    Map<String, String> labels = new TreeMap<>();
    Matcher label = LABELS.matcher(text == null ? "" : text);
    while (label.find()) {
      check(labels.put(label.group(1), label.group(2)) == null, "a label twice", text);
    }
    return labels;
  }

  /** Names of all series. */
  public Set<String> names() {
    Set<String> names = new HashSet<>();
    samples.keySet().forEach(series -> names.add(series.name));
    return names;
  }

  /**
   * Values of a name's series that have these labels, and maybe others.
   *
   * @param labels name, value, name, value, ...
   */
  public List<Double> values(String name, String... labels) {
    List<Double> values = new ArrayList<>();
    samples.forEach(
        (series, value) -> {
          boolean has = series.name.equals(name);
          for (int i = 0; has && i < labels.length; i += 2) {
            has = labels[i + 1].equals(series.labels.get(labels[i]));
          }
          if (has) {
            values.add(value);
          }
        });
    return values;
  }

  /** Sum of those values; fails if there is none. */
  public double sum(String name, String... labels) {
    List<Double> values = values(name, labels);
    check(!values.isEmpty(), "no series", name + " " + List.of(labels));
    return values.stream().mapToDouble(Double::doubleValue).sum();
  }
}

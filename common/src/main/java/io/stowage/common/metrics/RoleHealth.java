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

import java.util.Map;
import java.util.TreeMap;

/**
 * How ready one role of a process is, for whoever balances load between several. Tells nothing
 * secret: anybody who reaches the address reads it. Immutable.
 *
 * @param role as the command that starts it is named: scm, om, datanode, s3g
 * @param ready whether requests should be sent to it
 * @param state one or few words, such as "leader" or "draining"
 * @param figures that make it ready or not, by name
 */
public record RoleHealth(String role, boolean ready, String state, Map<String, Integer> figures) {
  /** Fails where a text would have to be escaped. */
  public RoleHealth {
    figures = new TreeMap<>(figures);
    requirePlain(role);
    requirePlain(state);
    figures.keySet().forEach(RoleHealth::requirePlain);
  }

  public RoleHealth(String role, boolean ready, String state) {
    this(role, ready, state, Map.of());
  }

  private static void requirePlain(String text) {
    if (!text.matches("[A-Za-z0-9 _-]+")) {
      throw new IllegalArgumentException("not a plain word: " + text);
    }
  }

  /** One line of JSON, without its end. */
  String toJson() {
    StringBuilder json = new StringBuilder(96);
    json.append("{\"role\":\"").append(role).append("\",\"ready\":").append(ready);
    json.append(",\"state\":\"").append(state).append('"');
    figures.forEach((name, value) -> json.append(",\"" + name + "\":" + value));
    return json.append('}').toString();
  }
}

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
package io.stowage.scm.container;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** Small numbers for the few policy names of a cluster. Only grows. Thread-safe. */
final class PolicyNames {
  private final CopyOnWriteArrayList<String> names = new CopyOnWriteArrayList<>();

  int numberOf(String name) {
    names.addIfAbsent(name);
    return names.indexOf(name);
  }

  String name(int number) {
    return names.get(number);
  }

  List<String> all() {
    return List.copyOf(names);
  }
}

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
package io.stowage.scm.cluster;

/** Network location of a host; may block (it may run a script). Thread-safe. */
@FunctionalInterface
public interface RackResolver {
  String DEFAULT_RACK = "/default-rack";

  /** For example "/dc1/rack7"; {@link #DEFAULT_RACK} where nothing is known. */
  String rackOf(String host);
}

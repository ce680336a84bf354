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
package io.stowage.common.fault;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A named place between two durable steps at which tests stop a component, delay it or make it
 * fail. Costs one volatile read of a null while no test is armed. Thread-safe.
 */
public final class CrashPoint {
  /** What happens at an armed point; throwing simulates the crash of whoever came by. */
  @FunctionalInterface
  public interface Action {
    void run();
  }

  private static final Map<String, CrashPoint> ALL = new ConcurrentHashMap<>();

  private final String name;
  private volatile Action action;

  private CrashPoint(String name) {
    this.name = name;
  }

  /**
   * The point of a name, the same for every caller. Names read "component.operation.after-step".
   */
  public static CrashPoint named(String name) {
    return ALL.computeIfAbsent(name, CrashPoint::new);
  }

  /** Called by production code where a crash must be survivable. */
  public void reach() {
    Action armed = action;
    if (armed != null) {
      armed.run();
    }
  }

  /** Arms the point; null disarms it. */
  public void arm(Action armed) {
    action = armed;
  }

  public static void disarmAll() {
    ALL.values().forEach(point -> point.arm(null));
  }

  /** Thrown by an action to end the operation as if its process had died there. */
  public static final class Crash extends Error {
    private static final long serialVersionUID = 1L;

    public Crash(String name) {
      super("simulated crash at " + name);
    }
  }

  @Override
  public String toString() {
    return name;
  }
}

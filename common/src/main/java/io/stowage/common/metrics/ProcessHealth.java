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

import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How ready a process is, from before its roles have started until after they were told to stop.
 * Thread-safe.
 */
public final class ProcessHealth {
  private static final Logger LOG = LoggerFactory.getLogger(ProcessHealth.class);

  private final String process;
  private volatile List<? extends HealthCheck> roles; // null: not started, or stopping
  private volatile String otherwise = "starting";

  /**
   * @param process its name while no role can be asked
   */
  public ProcessHealth(String process) {
    this.process = process;
  }

  /** Asks these from now on. */
  public void serves(List<? extends HealthCheck> started) {
    roles = started;
  }

  /** Is not ready any more, whatever its roles say. */
  public void stops() {
    otherwise = "stopping";
    roles = null;
  }

  /** All roles, ready or not; never empty. */
  List<RoleHealth> look() {
    List<? extends HealthCheck> asked = roles;
    if (asked == null || asked.isEmpty()) {
      return List.of(new RoleHealth(process, false, otherwise));
    }
    return asked.stream().map(this::ask).toList();
  }

  private RoleHealth ask(HealthCheck role) {
    try {
      return role.health();
    } catch (RuntimeException e) {
      LOG.warn("Cannot tell how ready {} is: a bug", process, e);
      return new RoleHealth(process, false, "unknown");
    }
  }
}

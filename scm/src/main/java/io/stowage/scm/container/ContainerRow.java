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

import io.stowage.common.proto.ContainerInfo;
import java.util.HexFormat;

/**
 * A container's row as it was read or written. Immutable.
 *
 * @param stampMicros hybrid logical clock of the write, above that of every earlier version
 * @param info with row version and leader epoch; without hosts and ports
 */
public record ContainerRow(long stampMicros, ContainerInfo info) {
  public long id() {
    return info.getId();
  }

  public long version() {
    return info.getRowVersion();
  }

  /** How a container is named in messages and on the command line. */
  public static String nameOf(long id) {
    return HexFormat.of().toHexDigits(id);
  }

  public String name() {
    return nameOf(id());
  }
}

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

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.util.Locale;

/** What may fail as a whole: no two shards of a container share one. */
public enum FailureDomain {
  DISK,
  HOST,
  RACK;

  public static FailureDomain named(String name) throws StoreException {
    for (FailureDomain domain : values()) {
      if (domain.toString().equals(name)) {
        return domain;
      }
    }
    throw new StoreException(
        ErrorCode.BAD_CONFIGURATION,
        "Cannot use failure domain '" + name + "': expected disk, host or rack");
  }

  /** Which one a disk is in. */
  public String of(Candidate disk) {
    return switch (this) {
      case DISK -> disk.nodeId() + "/" + disk.diskId();
      case HOST -> disk.host();
      case RACK -> disk.rack();
    };
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}

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
package io.stowage.client;

import io.stowage.common.proto.Extent;
import io.stowage.common.proto.LeaseGrant;
import io.stowage.common.proto.Manifest;
import java.util.ArrayList;
import java.util.List;

/** Makes what a finished writer tells. Stateless. */
final class Manifests {
  private Manifests() {}

  /** Names each (container, epoch) once among the grants. */
  static ObjectWriter.Written of(long length, List<Extent> extents, List<LeaseGrant> grants) {
    List<LeaseGrant> distinct = new ArrayList<>();
    for (LeaseGrant grant : grants) {
      boolean known = false;
      for (LeaseGrant other : distinct) {
        known |=
            other.getContainer() == grant.getContainer() && other.getEpoch() == grant.getEpoch();
      }
      if (!known) {
        distinct.add(grant);
      }
    }
    return new ObjectWriter.Written(
        Manifest.newBuilder().setLength(length).addAllExtents(extents).build(), distinct, 0);
  }
}

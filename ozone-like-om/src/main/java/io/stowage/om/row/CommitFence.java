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
package io.stowage.om.row;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.OutcomeUnknownException;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.GetContainersRequest;
import io.stowage.common.proto.LeaseGrant;
import io.stowage.common.proto.Manifest;
import io.stowage.common.scm.ContainerManager;
import io.stowage.common.time.StoreClock;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Keeps a manifest from naming needles that were judged dead before it was committed.
 *
 * <p>Whatever judges needles of a container dead first writes REPACKING in its row, no sooner than
 * the commit window after its seal, and judges after that. No lease is granted on a sealed
 * container, so a manifest whose leases are younger than the window is always seen by the judge:
 * {@link #before}. A mutation can take its time, though, or its object manager be paused between
 * the look at the clock and the sending; hence {@link #after}: if the leases have meanwhile reached
 * the window, the container's row is read, after the mutation. If it does not say REPACKING yet,
 * any judge begins later than our mutation and sees it. If it does, the judge may have overlooked
 * it. The manifest is then to be copied out, as repacking does; until there is a repacker, nobody
 * writes REPACKING, and whoever meets it answers that the outcome is unknown. That is no lie (the
 * object is there now and may not stay), and the caller writes its bytes again. Thread-safe.
 */
public final class CommitFence {
  private final StoreClock clock;
  private final Stamps stamps;
  private final ContainerManager containers;
  private final long lateMicros;

  public CommitFence(
      StoreClock clock,
      Stamps stamps,
      ContainerManager containers,
      Duration window,
      Duration clockBound) {
    this.clock = clock;
    this.stamps = stamps;
    this.containers = containers;
    this.lateMicros = window.minus(clockBound).toNanos() / 1_000;
  }

  /** Checks that every extent's lease is among the grants, and none is from the future. */
  public void checkGrants(Manifest manifest, List<LeaseGrant> grants) throws StoreException {
    for (LeaseGrant grant : grants) {
      stamps.refuseAhead(grant.getGrantedMicros(), clock.wallMicros());
    }
    Extent checked = null;
    for (Extent extent : manifest.getExtentsList()) {
      if (checked != null
          && checked.getContainer() == extent.getContainer()
          && checked.getEpoch() == extent.getEpoch()) {
        continue;
      }
      boolean granted = false;
      for (LeaseGrant grant : grants) {
        granted |=
            grant.getContainer() == extent.getContainer() && grant.getEpoch() == extent.getEpoch();
      }
      if (!granted) {
        throw new StoreException(
            ErrorCode.INVALID_ARGUMENT,
            "Cannot commit an extent of container "
                + Long.toHexString(extent.getContainer())
                + ", epoch "
                + extent.getEpoch()
                + ": its lease is not named");
      }
      checked = extent;
    }
  }

  /** Whether a manifest under these leases may no longer be committed. */
  public boolean isLate(List<LeaseGrant> grants) {
    long now = clock.wallMicros();
    for (LeaseGrant grant : grants) {
      if (now - grant.getGrantedMicros() > lateMicros) {
        return true;
      }
    }
    return false;
  }

  /** Before the mutation. */
  public void before(List<LeaseGrant> grants) throws StoreException {
    if (isLate(grants)) {
      throw tooLate();
    }
  }

  public StoreException tooLate() {
    return new StoreException(
        ErrorCode.COMMIT_TOO_LATE,
        "Cannot commit: a lease of its containers was granted more than "
            + lateMicros / 1_000
            + " ms ago; write the bytes again");
  }

  /** After the mutation, before it is acknowledged. */
  public void after(List<LeaseGrant> grants) throws StoreException {
    if (!isLate(grants)) {
      return;
    }
    Set<Long> ids = new HashSet<>();
    grants.forEach(grant -> ids.add(grant.getContainer()));
    List<ContainerInfo> found;
    try {
      found =
          containers
              .getContainers(
                  GetContainersRequest.newBuilder().addAllIds(ids).setFresh(true).build())
              .getContainersList();
    } catch (StoreException e) {
      throw new OutcomeUnknownException(
          "Cannot acknowledge: committed late, and the containers cannot be looked up: "
              + e.getMessage(),
          e);
    }
    for (ContainerInfo container : found) {
      if (container.getState() == ContainerState.OPEN
          || container.getState() == ContainerState.SEALED) {
        ids.remove(container.getId());
      }
    }
    if (!ids.isEmpty()) {
      throw new OutcomeUnknownException(
          "Cannot acknowledge: committed late, while containers " + ids + " are repacked", null);
    }
  }
}

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
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.KeepContainersRequest;
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
 * the commit window after its seal and after the last grant or refreshing of a lease on it (of a
 * lease that ended, too: ADR 20), and judges after that. So a manifest whose leases are younger
 * than the window is always seen by the judge: {@link #before}. A mutation can take its time,
 * though, or its object manager be paused between the look at the clock and the sending; hence
 * {@link #after}: if the leases have meanwhile reached the window, the container manager is asked,
 * after the mutation, to keep the containers. It does so where no judge has called them empty:
 * those that say REPACKING get another holder in their row, so that whoever judged them before our
 * mutation is refused, and the next one judges them anew and sees it. Where the row does not say
 * REPACKING yet, any judge begins later than our mutation. Either way the mutation is acknowledged.
 * A container that is DELETED already, which takes a pause of the window and a whole repack, is not
 * kept: the outcome is then unknown, which is no lie (the object is there now and its bytes will
 * go), and the caller writes its bytes again.
 *
 * <p>An object manager that dies between its late mutation and the asking leaves a mutation that
 * nobody acknowledged; whoever repeats it asks again, and a judge that comes later sees it.
 * Rejected: copying the bytes out here (an object manager has no data path), taking the mutation
 * back (others may have read it, and the bytes of what it replaced may be judged dead by now), and
 * raising the heads of all rows whose needles were judged dead (a mutation for each dead needle).
 * Thread-safe.
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

  /** Whether what was written at this stamp, to be committed later, may have been collected. */
  public boolean isOld(long stamp) {
    return clock.wallMicros() - stamp > lateMicros;
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
    try {
      ids.removeAll(
          containers
              .keepContainers(KeepContainersRequest.newBuilder().addAllIds(ids).build())
              .getKeptList());
    } catch (StoreException e) {
      throw new OutcomeUnknownException(
          "Cannot acknowledge: committed late, and the container manager cannot be told: "
              + e.getMessage(),
          e);
    }
    if (!ids.isEmpty()) {
      throw new OutcomeUnknownException(
          "Cannot acknowledge: committed late, when containers " + ids + " were gone", null);
    }
  }
}

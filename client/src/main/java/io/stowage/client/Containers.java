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

import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.LeaseContainersReply;
import io.stowage.common.proto.LeaseContainersRequest;
import io.stowage.common.proto.LocateContainersReply;
import io.stowage.common.proto.LocateContainersRequest;
import io.stowage.common.proto.ReleaseLeaseReply;
import io.stowage.common.proto.ReleaseLeaseRequest;
import io.stowage.common.proto.RenewLeasesReply;
import io.stowage.common.proto.RenewLeasesRequest;
import io.stowage.common.proto.ReportDamageReply;
import io.stowage.common.proto.ReportDamageRequest;

/** The part of an object manager that the data path needs. Blocking; thread-safe. */
interface Containers {
  LeaseContainersReply leaseContainer(LeaseContainersRequest request) throws StoreException;

  RenewLeasesReply renewLeases(RenewLeasesRequest request) throws StoreException;

  ReleaseLeaseReply releaseLease(ReleaseLeaseRequest request) throws StoreException;

  ReportDamageReply reportDamage(ReportDamageRequest request) throws StoreException;

  LocateContainersReply locateContainers(LocateContainersRequest request) throws StoreException;

  static Containers of(ObjectManager om) {
    return new Containers() {
      @Override
      public LeaseContainersReply leaseContainer(LeaseContainersRequest request)
          throws StoreException {
        return om.leaseContainer(request);
      }

      @Override
      public RenewLeasesReply renewLeases(RenewLeasesRequest request) throws StoreException {
        return om.renewLeases(request);
      }

      @Override
      public ReleaseLeaseReply releaseLease(ReleaseLeaseRequest request) throws StoreException {
        return om.releaseLease(request);
      }

      @Override
      public ReportDamageReply reportDamage(ReportDamageRequest request) throws StoreException {
        return om.reportDamage(request);
      }

      @Override
      public LocateContainersReply locateContainers(LocateContainersRequest request)
          throws StoreException {
        return om.locateContainers(request);
      }
    };
  }
}

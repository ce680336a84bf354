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
package io.stowage.common.scm;

import io.stowage.common.error.StoreException;
import io.stowage.common.proto.AcceptUnknownShardsReply;
import io.stowage.common.proto.AcceptUnknownShardsRequest;
import io.stowage.common.proto.AddDeadBytesReply;
import io.stowage.common.proto.AddDeadBytesRequest;
import io.stowage.common.proto.ClaimContainerReply;
import io.stowage.common.proto.ClaimContainerRequest;
import io.stowage.common.proto.ClusterStatusReply;
import io.stowage.common.proto.ClusterStatusRequest;
import io.stowage.common.proto.FinishRepackReply;
import io.stowage.common.proto.FinishRepackRequest;
import io.stowage.common.proto.GetContainersReply;
import io.stowage.common.proto.GetContainersRequest;
import io.stowage.common.proto.GetTokenKeysReply;
import io.stowage.common.proto.GetTokenKeysRequest;
import io.stowage.common.proto.KeepContainersReply;
import io.stowage.common.proto.KeepContainersRequest;
import io.stowage.common.proto.LeaseContainersReply;
import io.stowage.common.proto.LeaseContainersRequest;
import io.stowage.common.proto.ListContainersReply;
import io.stowage.common.proto.ListContainersRequest;
import io.stowage.common.proto.ListDatanodesReply;
import io.stowage.common.proto.ListDatanodesRequest;
import io.stowage.common.proto.MoveDatanodeReply;
import io.stowage.common.proto.MoveDatanodeRequest;
import io.stowage.common.proto.ReleaseLeaseReply;
import io.stowage.common.proto.ReleaseLeaseRequest;
import io.stowage.common.proto.RenewClaimReply;
import io.stowage.common.proto.RenewClaimRequest;
import io.stowage.common.proto.RenewLeasesReply;
import io.stowage.common.proto.RenewLeasesRequest;
import io.stowage.common.proto.RepackStatusReply;
import io.stowage.common.proto.RepackStatusRequest;
import io.stowage.common.proto.ReportDamageReply;
import io.stowage.common.proto.ReportDamageRequest;
import io.stowage.common.proto.RestoreContainerReply;
import io.stowage.common.proto.RestoreContainerRequest;
import io.stowage.common.proto.ResurveyContainersReply;
import io.stowage.common.proto.ResurveyContainersRequest;
import io.stowage.common.proto.SetBalanceReply;
import io.stowage.common.proto.SetBalanceRequest;
import io.stowage.common.proto.SetDatanodeModeReply;
import io.stowage.common.proto.SetDatanodeModeRequest;

/**
 * The storage container manager as object managers and the admin CLI see it. Implemented by SCM and
 * by the RPC client, which finds the leader. Messages and their rules are in scm.proto. Blocking;
 * thread-safe.
 */
public interface ContainerManager {
  /**
   * (leader) Grants a lease on an open container, creating one where needed. A repeated call of a
   * holder gets its lease.
   */
  LeaseContainersReply leaseContainer(LeaseContainersRequest request) throws StoreException;

  /** (leader) */
  RenewLeasesReply renewLeases(RenewLeasesRequest request) throws StoreException;

  /** (leader) A lease that is not released expires. */
  ReleaseLeaseReply releaseLease(ReleaseLeaseRequest request) throws StoreException;

  /** Ids of one {@link #getContainers}: 5 MB of answer. */
  int MOST_ASKED = 10_000;

  /** Any SCM; the leader's answer is at most as old as its last row mutation. */
  GetContainersReply getContainers(GetContainersRequest request) throws StoreException;

  ListContainersReply listContainers(ListContainersRequest request) throws StoreException;

  ListDatanodesReply listDatanodes(ListDatanodesRequest request) throws StoreException;

  ClusterStatusReply clusterStatus(ClusterStatusRequest request) throws StoreException;

  /** (leader) A hint: SCM probes before it believes. */
  ReportDamageReply reportDamage(ReportDamageRequest request) throws StoreException;

  /**
   * (leader) Work for a repacker: the container is its own until the claim lapses. A repeated call
   * of a holder gets its claim again.
   */
  ClaimContainerReply claimContainer(ClaimContainerRequest request) throws StoreException;

  /** (leader) LEASE_LOST if another worker has it. */
  RenewClaimReply renewClaim(RenewClaimRequest request) throws StoreException;

  /** (leader) LEASE_LOST if another worker has it; repeated after it won, the same answer. */
  FinishRepackReply finishRepack(FinishRepackRequest request) throws StoreException;

  RepackStatusReply repackStatus(RepackStatusRequest request) throws StoreException;

  /**
   * (leader) Decommissions a node, announces its maintenance, or takes it into service again.
   *
   * @throws StoreException NOT_ENOUGH_NODES if redundancy could not be kept
   */
  SetDatanodeModeReply setDatanodeMode(SetDatanodeModeRequest request) throws StoreException;

  /** Takes an operator's word that a datanode is on another host now. */
  MoveDatanodeReply moveDatanode(MoveDatanodeRequest request) throws StoreException;

  /** (leader) Starts or stops balancing of disks. */
  SetBalanceReply setBalance(SetBalanceRequest request) throws StoreException;

  /**
   * (leader) Takes the operator's word that unknown shards, however many, may be put aside, that
   * those of containers without a row which are aside by its end may be deleted later, and that
   * what a table older than the disks does not know may be lost; or a rebuild's word that nothing
   * is.
   */
  AcceptUnknownShardsReply acceptUnknownShards(AcceptUnknownShardsRequest request)
      throws StoreException;

  /** (leader) Looks into containers again of which somebody knows that much died. */
  ResurveyContainersReply resurveyContainers(ResurveyContainersRequest request)
      throws StoreException;

  /** (leader) Bytes that a collector counted dead: a hint to what is worth repacking. */
  AddDeadBytesReply addDeadBytes(AddDeadBytesRequest request) throws StoreException;

  /** (leader) Containers that were committed to late: all judgements of them so far are void. */
  KeepContainersReply keepContainers(KeepContainersRequest request) throws StoreException;

  /** (leader) Puts back the row of a container that the table has lost. */
  RestoreContainerReply restoreContainer(RestoreContainerRequest request) throws StoreException;

  /** The keys that sign tokens of the data plane; none where security is off. */
  default GetTokenKeysReply getTokenKeys(GetTokenKeysRequest request) throws StoreException {
    return GetTokenKeysReply.getDefaultInstance();
  }
}

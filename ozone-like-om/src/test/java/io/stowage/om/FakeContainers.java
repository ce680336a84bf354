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
package io.stowage.om;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.AcceptUnknownShardsReply;
import io.stowage.common.proto.AcceptUnknownShardsRequest;
import io.stowage.common.proto.AddDeadBytesReply;
import io.stowage.common.proto.AddDeadBytesRequest;
import io.stowage.common.proto.ClaimContainerReply;
import io.stowage.common.proto.ClaimContainerRequest;
import io.stowage.common.proto.ClusterStatusReply;
import io.stowage.common.proto.ClusterStatusRequest;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.DeadBytes;
import io.stowage.common.proto.FinishRepackReply;
import io.stowage.common.proto.FinishRepackRequest;
import io.stowage.common.proto.GetContainersReply;
import io.stowage.common.proto.GetContainersRequest;
import io.stowage.common.proto.KeepContainersReply;
import io.stowage.common.proto.KeepContainersRequest;
import io.stowage.common.proto.Lease;
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
import io.stowage.common.scm.ContainerManager;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** Containers that are what a test says they are; OPEN where it says nothing. Thread-safe. */
final class FakeContainers implements ContainerManager {
  final Map<Long, ContainerState> states = new ConcurrentHashMap<>();
  final AtomicInteger lookUps = new AtomicInteger();
  volatile boolean unreachable;
  volatile ByteString leasedFor; // identity of the table that the last lease was asked for

  @Override
  public GetContainersReply getContainers(GetContainersRequest request) throws StoreException {
    lookUps.incrementAndGet();
    if (unreachable) {
      throw new StoreException(ErrorCode.UNAVAILABLE, "no container manager answers");
    }
    GetContainersReply.Builder reply = GetContainersReply.newBuilder();
    for (long id : request.getIdsList()) {
      reply.addContainers(info(id));
    }
    return reply.build();
  }

  private ContainerInfo info(long id) {
    return ContainerInfo.newBuilder()
        .setId(id)
        .setPolicy("rs-3-2")
        .setState(states.getOrDefault(id, ContainerState.OPEN))
        .build();
  }

  @Override
  public LeaseContainersReply leaseContainer(LeaseContainersRequest request) {
    leasedFor = request.getObjectTable();
    return LeaseContainersReply.newBuilder()
        .setLease(Lease.newBuilder().setContainer(info(7)).setHolder(request.getHolder()))
        .build();
  }

  @Override
  public RenewLeasesReply renewLeases(RenewLeasesRequest request) {
    return RenewLeasesReply.getDefaultInstance();
  }

  @Override
  public ReleaseLeaseReply releaseLease(ReleaseLeaseRequest request) {
    return ReleaseLeaseReply.getDefaultInstance();
  }

  @Override
  public ListContainersReply listContainers(ListContainersRequest request) {
    return ListContainersReply.getDefaultInstance();
  }

  @Override
  public ListDatanodesReply listDatanodes(ListDatanodesRequest request) {
    return ListDatanodesReply.getDefaultInstance();
  }

  @Override
  public ClusterStatusReply clusterStatus(ClusterStatusRequest request) {
    return ClusterStatusReply.getDefaultInstance();
  }

  @Override
  public ReportDamageReply reportDamage(ReportDamageRequest request) {
    return ReportDamageReply.getDefaultInstance();
  }

  @Override
  public ClaimContainerReply claimContainer(ClaimContainerRequest request) {
    return ClaimContainerReply.getDefaultInstance();
  }

  @Override
  public RenewClaimReply renewClaim(RenewClaimRequest request) {
    return RenewClaimReply.getDefaultInstance();
  }

  @Override
  public FinishRepackReply finishRepack(FinishRepackRequest request) {
    return FinishRepackReply.getDefaultInstance();
  }

  @Override
  public RepackStatusReply repackStatus(RepackStatusRequest request) {
    return RepackStatusReply.getDefaultInstance();
  }

  @Override
  public SetDatanodeModeReply setDatanodeMode(SetDatanodeModeRequest request) {
    throw new UnsupportedOperationException("no datanodes here");
  }

  @Override
  public MoveDatanodeReply moveDatanode(MoveDatanodeRequest request) {
    throw new UnsupportedOperationException("no datanodes here");
  }

  @Override
  public SetBalanceReply setBalance(SetBalanceRequest request) {
    throw new UnsupportedOperationException("no datanodes here");
  }

  @Override
  public AcceptUnknownShardsReply acceptUnknownShards(AcceptUnknownShardsRequest request) {
    throw new UnsupportedOperationException("no datanodes here");
  }

  @Override
  public ResurveyContainersReply resurveyContainers(ResurveyContainersRequest request) {
    return ResurveyContainersReply.getDefaultInstance();
  }

  /** Dead bytes by container and run; the first word counts. */
  final Map<Long, Map<ByteString, Long>> deadBytes = new ConcurrentHashMap<>();

  @Override
  public AddDeadBytesReply addDeadBytes(AddDeadBytesRequest request) throws StoreException {
    if (unreachable) {
      throw new StoreException(ErrorCode.UNAVAILABLE, "no container manager answers");
    }
    for (DeadBytes dead : request.getContainersList()) {
      deadBytes
          .computeIfAbsent(dead.getContainer(), id -> new ConcurrentHashMap<>())
          .putIfAbsent(request.getRun(), dead.getBytes());
    }
    return AddDeadBytesReply.getDefaultInstance();
  }

  long deadBytes(long container) {
    return deadBytes.getOrDefault(container, Map.of()).values().stream()
        .mapToLong(Long::longValue)
        .sum();
  }

  /** Containers kept since the beginning. */
  final AtomicInteger kept = new AtomicInteger();

  @Override
  public KeepContainersReply keepContainers(KeepContainersRequest request) throws StoreException {
    if (unreachable) {
      throw new StoreException(ErrorCode.UNAVAILABLE, "no container manager answers");
    }
    KeepContainersReply.Builder reply = KeepContainersReply.newBuilder();
    for (long id : request.getIdsList()) {
      switch (states.getOrDefault(id, ContainerState.OPEN)) {
        case OPEN, SEALED, REPACKING -> {
          kept.incrementAndGet();
          reply.addKept(id);
        }
        default -> {}
      }
    }
    return reply.build();
  }

  @Override
  public RestoreContainerReply restoreContainer(RestoreContainerRequest request) {
    throw new UnsupportedOperationException();
  }
}

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
package io.stowage.common.rpc;

import io.stowage.common.delegation.DelegationTokenSelector;
import io.stowage.common.delegation.DelegationTokens;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.ContainerManagerService;
import io.stowage.common.proto.DatanodeReportService;
import io.stowage.common.proto.DelegationTokenService;
import io.stowage.common.proto.ObjectManagerService;
import io.stowage.common.scm.ContainerManager;
import io.stowage.common.scm.DatanodeReports;
import java.util.function.Function;
import org.apache.hadoop.ipc.ProtocolInfo;
import org.apache.hadoop.security.KerberosInfo;
import org.apache.hadoop.security.token.TokenInfo;
import org.apache.hadoop.thirdparty.protobuf.BlockingService;
import org.apache.hadoop.thirdparty.protobuf.Descriptors.ServiceDescriptor;

/**
 * One service of the control plane: our interface, the interface that Hadoop RPC wants, and how to
 * serve it. Methods of both interfaces have the same names and messages, which is what lets one
 * reflective bridge stand in for translator classes. Immutable.
 *
 * <p>Protocols are named as their interfaces: a server that checks who may use one looks for a
 * class of that name.
 *
 * @param <T> our interface
 * @param <P> generated blocking interface, annotated with protocol name and version
 */
public final class RpcProtocol<T, P> {
  public static final RpcProtocol<ObjectManager, ObjectManagerPb> OBJECT_MANAGER =
      new RpcProtocol<>(
          ObjectManager.class,
          ObjectManagerPb.class,
          ObjectManagerService.getDescriptor(),
          ObjectManagerService::newReflectiveBlockingService);
  public static final RpcProtocol<DelegationTokens, DelegationTokensPb> DELEGATION_TOKENS =
      new RpcProtocol<>(
          DelegationTokens.class,
          DelegationTokensPb.class,
          DelegationTokenService.getDescriptor(),
          DelegationTokenService::newReflectiveBlockingService);
  public static final RpcProtocol<ContainerManager, ContainerManagerPb> CONTAINER_MANAGER =
      new RpcProtocol<>(
          ContainerManager.class,
          ContainerManagerPb.class,
          ContainerManagerService.getDescriptor(),
          ContainerManagerService::newReflectiveBlockingService);
  public static final RpcProtocol<DatanodeReports, DatanodeReportsPb> DATANODE_REPORTS =
      new RpcProtocol<>(
          DatanodeReports.class,
          DatanodeReportsPb.class,
          DatanodeReportService.getDescriptor(),
          DatanodeReportService::newReflectiveBlockingService);

  private final Class<T> api;
  private final Class<P> pb;
  private final ServiceDescriptor descriptor;
  private final Function<P, BlockingService> service;

  private RpcProtocol(
      Class<T> api,
      Class<P> pb,
      ServiceDescriptor descriptor,
      Function<P, BlockingService> service) {
    this.api = api;
    this.pb = pb;
    this.descriptor = descriptor;
    this.service = service;
  }

  Class<T> api() {
    return api;
  }

  Class<P> pb() {
    return pb;
  }

  /**
   * Whether what a repetition of a call is answered holds for its first sending, too. Where the
   * proto file does not say so of a method, it does not: the first may have been done, and the
   * repetition be refused for what changed since, or for what the first itself did.
   */
  boolean isAnsweredAlike(String method) {
    return switch (descriptor.findMethodByName(method).getOptions().getIdempotencyLevel()) {
      case NO_SIDE_EFFECTS, IDEMPOTENT -> true;
      case IDEMPOTENCY_UNKNOWN -> false;
    };
  }

  /** Whether a delegation token will do instead of a ticket. */
  boolean takesDelegationTokens() {
    return pb.isAnnotationPresent(TokenInfo.class);
  }

  BlockingService serve(T implementation) {
    return service.apply(RpcBridge.pbFor(pb, api, implementation));
  }

  /** Hadoop RPC's view of {@link ObjectManager}. */
  @ProtocolInfo(
      protocolName = "io.stowage.common.rpc.RpcProtocol$ObjectManagerPb",
      protocolVersion = 1)
  @KerberosInfo(serverPrincipal = "stowage.om.kerberos.principal")
  @TokenInfo(DelegationTokenSelector.class)
  public interface ObjectManagerPb extends ObjectManagerService.BlockingInterface {}

  /** Hadoop RPC's view of {@link DelegationTokens}; with a ticket only. */
  @ProtocolInfo(
      protocolName = "io.stowage.common.rpc.RpcProtocol$DelegationTokensPb",
      protocolVersion = 1)
  @KerberosInfo(serverPrincipal = "stowage.om.kerberos.principal")
  public interface DelegationTokensPb extends DelegationTokenService.BlockingInterface {}

  /** Hadoop RPC's view of {@link ContainerManager}. */
  @ProtocolInfo(
      protocolName = "io.stowage.common.rpc.RpcProtocol$ContainerManagerPb",
      protocolVersion = 1)
  @KerberosInfo(serverPrincipal = "stowage.scm.kerberos.principal")
  public interface ContainerManagerPb extends ContainerManagerService.BlockingInterface {}

  /** Hadoop RPC's view of {@link DatanodeReports}. */
  @ProtocolInfo(
      protocolName = "io.stowage.common.rpc.RpcProtocol$DatanodeReportsPb",
      protocolVersion = 1)
  @KerberosInfo(
      serverPrincipal = "stowage.scm.kerberos.principal",
      clientPrincipal = "stowage.datanode.kerberos.principal")
  public interface DatanodeReportsPb extends DatanodeReportService.BlockingInterface {}
}

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
package io.stowage.scm;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.HeartbeatReply;
import io.stowage.common.proto.HeartbeatRequest;
import io.stowage.common.proto.RegisterDatanodeReply;
import io.stowage.common.proto.RegisterDatanodeRequest;
import io.stowage.common.scm.DatanodeReports;
import io.stowage.scm.container.NodeHosts;
import java.util.function.Consumer;

/**
 * What datanodes report over RPC with security on: of each caller what is of its own host's nodes.
 * A keytab that was stolen from one machine says nothing of the shards, the results and the clocks
 * of others, takes none of their orders, and sends none of their readers elsewhere. Thread-safe.
 */
final class OwnReports implements DatanodeReports {
  private final DatanodeReports reports;
  private final NodeHosts hosts;
  private final Caller caller;
  private final Consumer<String> refused;

  /** Who makes the call that this thread serves. */
  interface Caller {
    /** The host that its principal names. */
    String host() throws StoreException;
  }

  /**
   * @param refused told why somebody was, for the audit log
   */
  OwnReports(DatanodeReports reports, NodeHosts hosts, Caller caller, Consumer<String> refused) {
    this.reports = reports;
    this.hosts = hosts;
    this.caller = caller;
    this.refused = refused;
  }

  @Override
  public RegisterDatanodeReply register(RegisterDatanodeRequest request) throws StoreException {
    try {
      hosts.register(request.getNodeId(), request.getHost(), caller.host());
    } catch (StoreException e) {
      if (e.code() == ErrorCode.ACCESS_DENIED) {
        refused.accept(e.getMessage());
      }
      throw e;
    }
    return reports.register(request);
  }

  /** Whoever has not registered the node is asked to, which is where it is judged. */
  @Override
  public HeartbeatReply heartbeat(HeartbeatRequest request) throws StoreException {
    return hosts.isOf(request.getNodeId(), caller.host())
        ? reports.heartbeat(request)
        : HeartbeatReply.newBuilder().setRegister(true).build();
  }
}

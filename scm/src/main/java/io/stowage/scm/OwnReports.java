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
import io.stowage.common.time.StoreClock;
import io.stowage.scm.container.NodeHosts;

/**
 * What datanodes report over RPC with security on: of each caller what is of its own host's nodes.
 * A keytab that was stolen from one machine says nothing of the shards, the results and the clocks
 * of others, takes none of their orders, and sends none of their readers elsewhere. Thread-safe.
 */
final class OwnReports implements DatanodeReports {
  private final StorageContainerManager manager;
  private final NodeHosts hosts;
  private final Caller caller;
  private final Refused refused;
  private final RefusalRate refusals;

  /** Who makes the call that this thread serves. */
  interface Caller {
    /** Its principal, also of one that is no host's. */
    String principal();

    /** The host that its principal names. */
    String host() throws StoreException;
  }

  /** Told which call was refused, and why, for the audit log. */
  interface Refused {
    void note(String call, String why);
  }

  OwnReports(
      StorageContainerManager manager,
      NodeHosts hosts,
      Caller caller,
      Refused refused,
      StoreClock clock) {
    this.manager = manager;
    this.hosts = hosts;
    this.caller = caller;
    this.refused = refused;
    this.refusals = new RefusalRate(clock);
  }

  @Override
  public RegisterDatanodeReply register(RegisterDatanodeRequest request) throws StoreException {
    return judged(
        "RegisterDatanode",
        request.getNodeId(),
        host -> {
          manager.checkRegistration(request); // first: another cluster's node gets no row
          return hosts.register(
              request.getNodeId(), request.getHost(), host, () -> manager.register(request));
        });
  }

  /** Whoever has not registered the node is asked to, which is where it is judged. */
  @Override
  public HeartbeatReply heartbeat(HeartbeatRequest request) throws StoreException {
    return judged(
        "Heartbeat",
        request.getNodeId(),
        host ->
            hosts.isOf(request.getNodeId(), host)
                ? manager.heartbeat(request)
                : HeartbeatReply.newBuilder().setRegister(true).build());
  }

  /** What is done for a caller of some host. */
  private interface Call<T> {
    T of(String host) throws StoreException;
  }

  private <T> T judged(String name, String nodeId, Call<T> call) throws StoreException {
    String node = ""; // whichever is said to be meant by a caller who is no host's
    try {
      String host = caller.host();
      node = nodeId;
      return call.of(host);
    } catch (StoreException e) {
      if (e.code() == ErrorCode.ACCESS_DENIED && refusals.isToTell(caller.principal(), node)) {
        refused.note(name, e.getMessage());
      }
      throw e;
    }
  }
}

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
package io.stowage.common.access;

import java.net.InetAddress;
import java.util.HexFormat;
import org.apache.hadoop.ipc.Server;
import org.apache.hadoop.security.UserGroupInformation;

/**
 * What the audit log says of where a request came from. Immutable.
 *
 * @param requestId as in the answer
 * @param address of the peer
 * @param mechanism how it proved who sent it: {@code SigV4-header}, {@code anonymous}, …
 * @param accessKey the key's id, never its secret; empty for nobody known
 */
public record Origin(String requestId, String address, String mechanism, String accessKey) {
  /** Of questions that no request asks. */
  public static final Origin INSIDE = new Origin("", "", "inside", "");

  /** Of the Hadoop RPC that this thread serves. */
  public static Origin ofCaller() {
    byte[] client = Server.getClientId();
    InetAddress address = Server.getRemoteIp();
    UserGroupInformation caller = Server.getRemoteUser();
    UserGroupInformation real = caller.getRealUser();
    return new Origin(
        // of the client and its call: what a retry repeats
        (client == null ? "" : HexFormat.of().formatHex(client)) + ":" + Server.getCallId(),
        address == null ? "" : address.getHostAddress(),
        real == null
            ? caller.getAuthenticationMethod().name()
            : "PROXY by " + real.getShortUserName() + " (" + real.getAuthenticationMethod() + ")",
        "");
  }
}

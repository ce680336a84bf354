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

import io.stowage.common.access.Origin;
import io.stowage.common.rpc.Administrators;
import io.stowage.om.door.Door;
import io.stowage.om.door.OwnSecrets;
import java.util.Set;
import java.util.function.Supplier;
import org.apache.hadoop.ipc.Server;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.security.UserGroupInformation.AuthenticationMethod;

/**
 * Who makes the call of Hadoop's RPC that this thread serves, and from where. Immutable.
 *
 * @param superusers a group
 * @param security whether callers have shown who they are
 * @param secure whether nobody on the way can read what is said
 */
record Visitors(
    Administrators administrators, String superusers, boolean security, boolean secure) {

  /** Of now. */
  Door.Visitor ofThisCall() {
    UserGroupInformation caller = Server.getRemoteUser();
    Supplier<Set<String>> groups = caller::getGroupsSet;
    boolean administrator = administrators.include(caller);
    return new Door.Visitor(
        caller.getShortUserName(),
        groups,
        administrator,
        administrator || (!superusers.isEmpty() && groups.get().contains(superusers)),
        proofOf(caller),
        secure,
        Origin.ofCaller());
  }

  private OwnSecrets.Proof proofOf(UserGroupInformation caller) {
    if (!security) {
      return OwnSecrets.Proof.NONE;
    }
    return caller.getAuthenticationMethod() == AuthenticationMethod.KERBEROS
        ? OwnSecrets.Proof.TICKET
        : OwnSecrets.Proof.LENT;
  }
}

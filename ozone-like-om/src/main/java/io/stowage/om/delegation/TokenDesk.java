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
package io.stowage.om.delegation;

import io.stowage.common.delegation.DelegationTokenIdentifier;
import io.stowage.common.delegation.DelegationTokens;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.CancelTokenReply;
import io.stowage.common.proto.CancelTokenRequest;
import io.stowage.common.proto.DelegationToken;
import io.stowage.common.proto.IssueTokenReply;
import io.stowage.common.proto.IssueTokenRequest;
import io.stowage.common.proto.RenewTokenReply;
import io.stowage.common.proto.RenewTokenRequest;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import org.apache.hadoop.ipc.Server;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.security.UserGroupInformation.AuthenticationMethod;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Where callers over RPC get, renew and cancel delegation tokens. Who came with a token gets none:
 * a stolen one ends with its own life. Thread-safe.
 */
public final class TokenDesk implements DelegationTokens {
  private final DelegationSecrets secrets;
  private final Meter meter;

  /** Counts the tokens that a caller who may have one asks for. */
  public interface Meter {
    /**
     * Takes one.
     *
     * @throws StoreException OVERLOADED: too many
     */
    void take() throws StoreException;
  }

  public TokenDesk(DelegationSecrets secrets, Meter meter) {
    this.secrets = secrets;
    this.meter = meter;
  }

  @Override
  public IssueTokenReply issueToken(IssueTokenRequest request) throws StoreException {
    UserGroupInformation caller = callerWithTicket("issue a delegation token");
    UserGroupInformation real = caller.getRealUser();
    meter.take(); // not before: who may not have any takes none of his owner's
    DelegationSecrets.Issued issued =
        secrets.issue(
            caller.getUserName(), request.getRenewer(), real == null ? null : real.getUserName());
    return IssueTokenReply.newBuilder()
        .setToken(
            DelegationToken.newBuilder()
                .setIdentifier(ByteString.copyFrom(issued.identifier().getBytes()))
                .setPassword(ByteString.copyFrom(issued.password())))
        .build();
  }

  @Override
  public RenewTokenReply renewToken(RenewTokenRequest request) throws StoreException {
    UserGroupInformation caller = callerWithTicket("renew a delegation token");
    return RenewTokenReply.newBuilder()
        .setExpiryMicros(
            secrets.renew(
                identifier(request.getToken()),
                request.getToken().getPassword().toByteArray(),
                caller.getShortUserName()))
        .build();
  }

  @Override
  public CancelTokenReply cancelToken(CancelTokenRequest request) throws StoreException {
    UserGroupInformation caller = callerWithTicket("cancel a delegation token");
    secrets.cancel(
        identifier(request.getToken()),
        request.getToken().getPassword().toByteArray(),
        caller.getShortUserName());
    return CancelTokenReply.getDefaultInstance();
  }

  private static UserGroupInformation callerWithTicket(String what) throws StoreException {
    UserGroupInformation caller = Server.getRemoteUser();
    AuthenticationMethod how = caller == null ? null : caller.getAuthenticationMethod();
    if (how == AuthenticationMethod.PROXY) {
      how = caller.getRealAuthenticationMethod();
    }
    if (how != AuthenticationMethod.KERBEROS) {
      throw new StoreException(
          ErrorCode.ACCESS_DENIED,
          "Cannot " + what + ": " + caller + " has no ticket (" + how + "), which that needs");
    }
    return caller;
  }

  private static DelegationTokenIdentifier identifier(DelegationToken token) throws StoreException {
    DelegationTokenIdentifier identifier = new DelegationTokenIdentifier();
    try (DataInputStream in =
        new DataInputStream(new ByteArrayInputStream(token.getIdentifier().toByteArray()))) {
      identifier.readFields(in);
    } catch (IOException | RuntimeException e) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT, "Cannot read a delegation token: " + e, e);
    }
    return identifier;
  }
}

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
package io.stowage.fs;

import io.stowage.common.conf.Keys;
import io.stowage.common.delegation.DelegationTokenIdentifier;
import io.stowage.common.delegation.DelegationTokenSelector;
import io.stowage.common.delegation.DelegationTokens;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.CancelTokenRequest;
import io.stowage.common.proto.DelegationToken;
import io.stowage.common.proto.IssueTokenRequest;
import io.stowage.common.proto.RenewTokenRequest;
import io.stowage.common.rpc.RpcClient;
import io.stowage.common.rpc.RpcProtocol;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.io.Text;
import org.apache.hadoop.security.token.SecretManager;
import org.apache.hadoop.security.token.Token;
import org.apache.hadoop.security.token.TokenRenewer;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What is asked of object managers about delegation tokens, as the user of the moment, who needs a
 * ticket. Where they are, a token says itself, and the configuration of those that were added
 * since; by which principal they are believed, the configuration says, where need be that of a
 * bucket of theirs. Stateless.
 */
final class TokenCalls extends TokenRenewer {
  private static final Logger LOG = LoggerFactory.getLogger(TokenCalls.class);
  private static final Duration CALL_TIMEOUT = Duration.ofSeconds(10);
  private static final Duration DEADLINE = Duration.ofSeconds(60);

  TokenCalls() {}

  private interface Call<R> {
    R of(DelegationTokens objectManager) throws StoreException;
  }

  /** A configuration with our settings; who renews has no FileSystem that would have read them. */
  private static Configuration withOurs(Configuration hadoop) {
    Configuration conf = new Configuration(hadoop);
    if (conf.get(Keys.OM_PRINCIPAL.name()) == null) {
      conf.addResource("stowage-site.xml");
    }
    conf.setBoolean(Keys.SECURITY_ENABLED.name(), true);
    return conf;
  }

  /** The settings of the cluster that a token is of: everybody's, or else those of a bucket. */
  static Configuration settingsFor(Token<?> token, Configuration hadoop) throws StoreException {
    Configuration conf = withOurs(hadoop);
    List<String> everybodys = objectManagers(conf);
    if (DelegationTokenSelector.isOf(token, everybodys)) {
      return conf;
    }
    try {
      for (String bucket : ClusterConnection.bucketsWithSettings(conf)) {
        Configuration its = ClusterConnection.settingsOf(bucket, conf);
        List<String> addresses = objectManagers(its);
        if (!addresses.equals(everybodys) && DelegationTokenSelector.isOf(token, addresses)) {
          return its;
        }
      }
    } catch (StoreException | IllegalArgumentException e) { // some other bucket's, perhaps
      LOG.warn("Cannot look for a token's cluster among the settings of buckets: {}", e.toString());
    }
    return conf;
  }

  private static List<String> objectManagers(Configuration conf) {
    return List.copyOf(conf.getTrimmedStringCollection(Keys.OM_ADDRESSES.name()));
  }

  private static <R> R call(Configuration conf, List<String> addresses, Call<R> call)
      throws StoreException {
    try (RpcClient<DelegationTokens> client =
        RpcClient.create(RpcProtocol.DELEGATION_TOKENS, conf, addresses, CALL_TIMEOUT, DEADLINE)) {
      return call.of(client.api());
    }
  }

  static Token<DelegationTokenIdentifier> issue(
      Configuration hadoop, List<String> addresses, String renewer) throws StoreException {
    DelegationToken issued =
        call(
                withOurs(hadoop),
                addresses,
                objectManager ->
                    objectManager.issueToken(
                        IssueTokenRequest.newBuilder()
                            .setRenewer(renewer == null ? "" : renewer)
                            .build()))
            .getToken();
    return new Token<>(
        issued.getIdentifier().toByteArray(),
        issued.getPassword().toByteArray(),
        DelegationTokenIdentifier.KIND,
        DelegationTokenSelector.service(addresses));
  }

  @Override
  public boolean handleKind(Text kind) {
    return DelegationTokenIdentifier.KIND.equals(kind);
  }

  @Override
  public boolean isManaged(Token<?> token) {
    return true;
  }

  /** Until when it holds now, in milliseconds. */
  @Override
  public long renew(Token<?> token, Configuration hadoop) throws IOException {
    try {
      Configuration conf = settingsFor(token, hadoop);
      return call(
                  conf,
                  addresses(token, conf),
                  objectManager ->
                      objectManager.renewToken(
                          RenewTokenRequest.newBuilder().setToken(both(token)).build()))
              .getExpiryMicros()
          / 1_000;
    } catch (StoreException e) {
      throw translated(token, e);
    }
  }

  @Override
  public void cancel(Token<?> token, Configuration hadoop) throws IOException {
    try {
      Configuration conf = settingsFor(token, hadoop);
      var unused =
          call(
              conf,
              addresses(token, conf),
              objectManager ->
                  objectManager.cancelToken(
                      CancelTokenRequest.newBuilder().setToken(both(token)).build()));
    } catch (StoreException e) {
      throw translated(token, e);
    }
  }

  /** Those that it names, and those that came later, if we know of them. */
  private static List<String> addresses(Token<?> token, Configuration conf) {
    return DelegationTokenSelector.addressesOf(token, objectManagers(conf));
  }

  private static DelegationToken both(Token<?> token) {
    return DelegationToken.newBuilder()
        .setIdentifier(ByteString.copyFrom(token.getIdentifier()))
        .setPassword(ByteString.copyFrom(token.getPassword()))
        .build();
  }

  /** As YARN knows it: a token that is refused is not tried again. */
  private static IOException translated(Token<?> token, StoreException e) {
    return switch (e.code().blame()) {
      case CALLER -> withCause(new SecretManager.InvalidToken(e.getMessage()), e);
      case SYSTEM, CAPACITY, DATA -> HadoopErrors.of(e, "token of " + token.getService());
    };
  }

  private static IOException withCause(IOException exception, StoreException cause) {
    exception.initCause(cause);
    return exception;
  }
}

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

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.io.IOException;
import java.net.BindException;
import java.net.InetSocketAddress;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.ipc.ProtobufRpcEngine2;
import org.apache.hadoop.ipc.RPC;
import org.apache.hadoop.net.NetUtils;
import org.apache.hadoop.security.authorize.ProxyUsers;
import org.apache.hadoop.security.token.SecretManager;
import org.apache.hadoop.security.token.TokenIdentifier;

/**
 * A Hadoop RPC server of one or more of our services. Owns its threads: one reader, one responder,
 * and as many handlers as asked for; the call queue holds 100 calls a handler, beyond which callers
 * wait in TCP. Thread-safe.
 */
public final class RpcServer implements AutoCloseable {
  private final RPC.Server server;

  private RpcServer(RPC.Server server) {
    this.server = server;
  }

  /**
   * Builds a server; it answers once {@link #start} was called.
   *
   * @param bind host:port; port 0 takes a free one
   */
  public static <T, P> RpcServer create(
      Configuration hadoop, String bind, int handlers, RpcProtocol<T, P> protocol, T implementation)
      throws StoreException {
    return create(hadoop, bind, handlers, protocol, implementation, null);
  }

  /**
   * Builds a server that takes tokens, too; it answers once {@link #start} was called.
   *
   * @param tokens knows their passwords; null: tickets only
   */
  public static <T, P> RpcServer create(
      Configuration hadoop,
      String bind,
      int handlers,
      RpcProtocol<T, P> protocol,
      T implementation,
      SecretManager<? extends TokenIdentifier> tokens)
      throws StoreException {
    Configuration conf = RpcSecurity.ofServer(hadoop);
    RPC.setProtocolEngine(conf, protocol.pb(), ProtobufRpcEngine2.class);
    InetSocketAddress address;
    try {
      address = NetUtils.createSocketAddr(bind);
    } catch (IllegalArgumentException e) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION, "Cannot serve RPC on '" + bind + "': no host:port", e);
    }
    try {
      RPC.Server server =
          new RPC.Builder(conf)
              .setProtocol(protocol.pb())
              .setInstance(protocol.serve(implementation))
              .setBindAddress(address.getHostString())
              .setPort(address.getPort())
              .setNumHandlers(handlers)
              .setVerbose(false)
              .setSecretManager(tokens)
              .build();
      server.addTerseExceptions(RpcBridge.WireException.class);
      server.addSuppressedLoggingExceptions(RpcBridge.WireException.class);
      if (RpcSecurity.isOn(conf)) {
        server.refreshServiceAclWithLoadedConfiguration(conf, RpcSecurity.policy());
        ProxyUsers.refreshSuperUserGroupsConfiguration(conf);
      }
      return new RpcServer(server);
    } catch (BindException e) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot serve RPC on " + bind + ": the address is in use or not this machine's",
          e);
    } catch (IOException e) {
      throw new StoreException(
          ErrorCode.UNAVAILABLE, "Cannot serve RPC on " + bind + ": " + e.getMessage(), e);
    }
  }

  /** Serves one more service on the same port; before {@link #start}. */
  public <T, P> RpcServer add(Configuration hadoop, RpcProtocol<T, P> protocol, T implementation) {
    RPC.setProtocolEngine(hadoop, protocol.pb(), ProtobufRpcEngine2.class);
    server.addProtocol(
        RPC.RpcKind.RPC_PROTOCOL_BUFFER, protocol.pb(), protocol.serve(implementation));
    return this;
  }

  public RpcServer start() {
    server.start();
    return this;
  }

  /** Address bound, with the real port. */
  public InetSocketAddress address() {
    return server.getListenerAddress();
  }

  @Override
  public void close() {
    server.stop();
    try {
      server.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}

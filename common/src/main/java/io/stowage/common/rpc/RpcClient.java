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
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.OutcomeUnknownException;
import io.stowage.common.error.StoreException;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.NoRouteToHostException;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.security.sasl.SaslException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.io.Text;
import org.apache.hadoop.io.retry.RetryPolicies;
import org.apache.hadoop.ipc.ProtobufRpcEngine2;
import org.apache.hadoop.ipc.RPC;
import org.apache.hadoop.ipc.RemoteException;
import org.apache.hadoop.ipc.RetriableException;
import org.apache.hadoop.ipc.StandbyException;
import org.apache.hadoop.net.ConnectTimeoutException;
import org.apache.hadoop.net.NetUtils;
import org.apache.hadoop.security.AccessControlException;
import org.apache.hadoop.security.KerberosAuthException;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.security.authorize.AuthorizationException;
import org.apache.hadoop.security.token.SecretManager;
import org.apache.hadoop.thirdparty.protobuf.ServiceException;

/**
 * One of our services at one or more servers. A call goes to the server that answered last; if that
 * cannot be reached, is not the leader or says that it is unavailable, the call goes to the next,
 * round and round with a growing pause, until the deadline. Every RPC may be repeated (its comment
 * in the proto file says how), so a call whose reply was lost is repeated, too; if none of its
 * repetitions is answered it ends in {@link OutcomeUnknownException}, which for a read just says
 * that nobody answered. So does a mutation of which a repetition is refused: its first sending may
 * have been done ({@link RpcProtocol#isAnsweredAlike}). After close, or once the time of {@link
 * #finish} is over, a call fails at once. Owns its proxies. Thread-safe.
 *
 * @param <T> our interface
 */
public final class RpcClient<T> implements AutoCloseable {
  private static final long FIRST_PAUSE_MILLIS = 20;
  private static final long LONGEST_PAUSE_MILLIS = 1_000;
  private static final int CONNECT_TIMEOUT_MILLIS = 3_000;

  private final RpcProtocol<T, ?> protocol;
  private final Configuration conf;
  private final String service;
  private final Map<String, Method> pbMethods;
  private final List<String> addresses;
  private final UserGroupInformation user;
  private final int callTimeoutMillis;
  private final long deadlineNanos;
  private final AtomicInteger current = new AtomicInteger();
  private final T api;

  private volatile Connected connected;
  private volatile boolean closed;
  private volatile Long endNanos; // null: as long as calls may take

  /**
   * Proxies of all servers, in the order of their addresses.
   *
   * @param tokens what the user could show when they were made
   */
  private record Connected(List<Object> servers, Set<Text> tokens) {}

  private RpcClient(
      RpcProtocol<T, ?> protocol,
      Configuration conf,
      List<String> addresses,
      UserGroupInformation user,
      int callTimeoutMillis,
      long deadlineNanos) {
    Class<T> api = protocol.api();
    this.protocol = protocol;
    this.conf = conf;
    this.user = user;
    this.service = api.getSimpleName();
    this.pbMethods = RpcBridge.pbMethodsByName(protocol.pb());
    this.addresses = List.copyOf(addresses);
    this.callTimeoutMillis = callTimeoutMillis;
    this.deadlineNanos = deadlineNanos;
    this.api =
        api.cast(
            Proxy.newProxyInstance(
                api.getClassLoader(),
                new Class<?>[] {api},
                (proxy, method, args) ->
                    method.getDeclaringClass() == Object.class
                        ? invokeObjectMethod(proxy, method, args)
                        : call(method.getName(), args[0])));
  }

  /**
   * Connects lazily: no server needs to be there yet.
   *
   * @param addresses host:port of each server
   * @param callTimeout for one attempt at one server
   * @param deadline for the call with all its attempts; zero: a single attempt
   */
  public static <T, P> RpcClient<T> create(
      RpcProtocol<T, P> protocol,
      Configuration hadoop,
      List<String> addresses,
      Duration callTimeout,
      Duration deadline)
      throws StoreException {
    if (addresses.isEmpty()) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot reach " + protocol.api().getSimpleName() + ": no address is configured");
    }
    Configuration conf = RpcSecurity.ofClient(hadoop);
    conf.setInt("ipc.client.connect.timeout", CONNECT_TIMEOUT_MILLIS);
    conf.setInt("ipc.client.connect.max.retries", 0);
    conf.setInt("ipc.client.connect.max.retries.on.timeouts", 0);
    RPC.setProtocolEngine(conf, protocol.pb(), ProtobufRpcEngine2.class);
    RpcClient<T> client =
        new RpcClient<>(
            protocol,
            conf,
            addresses,
            currentUser(),
            Math.toIntExact(callTimeout.toMillis()),
            deadline.toNanos());
    client.connected = client.connect();
    return client;
  }

  private Connected connect() throws StoreException {
    boolean shows = RpcSecurity.isOn(conf) && protocol.takesDelegationTokens();
    List<Object> servers = new ArrayList<>();
    try {
      if (shows) {
        DelegationTokenSelector.showTo(user, addresses);
      }
      Set<Text> tokens = shows ? DelegationTokenSelector.identifiersOf(user) : Set.of();
      // Hadoop shares a connection among all of a user's that are alike, their timeouts included:
      // one that was made with a token that has ended would go to whoever has a new one. A second
      // more at most.
      int timeoutMillis = callTimeoutMillis + TokenSets.SHARED.numberOf(tokens);
      for (String address : addresses) {
        InetSocketAddress socketAddress = NetUtils.createSocketAddr(address);
        servers.add(
            RPC.getProtocolProxy(
                    protocol.pb(),
                    RPC.getProtocolVersion(protocol.pb()),
                    socketAddress,
                    user,
                    conf,
                    NetUtils.getDefaultSocketFactory(conf),
                    timeoutMillis,
                    RetryPolicies.TRY_ONCE_THEN_FAIL)
                .getProxy());
      }
      return new Connected(List.copyOf(servers), tokens);
    } catch (IOException | IllegalArgumentException e) {
      servers.forEach(RPC::stopProxy);
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot reach " + service + " at " + addresses + ": " + e.getMessage(),
          e);
    }
  }

  /**
   * Makes connections anew for a user who was refused and has got other tokens since: Hadoop's are
   * the ones of the token that they were made with for as long as they are used, and whoever runs a
   * job for longer than a token lives gives it new ones. False if there is nothing new to show.
   */
  @SuppressWarnings("ReferenceEquality") // "is it still the one that was refused"
  private synchronized boolean showNewTokens(Connected refused) throws StoreException {
    if (closed) {
      return false;
    }
    if (connected != refused) {
      return true; // another thread was quicker
    }
    if (!RpcSecurity.isOn(conf)
        || !protocol.takesDelegationTokens()
        || DelegationTokenSelector.identifiersOf(user).equals(refused.tokens)) {
      return false;
    }
    connected = connect();
    refused.servers.forEach(RPC::stopProxy);
    return true;
  }

  private static UserGroupInformation currentUser() throws StoreException {
    try {
      return UserGroupInformation.getCurrentUser();
    } catch (IOException e) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot tell which user we run as: " + KerberosLogin.rootOf(e),
          e);
    }
  }

  /** The service; valid until close. */
  public T api() {
    return api;
  }

  private static Object invokeObjectMethod(Object proxy, Method method, Object[] args) {
    return switch (method.getName()) {
      case "equals" -> proxy == args[0];
      case "hashCode" -> System.identityHashCode(proxy);
      default -> "RPC client of " + proxy.getClass().getInterfaces()[0].getSimpleName();
    };
  }

  private Object call(String name, Object request) throws StoreException {
    Method method = pbMethods.get(name);
    long start = System.nanoTime();
    long pauseMillis = FIRST_PAUSE_MILLIS;
    boolean maybeExecuted = false;
    for (int attempt = 1; ; attempt++) {
      if (isOver()) { // else Hadoop's "client is stopped" would count as a server without an answer
        throw closed(name, maybeExecuted);
      }
      int server = current.get();
      Connected with = connected;
      StoreException failure;
      try {
        return method.invoke(with.servers.get(server), null, request);
      } catch (InvocationTargetException e) {
        Throwable cause =
            e.getCause() instanceof ServiceException s && s.getCause() != null
                ? s.getCause()
                : e.getCause();
        failure = toStoreException(name, addresses.get(server), cause);
      } catch (IllegalAccessException e) {
        throw new IllegalStateException(e);
      }
      maybeExecuted |= failure instanceof OutcomeUnknownException;
      boolean elsewhere =
          switch (failure.code()) {
            case NOT_LEADER, UNAVAILABLE, CLOCK_SKEW, OUTCOME_UNKNOWN -> true;
            default -> false;
          };
      if (failure.code() == ErrorCode.ACCESS_DENIED && showNewTokens(with)) {
        continue;
      }
      if (!elsewhere) {
        throw maybeExecuted && !protocol.isAnsweredAlike(name) ? unknown(name, failure) : failure;
      }
      current.compareAndSet(server, (server + 1) % addresses.size());
      if (System.nanoTime() - start + TimeUnit.MILLISECONDS.toNanos(pauseMillis) > deadlineNanos) {
        throw maybeExecuted && !(failure instanceof OutcomeUnknownException)
            ? unknown(name, failure)
            : failure;
      }
      if (attempt % addresses.size() == 0) {
        pause(name, pauseMillis);
        pauseMillis = Math.min(2 * pauseMillis, LONGEST_PAUSE_MILLIS);
      }
    }
  }

  /** Of a call that an earlier sending may have done, whatever the last one was answered. */
  private static StoreException unknown(String name, StoreException lastAnswer) {
    return new OutcomeUnknownException(
        "Cannot tell whether " + name + " happened: " + lastAnswer.getMessage(), lastAnswer);
  }

  private StoreException closed(String name, boolean maybeExecuted) {
    String why = service + "'s client is closed";
    return maybeExecuted
        ? new OutcomeUnknownException("Cannot tell whether " + name + " happened: " + why, null)
        : new StoreException(ErrorCode.UNAVAILABLE, "Cannot " + name + ": " + why);
  }

  private static void pause(String name, long millis) throws StoreException {
    try {
      Thread.sleep(millis / 2 + ThreadLocalRandom.current().nextLong(millis / 2 + 1));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new OutcomeUnknownException(
          "Cannot wait for an answer to " + name + ": interrupted", e);
    }
  }

  private StoreException toStoreException(String name, String address, Throwable cause) {
    if (cause instanceof RemoteException remote) {
      if (RpcBridge.WireException.class.getName().equals(remote.getClassName())) {
        return RpcBridge.WireException.parse(remote.getMessage());
      }
      if (isRefusal(remote.getClassName())) {
        return denied(name, address, remote.getMessage(), remote);
      }
      if (isForLater(remote.getClassName())) {
        return notServed(name, address, remote);
      }
      return new StoreException(
          ErrorCode.INTERNAL,
          "Cannot " + name + " at " + service + " " + address + ": " + remote.getMessage(),
          remote);
    }
    if (cause instanceof ConnectException
        || cause instanceof ConnectTimeoutException
        || cause instanceof UnknownHostException
        || cause instanceof NoRouteToHostException) {
      return new StoreException(
          ErrorCode.UNAVAILABLE,
          "Cannot " + name + ": " + service + " at " + address + " cannot be reached",
          cause);
    }
    if (cause.getCause() instanceof RemoteException remote && isForLater(remote.getClassName())) {
      return notServed(name, address, remote);
    }
    Throwable refusal = refusalIn(cause);
    if (refusal != null) {
      return denied(name, address, KerberosLogin.rootOf(refusal), cause);
    }
    return new OutcomeUnknownException(
        "Cannot tell whether "
            + name
            + " happened: no answer from "
            + service
            + " at "
            + address
            + ": "
            + cause,
        cause);
  }

  /** A server that cannot look up a token just now says so while the connection is made. */
  private static boolean isForLater(String className) {
    return RetriableException.class.getName().equals(className)
        || StandbyException.class.getName().equals(className);
  }

  private StoreException notServed(String name, String address, RemoteException why) {
    return new StoreException(
        ErrorCode.UNAVAILABLE,
        "Cannot " + name + " at " + service + " " + address + ": " + why.getMessage(),
        why);
  }

  /** What says that a connection was not made for want of a ticket or a token; else null. */
  private static Throwable refusalIn(Throwable failure) {
    int depth = 0;
    for (Throwable t = failure; t != null && depth++ < 20; t = t.getCause()) {
      if (t instanceof SaslException
          || t instanceof AccessControlException
          || t instanceof KerberosAuthException
          || t instanceof SecretManager.InvalidToken
          || (t instanceof RemoteException remote && isRefusal(remote.getClassName()))) {
        return t;
      }
    }
    return null;
  }

  private static boolean isRefusal(String className) {
    return className != null
        && (className.equals(SaslException.class.getName())
            || className.equals(AccessControlException.class.getName())
            || className.equals(AuthorizationException.class.getName())
            || className.equals(SecretManager.InvalidToken.class.getName()));
  }

  private StoreException denied(String name, String address, String why, Throwable cause) {
    return new StoreException(
        ErrorCode.ACCESS_DENIED,
        "Cannot "
            + name
            + " at "
            + service
            + " "
            + address
            + " as "
            + user.getUserName()
            + ": "
            + why,
        cause);
  }

  private boolean isOver() {
    Long end = endNanos;
    return closed || (end != null && System.nanoTime() - end > 0);
  }

  /**
   * From now on all calls together, those under way among them, have so long, and then what is left
   * of an attempt: for what is said before the close, which is not worth a job's patience.
   */
  public void finish(Duration most) {
    endNanos = System.nanoTime() + most.toNanos();
  }

  @Override
  public synchronized void close() {
    closed = true;
    connected.servers.forEach(RPC::stopProxy);
  }
}

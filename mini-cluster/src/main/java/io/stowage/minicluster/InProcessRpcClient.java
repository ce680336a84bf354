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
package io.stowage.minicluster;

import java.io.IOException;
import java.net.SocketAddress;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hbase.CallQueueTooBigException;
import org.apache.hadoop.hbase.ServerName;
import org.apache.hadoop.hbase.client.MetricsConnection;
import org.apache.hadoop.hbase.ipc.CallTimeoutException;
import org.apache.hadoop.hbase.ipc.HBaseRpcController;
import org.apache.hadoop.hbase.ipc.NettyRpcClient;
import org.apache.hadoop.hbase.ipc.RpcClient;
import org.apache.hadoop.hbase.net.Address;
import org.apache.hadoop.hbase.regionserver.HRegionServer;
import org.apache.hadoop.hbase.security.User;
import org.apache.hadoop.hbase.shaded.protobuf.generated.ClientProtos.ClientService;
import org.apache.hbase.thirdparty.com.google.protobuf.BlockingService;
import org.apache.hbase.thirdparty.com.google.protobuf.Descriptors.MethodDescriptor;
import org.apache.hbase.thirdparty.com.google.protobuf.Message;
import org.apache.hbase.thirdparty.com.google.protobuf.RpcCallback;
import org.apache.hbase.thirdparty.com.google.protobuf.RpcChannel;
import org.apache.hbase.thirdparty.com.google.protobuf.RpcController;
import org.apache.hbase.thirdparty.com.google.protobuf.ServiceException;

/**
 * HBase's RPC client, but for reads and writes of a region server that lives in this JVM: those are
 * handed to the server's own implementation of them, as HBase itself does from coprocessors. That
 * leaves out four event loops, two sockets and two encodings a call (ADR 9). Everything else (which
 * region is where, retries, time limits, admin calls, other servers) is HBase's asynchronous client
 * as in any cluster. Thread-safe.
 *
 * <p>A call runs on a thread of a pool of the server's, never on the caller's: callers may be
 * interrupted, which would close the file that HBase is just reading, for everybody; and callers
 * give up after their time limit, however long the server takes. Like a server's call queue, the
 * pool drops a call whose time is over before it began.
 */
public final class InProcessRpcClient extends NettyRpcClient {
  /**
   * Calls at work in one server. They wait for the log to be forced most of the time, and all that
   * wait share one force: as many as the gateway has workers.
   */
  private static final int CALLS_AT_WORK = 64;

  /** Calls that wait for a thread, beyond which callers are told to come back. */
  private static final int CALLS_WAITING = 1_024;

  /** The servers of this JVM that take calls. */
  private static final ConcurrentMap<Address, Server> SERVERS = new ConcurrentHashMap<>();

  private static final AtomicLong CALLS = new AtomicLong();

  private record Server(BlockingService service, ThreadPoolExecutor threads) {}

  /** As HBase makes it: by reflection. */
  public InProcessRpcClient(
      Configuration configuration,
      String clusterId,
      SocketAddress localAddress,
      MetricsConnection metrics,
      Map<String, byte[]> connectionAttributes) {
    super(configuration, clusterId, localAddress, metrics, connectionAttributes);
  }

  /** From now on, clients whose configuration asks for it reach that server in this process. */
  static void open(HRegionServer server) {
    ThreadPoolExecutor threads =
        new ThreadPoolExecutor(
            CALLS_AT_WORK,
            CALLS_AT_WORK,
            30,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(CALLS_WAITING),
            work -> {
              Thread thread = new Thread(work, "hbase-call");
              thread.setDaemon(true);
              return thread;
            });
    threads.allowCoreThreadTimeOut(true);
    SERVERS.put(
        server.getServerName().getAddress(),
        new Server(ClientService.newReflectiveBlockingService(server.getRSRpcServices()), threads));
  }

  /** The server takes calls by its socket only; those at work end as the server ends them. */
  static void close(ServerName server) {
    Server closed = SERVERS.remove(server.getAddress());
    if (closed != null) {
      closed.threads.shutdown();
    }
  }

  /** Asks for this client. */
  static void use(Configuration configuration) {
    configuration.setClass("hbase.rpc.client.impl", InProcessRpcClient.class, RpcClient.class);
  }

  /** Calls of this JVM that did not go over the network, for tests. */
  static long callCount() {
    return CALLS.get();
  }

  @Override
  public RpcChannel createRpcChannel(ServerName name, User user, int rpcTimeout) {
    RpcChannel remote = super.createRpcChannel(name, user, rpcTimeout);
    return (method, controller, request, prototype, done) -> {
      Server server =
          method.getService() == ClientService.getDescriptor()
              ? SERVERS.get(name.getAddress())
              : null;
      if (server == null) {
        remote.callMethod(method, controller, request, prototype, done);
      } else {
        call(server, method, (HBaseRpcController) controller, request, done, rpcTimeout);
      }
    };
  }

  private static void call(
      Server server,
      MethodDescriptor method,
      HBaseRpcController controller,
      Message request,
      RpcCallback<Message> done,
      int rpcTimeout) {
    long timeoutMillis = controller.hasCallTimeout() ? controller.getCallTimeout() : rpcTimeout;
    long queued = System.nanoTime();
    try {
      server.threads.execute(
          () -> {
            long waited = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - queued);
            if (timeoutMillis > 0 && waited >= timeoutMillis) {
              fail(
                  controller,
                  new CallTimeoutException(
                      method.getName() + " was not begun within " + timeoutMillis + " ms"),
                  done);
            } else {
              run(server, method, controller, request, done);
            }
          });
    } catch (RejectedExecutionException e) {
      fail(
          controller,
          new CallQueueTooBigException(CALLS_WAITING + " calls of HBase wait, or it is closed"),
          done);
    }
  }

  private static void run(
      Server server,
      MethodDescriptor method,
      RpcController controller,
      Message request,
      RpcCallback<Message> done) {
    CALLS.incrementAndGet();
    Message response;
    try {
      response = server.service.callBlockingMethod(method, controller, request);
    } catch (ServiceException e) {
      IOException cause = e.getCause() instanceof IOException io ? io : new IOException(e);
      fail((HBaseRpcController) controller, cause, done);
      return;
    } catch (RuntimeException | Error e) {
      fail((HBaseRpcController) controller, new IOException(e), done);
      return;
    }
    done.run(response);
  }

  private static void fail(
      HBaseRpcController controller, IOException why, RpcCallback<Message> done) {
    controller.setFailed(why);
    done.run(null);
  }
}

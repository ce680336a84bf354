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
package io.stowage.common.fault;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * A network between somebody and a server of theirs, on loopback, that a test can take away. Owns
 * its port, its connections and three threads for each of them at most. Thread-safe.
 *
 * <p>A partition is {@link #silence}: nothing that either side sends arrives, no connection ends,
 * and new ones get no answer; what was sent arrives after {@link #heal}, as TCP sends it again. A
 * server that is gone is {@link #cut}. One may also listen to what passes.
 */
public final class TcpProxy implements AutoCloseable {
  private static final int BUFFER = 16 << 10;

  private enum State {
    OPEN,
    SILENT,
    CUT,
    CLOSED
  }

  private final InetSocketAddress target;
  private final ServerSocket server;
  private final Set<Socket> sockets = new HashSet<>(); // guarded by this
  private final ByteArrayOutputStream heard; // guarded by itself; null: nobody listens
  private State state = State.OPEN; // guarded by this

  private TcpProxy(String target, ByteArrayOutputStream heard) throws IOException {
    int colon = target.lastIndexOf(':');
    this.target =
        new InetSocketAddress(
            target.substring(0, colon), Integer.parseInt(target.substring(colon + 1)));
    this.heard = heard;
    this.server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    start(this::accept, "accept");
  }

  /** A way to a server. */
  public static TcpProxy to(String hostAndPort) throws IOException {
    return new TcpProxy(hostAndPort, null);
  }

  /** A way to a server by somebody who keeps all that passes. */
  public static TcpProxy listeningTo(String hostAndPort) throws IOException {
    return new TcpProxy(hostAndPort, new ByteArrayOutputStream());
  }

  /** What was said until now, either way, a character a byte. */
  public String heard() {
    synchronized (heard) {
      return heard.toString(StandardCharsets.ISO_8859_1);
    }
  }

  /** host:port to connect to instead of the server's. */
  public String address() {
    return "127.0.0.1:" + port();
  }

  public int port() {
    return server.getLocalPort();
  }

  /** Drops all that is sent from now on, either way. */
  public synchronized void silence() {
    state = State.SILENT;
  }

  /** Ends all connections, and every new one at once. */
  public void cut() {
    endAll(State.CUT);
  }

  /** Forwards again. */
  public synchronized void heal() {
    state = State.OPEN;
    notifyAll();
  }

  @Override
  public void close() throws IOException {
    endAll(State.CLOSED);
    server.close();
  }

  private void endAll(State next) {
    List<Socket> ended;
    synchronized (this) {
      state = next;
      notifyAll();
      ended = List.copyOf(sockets);
      sockets.clear();
    }
    ended.forEach(TcpProxy::end);
  }

  private void start(Runnable work, String what) {
    Thread thread = new Thread(work, "proxy-" + server.getLocalPort() + "-" + what);
    thread.setDaemon(true);
    thread.start();
  }

  private void accept() {
    try {
      while (true) {
        Socket client = server.accept();
        if (!isKept(client)) {
          end(client);
          continue;
        }
        start(() -> connect(client), "connect");
      }
    } catch (IOException e) {
      // closed
    }
  }

  private synchronized boolean isKept(Socket socket) {
    return state != State.CUT && state != State.CLOSED && sockets.add(socket);
  }

  /** Returns when bytes may pass. */
  private synchronized void await() throws IOException {
    while (state == State.SILENT) {
      try {
        wait();
      } catch (InterruptedException e) {
        throw new InterruptedIOException();
      }
    }
    if (state != State.OPEN) {
      throw new IOException("cut");
    }
  }

  private void connect(Socket client) {
    Socket there = new Socket();
    try {
      await();
      there.connect(target);
      if (!isKept(there)) {
        throw new IOException("cut");
      }
      start(() -> pump(there, client), "back");
    } catch (IOException e) {
      drop(client, there);
      return;
    }
    pump(client, there);
  }

  private void pump(Socket from, Socket to) {
    try {
      InputStream in = from.getInputStream();
      OutputStream out = to.getOutputStream();
      byte[] buffer = new byte[BUFFER];
      for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
        await();
        if (heard != null) {
          synchronized (heard) {
            heard.write(buffer, 0, read);
          }
        }
        out.write(buffer, 0, read);
      }
      await(); // nor does the end of a connection pass
    } catch (IOException e) {
      // both ends of it end
    }
    drop(from, to);
  }

  private void drop(Socket one, Socket other) {
    synchronized (this) {
      sockets.remove(one);
      sockets.remove(other);
    }
    end(one);
    end(other);
  }

  private static void end(Socket socket) {
    try {
      socket.close();
    } catch (IOException e) {
      // it is gone either way
    }
  }
}

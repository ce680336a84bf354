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
package io.stowage.dev.check;

import io.stowage.dev.content.ContentVerifier;
import io.stowage.dev.content.GeneratedContent;
import io.stowage.dev.s3.S3Connection;
import io.stowage.dev.s3.S3Response;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * Many large uploads at a time, each read back while others still come in, beside connections that
 * ask for next to nothing: what a gateway of bounded memory has to bear. No request is sent twice,
 * so that whatever the gateway cannot bear is seen.
 */
@Command(
    name = "uploads",
    mixinStandardHelpOptions = true,
    description = "Large uploads at the same time, read back, beside idle connections.")
final class UploadsCheck implements Callable<Integer> {
  @Mixin private S3Check.Endpoint endpoint;

  @Option(names = "--uploads", defaultValue = "64", description = "at a time")
  private int uploads;

  @Option(names = "--mib", defaultValue = "16", description = "of each upload")
  private long mib;

  @Option(names = "--idle", defaultValue = "1000", description = "connections beside them")
  private int idle;

  @Override
  public Integer call() throws Exception {
    try (S3Connection connection = endpoint.connect(true)) {
      S3Response made = connection.createBucket(endpoint.bucket());
      if (!made.isSuccess() && !made.errorCode().startsWith("BucketAlready")) {
        throw new IOException("cannot make bucket " + endpoint.bucket() + ": " + made.errorCode());
      }
    }
    ExecutorService threads = Executors.newFixedThreadPool(uploads);
    try (IdleConnections silent = IdleConnections.open(endpoint.address(), idle)) {
      List<Future<Void>> all = new ArrayList<>();
      for (int i = 0; i < uploads; i++) {
        String key = "uploads/" + i;
        all.add(threads.submit(() -> upload(key)));
      }
      for (Future<Void> one : all) {
        try {
          one.get();
        } catch (ExecutionException e) {
          throw new IOException(e.getCause().getMessage(), e.getCause());
        }
      }
      silent.check();
    } finally {
      threads.shutdownNow();
    }
    System.out.printf(
        "%d uploads of %d MiB at a time, read back right, beside %d idle connections%n",
        uploads, mib, idle);
    return 0;
  }

  private Void upload(String key) throws Exception {
    GeneratedContent content = GeneratedContent.of(key, mib << 20);
    try (S3Connection connection = endpoint.connect(false)) {
      success(connection.put(endpoint.bucket(), key, content), "put " + key);
      ContentVerifier verifier = new ContentVerifier(key, content, 0);
      success(verifier.complete(connection.get(endpoint.bucket(), key, verifier)), "get " + key);
      success(connection.delete(endpoint.bucket(), key), "delete " + key);
    }
    return null;
  }

  private static void success(S3Response response, String what) throws IOException {
    if (!response.isSuccess()) {
      throw new IOException("cannot " + what + ": " + response.errorCode());
    }
  }

  /**
   * Connections on which something small is asked for now and then, before the gateway takes them
   * for forgotten. Owns their sockets and the thread that asks.
   */
  private static final class IdleConnections implements Closeable {
    /** A third of what a gateway waits by default. */
    private static final long ROUND_MILLIS = 20_000;

    private static final int AT_A_TIME = 100;

    private static final byte[] QUESTION =
        "HEAD / HTTP/1.1\r\nHost: idle\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] END = "\r\n\r\n".getBytes(StandardCharsets.US_ASCII);

    private final List<Socket> sockets = new ArrayList<>();
    private final Thread asker = new Thread(this::askUntilClosed, "idle-connections");
    private final CountDownLatch closing = new CountDownLatch(1);
    private volatile IOException failure;

    static IdleConnections open(URI gateway, int count) throws IOException {
      IdleConnections all = new IdleConnections();
      try {
        for (int i = 0; i < count; i++) {
          Socket socket = new Socket(gateway.getHost(), gateway.getPort());
          socket.setSoTimeout(60_000);
          all.sockets.add(socket);
        }
        all.askAll(); // one that waits to be accepted is not idle at the gateway
      } catch (IOException e) {
        all.close();
        throw e;
      }
      all.asker.start();
      return all;
    }

    /** Some at a time, so that a busy gateway has answered the last before it is forgotten. */
    private void askAll() throws IOException {
      for (int first = 0; first < sockets.size(); first += AT_A_TIME) {
        List<Socket> some = sockets.subList(first, Math.min(first + AT_A_TIME, sockets.size()));
        for (Socket socket : some) {
          socket.getOutputStream().write(QUESTION);
        }
        for (Socket socket : some) {
          hear(socket.getInputStream());
        }
      }
    }

    private static void hear(InputStream in) throws IOException {
      for (int matched = 0; matched < END.length; ) {
        int b = in.read();
        if (b < 0) {
          throw new IOException("the gateway closed an idle connection");
        }
        matched = b == END[matched] ? matched + 1 : b == END[0] ? 1 : 0;
      }
    }

    private void askUntilClosed() {
      try {
        while (!closing.await(ROUND_MILLIS, TimeUnit.MILLISECONDS)) {
          askAll();
        }
      } catch (IOException e) {
        failure = e;
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    /** All of them are still there, and answered. */
    void check() throws IOException {
      closing.countDown();
      try {
        asker.join();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IOException("interrupted", e);
      }
      if (failure != null) {
        throw failure;
      }
      askAll();
    }

    @Override
    public void close() throws IOException {
      closing.countDown();
      for (Socket socket : sockets) {
        socket.close();
      }
    }
  }
}

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
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/**
 * Puts objects and notes in a file, a key a line, those that were acknowledged; reads back what is
 * noted there, in another process and as much later as one likes. No request is sent twice. Length
 * and content of an object follow from its key.
 */
@Command(
    name = "ledger",
    mixinStandardHelpOptions = true,
    description = "Notes what was acknowledged, and reads it back.")
final class LedgerCheck implements Callable<Integer> {
  private enum Action {
    PUT,
    FILL,
    READ
  }

  private static final int CONNECTIONS = 4;
  private static final int LONGEST = 4 << 20;

  /** Short objects are packed, and take another way through the store. */
  private static final int LONGEST_SHORT = 64 << 10;

  @Mixin private S3Check.Endpoint endpoint;

  @Parameters(
      description =
          "put: none may be refused; fill: until each of "
              + CONNECTIONS
              + " connections was refused by a 503; read")
  private Action action;

  @Option(names = "--ledger", required = true, description = "the file")
  private Path ledger;

  @Option(names = "--prefix", defaultValue = "", description = "of the keys")
  private String prefix;

  @Option(names = "--objects", defaultValue = "1000000", description = "at most")
  private int objects;

  private final AtomicInteger next = new AtomicInteger();
  private final AtomicInteger done = new AtomicInteger();
  private final AtomicReference<S3Response> refusal = new AtomicReference<>();

  @Override
  public Integer call() throws Exception {
    List<String> noted = Files.exists(ledger) ? Files.readAllLines(ledger) : List.of();
    List<String> keys =
        noted.stream().filter(key -> key.startsWith(prefix)).limit(objects).toList();
    ExecutorService threads = Executors.newFixedThreadPool(CONNECTIONS);
    try {
      List<Future<Void>> all = new ArrayList<>();
      for (int i = 0; i < CONNECTIONS; i++) {
        all.add(threads.submit(() -> work(keys)));
      }
      for (Future<Void> one : all) {
        one.get();
      }
    } finally {
      threads.shutdownNow();
    }
    S3Response refused = refusal.get();
    if (action == Action.FILL && refused == null) {
      throw new IOException("nothing was refused");
    }
    System.out.printf(
        "%s: %d objects%s%n", action, done.get(), refused == null ? "" : ", then " + text(refused));
    return 0;
  }

  private Void work(List<String> keys) throws IOException {
    try (S3Connection connection = endpoint.connect(false)) {
      while (true) {
        int i = next.getAndIncrement();
        boolean writes = action == Action.PUT || action == Action.FILL;
        if (i >= (writes ? objects : keys.size())) {
          return null;
        }
        String key = writes ? prefix + i : keys.get(i);
        GeneratedContent content = GeneratedContent.of(key, lengthOf(key));
        ContentVerifier verifier = new ContentVerifier(key, content, 0);
        S3Response response =
            switch (action) {
              case PUT, FILL -> connection.put(endpoint.bucket(), key, content);
              case READ -> verifier.complete(connection.get(endpoint.bucket(), key, verifier));
            };
        if (!response.isSuccess() && action == Action.FILL && response.status() == 503) {
          refusal.compareAndSet(null, response);
          return null;
        }
        if (!response.isSuccess()) {
          throw new IOException("cannot " + action + " " + key + ": " + text(response));
        }
        done.incrementAndGet();
        if (writes) {
          note(key);
        }
      }
    }
  }

  private synchronized void note(String key) {
    try {
      Files.writeString(ledger, key + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static int lengthOf(String key) {
    long seed = GeneratedContent.of(key, 0).seed();
    return (int) Long.remainderUnsigned(seed, (seed >>> 63) == 0 ? LONGEST_SHORT : LONGEST);
  }

  private static String text(S3Response response) {
    return response.status() + " " + response.errorText().replaceAll("<[^>]*>", " ").strip();
  }
}

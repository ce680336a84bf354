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
package io.stowage.dev.chaos;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.RenameObjectRequest;
import io.stowage.dev.chaos.KeyModel.Content;
import io.stowage.dev.content.GeneratedContent;
import io.stowage.dev.s3.S3Connection;
import io.stowage.dev.s3.S3Response;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.ConnectException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A mixed load that checks every answer: puts, conditional puts, multipart uploads, copies,
 * deletes, reads, ranges and listings through S3, and renames through the object managers' own
 * servers, as the Hadoop file system does it. Each thread has keys of its own, so their order is
 * known and {@link KeyModel} says what each may hold. Failures are counted, a wrong answer is a
 * violation.
 *
 * <p>The owner calls {@link #run} and then {@link #verify}; {@link #stop} and {@link #allowWrites}
 * may be called from any thread.
 */
final class ChaosLoad {
  /** Longest that one key's last read may take once everything is healed. */
  private static final long PATIENCE_NANOS = 180_000_000_000L;

  private static final long RETRY_MILLIS = 500;
  private static final int THINK_MILLIS = 60;
  private static final int PART_BYTES = 5 << 20;
  private static final int MOST_PARTS = 4;
  private static final Pattern LISTED =
      Pattern.compile("<Key>([^<]*)</Key>.*?<Size>(\\d+)</Size>", Pattern.DOTALL);

  private final Supplier<S3Connection> connections;
  private final ObjectManager namespace;
  private final String bucket;
  private final long seed;
  private final ChaosLog log;
  private final List<Worker> workers = new ArrayList<>();
  private volatile boolean stopped;
  private volatile boolean writesAllowed = true;

  /**
   * @param namespace over RPC, at whichever object manager answers
   * @param threads each with one connection and {@code keys} keys of its own
   * @param seed of choices; the operations of a thread follow from it and from their outcomes
   */
  ChaosLoad(
      Supplier<S3Connection> connections,
      ObjectManager namespace,
      String bucket,
      int threads,
      int keys,
      long seed,
      ChaosLog log) {
    this.connections = connections;
    this.namespace = namespace;
    this.bucket = bucket;
    this.seed = seed;
    this.log = log;
    for (int i = 0; i < threads; i++) {
      workers.add(new Worker(i, keys));
    }
  }

  void stop() {
    stopped = true;
  }

  /** False where the cluster's disks hold as much as they may: then it reads and deletes only. */
  void allowWrites(boolean allowed) {
    writesAllowed = allowed;
  }

  void makeBucket() throws IOException {
    try (S3Connection connection = connections.get()) {
      S3Response made = connection.createBucket(bucket);
      if (!made.isSuccess() && !made.errorCode().startsWith("BucketAlready")) {
        throw new IOException("Cannot make bucket " + bucket + ": " + made.errorCode());
      }
    }
  }

  /** Runs until {@link #stop} or the first violation. */
  void run() throws IOException, InterruptedException {
    inParallel(Worker::run);
  }

  /** Every key, until the store answers: each must hold what it may hold. */
  void verify() throws IOException, InterruptedException {
    inParallel(Worker::verify);
  }

  int keyCount() {
    return workers.stream().mapToInt(worker -> worker.keys.size()).sum();
  }

  private interface Work {
    void of(Worker worker) throws IOException, InterruptedException;
  }

  private void inParallel(Work work) throws IOException, InterruptedException {
    ExecutorService pool = Executors.newFixedThreadPool(workers.size());
    try {
      List<Future<?>> running = new ArrayList<>();
      for (Worker worker : workers) {
        running.add(
            pool.submit(
                () -> {
                  work.of(worker);
                  return null;
                }));
      }
      for (Future<?> one : running) {
        one.get();
      }
    } catch (ExecutionException e) {
      throw new IOException(e.getCause().toString(), e);
    } finally {
      pool.shutdownNow();
    }
  }

  private interface Call {
    S3Response on(S3Connection connection) throws IOException;
  }

  /** A wrong answer: the run ends, and what the cluster looks like then is the evidence. */
  private void violation(String text) {
    log.violation(text);
    stopped = true;
  }

  /** One thread with its keys. */
  private final class Worker {
    private final String name;
    private final String prefix;
    private final List<KeyModel> keys = new ArrayList<>();
    private final SplittableRandom random;
    private S3Connection connection;
    private long contentNumber;
    private long lastWrite;

    Worker(int number, int keyCount) {
      name = "writer-" + number;
      prefix = "s" + seed + "/t" + number + "/";
      random = new SplittableRandom(seed * 1000 + number);
      for (int i = 0; i < keyCount; i++) {
        keys.add(new KeyModel(prefix + i));
      }
    }

    void run() throws InterruptedException {
      lastWrite = System.nanoTime();
      try (S3Connection opened = connections.get()) {
        connection = opened;
        while (!stopped) {
          step();
          Thread.sleep(random.nextInt(2 * THINK_MILLIS));
        }
      }
    }

    private void step() {
      KeyModel key = keys.get(random.nextInt(keys.size()));
      if (!key.isCertain()) {
        boolean decides = !key.isResting(System.nanoTime());
        read(key, decides);
        return;
      }
      int choice = random.nextInt(100);
      if (choice < 62 && !writesAllowed) {
        choice = 50 + choice % 50;
      }
      if (choice < 24) {
        put(key);
      } else if (choice < 38) {
        conditionalPut(key);
      } else if (choice < 41) {
        multipart(key);
      } else if (choice < 46) {
        copy(key);
      } else if (choice < 52) {
        rename(key);
      } else if (choice < 62) {
        mutate("delete", key, Content.ABSENT, c -> c.delete(bucket, key.key()));
      } else if (choice < 80) {
        read(key, false);
      } else if (choice < 95) {
        readRange(key);
      } else {
        list();
      }
    }

    // Writing.

    private Content newContent(KeyModel key, long length) {
      return new Content(key.key() + "#" + ++contentNumber, length, "");
    }

    private long someLength() {
      int kind = random.nextInt(100);
      return kind < 3
          ? 0
          : kind < 60
              ? random.nextInt(20_000)
              : kind < 90 ? random.nextInt(200_000) : random.nextInt(2_000_000);
    }

    private void put(KeyModel key) {
      Content content = newContent(key, someLength());
      mutate("put", key, content, c -> c.put(bucket, key.key(), content.bytes()));
    }

    private void conditionalPut(KeyModel key) {
      Content before = key.certain();
      Content content = newContent(key, someLength());
      boolean holds;
      Map<String, String> condition;
      if (before.isAbsent() || before.etag().isEmpty() || random.nextBoolean()) {
        condition = Map.of("if-none-match", "*");
        holds = before.isAbsent();
      } else {
        holds = random.nextInt(4) > 0;
        condition =
            Map.of("if-match", holds ? before.etag() : "\"00000000000000000000000000000000\"");
      }
      S3Response response =
          mutate(
              "conditional-put",
              key,
              content,
              c -> c.put(bucket, key.key(), content.bytes(), condition));
      if (response == null) {
        return;
      }
      String told = condition + " on " + before + " at " + key.key() + ": " + response.status();
      if (response.isSuccess() && !holds) {
        violation("a put succeeded whose condition does not hold: " + told);
      }
      if (holds && (response.status() == 412 || response.status() == 404)) {
        violation("a put was refused whose condition holds: " + told);
      }
    }

    private void copy(KeyModel key) {
      KeyModel from = keys.get(random.nextInt(keys.size()));
      if (from == key || !from.isCertain() || from.certain().isAbsent()) {
        return;
      }
      Content source = from.certain();
      Content content = new Content(source.name(), source.lengthBytes(), "");
      ByteArrayOutputStream xml = new ByteArrayOutputStream();
      mutate("copy", key, content, c -> c.copy(bucket, from.key(), key.key(), xml::write), xml);
    }

    /**
     * Of an own key to another, whatever that holds. The two are one operation, but of one without
     * an answer each key is decided for itself: the model knows keys only.
     */
    private void rename(KeyModel key) {
      KeyModel from = keys.get(random.nextInt(keys.size()));
      if (from == key || !from.isCertain() || from.certain().isAbsent()) {
        return;
      }
      Content content = from.certain();
      long begin = System.nanoTime();
      try {
        namespace.renameObject(
            RenameObjectRequest.newBuilder()
                .setBucket(bucket)
                .setSource(from.key())
                .setTarget(key.key())
                .setOverwrite(true)
                .setWriteId(WriteId.random())
                .build());
        from.acknowledged(Content.ABSENT);
        key.acknowledged(content);
        log.done("rename", begin);
      } catch (StoreException e) {
        if (e.code() == ErrorCode.NO_SUCH_KEY) {
          violation("a rename found nothing at " + from.key() + ", which holds " + content);
        }
        from.untold(Content.ABSENT, System.nanoTime());
        key.untold(content, System.nanoTime());
        log.failed("rename", e.code().name(), key.key(), begin);
      }
    }

    private void multipart(KeyModel key) {
      int parts = 2 + random.nextInt(MOST_PARTS - 1);
      Content content =
          newContent(key, (parts - 1L) * PART_BYTES + 1 + (long) random.nextInt(300_000));
      boolean abandons = random.nextInt(4) == 0;
      ByteArrayOutputStream created = new ByteArrayOutputStream();
      S3Response response =
          harmless("create-upload", key, c -> c.createUpload(bucket, key.key(), created::write));
      if (response == null) {
        return;
      }
      String id = element(created, "UploadId");
      List<String> etags = new ArrayList<>();
      GeneratedContent bytes = content.bytes();
      for (int part = 1; part <= parts; part++) {
        long offset = (part - 1L) * PART_BYTES;
        int number = part;
        S3Connection.Body slice =
            slice(bytes, offset, Math.min(PART_BYTES, bytes.lengthBytes() - offset));
        S3Response put =
            harmless("put-part", key, c -> c.putPart(bucket, key.key(), id, number, slice));
        if (put == null) {
          return;
        }
        etags.add(put.headers().get("etag"));
      }
      if (abandons) {
        harmless("abort-upload", key, c -> c.abortUpload(bucket, key.key(), id));
        return;
      }
      ByteArrayOutputStream xml = new ByteArrayOutputStream();
      mutate(
          "complete-upload",
          key,
          content,
          c -> c.completeUpload(bucket, key.key(), id, etags, xml::write),
          xml);
    }

    private S3Response mutate(String operation, KeyModel key, Content content, Call call) {
      return mutate(operation, key, content, call, new ByteArrayOutputStream());
    }

    /** Sends it once; gives the response back if there was one that says what came of it. */
    private S3Response mutate(
        String operation, KeyModel key, Content content, Call call, ByteArrayOutputStream xml) {
      long from = System.nanoTime();
      String code;
      try {
        S3Response response = call.on(connection);
        String body = xml.toString(StandardCharsets.UTF_8);
        if (response.isSuccess() && !body.contains("<Error>")) {
          String etag = response.headers().getOrDefault("etag", element(xml, "ETag"));
          key.acknowledged(
              content.isAbsent()
                  ? content
                  : new Content(content.name(), content.lengthBytes(), unescaped(etag)));
          log.done(operation, from);
          long now = System.nanoTime();
          log.writeGap(name, lastWrite, now);
          lastWrite = now;
          return response;
        }
        if (!response.isSuccess() && response.status() < 500) {
          // a 4xx says that it did not take place
          log.done(operation + "-refused-" + response.errorCode(), from);
          return response;
        }
        code = response.isSuccess() ? "error in a 200" : response.errorCode();
      } catch (ConnectException e) {
        log.failed(operation, "ConnectException", key.key(), from); // nothing was sent
        return null;
      } catch (IOException e) {
        code = e.getClass().getSimpleName();
      }
      key.untold(content, System.nanoTime());
      log.failed(operation, code, key.key(), from);
      return null;
    }

    /** What changes no object, whatever comes of it; null if it failed. */
    private S3Response harmless(String operation, KeyModel key, Call call) {
      long from = System.nanoTime();
      try {
        S3Response response = call.on(connection);
        if (response.isSuccess()) {
          log.done(operation, from);
          return response;
        }
        log.failed(operation, response.errorCode(), key.key(), from);
      } catch (IOException e) {
        log.failed(operation, e.getClass().getSimpleName(), key.key(), from);
      }
      return null;
    }

    // Reading.

    /** Reads and judges; false if the store did not answer. */
    private boolean read(KeyModel key, boolean decides) {
      long from = System.nanoTime();
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      S3Response response;
      try {
        response = connection.get(bucket, key.key(), bytes::write);
      } catch (IOException e) {
        log.failed("get", e.getClass().getSimpleName(), key.key(), from);
        return false;
      }
      if (response.status() != 404 && !response.isSuccess()) {
        log.failed("get", response.errorCode(), key.key(), from);
        return false;
      }
      log.done("get", from);
      byte[] body = bytes.toByteArray();
      for (Content content : key.possible()) {
        if (response.status() == 404 ? content.isAbsent() : holds(content, body)) {
          if (decides) {
            key.decided(content);
          }
          return true;
        }
      }
      violation(
          key.key()
              + " is "
              + (response.status() == 404 ? "absent" : body.length + " bytes")
              + " ("
              + response.headers().get("etag")
              + "), which none of these explains: "
              + key.possible());
      return true;
    }

    private boolean holds(Content content, byte[] body) {
      return !content.isAbsent()
          && content.lengthBytes() == body.length
          && content.bytes().findMismatch(0, body, 0, body.length) < 0;
    }

    private void readRange(KeyModel key) {
      Content content = key.certain();
      if (content.isAbsent() || content.lengthBytes() == 0) {
        return;
      }
      long offset = random.nextLong(content.lengthBytes());
      long length = 1 + random.nextLong(Math.min(300_000, content.lengthBytes() - offset));
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      long from = System.nanoTime();
      S3Response response;
      try {
        response = connection.getRange(bucket, key.key(), offset, length, bytes::write);
      } catch (IOException e) {
        log.failed("range", e.getClass().getSimpleName(), key.key(), from);
        return;
      }
      if (response.status() >= 500) {
        log.failed("range", response.errorCode(), key.key(), from);
        return;
      }
      log.done("range", from);
      byte[] body = bytes.toByteArray();
      if (response.status() != 206
          || body.length != length
          || content.bytes().findMismatch(offset, body, 0, body.length) >= 0) {
        violation(
            "range "
                + offset
                + "+"
                + length
                + " of "
                + key.key()
                + " is wrong: "
                + response.status()
                + " with "
                + body.length
                + " bytes, it holds "
                + content);
      }
    }

    /** All own keys, in one page. */
    private boolean list() {
      ByteArrayOutputStream xml = new ByteArrayOutputStream();
      long from = System.nanoTime();
      try {
        S3Response response = connection.list(bucket, prefix, "", 1000, xml::write);
        if (!response.isSuccess()) {
          log.failed("list", response.errorCode(), prefix, from);
          return false;
        }
      } catch (IOException e) {
        log.failed("list", e.getClass().getSimpleName(), prefix, from);
        return false;
      }
      log.done("list", from);
      Map<String, Long> listed = new HashMap<>();
      Matcher matcher = LISTED.matcher(xml.toString(StandardCharsets.UTF_8));
      while (matcher.find()) {
        listed.put(matcher.group(1), Long.valueOf(matcher.group(2)));
      }
      for (KeyModel key : keys) {
        Long size = listed.get(key.key());
        boolean explained =
            key.possible().stream()
                .anyMatch(
                    content ->
                        content.isAbsent()
                            ? size == null
                            : size != null && size == content.lengthBytes());
        if (!explained) {
          violation(
              "the listing has "
                  + key.key()
                  + (size == null ? " not" : " with " + size + " bytes")
                  + ", it holds "
                  + key.possible());
        }
      }
      return true;
    }

    void verify() throws InterruptedException {
      try (S3Connection opened = connections.get()) {
        connection = opened;
        long deadline = System.nanoTime() + PATIENCE_NANOS;
        for (KeyModel key : keys) {
          while (!read(key, false)) {
            if (System.nanoTime() > deadline) {
              violation(key.key() + " cannot be read: the store does not get well");
              return;
            }
            Thread.sleep(RETRY_MILLIS);
          }
        }
        while (!list()) {
          if (System.nanoTime() > deadline) {
            violation(prefix + " cannot be listed: the store does not get well");
            return;
          }
          Thread.sleep(RETRY_MILLIS);
        }
      }
    }
  }

  private static String element(ByteArrayOutputStream xml, String name) {
    String text = xml.toString(StandardCharsets.UTF_8);
    int start = text.indexOf("<" + name + ">");
    int end = text.indexOf("</" + name + ">");
    return start >= 0 && end > start ? text.substring(start + name.length() + 2, end) : "";
  }

  private static String unescaped(String etag) {
    return etag.replace("&quot;", "\"").replace("&#34;", "\"");
  }

  private static S3Connection.Body slice(GeneratedContent content, long offset, long length) {
    return new S3Connection.Body() {
      @Override
      public long lengthBytes() {
        return length;
      }

      @Override
      public void writeTo(OutputStream out) throws IOException {
        byte[] buffer = new byte[64 << 10];
        for (long at = 0; at < length; at += buffer.length) {
          int count = (int) Math.min(buffer.length, length - at);
          content.fill(offset + at, buffer, 0, count);
          out.write(buffer, 0, count);
        }
      }
    };
  }
}

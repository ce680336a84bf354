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
package io.stowage.common.access;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.stowage.common.policy.Question;
import io.stowage.common.time.StoreClock;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AuditLogTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Question.Principal ALICE = new Question.Principal("a1", "alice", false);
  private static final Origin ORIGIN = new Origin("R1", "10.0.0.1", "SigV4-header", "AKID");

  @TempDir Path directory;

  private static void decide(AuditLog log, String key) {
    log.add(ORIGIN, ALICE, "s3:GetObject", "bucket", key, null, true, "owner of the bucket");
  }

  @Test
  void writesALineADecision() throws Exception {
    Path file = directory.resolve("logs/audit.log");
    try (AuditLog log = AuditLog.to(StoreClock.system(), file, 1 << 20, 3)) {
      decide(log, "a\nb\"c\u0001");
      log.refused(
          new Origin("R2", "10.0.0.2", "SigV4-query", "AKX"),
          "authenticate",
          "SignatureDoesNotMatch");
    }
    List<String> lines = Files.readAllLines(file);
    assertEquals(2, lines.size());
    JsonNode first = JSON.readTree(lines.get(0));
    assertEquals("a\nb\"c\u0001", first.get("key").asText());
    assertEquals("alice", first.get("user").asText());
    assertEquals("R1", first.get("requestId").asText());
    assertEquals("10.0.0.1", first.get("from").asText());
    assertEquals("SigV4-header", first.get("authenticated").asText());
    assertEquals("AKID", first.get("accessKey").asText());
    assertTrue(first.get("allowed").asBoolean());
    assertFalse(first.has("version"));
    JsonNode second = JSON.readTree(lines.get(1));
    assertFalse(second.get("allowed").asBoolean());
    assertEquals("SignatureDoesNotMatch", second.get("why").asText());
    assertFalse(second.has("user"));
  }

  /** A caller who chose what he calls a key hides neither himself nor those beside him. */
  @Test
  void aLineIsBoundedAndCanBeWrittenWhateverIsSaid() throws Exception {
    Path file = directory.resolve("audit.log");
    String endless = "k".repeat(1 << 20);
    try (AuditLog log = AuditLog.to(StoreClock.system(), file, 1 << 20, 3)) {
      decide(log, endless);
      decide(log, "half a pair \ud83d");
      decide(log, "a pair \ud83d\ude00");
      log.add(
          new Origin(endless, endless, endless, endless),
          new Question.Principal(endless, endless, false),
          endless,
          endless,
          endless,
          endless,
          false,
          endless);
    }
    List<String> lines = Files.readAllLines(file);
    assertEquals(4, lines.size());
    assertTrue(JSON.readTree(lines.get(0)).get("key").asText().startsWith("kkk"));
    assertEquals("half a pair ?", JSON.readTree(lines.get(1)).get("key").asText());
    assertEquals("a pair \ud83d\ude00", JSON.readTree(lines.get(2)).get("key").asText());
    assertTrue(JSON.readTree(lines.get(3)).get("why").asText().endsWith("…"));
    for (String line : lines) {
      assertTrue(line.length() < 8_192, () -> "" + line.length());
    }
  }

  @Test
  void goesOnBehindWhatIsThereAndRotates() throws Exception {
    Path file = directory.resolve("audit.log");
    try (AuditLog log = AuditLog.to(StoreClock.system(), file, 1 << 20, 3)) {
      decide(log, "before");
    }
    try (AuditLog log = AuditLog.to(StoreClock.system(), file, 1 << 20, 3)) {
      decide(log, "after");
    }
    assertEquals(2, Files.readAllLines(file).size());
    for (int i = 0; i < 20; i++) {
      try (AuditLog log = AuditLog.to(StoreClock.system(), file, 600, 3)) {
        decide(log, "key " + i);
      }
    }
    assertTrue(Files.size(file) <= 600);
    assertTrue(Files.readString(file).contains("key 19"));
    assertTrue(Files.size(directory.resolve("audit.log.1")) <= 600);
    assertTrue(Files.exists(directory.resolve("audit.log.2")));
    assertFalse(Files.exists(directory.resolve("audit.log.3")));
  }

  @Test
  void aNewFileIsNotForEverybody() throws Exception {
    Path file = directory.resolve("audit.log");
    for (int i = 0; i < 2; i++) { // the second is rotated to
      try (AuditLog log = AuditLog.to(StoreClock.system(), file, 1, 2)) {
        decide(log, "key");
      }
      Set<PosixFilePermission> mode = Files.getPosixFilePermissions(file);
      mode.removeAll(PosixFilePermissions.fromString("rw-r-----"));
      assertEquals(Set.of(), mode);
    }
    assertTrue(Files.exists(directory.resolve("audit.log.1")));
  }

  @Test
  void aDiskThatWasFullLeavesOneLineAtMostThatCannotBeRead() throws Exception {
    Path file = directory.resolve("audit.log");
    AtomicLong room = new AtomicLong(Long.MAX_VALUE);
    try (AuditLog log =
        AuditLog.to(StoreClock.system(), file, 1 << 20, 1, 16, path -> new FullDisk(path, room))) {
      decide(log, "first");
      await(() -> log.written() == 1);
      room.set(Files.size(file) * 3 / 2); // the second line finds half of its room
      decide(log, "torn");
      await(() -> log.dropped() == 1);
      room.set(Long.MAX_VALUE);
      decide(log, "after");
      await(() -> log.written() == 2);
    }
    List<String> lines = Files.readAllLines(file);
    assertEquals(4, lines.size(), lines::toString);
    assertEquals("first", JSON.readTree(lines.get(0)).get("key").asText());
    assertEquals("after", JSON.readTree(lines.get(2)).get("key").asText());
    assertEquals(1, JSON.readTree(lines.get(3)).get("missing").asInt());
  }

  @Test
  void whatAProcessLeftOfALineSpoilsNoneOfTheNext() throws Exception {
    Path file = directory.resolve("audit.log");
    Files.writeString(file, "{\"time\":\"2026-");
    try (AuditLog log = AuditLog.to(StoreClock.system(), file, 1 << 20, 1)) {
      decide(log, "after");
    }
    List<String> lines = Files.readAllLines(file);
    assertEquals(2, lines.size(), lines::toString);
    assertEquals("after", JSON.readTree(lines.get(1)).get("key").asText());
  }

  /** Where what was decided is for auditors alone to read. */
  @Test
  void aFileThatMayBeWrittenAndNotReadIsWritten() throws Exception {
    Path file = directory.resolve("audit.log");
    Files.writeString(file, "{\"time\":\"2026-");
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("-w-------"));
    for (String key : List.of("first", "second")) {
      try (AuditLog log =
          AuditLog.to(StoreClock.system(), file, 1 << 20, 1, 16, new AsPermitted())) {
        decide(log, key);
      }
    }
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
    List<String> lines = Files.readAllLines(file);
    lines.removeIf(String::isEmpty);
    assertEquals(3, lines.size(), lines::toString);
    assertEquals("first", JSON.readTree(lines.get(1)).get("key").asText());
    assertEquals("second", JSON.readTree(lines.get(2)).get("key").asText());
  }

  /** As the operating system does it, root or not: who may not read a file is refused. */
  private static final class AsPermitted implements AuditLog.Opener {
    @Override
    public WritableByteChannel open(Path file) throws IOException {
      return FileChannel.open(file, StandardOpenOption.APPEND);
    }

    @Override
    public FileChannel read(Path file) throws IOException {
      if (!Files.getPosixFilePermissions(file).contains(PosixFilePermission.OWNER_READ)) {
        throw new AccessDeniedException(file.toString());
      }
      return AuditLog.Opener.super.read(file);
    }
  }

  private static void await(BooleanSupplier condition) throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (!condition.getAsBoolean()) {
      assertTrue(System.nanoTime() < end, "never");
      Thread.sleep(1);
    }
  }

  /** Takes what there is room for, and then fails, as a file system does. */
  private static final class FullDisk implements WritableByteChannel {
    private final FileChannel file;
    private final AtomicLong room;

    FullDisk(Path path, AtomicLong room) throws IOException {
      this.file = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
      this.room = room;
    }

    @Override
    public int write(ByteBuffer bytes) throws IOException {
      int most = (int) Math.min(bytes.remaining(), room.get() - file.size());
      if (most <= 0) {
        throw new IOException("No space left on device");
      }
      int written = file.write(bytes.slice().limit(most));
      bytes.position(bytes.position() + written);
      return written;
    }

    @Override
    public boolean isOpen() {
      return file.isOpen();
    }

    @Override
    public void close() throws IOException {
      file.close();
    }
  }

  /** The file is a pipe that nobody reads: a disk that stands still. */
  @Test
  void aStalledFileCostsRequestsAMomentOnce() throws Exception {
    Path pipe = directory.resolve("pipe");
    assertEquals(0, new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor());
    try (RandomAccessFile end = new RandomAccessFile(pipe.toFile(), "rw")) {
      AuditLog log = AuditLog.to(StoreClock.system(), pipe, 1L << 40, 1, 16);
      int decisions = 0;
      // A pipe holds 64 KiB and a batch at most 16 lines of less than 300 bytes.
      while (log.dropped() < 1_000) {
        decide(log, "key");
        decisions++;
        assertTrue(decisions < 100_000, "the pipe never fills");
      }
      assertTrue(log.waited() >= 1 && log.waited() < decisions / 2, () -> "" + log.waited());
      long lost = log.dropped();
      Thread closing = new Thread(log::close);
      closing.start();
      int seen = 0;
      long missing = 0;
      try (BufferedReader lines =
          new BufferedReader(
              new InputStreamReader(Files.newInputStream(pipe), StandardCharsets.UTF_8))) {
        while (seen + missing < decisions) {
          JsonNode line = JSON.readTree(lines.readLine());
          if (line.has("missing")) {
            missing += line.get("missing").asLong();
          } else {
            seen++;
          }
        }
      }
      closing.join();
      assertEquals(lost, missing);
      assertEquals(decisions, seen + missing);
    }
  }
}

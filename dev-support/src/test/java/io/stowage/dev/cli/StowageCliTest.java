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
package io.stowage.dev.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.stowage.client.twin.InMemoryObjectManager;
import io.stowage.common.rpc.RpcProtocol;
import io.stowage.common.rpc.RpcServer;
import io.stowage.common.time.StoreClock;
import io.stowage.dev.s3.S3Credentials;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;
import picocli.CommandLine.ParseResult;

/** The command line against an object manager in memory, behind a real RPC server. */
class StowageCliTest {
  @TempDir Path directory;
  private RpcServer server;
  private String out;
  private String err;

  @BeforeEach
  void startServer() throws IOException {
    server =
        RpcServer.create(
                new Configuration(),
                "127.0.0.1:0",
                2,
                RpcProtocol.OBJECT_MANAGER,
                new InMemoryObjectManager(StoreClock.system(), "rs-3-2"))
            .start();
    SiteFile.write(
        directory, Map.of("stowage.om.addresses", "127.0.0.1:" + server.address().getPort()));
  }

  @AfterEach
  void stopServer() {
    server.close();
  }

  @Test
  void quotasAreSetShownAndTakenBack() throws IOException {
    assertEquals(0, stowage("bucket", "create", "limited"));
    assertEquals(0, stowage("bucket", "quota", "limited", "--bytes", "10g", "--objects", "7"));
    assertEquals("bucket limited holds 0 B in 0 objects, and may hold 10.0 GiB in 7\n", out);
    assertEquals(0, stowage("bucket", "quota", "limited", "--objects", "0"));
    assertEquals(0, stowage("bucket", "stat", "limited", "--json"));
    JsonNode facts = new ObjectMapper().readTree(out);
    assertEquals(10L << 30, facts.get("quotaOfBytes").asLong());
    assertFalse(facts.has("quotaOfObjects"));
    assertEquals(0, facts.get("objects").asLong());
    assertEquals(0, stowage("bucket", "quota", "limited", "--clear"));
    assertEquals(0, stowage("bucket", "stat", "limited", "--json"));
    assertFalse(new ObjectMapper().readTree(out).has("quotaOfBytes"));
    assertEquals(2, stowage("bucket", "quota", "limited", "--bytes", "much"));
    assertEquals(1, stowage("bucket", "quota", "limited"));
  }

  @Test
  void snapshotsAreMadeListedRenamedAndRemoved() throws IOException {
    assertEquals(0, stowage("bucket", "create", "pictures"));
    assertEquals(0, stowage("snapshot", "create", "pictures", "monday"));
    assertEquals(1, stowage("snapshot", "create", "pictures", "monday"));
    assertEquals(0, stowage("snapshot", "rename", "pictures", "monday", "tuesday"));
    assertEquals(0, stowage("snapshot", "ls", "pictures", "--json"));
    assertEquals("tuesday", new ObjectMapper().readTree(out).get(0).get("snapshot").asText());
    assertEquals(0, stowage("snapshot", "rm", "pictures", "tuesday"));
    assertEquals(1, stowage("snapshot", "rm", "pictures", "tuesday"));
    assertEquals(0, stowage("snapshot", "ls", "pictures"));
    assertEquals("none\n", out);
  }

  @Test
  void bucketsAreMadeListedAndRemoved() throws IOException {
    assertEquals(0, stowage("bucket", "create", "pictures"));
    assertEquals("created bucket pictures with rs-3-2\n", out);
    assertEquals(0, stowage("bucket", "ls", "--json"));
    JsonNode rows = new ObjectMapper().readTree(out);
    assertEquals(1, rows.size());
    assertEquals("pictures", rows.get(0).get("bucket").asText());
    assertEquals(0, stowage("bucket", "rm", "pictures"));
    assertEquals(0, stowage("bucket", "ls"));
    assertEquals("none\n", out);
  }

  @Test
  void aTableHasAHeadingAndAlignedColumns() {
    assertEquals(0, stowage("bucket", "create", "a1b"));
    assertEquals(0, stowage("bucket", "create", "another-bucket"));
    assertEquals(0, stowage("bucket", "ls"));
    List<String> lines = out.lines().toList();
    assertEquals(3, lines.size());
    int column = lines.get(0).indexOf("bucket");
    assertEquals("a1b", lines.get(1).substring(column));
    assertEquals("another-bucket", lines.get(2).substring(column));
  }

  @Test
  void aTimeIsSaidAsInSettingsOrInMinutes() {
    assertEquals(Duration.ofMinutes(30), timeOfMaintenance("--for", "30m"));
    assertEquals(Duration.ofMinutes(30), timeOfMaintenance("--for", "30"));
    assertEquals(Duration.ofDays(1), timeOfMaintenance("--for=1d"));
    assertEquals(Duration.ZERO, timeOfMaintenance());
    for (String wrong : List.of("-5", "m", "", "30x", "1ms", "9999d", "99999999999999999999")) {
      assertEquals(2, stowage("datanode", "maintenance", "node", "--for=" + wrong), wrong);
      assertTrue(err.contains(wrong + " is no time"), err);
    }
  }

  private static Duration timeOfMaintenance(String... options) {
    String[] all = Arrays.copyOf(new String[] {"datanode", "maintenance", "n"}, 3 + options.length);
    System.arraycopy(options, 0, all, 3, options.length);
    ParseResult parsed = StowageCli.commandLine().parseArgs(all);
    return parsed.subcommand().subcommand().commandSpec().findOption("--for").getValue();
  }

  @Test
  void aFailureIsOneLineAndExitCodeOne() {
    assertEquals(1, stowage("object", "stat", "nowhere/key"));
    assertEquals("", out);
    assertTrue(err.startsWith("stowage: Cannot "), err);
    assertEquals(1, err.lines().count(), err);
  }

  @Test
  void aWrongCommandLineIsExitCodeTwo() {
    assertEquals(2, stowage("bucket", "create"));
    assertTrue(err.contains("Missing required parameter"), err);
  }

  @Test
  void aConfigurationThatNamesNobodySaysWhatIsMissing() throws IOException {
    assertEquals(1, stowage("status"));
    assertTrue(err.contains("stowage.scm.addresses is not set"), err);
  }

  @Test
  void aNewUsersKeyGoesIntoACredentialsFileThatIsNeverOverwritten() throws IOException {
    Path file = directory.resolve("aws-credentials");
    assertEquals(0, stowage("user", "create", "one", "--admin", "--credentials", file.toString()));
    S3Credentials credentials = S3Credentials.read(file, "default", "us-east-1");
    assertTrue(out.contains(credentials.accessKey()));
    assertFalse(out.contains(credentials.secretKey()));
    assertEquals(1, stowage("user", "create", "two", "--credentials", file.toString()));
    assertEquals(credentials, S3Credentials.read(file, "default", "us-east-1"));
  }

  @Test
  void usersHaveTheKeysAndNamesThatTheyAreGiven() throws IOException {
    String[] create = {
      "user",
      "create",
      "alice",
      "--access-key",
      "AKALICE",
      "--secret-key",
      "not told",
      "--canonical-id",
      "a1",
      "--email",
      "alice@example.com"
    };
    assertEquals(0, stowage(create));
    assertEquals(
        "user:         alice\ncanonical id: a1\naccess key:   AKALICE\nsecret key:   not told\n",
        out);
    assertEquals(1, stowage(create));
    assertEquals(1, stowage("user", "create", "bob", "--access-key", "AKALICE"));
    assertEquals(0, stowage("user", "create", "bob", "--admin"));
    assertTrue(out.matches("(?s).*\nsecret key:   [-\\w]{40}\n"), out);
    JsonNode users = users();
    assertEquals(2, users.size());
    JsonNode alice = users.get(0);
    assertEquals("alice", alice.get("user").asText());
    assertEquals("AKALICE", alice.get("keys").asText());
    assertEquals("a1", alice.get("canonicalId").asText());
    assertEquals("alice@example.com", alice.get("email").asText());
    assertEquals("false", alice.get("admin").asText());
    assertTrue(users.get(1).get("keys").asText().matches("STOW[A-Z2-7]{16}"), out);
    assertEquals("true", users.get(1).get("admin").asText());

    assertEquals(0, stowage("user", "rotate", "alice", "--keep-old", "--access-key", "AKNEXT"));
    assertEquals("AKALICE,AKNEXT", users().get(0).get("keys").asText());
    assertEquals(0, stowage("user", "rotate", "alice"));
    assertTrue(users().get(0).get("keys").asText().matches("STOW[A-Z2-7]{16}"), out);
    assertEquals(1, stowage("user", "rotate", "nobody"));

    assertEquals(0, stowage("user", "rm", "alice"));
    assertEquals("removed user alice\n", out);
    assertEquals(1, stowage("user", "rm", "alice"));
    assertEquals(1, users().size());
  }

  private JsonNode users() throws IOException {
    assertEquals(0, stowage("user", "ls", "--json"));
    assertFalse(out.contains("secret"), out);
    return new ObjectMapper().readTree(out);
  }

  @Test
  void aSecretIsToldOnceAndRevoked() throws IOException {
    assertEquals(0, stowage("s3", "getsecret", "-u", "alice"));
    assertEquals("access key: alice\nsecret key: secret of alice\n", out);
    assertEquals(1, stowage("s3", "getsecret", "-u", "alice"));
    assertEquals(0, stowage("s3", "revokesecret", "--user", "alice"));
    assertEquals("revoked the S3 secret of alice\n", out);
    Path file = directory.resolve("alices");
    assertEquals(0, stowage("s3", "getsecret", "-u", "alice", "--credentials", file.toString()));
    String secret = S3Credentials.read(file, "default", "us-east-1").secretKey();
    assertFalse(out.contains(secret));
    assertEquals(0, stowage("s3", "revokesecret", "-u", "alice"));
    assertEquals(1, stowage("s3", "getsecret", "-u", "alice", "--credentials", file.toString()));
    assertTrue(err.contains("it exists"), err);
  }

  private int stowage(String... args) {
    CommandLine commandLine = StowageCli.commandLine();
    StringWriter outWriter = new StringWriter();
    StringWriter errWriter = new StringWriter();
    commandLine.setOut(new PrintWriter(outWriter));
    commandLine.setErr(new PrintWriter(errWriter));
    String[] all = Arrays.copyOf(new String[] {"--conf", directory.toString()}, 2 + args.length);
    System.arraycopy(args, 0, all, 2, args.length);
    int exitCode = commandLine.execute(all);
    out = outWriter.toString();
    err = errWriter.toString();
    return exitCode;
  }
}

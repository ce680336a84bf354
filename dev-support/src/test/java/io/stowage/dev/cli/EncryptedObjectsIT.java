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

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.conf.Keys;
import io.stowage.common.id.WriteId;
import io.stowage.common.om.BucketEncryption;
import io.stowage.common.proto.EncryptionMode;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.UpdateBucketRequest;
import io.stowage.minicluster.MiniStowageCluster;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** {@code stowage object} in buckets that encrypt by default, over the whole store. */
class EncryptedObjectsIT {
  private static final String BUCKET = "encrypted";

  @TempDir Path directory;

  @Test
  void putAndGetGoByTheBucketsDefault() throws Exception {
    Path conf = Files.createDirectories(directory.resolve("conf"));
    String told = "what no disk tells of ";
    byte[] content = told.repeat(400_000).getBytes(StandardCharsets.US_ASCII); // above 8 MiB
    Path file = directory.resolve("file");
    Files.write(file, content);
    Path disks = directory.resolve("cluster");
    try (MiniStowageCluster cluster = MiniStowageCluster.builder().directory(disks).start()) {
      cluster.awaitWritable(Duration.ofSeconds(60));
      SiteFile.write(conf, cluster.clientSettings());
      assertEquals("", stowage(0, conf, "bucket", "create", BUCKET));
      for (String algorithm : List.of("AES256", "aws:kms")) {
        cluster
            .objectManager(0)
            .updateBucket(
                UpdateBucketRequest.newBuilder()
                    .setName(BUCKET)
                    .setWriteId(WriteId.random())
                    .putPut(BucketEncryption.SETTING, byDefault(algorithm))
                    .build());
        String name = BUCKET + "/" + algorithm;
        assertEquals("", stowage(0, conf, "object", "put", name, file.toString()));
        assertEquals(
            algorithm.equals("AES256") ? EncryptionMode.SSE_S3 : EncryptionMode.SSE_KMS,
            cluster
                .objectManager(0)
                .getObject(
                    GetObjectRequest.newBuilder().setBucket(BUCKET).setKey(algorithm).build())
                .getVersion()
                .getMetadata()
                .getEncryption()
                .getMode());
        Path back = directory.resolve("back");
        assertEquals("", stowage(0, conf, "object", "get", name, back.toString()));
        assertArrayEquals(content, Files.readAllBytes(back));
      }
      assertFalse(isInAShard(disks, told));
      assertEquals("", stowage(0, conf, "bucket", "create", "open"));
      assertEquals("", stowage(0, conf, "object", "put", "open/x", file.toString()));
      assertTrue(isInAShard(disks, told), "what is not encrypted is found");
      // A machine that has no keys: nothing is made, and it is told what is missing.
      Map<String, String> settings = new TreeMap<>(cluster.clientSettings());
      Path elsewhere = directory.resolve("elsewhere.jceks");
      settings.put(Keys.ENCRYPTION_KEY_PROVIDER.name(), "jceks://file" + elsewhere);
      SiteFile.write(conf, settings);
      for (List<String> command :
          List.of(
              List.of("object", "put", BUCKET + "/new", file.toString()),
              List.of("object", "get", BUCKET + "/AES256", directory + "/none"))) {
        String said = stowage(1, conf, command.toArray(String[]::new));
        assertTrue(said.contains(Keys.ENCRYPTION_KEY_PROVIDER.name()), said);
      }
      assertFalse(Files.exists(elsewhere));
      assertFalse(Files.exists(directory.resolve("none")));
    }
  }

  private static ByteString byDefault(String algorithm) {
    return ByteString.copyFromUtf8(
        "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>"
            + "<SSEAlgorithm>"
            + algorithm
            + "</SSEAlgorithm>"
            + "</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>");
  }

  private static boolean isInAShard(Path disks, String text) throws IOException {
    List<Path> files;
    try (Stream<Path> all = Files.walk(disks)) {
      files = all.filter(file -> file.toString().endsWith(".shard")).toList();
    }
    assertFalse(files.isEmpty());
    for (Path file : files) {
      if (new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1).contains(text)) {
        return true;
      }
    }
    return false;
  }

  /** What a command says on its error stream. */
  private static String stowage(int exitCode, Path conf, String... arguments) {
    StringWriter err = new StringWriter();
    CommandLine commandLine = StowageCli.commandLine();
    commandLine.setOut(new PrintWriter(new StringWriter()));
    commandLine.setErr(new PrintWriter(err));
    List<String> all = new ArrayList<>(List.of("--conf", conf.toString()));
    all.addAll(List.of(arguments));
    assertEquals(exitCode, commandLine.execute(all.toArray(String[]::new)), err::toString);
    return err.toString();
  }
}

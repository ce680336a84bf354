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
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.stowage.common.conf.Keys;
import io.stowage.common.data.NetworkDatanodes;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.DatanodeInfo;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.FindPathRequest;
import io.stowage.common.proto.GetBucketRequest;
import io.stowage.common.proto.GetContainersRequest;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.ListDatanodesRequest;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.OpenShardRequest;
import io.stowage.common.proto.RestoreRowsRequest;
import io.stowage.common.proto.RestoredRow;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.tls.ClientTls;
import io.stowage.minicluster.MiniStowageCluster;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/**
 * {@code stowage fsck} of a cluster that is whole, and of one that something is done to; with
 * {@code -Dstowage.it.long=true} also what {@code stowage status} says of a repair under way.
 */
class FsckIT {
  private static final String BUCKET = "checked";
  private static final int FILES = 25;
  private static final int REPAIR_RATE = 1 << 20;
  private static final boolean LONG = Boolean.getBoolean("stowage.it.long");

  @TempDir Path conf;

  @Test
  void findsWhatIsWrongAndNothingElse() throws Exception {
    MiniStowageCluster.Builder shape = MiniStowageCluster.builder().datanodes(5);
    if (LONG) {
      shape.set(Keys.DATANODE_REPAIR_RATE, Integer.toString(REPAIR_RATE));
    }
    try (MiniStowageCluster cluster = shape.start()) {
      cluster.awaitWritable(Duration.ofSeconds(60));
      SiteFile.write(conf, cluster.clientSettings());
      assertEquals(0, stowage("bucket", "create", BUCKET).exitCode());
      long bytes = write(cluster);

      Run whole = stowage("fsck", "--json", "--verify", "--quiet");
      assertEquals(0, whole.exitCode(), whole.out() + whole.err());
      assertEquals(FILES, whole.json().get("versions").asInt(), whole.out());
      assertEquals(bytes, whole.json().get("bytesVerified").asLong());
      assertEquals(0, whole.json().get("damagedShard").asInt(), whole.out());
      assertEquals(5, whole.json().get("datanodes").asInt());
      assertTrue(whole.json().get("containers").asInt() >= 1, whole.out());

      nodesAreSentAwayAndDisksBalanced(cluster);
      treesAreLookedAtAndMended(cluster);
      addOrphan(cluster);
      addDangling(cluster);
      Run odd = stowage("fsck", "--json", "--quiet");
      assertEquals(3, odd.exitCode(), odd.out());
      // SCM may have put it aside already.
      assertEquals(
          1,
          odd.json().get("orphanShard").asInt() + odd.json().get("quarantinedShard").asInt(),
          odd.out());
      assertEquals(1, odd.json().get("danglingExtent").asInt(), odd.out());
      assertEquals(0, odd.json().get("missingShard").asInt(), odd.out());
      assertEquals(0, odd.json().get("corruptObject").asInt(), odd.out());

      String waits = awaitLine("waiting for an operator", Pattern.compile(" 1 in quarantine"));
      assertTrue(waits.contains("stowage datanode quarantine --accept"), waits);
      JsonNode aside = stowage("datanode", "quarantine", "--json").json();
      assertEquals(1, aside.get("waitingToBeAccepted").asInt(), aside.toString());

      cluster.stopDatanode(0);
      Run oneAway = stowage("fsck", "--json", "--verify", "--repair", "--quiet");
      assertEquals(3, oneAway.exitCode(), oneAway.out());
      JsonNode found = oneAway.json();
      assertEquals(1, found.get("unreachableNode").asInt(), oneAway.out());
      int missing = found.get("missingShard").asInt();
      assertTrue(missing >= 1, oneAway.out());
      assertEquals(missing, found.get("underReplicated").asInt(), oneAway.out());
      assertEquals(missing, found.get("repairsAskedFor").asInt(), oneAway.out());
      assertEquals(0, found.get("unavailableObject").asInt(), oneAway.out());
      assertEquals(0, found.get("corruptObject").asInt(), oneAway.out());
      assertEquals(bytes, found.get("bytesVerified").asLong(), "decoded from the others");

      cluster.stopDatanode(1);
      cluster.stopDatanode(2);
      Run tooMany = stowage("fsck", "--json", "--quiet");
      assertEquals(3, tooMany.exitCode(), tooMany.out());
      assertEquals(FILES, tooMany.json().get("unavailableObject").asInt(), tooMany.out());

      Run people = stowage("fsck", "--limit", "2");
      assertTrue(people.out().contains("problems found"), people.out());
      assertTrue(people.out().contains("unavailable container"), people.out());

      for (int node = 0; node < 3; node++) {
        cluster.startDatanode(node);
      }
      cluster.awaitWritable(Duration.ofSeconds(60));
      flipOneSectorOfThreeShards(cluster);
      Run rotten = stowage("fsck", "--json", "--verify", "--quiet");
      assertEquals(3, rotten.exitCode(), rotten.out());
      assertEquals(0, rotten.json().get("missingShard").asInt(), rotten.out());
      assertEquals(1, rotten.json().get("corruptObject").asInt(), rotten.out());
      assertEquals(3, rotten.json().get("damagedShard").asInt(), rotten.out());
      // The object of that stripe, as far as it can be read, and all others.
      assertTrue(rotten.json().get("bytesVerified").asLong() >= bytes - (2 << 20), rotten.out());
      assertTrue(rotten.json().get("bytesVerified").asLong() < bytes, rotten.out());
      aBucketIsConverted(cluster);
      if (LONG) {
        statusTellsHowFarARepairIs(cluster);
      }
    }
  }

  /** Its old objects are written again with the new policy, once. */
  private void aBucketIsConverted(MiniStowageCluster cluster) throws Exception {
    assertEquals(0, stowage("bucket", "create", "turned").exitCode());
    byte[] bytes = new byte[300_000];
    new Random(5).nextBytes(bytes);
    org.apache.hadoop.fs.Path path = new org.apache.hadoop.fs.Path("/one");
    try (FileSystem fs = cluster.fileSystem("turned")) {
      try (OutputStream out = fs.create(path)) {
        out.write(bytes);
      }
    }
    assertEquals("rs-3-2", policyOf(cluster, "turned", "one"));
    Run set = stowage("bucket", "set-policy", "turned", "rs-1-2");
    assertEquals(0, set.exitCode(), set.err());
    Run converted = stowage("bucket", "convert", "turned");
    assertEquals(0, converted.exitCode(), converted.err());
    assertTrue(converted.out().contains("converted 1 of "), converted.out());
    assertTrue(converted.out().contains("the last found nothing to convert"), converted.out());
    assertEquals("rs-1-2", policyOf(cluster, "turned", "one"));
    try (FileSystem fs = cluster.fileSystem("turned");
        InputStream in = fs.open(path)) {
      assertArrayEquals(bytes, in.readAllBytes());
    }
    Run again = stowage("bucket", "convert", "turned");
    assertEquals(0, again.exitCode(), again.err());
    assertTrue(again.out().contains("converted 0 of "), again.out());

    Run chosen = stowage("bucket", "create", "--policy", "rs-1-2", "chosen");
    assertEquals(0, chosen.exitCode(), chosen.err());
    try (FileSystem fs = cluster.fileSystem("chosen");
        OutputStream out = fs.create(path)) {
      out.write(bytes);
    }
    assertEquals("rs-1-2", policyOf(cluster, "chosen", "one"));
    assertNotEquals(0, stowage("bucket", "create", "--policy", "rs-0-9", "none").exitCode());
  }

  private static String policyOf(MiniStowageCluster cluster, String bucket, String key)
      throws Exception {
    return cluster
        .containerManager()
        .getContainers(
            GetContainersRequest.newBuilder()
                .addIds(extentOf(cluster, bucket, key).getContainer())
                .build())
        .getContainers(0)
        .getPolicy();
  }

  private static Extent extentOf(MiniStowageCluster cluster, String bucket, String key)
      throws Exception {
    return cluster
        .objectManager(0)
        .getObject(
            GetObjectRequest.newBuilder()
                .setBucket(bucket)
                .setKey(key)
                .setWantManifest(true)
                .build())
        .getVersion()
        .getManifest()
        .getExtents(0);
  }

  /** A node is emptied onto a new one, so slowly that it is seen under way. */
  private void statusTellsHowFarARepairIs(MiniStowageCluster cluster) throws Exception {
    try (FileSystem fs = cluster.fileSystem(BUCKET);
        OutputStream out = fs.create(new org.apache.hadoop.fs.Path("/large"))) {
      out.write(new byte[40 << 20]); // some segments of each shard: progress is told of each
    }
    cluster.addDatanode();
    awaitLine("datanodes live", Pattern.compile(" 6$"));
    assertEquals(0, stowage("datanode", "decommission", cluster.datanodeId(4)).exitCode());
    Pattern underWay =
        Pattern.compile(
            "containers left [1-9]\\d*, shards left [1-9]\\d*, bytes left [1-9]\\S* [KMG]?i?B,"
                + " in flight [1-9]\\d*, bytes per second [1-9]\\S* [KMG]?i?B, time left PT\\S+,"
                + " containers done \\d+, shards done \\d+, bytes done [1-9]\\S* [KMG]?i?B");
    System.err.println("status: " + awaitLine("repair", underWay));
    JsonNode repair = stowage("status", "--json").json().get("repair");
    assertTrue(repair.get("bytesDone").asLong() > 0, repair.toString());
    assertTrue(repair.get("bytesPerSecond").asLong() > 0, repair.toString());
  }

  /** The line of {@code stowage status} about something, as people read it, once it is so. */
  private String awaitLine(String about, Pattern expected) throws Exception {
    long deadline = System.nanoTime() + Duration.ofMinutes(2).toNanos();
    while (true) {
      Run status = stowage("status");
      assertEquals(0, status.exitCode(), status.err());
      for (String line : status.out().lines().toList()) {
        if (line.startsWith(about + ":") && expected.matcher(line).find()) {
          return line;
        }
      }
      assertTrue(System.nanoTime() < deadline, "waited in vain: " + status.out());
      TimeUnit.MILLISECONDS.sleep(50);
    }
  }

  /** Five nodes, each of which rs-3-2 needs. */
  private void nodesAreSentAwayAndDisksBalanced(MiniStowageCluster cluster) throws Exception {
    String first = cluster.datanodeId(0);
    Run refused = stowage("datanode", "decommission", first);
    assertNotEquals(0, refused.exitCode(), refused.out());
    assertTrue(refused.err().contains("Cannot decommission datanode"), refused.err());
    assertEquals("IN_SERVICE", modeOf(first));
    Run away = stowage("datanode", "maintenance", "--for", "5", first);
    assertEquals(0, away.exitCode(), away.err());
    assertTrue(away.out().contains("may be away for 5 minutes"), away.out());
    assertEquals("MAINTENANCE", modeOf(first));
    Run second = stowage("datanode", "maintenance", cluster.datanodeId(1));
    assertNotEquals(0, second.exitCode(), second.out());
    assertTrue(second.err().contains("fewer than k+1 shards"), second.err());
    assertEquals(0, stowage("datanode", "recommission", first).exitCode());
    assertEquals("IN_SERVICE", modeOf(first));
    assertNotEquals(0, stowage("datanode", "recommission", "nobody").exitCode());

    Run began = stowage("balance", "start", "--threshold", "25", "--moves", "3");
    assertEquals(0, began.exitCode(), began.err());
    JsonNode balance = stowage("balance", "status", "--json").json();
    assertEquals("yes", balance.get("running").asText(), balance.toString());
    assertEquals(3, balance.get("movesAtOnce").asInt(), balance.toString());
    assertEquals("25.0 %", balance.get("threshold").asText(), balance.toString());
    assertEquals(0, stowage("balance", "stop").exitCode());
    balance = stowage("balance", "status", "--json").json();
    assertEquals("no", balance.get("running").asText(), balance.toString());
  }

  private String modeOf(String node) throws Exception {
    Run list = stowage("datanode", "ls", "--json");
    assertEquals(0, list.exitCode(), list.err());
    for (JsonNode row : list.json()) {
      if (row.get("node").asText().equals(node)) {
        return row.get("mode").asText();
      }
    }
    throw new AssertionError(node + " is not one of " + list.out());
  }

  /** Nothing leads to one directory of a FILE_SYSTEM bucket, and two entries to another. */
  private void treesAreLookedAtAndMended(MiniStowageCluster cluster) throws Exception {
    assertEquals(0, stowage("bucket", "create", "--layout", "FILE_SYSTEM", "tree").exitCode());
    try (FileSystem fs = cluster.fileSystem("tree")) {
      assertTrue(fs.mkdirs(new org.apache.hadoop.fs.Path("/a/b")));
    }
    Run whole = stowage("fsck", "--json", "--quiet");
    assertEquals(0, whole.exitCode(), whole.out() + whole.err());
    long directory =
        cluster
            .objectManager(0)
            .findPath(FindPathRequest.newBuilder().setBucket("tree").setPath("a/b").build())
            .getVersion()
            .getDirectoryId();
    addRow(cluster, "tree", "0000000000000000twin", version().setDirectoryId(directory));
    addRow(cluster, "tree", "00000000000000aafile", version());
    Run broken = stowage("fsck", "--json", "--quiet");
    assertEquals(3, broken.exitCode(), broken.out());
    assertEquals(1, broken.json().get("lostDirectory").asInt(), broken.out());
    assertEquals(1, broken.json().get("surplusEntry").asInt(), broken.out());
    Run mended = stowage("fsck", "--json", "--quiet", "--rebuild");
    assertEquals(3, mended.exitCode(), mended.out() + mended.err());
    assertTrue(mended.out().contains("lost+found/00000000000000aa"), mended.out());
    try (FileSystem fs = cluster.fileSystem("tree")) {
      assertTrue(fs.exists(new org.apache.hadoop.fs.Path("/lost+found/00000000000000aa/file")));
      assertTrue(fs.exists(new org.apache.hadoop.fs.Path("/a/b")));
      assertFalse(fs.exists(new org.apache.hadoop.fs.Path("/twin")));
    }
    Run again = stowage("fsck", "--json", "--quiet");
    assertEquals(0, again.exitCode(), again.out());
  }

  private static ObjectVersion.Builder version() {
    return ObjectVersion.newBuilder().setWriteId(WriteId.random()).setVersionId(1);
  }

  private static void addRow(
      MiniStowageCluster cluster, String bucket, String rowKey, ObjectVersion.Builder version)
      throws Exception {
    long bucketId =
        cluster
            .objectManager(0)
            .getBucket(GetBucketRequest.newBuilder().setName(bucket).build())
            .getBucket()
            .getId();
    cluster
        .objectManager(0)
        .restoreRows(
            RestoreRowsRequest.newBuilder()
                .addRows(
                    RestoredRow.newBuilder()
                        .setBucketId(bucketId)
                        .setRowKey(ByteString.copyFromUtf8(rowKey))
                        .setStamp(1)
                        .setWriteId(version.getWriteId())
                        .setVersion(version))
                .build());
  }

  /** One bit each, at the same address in a stripe of the first object: one more than m. */
  private static void flipOneSectorOfThreeShards(MiniStowageCluster cluster) throws Exception {
    Extent extent = extentOf(cluster, BUCKET, "f0");
    long address = extent.getOffset() + 4_096; // not the needle's header
    long segment = address / (672 * 4_096);
    long position = 32_768 + segment * (8_192 + 672 * 4_096) + 8_192 + address % (672 * 4_096) + 9;
    List<Integer> stripe = new ArrayList<>(); // on a busy machine it need not have all data shards
    for (int i = 0; i < extent.getWidth(); i++) {
      stripe.add((extent.getFirstShard() + i) % 3);
    }
    stripe.addAll(List.of(3, 4));
    for (int index : stripe.subList(0, 3)) {
      Path shard = file(cluster, String.format("%016x-%d-", extent.getContainer(), index));
      try (FileChannel file =
          FileChannel.open(shard, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
        ByteBuffer one = ByteBuffer.allocate(1);
        assertEquals(1, file.read(one, position), shard::toString);
        one.put(0, (byte) (one.get(0) ^ 1)).rewind();
        file.write(one, position);
      }
    }
  }

  private static Path file(MiniStowageCluster cluster, String prefix) throws IOException {
    for (int node = 0; node < 5; node++) {
      try (Stream<Path> files = Files.walk(cluster.disk(node, 0))) {
        Path shard =
            files
                .filter(path -> path.getFileName().toString().startsWith(prefix))
                .filter(path -> path.toString().endsWith(".shard"))
                .findFirst()
                .orElse(null);
        if (shard != null) {
          return shard;
        }
      }
    }
    throw new AssertionError("no file " + prefix);
  }

  private static long write(MiniStowageCluster cluster) throws Exception {
    Random random = new Random(3);
    long total = 0;
    try (FileSystem fs = cluster.fileSystem(BUCKET)) {
      for (int i = 0; i < FILES; i++) {
        byte[] bytes = new byte[i % 10 == 0 ? 2 << 20 : 1 + random.nextInt(20_000)];
        random.nextBytes(bytes);
        total += bytes.length;
        try (OutputStream out = fs.create(new org.apache.hadoop.fs.Path("/f" + i))) {
          out.write(bytes);
        }
      }
    }
    return total;
  }

  /** A shard of a container that no row knows. */
  private static void addOrphan(MiniStowageCluster cluster) throws Exception {
    DatanodeInfo node =
        cluster
            .containerManager()
            .listDatanodes(ListDatanodesRequest.getDefaultInstance())
            .getDatanodes(4);
    try (NetworkDatanodes datanodes = new NetworkDatanodes(ClientTls.OFF)) {
      datanodes
          .datanode(
              ShardPlace.newBuilder()
                  .setNodeId(node.getNodeId())
                  .setHost(node.getHost())
                  .setPort(node.getPort())
                  .build())
          .open(
              OpenShardRequest.newBuilder()
                  .setShard(
                      ShardKey.newBuilder()
                          .setContainer(4_711)
                          .setGeneration(1)
                          .setDiskId(node.getDisks(0).getDiskId()))
                  .setEpoch(1)
                  .setHolder(WriteId.random())
                  .setPolicy("rs-3-2")
                  .setCapacityBytes(64 << 20)
                  .setClusterId(cluster.status().getClusterId())
                  .build())
          .get();
    }
  }

  /** A version whose bytes are in a container that there never was. */
  private static void addDangling(MiniStowageCluster cluster) throws Exception {
    addRow(
        cluster,
        BUCKET,
        "dangling",
        version()
            .setLength(100)
            .setManifest(
                Manifest.newBuilder()
                    .setLength(100)
                    .addExtents(
                        Extent.newBuilder()
                            .setContainer(99)
                            .setEpoch(1)
                            .setWidth(1)
                            .setCellLength(4096)
                            .setLength(200)
                            .setHeaderLength(100)
                            .setPacked(true))));
  }

  private record Run(int exitCode, String out, String err) {
    JsonNode json() throws Exception {
      return new ObjectMapper().readTree(out);
    }
  }

  private Run stowage(String... arguments) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    CommandLine commandLine = StowageCli.commandLine();
    commandLine.setOut(new PrintWriter(out));
    commandLine.setErr(new PrintWriter(err));
    List<String> all = new ArrayList<>(List.of("--conf", conf.toString()));
    all.addAll(List.of(arguments));
    int exitCode = commandLine.execute(all.toArray(String[]::new));
    return new Run(exitCode, out.toString(), err.toString());
  }
}

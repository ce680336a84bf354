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

import io.stowage.common.id.WriteId;
import io.stowage.common.proto.DeleteObjectsRequest;
import io.stowage.common.proto.DeletedObject;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.ListObjectsReply;
import io.stowage.common.proto.ListObjectsRequest;
import io.stowage.common.proto.ObjectToDelete;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.dev.cli.Output.Bytes;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code stowage object …}. */
@Command(
    name = "object",
    mixinStandardHelpOptions = true,
    description = "List, look at and remove objects.",
    subcommands = {ObjectCommands.Ls.class, ObjectCommands.Stat.class, ObjectCommands.Rm.class})
final class ObjectCommands {
  private static final int PAGE = 1000;

  private static String etagOf(ObjectVersion version) {
    String md5 = HexFormat.of().formatHex(version.getMd5().toByteArray());
    return version.getPartCount() == 0 ? md5 : md5 + "-" + version.getPartCount();
  }

  @Command(
      name = "ls",
      mixinStandardHelpOptions = true,
      description = "List keys, a level at a time unless --recursive.")
  static final class Ls extends ClusterCommand {
    @Parameters(paramLabel = "BUCKET[/PREFIX]")
    private String place;

    @Option(
        names = {"-r", "--recursive"},
        description = "all keys under the prefix")
    private boolean recursive;

    @Option(names = "--limit", description = "at most so many (${DEFAULT-VALUE})")
    private int limit = 100_000;

    @Override
    void run(Session session, Output output) throws Exception {
      ObjectName start = ObjectName.parse(place);
      List<Map<String, Object>> rows = new ArrayList<>();
      String after = "";
      ListObjectsReply page;
      do {
        page =
            session
                .objectManager()
                .listObjects(
                    ListObjectsRequest.newBuilder()
                        .setBucket(start.bucket())
                        .setPrefix(start.key())
                        .setDelimiter(recursive ? "" : "/")
                        .setStartAfter(after)
                        .setLimit(Math.min(PAGE, limit - rows.size()))
                        .build());
        page.getCommonPrefixesList().forEach(prefix -> rows.add(row("", "", prefix)));
        for (ObjectVersion version : page.getObjectsList()) {
          rows.add(
              row(
                  timeOf(version.getModifiedMicros()),
                  new Bytes(version.getLength()),
                  version.getKey()));
        }
        after = page.getLast();
      } while (page.getMore() && rows.size() < limit);
      output.rows(rows);
    }

    private static Map<String, Object> row(String modified, Object size, String key) {
      Map<String, Object> row = new LinkedHashMap<>();
      row.put("modified", modified);
      row.put("size", size);
      row.put("key", key);
      return row;
    }
  }

  @Command(
      name = "stat",
      mixinStandardHelpOptions = true,
      description = "Everything that is known of an object, and where its bytes are.")
  static final class Stat extends ClusterCommand {
    @Parameters(paramLabel = "BUCKET/KEY")
    private String source;

    @Override
    void run(Session session, Output output) throws Exception {
      ObjectName name = ObjectName.parseWithKey(source);
      ObjectVersion version =
          session
              .objectManager()
              .getObject(
                  GetObjectRequest.newBuilder()
                      .setBucket(name.bucket())
                      .setKey(name.key())
                      .setWantManifest(true)
                      .build())
              .getVersion();
      Map<String, Object> facts = new LinkedHashMap<>();
      facts.put("key", name.key());
      facts.put("size", new Bytes(version.getLength()));
      facts.put("modified", timeOf(version.getModifiedMicros()));
      facts.put("etag", etagOf(version));
      facts.put("version", Long.toUnsignedString(version.getVersionId()));
      facts.put("stamp", Long.toUnsignedString(version.getStamp()));
      facts.put("write id", WriteId.toHex(version.getWriteId()));
      facts.put("owner", version.getMetadata().getOwner());
      facts.put("headers", new LinkedHashMap<>(version.getMetadata().getHeadersMap()));
      facts.put("user metadata", new LinkedHashMap<>(version.getMetadata().getUserMap()));
      List<Map<String, Object>> extents = new ArrayList<>();
      for (Extent extent : version.getManifest().getExtentsList()) {
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("container", HexFormat.of().toHexDigits(extent.getContainer()));
        row.put("epoch", extent.getEpoch());
        row.put("offset", extent.getOffset());
        row.put("first shard", extent.getFirstShard());
        row.put("width", extent.getWidth());
        row.put("cell", new Bytes(extent.getCellLength()));
        row.put("length", new Bytes(extent.getLength()));
        extents.add(row);
      }
      facts.put("extents", extents);
      output.facts(facts);
    }
  }

  @Command(name = "rm", mixinStandardHelpOptions = true, description = "Remove objects.")
  static final class Rm extends ClusterCommand {
    @Parameters(paramLabel = "BUCKET/KEY", arity = "1..*")
    private List<String> names;

    @Override
    void run(Session session, Output output) throws Exception {
      for (String text : names) {
        ObjectName name = ObjectName.parseWithKey(text);
        DeletedObject result =
            session
                .objectManager()
                .deleteObjects(
                    DeleteObjectsRequest.newBuilder()
                        .setBucket(name.bucket())
                        .addObjects(
                            ObjectToDelete.newBuilder()
                                .setKey(name.key())
                                .setWriteId(WriteId.random()))
                        .build())
                .getObjects(0);
        if (result.getErrorCode() != 0) {
          throw new IOException("Cannot remove " + name + ": " + result.getErrorMessage());
        }
        output.done(result.getStamp() == 0 ? name + " was not there" : "removed " + name);
      }
    }
  }
}

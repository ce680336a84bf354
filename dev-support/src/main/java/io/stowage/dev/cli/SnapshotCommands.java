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
import io.stowage.common.proto.CreateSnapshotRequest;
import io.stowage.common.proto.DeleteSnapshotRequest;
import io.stowage.common.proto.ListSnapshotsRequest;
import io.stowage.common.proto.RenameSnapshotRequest;
import io.stowage.common.proto.Snapshot;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code stowage snapshot …}. */
@Command(
    name = "snapshot",
    mixinStandardHelpOptions = true,
    description = {
      "Keep what buckets hold at a moment.",
      "It is read at stow://BUCKET/.snapshot/NAME."
    },
    subcommands = {
      SnapshotCommands.Create.class,
      SnapshotCommands.Ls.class,
      SnapshotCommands.Rename.class,
      SnapshotCommands.Rm.class
    })
final class SnapshotCommands {
  /** A command about one snapshot, there already or not. */
  abstract static class OfOne extends ClusterCommand {
    @Parameters(index = "0", paramLabel = "BUCKET")
    String bucket;

    @Parameters(index = "1", paramLabel = "NAME")
    String name;
  }

  @Command(
      name = "create",
      mixinStandardHelpOptions = true,
      description = "Takes twice as long as clocks may differ.")
  static final class Create extends OfOne {
    @Override
    void run(Session session, Output output) throws Exception {
      Snapshot made =
          session
              .objectManager()
              .createSnapshot(
                  CreateSnapshotRequest.newBuilder()
                      .setBucket(bucket)
                      .setName(name)
                      .setWriteId(WriteId.random())
                      .build())
              .getSnapshot();
      output.done("snapshot " + name + " of " + bucket + " at " + timeOf(made.getStamp()));
    }
  }

  @Command(name = "ls", mixinStandardHelpOptions = true, description = "List snapshots.")
  static final class Ls extends ClusterCommand {
    @Parameters(paramLabel = "BUCKET")
    private String bucket;

    @Override
    void run(Session session, Output output) throws Exception {
      List<Map<String, Object>> rows = new ArrayList<>();
      for (Snapshot snapshot :
          session
              .objectManager()
              .listSnapshots(ListSnapshotsRequest.newBuilder().setBucket(bucket).build())
              .getSnapshotsList()) {
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("at", timeOf(snapshot.getStamp()));
        row.put("snapshot", snapshot.getName());
        rows.add(row);
      }
      output.rows(rows);
    }
  }

  @Command(name = "rename", mixinStandardHelpOptions = true, description = "Rename a snapshot.")
  static final class Rename extends OfOne {
    @Parameters(index = "2", paramLabel = "NEW-NAME")
    private String newName;

    @Override
    void run(Session session, Output output) throws Exception {
      session
          .objectManager()
          .renameSnapshot(
              RenameSnapshotRequest.newBuilder()
                  .setBucket(bucket)
                  .setName(name)
                  .setNewName(newName)
                  .build());
      output.done("renamed snapshot " + name + " to " + newName);
    }
  }

  @Command(
      name = "rm",
      mixinStandardHelpOptions = true,
      description = "Remove a snapshot; its space is free after a collector's next full run.")
  static final class Rm extends OfOne {
    @Override
    void run(Session session, Output output) throws Exception {
      session
          .objectManager()
          .deleteSnapshot(
              DeleteSnapshotRequest.newBuilder().setBucket(bucket).setName(name).build());
      output.done("removed snapshot " + name + " of " + bucket);
    }
  }
}

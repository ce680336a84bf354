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
package io.stowage.dev.fsck;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.FindPathReply;
import io.stowage.common.proto.FindPathRequest;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.RestoreOutcome;
import io.stowage.common.proto.RestoreRowsRequest;
import io.stowage.common.proto.RestoredRow;
import io.stowage.common.time.StoreClock;
import io.stowage.s3.payload.HashKind;
import java.io.IOException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.Map;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * After rows of FILE_SYSTEM buckets were restored: makes trees of them again. Confined to one
 * thread.
 *
 * <p>Rows are restored by themselves, and the record of a directory may be among those that a loss
 * takes: then what is in it is there and nothing leads to it. Such a directory gets an entry in
 * {@code lost+found} of its bucket, by its id. An entry too many is taken out. Both only if two
 * scans find it so ({@link TreeScan}), and the second only if its head is still the same.
 *
 * <p>Where the tables are those of an older day, directories are full there that were removed
 * since. Those that no entry leads to any more get their anchors back, which makes collectors empty
 * them, and what is below them in turn.
 */
final class TreeMending {
  private static final String LOST_AND_FOUND = "lost+found";

  /** Names that are tried for it: somebody may have a file of that name. */
  private static final int MOST_NAMES = 8;

  private final Cluster cluster;
  private final Map<Long, BucketInfo> buckets;
  private final Path directory;
  private final Progress progress;
  private final RebuildReport report;
  private final SecureRandom random = new SecureRandom();

  TreeMending(
      Cluster cluster,
      Map<Long, BucketInfo> buckets,
      Path directory,
      Progress progress,
      RebuildReport report) {
    this.cluster = cluster;
    this.buckets = buckets;
    this.directory = directory;
    this.progress = progress;
    this.report = report;
  }

  /**
   * Mends.
   *
   * @param told what the containers say of directories
   */
  void mend(DirectoryTree told) throws IOException {
    try (DirectoryTree first =
        TreeScan.scan(cluster, buckets, directory, "directories", progress)) {
      if (first.isWhole()) {
        return;
      }
      for (DirectoryTree.Lost lost : first.lost()) {
        if (told.isRemoved(lost.bucketId(), lost.directoryId())) {
          restore(lost.bucketId(), EntryRow.anchor(lost.directoryId()), lost.directoryId());
          report.directoriesRemoved++;
        }
      }
      try (DirectoryTree second =
          TreeScan.scan(cluster, buckets, directory, "directories-again", progress)) {
        for (DirectoryTree.TooMany entry : second.tooMany()) {
          if (first.tooMany().contains(entry)) {
            takeOut(entry);
          }
        }
        for (DirectoryTree.Lost lost : second.lost()) {
          if (first.lost().contains(lost)) {
            enter(lost);
          }
        }
      }
    }
  }

  private void takeOut(DirectoryTree.TooMany entry) throws StoreException {
    // Just above the head that was seen: any that came since is newer, and stays.
    boolean done =
        restore(
            RestoredRow.newBuilder()
                .setBucketId(entry.bucketId())
                .setRowKey(entry.rowKey())
                .setStamp(entry.stamp() + 1)
                .setWriteId(WriteId.random())
                .build());
    if (done) {
      report.entriesTakenOut++;
    }
  }

  private void enter(DirectoryTree.Lost lost) throws StoreException {
    BucketInfo bucket = buckets.get(lost.bucketId());
    String name = DirectoryTree.nameOfLost(lost.directoryId());
    long foundId = EntryRow.ROOT;
    String foundName = LOST_AND_FOUND;
    for (int i = 0; foundId == EntryRow.ROOT; i++) {
      if (i == MOST_NAMES) {
        report.addProblem(
            "bucket "
                + bucket.getName()
                + ": nothing leads to directory "
                + name
                + ", and there is no "
                + LOST_AND_FOUND
                + " to enter it in");
        return;
      }
      foundName = i == 0 ? LOST_AND_FOUND : LOST_AND_FOUND + "." + i;
      foundId = lostAndFound(bucket, foundName);
    }
    restore(bucket.getId(), new EntryRow(foundId, name), lost.directoryId());
    report.addProblem(
        "bucket "
            + bucket.getName()
            + ": what directory "
            + name
            + " was called is not known any more; it is "
            + foundName
            + "/"
            + name);
  }

  /** The id of the directory of that name in the root; 0 if something else has the name. */
  private long lostAndFound(BucketInfo bucket, String name) throws StoreException {
    try {
      FindPathReply found =
          cluster
              .namespace()
              .findPath(
                  FindPathRequest.newBuilder().setBucket(bucket.getName()).setPath(name).build());
      return found.getVersion().getDirectoryId();
    } catch (StoreException e) {
      if (e.code() != ErrorCode.NO_SUCH_KEY) {
        throw e;
      }
    }
    long id = random.nextLong();
    return restore(bucket.getId(), new EntryRow(EntryRow.ROOT, name), id) ? id : EntryRow.ROOT;
  }

  /** That a row is the entry, or anchor, of a directory, from now on. */
  private boolean restore(long bucketId, EntryRow row, long directoryId) throws StoreException {
    long now = StoreClock.system().wallMicros();
    ByteString writeId = WriteId.random();
    return restore(
        RestoredRow.newBuilder()
            .setBucketId(bucketId)
            .setRowKey(row.rowKey())
            .setStamp(now)
            .setWriteId(writeId)
            .setVersion(
                ObjectVersion.newBuilder()
                    .setWriteId(writeId)
                    .setVersionId(now)
                    .setModifiedMicros(now)
                    .setMd5(ByteString.copyFrom(HashKind.MD5.newHasher().digest()))
                    .setMetadata(
                        ObjectMetadata.newBuilder().setOwner(buckets.get(bucketId).getOwner()))
                    .setDirectoryId(directoryId))
            .build());
  }

  private boolean restore(RestoredRow row) throws StoreException {
    RestoreOutcome outcome =
        cluster
            .namespace()
            .restoreRows(RestoreRowsRequest.newBuilder().addRows(row).build())
            .getOutcomes(0);
    return outcome == RestoreOutcome.RESTORE_DONE;
  }

  /** A directory as findings name it. */
  static String where(BucketInfo bucket, long directoryId) {
    return "bucket " + bucket.getName() + " directory " + HexFormat.of().toHexDigits(directoryId);
  }
}

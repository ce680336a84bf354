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

import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.BucketLayout;
import io.stowage.common.proto.ListBucketsReply;
import io.stowage.common.proto.ListBucketsRequest;
import io.stowage.common.proto.NamedExtents;
import io.stowage.common.proto.ScanNamespaceReply;
import io.stowage.common.proto.ScanNamespaceRequest;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.UnsafeByteOperations;

/**
 * Reads the trees of buckets of layout FILE_SYSTEM from the object table. A scan takes its time,
 * and a directory that is renamed meanwhile may be missed or met twice: what is to be believed has
 * to be said by two scans, one after the other. Stateless.
 */
final class TreeScan {
  private static final int PAGE = 1_000;
  private static final int BUCKET_ID_BYTES = Long.BYTES;

  private TreeScan() {}

  /** The buckets that have directories, by their ids. */
  static Map<Long, BucketInfo> buckets(ObjectManager namespace) throws StoreException {
    Map<Long, BucketInfo> found = new TreeMap<>();
    String after = "";
    boolean more = true;
    while (more) {
      ListBucketsReply page =
          namespace.listBuckets(ListBucketsRequest.newBuilder().setAfter(after).build());
      for (BucketInfo bucket : page.getBucketsList()) {
        after = bucket.getName();
        if (bucket.getLayout() == BucketLayout.FILE_SYSTEM) {
          found.put(bucket.getId(), bucket);
        }
      }
      more = page.getMore() && page.getBucketsCount() > 0;
    }
    return found;
  }

  /**
   * The trees as a scan of their rows finds them; to be closed.
   *
   * @param name of what is sorted, in the directory
   */
  static DirectoryTree scan(
      Cluster cluster,
      Map<Long, BucketInfo> buckets,
      Path directory,
      String name,
      Progress progress)
      throws IOException {
    DirectoryTree tree = new DirectoryTree(directory, name);
    long done = 0;
    try {
      for (long bucketId : buckets.keySet()) {
        ByteString prefix = rowOf(bucketId, ByteString.EMPTY);
        ByteString after = prefix;
        boolean more = true;
        while (more) {
          ScanNamespaceReply page =
              cluster
                  .namespace()
                  .scanNamespace(
                      ScanNamespaceRequest.newBuilder()
                          .setAfterRow(after)
                          .setLimit(PAGE)
                          .setWantAll(true)
                          .build());
          for (NamedExtents row : page.getNamedList()) {
            if (row.getRow().startsWith(prefix)) {
              add(tree, row);
            }
          }
          done += page.getRows();
          progress.at("rows of trees looked at", done, 0);
          after = page.getLastRow();
          more = page.getMore() && after.startsWith(prefix);
        }
      }
      return tree;
    } catch (IOException e) {
      tree.close();
      throw e;
    }
  }

  /** A row of a bucket that has directories. */
  static void add(DirectoryTree tree, NamedExtents row) throws IOException {
    if (row.getPartNumber() == 0) {
      tree.add(bucketOf(row.getRow()), keyOf(row.getRow()), row.getDirectoryId(), row.getStamp());
    }
  }

  static long bucketOf(ByteString row) {
    return row.asReadOnlyByteBuffer().getLong();
  }

  static ByteString keyOf(ByteString row) {
    return row.substring(BUCKET_ID_BYTES);
  }

  static ByteString rowOf(long bucketId, ByteString rowKey) {
    return UnsafeByteOperations.unsafeWrap(
            ByteBuffer.allocate(BUCKET_ID_BYTES).putLong(bucketId).array())
        .concat(rowKey);
  }

  /** What a row holds at present, with its version's manifest; null if nothing. */
  static NamedExtents look(ObjectManager namespace, ByteString row) throws StoreException {
    ScanNamespaceReply now =
        namespace.scanNamespace(
            ScanNamespaceRequest.newBuilder()
                .setAfterRow(justBefore(row))
                .setLimit(2)
                .setWantAll(true)
                .build());
    for (NamedExtents one : now.getNamedList()) {
      if (one.getRow().equals(row) && one.getPartNumber() == 0 && one.getVersionId() == 0) {
        return one;
      }
    }
    return null;
  }

  /** A row key between the one given and every other that is before it. */
  static ByteString justBefore(ByteString row) {
    int last = row.byteAt(row.size() - 1) & 0xFF;
    ByteString shorter = row.substring(0, row.size() - 1);
    return last == 0
        ? shorter
        : shorter.concat(ByteString.copyFrom(new byte[] {(byte) (last - 1), -1, -1, -1}));
  }
}

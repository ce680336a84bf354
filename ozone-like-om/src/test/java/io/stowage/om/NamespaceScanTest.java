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
package io.stowage.om;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.NamedExtents;
import io.stowage.common.proto.ScanNamespaceReply;
import io.stowage.common.proto.ScanNamespaceRequest;
import io.stowage.common.proto.UploadedPart;
import io.stowage.common.proto.Versioning;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.RowChange;
import java.io.IOException;
import java.time.Duration;
import java.util.HashSet;
import java.util.Set;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;

/** What pages of a scan of the namespace tell together, where answers are ended early. */
class NamespaceScanTest {
  private static final String BUCKET = "scanned";

  /** Five of these are more than an answer takes. */
  private static final int EXTENTS = 100_000;

  private final TestOm om = TestOm.inMemory();

  private ByteString row(String key) throws StoreException {
    return ObjectRowLayout.row(om.bucketId(BUCKET), key);
  }

  private void largeUpload(String key) throws IOException {
    ByteString upload = WriteId.random();
    Manifest manifest = TestOm.manifest(EXTENTS, EXTENTS);
    for (int number = 1; number <= 5; number++) {
      long stamp = om.clock.wallMicros();
      om.objects.mutate(
          row(key),
          new RowChange(stamp)
              .put(
                  ObjectRowLayout.part(upload, number),
                  UploadedPart.newBuilder()
                      .setNumber(number)
                      .setWriteId(WriteId.random())
                      .setManifest(manifest)
                      .build()
                      .toByteString()),
          Duration.ofSeconds(60));
    }
  }

  @Test
  void nothingIsPassedByBehindTheLargeUploadsOfAKey() throws Exception {
    om.createBucket(BUCKET);
    om.setVersioning(BUCKET, Versioning.ENABLED);
    Set<ByteString> written = new HashSet<>();
    for (String key : new String[] {"a", "b", "b", "b", "c"}) {
      written.add(om.put(BUCKET, key, "content").getWriteId());
    }
    largeUpload("0");
    largeUpload("b");
    largeUpload("c");
    largeUpload("d");
    Set<ByteString> told = new HashSet<>();
    int parts = 0;
    ScanNamespaceReply page = ScanNamespaceReply.newBuilder().setMore(true).build();
    while (page.getMore()) {
      page =
          om.om.scanNamespace(
              ScanNamespaceRequest.newBuilder()
                  .setAfterRow(page.getLastRow())
                  .setAfterVersionId(page.getLastVersionId())
                  .build());
      assertTrue(page.getSerializedSize() < 64 << 20, "size of an answer");
      for (NamedExtents named : page.getNamedList()) {
        told.add(named.getWriteId());
        parts += named.getPartNumber() > 0 ? 1 : 0;
      }
    }
    assertTrue(told.containsAll(written), "versions are missing");
    assertEquals(4 * 5, parts);
  }
}

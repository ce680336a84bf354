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
package io.stowage.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.stowage.client.twin.InMemoryObjectManager;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.time.StoreClock;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class MovedVersionTest {
  private final InMemoryObjectManager namespace =
      new InMemoryObjectManager(StoreClock.system(), "rs-3-2");
  private final StoreException gone = new StoreException(ErrorCode.NO_SUCH_CONTAINER, "gone");
  private ObjectVersion read;

  @BeforeEach
  void put() throws StoreException {
    namespace.createBucket(
        CreateBucketRequest.newBuilder().setName("b").setWriteId(WriteId.random()).build());
    read = putAnew();
  }

  private ObjectVersion putAnew() throws StoreException {
    return namespace
        .putObject(
            PutObjectRequest.newBuilder()
                .setBucket("b")
                .setKey("k")
                .setWriteId(WriteId.random())
                .setManifest(in(1))
                .build())
        .getVersion();
  }

  private static Manifest in(long container) {
    return Manifest.newBuilder().addExtents(Extent.newBuilder().setContainer(container)).build();
  }

  @Test
  void isFoundWhereItsBytesAreNow() throws StoreException {
    namespace.repack("b", "k", before -> in(2));
    ObjectVersion found = MovedVersion.find(namespace, "b", read, gone).getVersion();
    assertEquals(in(2), found.getManifest());
    assertEquals(read.getWriteId(), found.getWriteId());
  }

  @Test
  void oneThatWasReplacedIsNotAndTheReadsOwnFailureIsToldWithTheReason() throws StoreException {
    putAnew();
    StoreException told =
        assertThrows(StoreException.class, () -> MovedVersion.find(namespace, "b", read, gone));
    assertSame(gone, told);
    assertEquals(1, gone.getSuppressed().length);
  }

  @Test
  void nobodyIsAskedForAFailureThatIsNotOfPlaces() throws StoreException {
    namespace.repack("b", "k", before -> in(2));
    StoreException corrupt = new StoreException(ErrorCode.CORRUPT_DATA, "corrupt");
    StoreException told =
        assertThrows(StoreException.class, () -> MovedVersion.find(namespace, "b", read, corrupt));
    assertSame(corrupt, told);
    assertEquals(0, corrupt.getSuppressed().length);
  }
}

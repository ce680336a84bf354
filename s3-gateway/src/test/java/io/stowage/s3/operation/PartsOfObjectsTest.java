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
package io.stowage.s3.operation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.stowage.common.proto.ObjectVersion;
import io.stowage.s3.error.S3Exception;
import java.util.List;
import org.junit.jupiter.api.Test;

class PartsOfObjectsTest {
  @Test
  void partsFollowOneAnother() throws S3Exception {
    ObjectVersion version =
        ObjectVersion.newBuilder()
            .setLength(7)
            .setPartCount(2)
            .addAllPartLengths(List.of(5L, 2L))
            .build();
    assertEquals(new ByteRange(0, 5), GetObject.part(version, 1));
    assertEquals(new ByteRange(5, 2), GetObject.part(version, 2));
    assertThrows(S3Exception.class, () -> GetObject.part(version, 3));
  }

  /** An older fsck restores such files without their part's length. */
  @Test
  void theOnlyPartIsTheWholeWhoeverSaysItsLength() throws S3Exception {
    for (int parts : new int[] {0, 1}) {
      ObjectVersion version = ObjectVersion.newBuilder().setLength(7).setPartCount(parts).build();
      assertEquals(new ByteRange(0, 7), GetObject.part(version, 1));
      assertThrows(S3Exception.class, () -> GetObject.part(version, 2));
    }
  }
}

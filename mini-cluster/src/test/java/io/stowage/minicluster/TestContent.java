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
package io.stowage.minicluster;

import static org.junit.jupiter.api.Assertions.assertNull;

import java.util.Arrays;
import java.util.Map;
import java.util.SplittableRandom;
import software.amazon.awssdk.services.s3.S3Client;

/** Bytes that follow from a name and a length, so that whoever reads can tell right from wrong. */
final class TestContent {
  private TestContent() {}

  static byte[] of(String name, int length) {
    byte[] bytes = new byte[length];
    new SplittableRandom(name.hashCode() * 31L + length).nextBytes(bytes);
    return bytes;
  }

  /** Null if bytes are what {@link #of} gives for them, else what differs. */
  static String mismatch(String name, int length, byte[] bytes) {
    byte[] expected = of(name, length);
    int at = Arrays.mismatch(expected, bytes);
    return at < 0
        ? null
        : name + ": " + bytes.length + " bytes instead of " + length + ", wrong from byte " + at;
  }

  /**
   * Reads objects back whole.
   *
   * @param lengths in bytes, by key
   */
  static void assertReads(S3Client s3, String bucket, Map<String, Integer> lengths) {
    lengths.forEach(
        (key, length) ->
            assertNull(
                mismatch(
                    key,
                    length,
                    s3.getObjectAsBytes(b -> b.bucket(bucket).key(key)).asByteArray())));
  }
}

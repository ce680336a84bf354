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
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.xml.XmlElement;
import io.stowage.s3.xml.XmlOut;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class RulesTest {
  @ParameterizedTest
  @ValueSource(strings = {"abc", "a.b.c", "123", "a-b", "my.bucket-1", "0.1.2", "a--b"})
  void namesThatBucketsCanHave(String name) {
    assertTrue(BucketNames.isValid(name));
    assertTrue(BucketNames.isValid("a".repeat(63)));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "ab",
        "",
        "Abc",
        "a_b",
        "-ab",
        "ab-",
        ".ab",
        "ab.",
        "a..b",
        "a.-b",
        "192.168.0.1",
        "xn--abc",
        "x-s3alias",
        "a b",
        "bücher"
      })
  void namesThatBucketsCannotHave(String name) {
    assertFalse(BucketNames.isValid(name));
    assertFalse(BucketNames.isValid("a".repeat(64)));
  }

  @Test
  void addressesComeFromPathOrHost() throws Exception {
    List<String> domains = List.of("localhost", "s3.example.com");
    assertEquals(new S3Address(null, null), S3Address.of("127.0.0.1:1", "/", domains));
    assertEquals(new S3Address("b", null), S3Address.of("localhost:1", "/b", domains));
    assertEquals(new S3Address("b", null), S3Address.of("localhost", "/b/", domains));
    assertEquals(new S3Address("b", "/k/"), S3Address.of(null, "/b//k/", domains));
    assertEquals(new S3Address("a.b", "k"), S3Address.of("A.b.S3.Example.com:80", "/k", domains));
    assertEquals(new S3Address("b", null), S3Address.of("b.localhost", "/", domains));
    assertEquals(new S3Address("k", null), S3Address.of("notlocalhost", "/k", domains));
    assertEquals(new S3Address("b", "k"), S3Address.of("[::1]:9878", "/b/k", domains));
  }

  @Test
  void rangesFollowHttp() throws Exception {
    assertEquals(new ByteRange(0, 1), ByteRange.of("bytes=0-0", 10));
    assertEquals(new ByteRange(3, 7), ByteRange.of("bytes=3-", 10));
    assertEquals(new ByteRange(8, 2), ByteRange.of("bytes=-2", 10));
    assertEquals(new ByteRange(0, 10), ByteRange.of("bytes=-99999999999999999999", 10));
    assertEquals(new ByteRange(0, 10), ByteRange.of("bytes=0-99999999999999999999", 10));
    assertEquals("bytes 3-9/10", ByteRange.of("bytes=3-", 10).contentRange(10));
    for (String ignored :
        new String[] {"bytes=", "bytes=-", "bytes=5-4", "b=1-2", "bytes=1-2,4-5"}) {
      assertNull(ByteRange.of(ignored, 10));
    }
    for (String beyond : new String[] {"bytes=10-", "bytes=10-11", "bytes=-0"}) {
      assertThrows(S3Exception.class, () -> ByteRange.of(beyond, 10));
    }
    assertThrows(S3Exception.class, () -> ByteRange.of("bytes=0-", 0));
    assertThrows(S3Exception.class, () -> ByteRange.ofCopySource("bytes=5-10", 10));
    assertEquals(new ByteRange(5, 5), ByteRange.ofCopySource("bytes=5-9", 10));
  }

  @Test
  void locksMayLastForLongerThanNanosecondsCount() {
    assertEquals(10_413_792_000_000_000L, LockHeaders.parse("2300-01-01T00:00:00Z"));
    assertEquals(253_402_300_799_000_001L, LockHeaders.parse("9999-12-31T23:59:59.000001Z"));
    assertEquals(-1, LockHeaders.parse("+999999999-01-01T00:00:00Z"));
    assertEquals(-1, LockHeaders.parse("for ever"));
  }

  @Test
  void continuationTokensComeBack() throws Exception {
    for (String key : List.of("a", "ü/😀", "x".repeat(1024))) {
      assertEquals(key, ContinuationToken.decode(ContinuationToken.encode(key)));
    }
  }

  @Test
  void headersOfOtherAlphabetsAreEncodedWords() {
    assertEquals("=?UTF-8?B?w7w=?=", WireText.toWire(WireText.fromWire("\u00c3\u00bc")));
    assertEquals("plain", WireText.toWire(WireText.fromWire("plain")));
    // The readable encoding where most bytes are ASCII.
    assertEquals("=?UTF-8?Q?a_=3D_Mini=C3=B6?=", WireText.toWire("a = Mini\u00f6"));
    assertEquals("=?UTF-8?B?YcO2?=", WireText.toWire("a\u00f6"));
    for (String sent :
        List.of(
            "=?UTF-8?B?bcO2?=",
            "=?utf-8?q?m=C3=B6?=",
            "=?UTF-8?Q?m=c3=b6?=",
            "=?UTF-8?Q?m?= =?UTF-8?B?w7Y=?=")) {
      assertEquals("m\u00f6", WireText.fromWire(sent), sent);
    }
    assertEquals("a b", WireText.fromWire("=?UTF-8?Q?a_b?="));
    for (String asItIs :
        List.of(
            "=?UTF-8?Q?m=C3?=", // half a letter
            "=?UTF-8?Q?m=0D=0A?=", // would end the header
            "=?UTF-8?Q?m=C?=",
            "=?UTF-8?B?*?=",
            "=?UTF-16?B?AAA=?=",
            "x =?UTF-8?Q?a?=",
            "=?UTF-8?Q?")) {
      assertEquals(asItIs, WireText.fromWire(asItIs));
    }
  }

  @Test
  void documentsEscapeEverythingAndParseBack() throws Exception {
    String text = "<&>\"'\t\n ü😀]]>";
    String document = XmlOut.document("A").open("B").text("C", text).finish();
    XmlElement parsed = XmlElement.parse(document.getBytes(StandardCharsets.UTF_8), "A");
    assertEquals(text, parsed.children("B").get(0).childText("C"));
    assertTrue(XmlOut.document("A").text("C", "\u0001").finish().contains("&#x1;"));
  }

  @ParameterizedTest
  @EnumSource
  void everyErrorOfTheStoreHasAnS3Error(ErrorCode code) {
    S3Error error = S3Error.of(code);
    boolean callers = code.blame() == ErrorCode.Blame.CALLER;
    assertEquals(callers, error.status() < 500, code + " -> " + error);
    assertNotEquals(0, error.message().length());
  }
}

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
package io.stowage.dev.s3;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class S3SignerTest {
  // The worked examples of "Signature Calculations for the Authorization Header" in the S3 API
  // reference.
  private final S3Signer signer =
      new S3Signer(
          new S3Credentials(
              "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1"));

  @Test
  void signsTheGetOfTheReference() {
    SortedMap<String, String> headers = headers(S3Signer.EMPTY_PAYLOAD);
    headers.put("range", "bytes=0-9");
    String authorization =
        signer.authorization("GET", "/test.txt", "", headers, S3Signer.EMPTY_PAYLOAD);
    assertEquals(
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            + "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
            + "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        authorization);
  }

  @Test
  void signsTheListingOfTheReference() {
    String authorization =
        signer.authorization(
            "GET",
            "/",
            "max-keys=2&prefix=J",
            headers(S3Signer.EMPTY_PAYLOAD),
            S3Signer.EMPTY_PAYLOAD);
    assertEquals(
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        authorization.substring(authorization.indexOf("Signature=") + "Signature=".length()));
  }

  @Test
  void encodesAllButUnreservedCharacters() {
    assertEquals("a/b%20c%2Bd~%C3%A9", S3Signer.encode("a/b c+d~é", true));
    assertEquals("a%2Fb", S3Signer.encode("a/b", false));
  }

  private static SortedMap<String, String> headers(String payloadHash) {
    SortedMap<String, String> headers = new TreeMap<>();
    headers.put("host", "examplebucket.s3.amazonaws.com");
    headers.put("x-amz-content-sha256", payloadHash);
    headers.put("x-amz-date", "20130524T000000Z");
    return headers;
  }
}

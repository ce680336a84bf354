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
package io.stowage.s3.auth;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.HttpHeaders;
import io.stowage.s3.error.S3Exception;
import org.junit.jupiter.api.Test;

/** The examples of Amazon's page on version 2, "Signing and authenticating REST requests". */
class SignatureV2Test {
  private static final String SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

  private static String sign(
      String method, String target, String date, String hostBucket, String... headers)
      throws S3Exception {
    HttpHeaders all = new DefaultHttpHeaders();
    for (int i = 0; i < headers.length; i += 2) {
      all.add(headers[i], headers[i + 1]);
    }
    return SignatureV2.sign(
        SECRET,
        SignatureV2.stringToSign(method, RequestTarget.parse(target), all, date, hostBucket));
  }

  @Test
  void objectsInHostStyle() throws S3Exception {
    assertEquals(
        "bWq2s1WEIj+Ydj0vQ697zp+IXMU=",
        sign("GET", "/photos/puppy.jpg", "Tue, 27 Mar 2007 19:36:42 +0000", "johnsmith"));
    assertEquals(
        "MyyxeRY7whkBe+bq8fHCL/2kKUg=",
        sign(
            "PUT",
            "/photos/puppy.jpg",
            "Tue, 27 Mar 2007 21:15:45 +0000",
            "johnsmith",
            "Content-Type",
            "image/jpeg",
            "Content-Length",
            "94328"));
  }

  @Test
  void parametersCountOnlyWhereTheyNameAResource() throws S3Exception {
    assertEquals(
        "htDYFYduRNen8P9ZfE/s9SuKy0U=",
        sign(
            "GET",
            "/?prefix=photos&max-keys=50&marker=puppy",
            "Tue, 27 Mar 2007 19:42:41 +0000",
            "johnsmith"));
    assertEquals(
        "c2WLPFtWHVgbEmeEG93a4cG37dM=",
        sign("GET", "/?acl", "Tue, 27 Mar 2007 19:44:46 +0000", "johnsmith"));
  }

  @Test
  void amzHeadersAreSortedAndJoined() throws S3Exception {
    assertEquals(
        "ilyl83RwaSoYIEdixDQcA4OnAnc=",
        sign(
            "PUT",
            "/db-backup.dat.gz",
            "Tue, 27 Mar 2007 21:06:08 +0000",
            "static.johnsmith.net",
            "x-amz-acl",
            "public-read",
            "content-type",
            "application/x-download",
            "Content-MD5",
            "4gJE4saaMU4BqNR0kLY+lw==",
            "X-Amz-Meta-ReviewedBy",
            "joe@johnsmith.net",
            "X-Amz-Meta-ReviewedBy",
            "jane@johnsmith.net",
            "X-Amz-Meta-FileChecksum",
            "0x02661779",
            "X-Amz-Meta-ChecksumAlgorithm",
            "crc32",
            "Content-Disposition",
            "attachment; filename=database.dat"));
  }

  @Test
  void thePathIsTakenAsSent() throws S3Exception {
    assertEquals(
        "qGdzdERIC03wnaRNKh6OqZehG9s=", sign("GET", "/", "Wed, 28 Mar 2007 01:29:59 +0000", null));
    assertEquals(
        "DNEZGsoieTZ92F3bUfSPQcbGmlM=",
        sign(
            "GET",
            "/dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re",
            "Wed, 28 Mar 2007 01:49:49 +0000",
            null));
  }
}

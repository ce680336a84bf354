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

import io.netty.handler.codec.http.HttpHeaderNames;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.Checksum;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.xml.XmlOut;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * GetObjectAttributes: what is asked for of ETag, checksum, parts, storage class and size. Parts
 * are listed, with their sizes and checksums, where the whole's checksum is composite; of others S3
 * tells their number only.
 */
final class GetObjectAttributes implements Operation {
  private static final String HEADER = "x-amz-object-attributes";
  private static final Set<String> KNOWN =
      Set.of("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize");
  private static final int MOST_PARTS = 1_000;

  private final Backend backend;

  GetObjectAttributes(Backend backend) {
    this.backend = backend;
  }

  @Override
  public String action() {
    return "s3:GetObjectAttributes";
  }

  @Override
  public Response handle(S3Call call) throws S3Exception, StoreException {
    ObjectHeaders.refuseUnsupported(call.headers());
    Set<String> asked = asked(call.headers().getAll(HEADER));
    ObjectVersion version = Versions.find(backend, call, true).getVersion();
    backend.encryption().checkToSee(call, version);
    XmlOut out = XmlOut.document("GetObjectAttributesResponse");
    if (asked.contains("ETag")) {
      out.text("ETag", Etags.of(version));
    }
    if (asked.contains("Checksum") && version.getChecksumsCount() > 0) {
      out.open("Checksum");
      // Here a composite checksum is told without the number of parts.
      Checksums.write(out, version.getChecksumsList(), 0, true);
      out.close();
    }
    if (asked.contains("ObjectParts") && version.getPartCount() > 0) {
      parts(call, version, out);
    }
    if (asked.contains("StorageClass")) {
      out.text("StorageClass", ObjectHeaders.storageClass(version.getMetadata()));
    }
    if (asked.contains("ObjectSize")) {
      out.text("ObjectSize", version.getLength());
    }
    Response response =
        Response.xml(200, out.finish())
            .header(HttpHeaderNames.LAST_MODIFIED, Times.http(version.getModifiedMicros()));
    return Versions.identify(response, call.bucket(), version);
  }

  private static Set<String> asked(List<String> headers) throws S3Exception {
    Set<String> asked = new HashSet<>();
    for (String header : headers) {
      for (String name : header.split(",", -1)) {
        if (!KNOWN.contains(name.strip())) {
          throw S3Call.invalid(HEADER, name.strip(), "Invalid attribute name specified.");
        }
        asked.add(name.strip());
      }
    }
    if (asked.isEmpty()) {
      throw new S3Exception(
          S3Error.INVALID_REQUEST, "Missing required header for this request: " + HEADER);
    }
    return asked;
  }

  private static void parts(S3Call call, ObjectVersion version, XmlOut out) throws S3Exception {
    if (!Checksums.areComposite(version)) {
      out.open("ObjectParts").text("PartsCount", version.getPartCount()).close();
      return;
    }
    int marker = number(call, "x-amz-part-number-marker", 0, version.getPartCount());
    int limit =
        Math.min(MOST_PARTS, number(call, "x-amz-max-parts", MOST_PARTS, Integer.MAX_VALUE));
    int end = Math.min(version.getPartLengthsCount(), marker + limit);
    out.open("ObjectParts").text("PartsCount", version.getPartCount());
    out.text("PartNumberMarker", marker);
    out.text("NextPartNumberMarker", end);
    out.text("MaxParts", limit);
    out.text("IsTruncated", end < version.getPartLengthsCount());
    for (int number = marker + 1; number <= end; number++) {
      out.open("Part").text("PartNumber", number);
      out.text("Size", version.getPartLengths(number - 1));
      Checksum checksum = Checksums.ofPart(version, number);
      if (checksum != null) {
        Checksums.write(out, List.of(checksum), 0, false);
      }
      out.close();
    }
    out.close();
  }

  private static int number(S3Call call, String header, int absent, int most) throws S3Exception {
    String text = call.header(header);
    if (text == null) {
      return absent;
    }
    try {
      int value = Integer.parseInt(text);
      if (value >= 0) {
        return Math.min(value, most);
      }
    } catch (NumberFormatException e) {
      throw S3Call.invalid(header, text, "Provided " + header + " not an integer");
    }
    throw S3Call.invalid(header, text, "Argument " + header + " must not be negative");
  }
}

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

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.Checksum;
import io.stowage.common.proto.CompletePart;
import io.stowage.common.proto.CompleteUploadRequest;
import io.stowage.common.proto.ListPartsReply;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.UploadInfo;
import io.stowage.common.proto.UploadedPart;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.payload.DeclaredChecksum;
import io.stowage.s3.payload.HashKind;
import io.stowage.s3.payload.PartChecksums;
import io.stowage.s3.xml.XmlElement;
import io.stowage.s3.xml.XmlOut;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * POST ?uploadId of a key. The gateway checks what the client claims of the parts and of the whole
 * against the checksums that it kept with each part; the namespace then freezes the parts, checks
 * their entity tags once more and commits. The upload's id is the commit's write id too, so that a
 * client that lost the answer and asks again is told of the same success.
 */
final class CompleteMultipartUpload implements Operation {
  /** 10,000 parts with ETag, number and checksum. */
  private static final int LARGEST_DOCUMENT = 4 << 20;

  private static final int PAGE = 1000;

  private final Backend backend;

  CompleteMultipartUpload(Backend backend) {
    this.backend = backend;
  }

  @Override
  public String action() {
    return "s3:PutObject";
  }

  @Override
  public Response handle(S3Call call) throws S3Exception, StoreException {
    ByteString id = Uploads.id(call);
    // Checksum headers describe the object here, not this body.
    XmlElement document = call.documentUnvouched("CompleteMultipartUpload", LARGEST_DOCUMENT);
    if (document == null) {
      throw new S3Exception(S3Error.MALFORMED_XML);
    }
    List<XmlElement> named = document.children("Part");
    if (named.isEmpty() || named.size() > Uploads.MOST_PARTS) {
      throw new S3Exception(S3Error.MALFORMED_XML);
    }
    CompleteUploadRequest.Builder request =
        CompleteUploadRequest.newBuilder()
            .setBucket(call.bucketName())
            .setKey(call.key())
            .setUploadId(id)
            .setWriteId(id)
            .setEvent(
                Events.note(backend, call, "ObjectCreated:CompleteMultipartUpload", call.key()))
            .setCondition(Preconditions.ofWrite(call.headers()));
    for (XmlElement part : named) {
      request.addParts(part(part));
    }
    checkOrder(request.getPartsList());
    call.mayTakeLong(Response.empty(200));
    try {
      Map<Integer, UploadedPart> kept = new HashMap<>();
      UploadInfo upload = readParts(call, id, kept);
      Response known = Response.empty(200);
      ObjectEncryption.describe(upload.getMetadata().getEncryption(), known);
      call.mayTakeLong(known);
      check(call, request, named, kept, upload);
    } catch (StoreException e) {
      // Perhaps completed by an earlier call whose answer was lost: the namespace knows.
      if (e.code() != ErrorCode.NO_SUCH_UPLOAD) {
        throw e;
      }
    } catch (S3Exception e) {
      if (isThere(call, id)) { // else its parts went while we read them
        throw e;
      }
    }
    ObjectVersion version = backend.namespace().completeUpload(request.build()).getVersion();
    Events.happened(backend, call, request.getEvent(), call.key(), version, version.getStamp());
    XmlOut out = XmlOut.document("CompleteMultipartUploadResult");
    out.text("Location", location(call));
    out.text("Bucket", call.bucketName());
    out.text("Key", call.key());
    out.text("ETag", Etags.quoted(Etags.of(version)));
    Checksums.write(out, version.getChecksumsList(), version.getPartCount(), true);
    Response response = Response.xml(200, out.finish());
    ExpirationHeaders.announce(call.bucket(), version, response);
    ObjectEncryption.describe(version.getMetadata().getEncryption(), response);
    return Versions.identifyNew(response, call.bucket(), version);
  }

  private boolean isThere(S3Call call, ByteString id) throws StoreException {
    try {
      Uploads.find(backend, call, id);
      return true;
    } catch (StoreException e) {
      if (e.code() != ErrorCode.NO_SUCH_UPLOAD) {
        throw e;
      }
      return false;
    }
  }

  /** Where the object is, in the style in which the client addresses it. */
  private static String location(S3Call call) {
    String host = call.header("host");
    String path = call.path();
    return host == null ? path : (call.isSecure() ? "https://" : "http://") + host + path;
  }

  private static CompletePart part(XmlElement part) throws S3Exception {
    String number = part.childText("PartNumber");
    String etag = part.childText("ETag");
    if (number == null || etag == null || !number.trim().matches("[0-9]{1,9}")) {
      throw new S3Exception(S3Error.MALFORMED_XML);
    }
    int value = Integer.parseInt(number.trim());
    if (value < 1 || value > Uploads.MOST_PARTS) {
      throw S3Call.invalid(
          "partNumber",
          number,
          "Part number must be an integer between 1 and " + Uploads.MOST_PARTS + ", inclusive");
    }
    return CompletePart.newBuilder().setNumber(value).setMd5(md5(etag)).build();
  }

  /** What an entity tag is the text of; of nonsense, which no part has, nothing. */
  private static ByteString md5(String etag) {
    try {
      return ByteString.copyFrom(HexFormat.of().parseHex(Etags.unquote(etag)));
    } catch (IllegalArgumentException e) {
      return ByteString.EMPTY;
    }
  }

  private static void checkOrder(List<CompletePart> parts) throws S3Exception {
    for (int i = 1; i < parts.size(); i++) {
      if (parts.get(i).getNumber() <= parts.get(i - 1).getNumber()) {
        throw new S3Exception(S3Error.INVALID_PART_ORDER);
      }
    }
  }

  private UploadInfo readParts(S3Call call, ByteString id, Map<Integer, UploadedPart> kept)
      throws StoreException {
    int after = 0;
    while (true) {
      ListPartsReply page = Uploads.parts(backend, call, id, after, PAGE);
      for (UploadedPart part : page.getPartsList()) {
        kept.put(part.getNumber(), part);
        after = part.getNumber();
      }
      if (!page.getMore() || page.getPartsCount() == 0) {
        return page.getUpload();
      }
    }
  }

  private static void check(
      S3Call call,
      CompleteUploadRequest.Builder request,
      List<XmlElement> named,
      Map<Integer, UploadedPart> kept,
      UploadInfo upload)
      throws S3Exception {
    List<UploadedPart> parts = new ArrayList<>(named.size());
    long length = 0;
    boolean isComposite =
        HashKind.of(upload.getChecksumAlgorithm()) != null && !upload.getChecksumFullObject();
    for (int i = 0; i < named.size(); i++) {
      CompletePart claimed = request.getParts(i);
      if (isComposite && claimed.getNumber() != i + 1) {
        throw new S3Exception(S3Error.INVALID_PART_ORDER); // no gaps then, as in S3
      }
      UploadedPart part = kept.get(claimed.getNumber());
      if (part == null || !part.getMd5().equals(claimed.getMd5())) {
        throw invalidPart(call, claimed, named.get(i));
      }
      checkPartChecksum(call, claimed, named.get(i), part, isComposite, upload);
      request.setParts(i, claimed.toBuilder().addAllChecksums(part.getChecksumsList()));
      parts.add(part);
      length += part.getLength();
    }
    for (UploadedPart part : parts.subList(0, parts.size() - 1)) {
      Uploads.checkSize(part);
    }
    checkSize(call, length);
    Checksum whole = PartChecksums.ofWhole(parts, upload);
    checkWhole(call, whole, parts.size());
    if (whole != null) {
      request.addChecksums(whole);
    }
    request.setLength(length);
  }

  private static void checkPartChecksum(
      S3Call call,
      CompletePart claimed,
      XmlElement named,
      UploadedPart part,
      boolean isComposite,
      UploadInfo upload)
      throws S3Exception {
    HashKind needed = HashKind.of(upload.getChecksumAlgorithm());
    if (isComposite && Checksums.text(named, needed) == null) {
      String name = needed.name().toLowerCase(Locale.ROOT);
      throw new S3Exception(
          S3Error.INVALID_REQUEST,
          "The upload was created using a "
              + name
              + " checksum. The complete request must include the checksum for each part. It was"
              + " missing for part "
              + claimed.getNumber()
              + " in the request.");
    }
    for (HashKind kind : HashKind.CHECKSUMS) {
      String text = Checksums.text(named, kind);
      if (text == null) {
        continue;
      }
      byte[] value = kind.decode(text);
      boolean same = value != null && part.getChecksumsList().contains(kind.checksum(value, false));
      if (!same) {
        throw invalidPart(call, claimed, named);
      }
    }
  }

  private static S3Exception invalidPart(S3Call call, CompletePart claimed, XmlElement named) {
    return new S3Exception(S3Error.INVALID_PART)
        .with("UploadId", call.paramOrEmpty("uploadId"))
        .with("PartNumber", Integer.toString(claimed.getNumber()))
        .with("ETag", Etags.unquote(named.childText("ETag")));
  }

  private static void checkSize(S3Call call, long length) throws S3Exception {
    String claimed = call.header("x-amz-mp-object-size");
    if (claimed != null && !claimed.trim().equals(Long.toString(length))) {
      throw new S3Exception(
          S3Error.INVALID_REQUEST,
          "The provided 'x-amz-mp-object-size' header does not match what was computed.");
    }
  }

  private static void checkWhole(S3Call call, Checksum whole, int partCount) throws S3Exception {
    DeclaredChecksum.refuseUnknown(call.headers());
    String type = call.header("x-amz-checksum-type");
    if (type != null && (whole == null || !type.equals(ObjectHeaders.checksumType(whole)))) {
      throw new S3Exception(
          S3Error.INVALID_REQUEST,
          "The upload was created using another checksum type than " + type + ".");
    }
    for (HashKind kind : HashKind.CHECKSUMS) {
      String claimed = call.header(kind.header());
      if (claimed == null) {
        continue;
      }
      String computed =
          whole != null && whole.getAlgorithm() == kind.algorithm()
              ? ObjectHeaders.checksumText(whole, partCount)
              : null;
      boolean same =
          computed != null
              && (claimed.equals(computed)
                  || (whole.getComposite() && computed.equals(claimed + "-" + partCount)));
      if (!same) {
        throw new S3Exception(
            S3Error.BAD_DIGEST,
            "The "
                + kind
                + " you specified did not match the calculated checksum of the whole object.");
      }
    }
  }
}

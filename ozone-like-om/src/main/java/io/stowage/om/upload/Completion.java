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
package io.stowage.om.upload;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.Checksum;
import io.stowage.common.proto.ChecksumAlgorithm;
import io.stowage.common.proto.CompletePart;
import io.stowage.common.proto.CompleteUploadRequest;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.UploadInfo;
import io.stowage.common.proto.UploadedPart;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SortedMap;
import java.util.zip.CRC32;
import java.util.zip.CRC32C;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.UnsafeByteOperations;

/**
 * What a completion makes of an upload's parts, by S3's rules
 * (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html), or why it
 * cannot. Pure; immutable.
 *
 * @param version of the object, without stamp, version id and time
 * @param unused parts that were uploaded and not named
 */
record Completion(ObjectVersion version, List<UploadedPart> unused) {
  static final long SMALLEST_PART = 5L << 20;
  static final long LARGEST_OBJECT = 5L << 40;

  static Completion of(
      UploadInfo upload, SortedMap<Integer, UploadedPart> uploaded, CompleteUploadRequest request)
      throws StoreException {
    if (request.getPartsCount() == 0) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT, "Cannot complete an upload with no parts named");
    }
    Manifest.Builder manifest = Manifest.newBuilder();
    ObjectVersion.Builder version = ObjectVersion.newBuilder();
    MessageDigest md5 = digest("MD5");
    Whole whole = Whole.of(upload);
    long length = 0;
    long stored = 0;
    ByteString partWriteIds = ByteString.EMPTY;
    int last = 0;
    Set<Integer> used = new HashSet<>();
    for (int i = 0; i < request.getPartsCount(); i++) {
      CompletePart named = request.getParts(i);
      if (named.getNumber() <= last) {
        throw new StoreException(
            ErrorCode.INVALID_PART_ORDER,
            "Cannot complete: part " + named.getNumber() + " is named after part " + last);
      }
      last = named.getNumber();
      UploadedPart part = uploaded.get(last);
      if (part == null) {
        throw invalid(last, "it was not uploaded");
      }
      if (!part.getMd5().equals(named.getMd5())) {
        throw invalid(last, "its ETag is another");
      }
      requireEqual(last, named.getChecksumsList(), part.getChecksumsList());
      if (i < request.getPartsCount() - 1 && part.getLength() < SMALLEST_PART) {
        throw new StoreException(
            ErrorCode.PART_TOO_SMALL,
            "Cannot complete: part "
                + last
                + " has "
                + part.getLength()
                + " bytes; all but the last have at least "
                + SMALLEST_PART);
      }
      used.add(last);
      md5.update(part.getMd5().asReadOnlyByteBuffer());
      whole.add(part);
      length += part.getLength();
      stored += part.getManifest().getLength();
      if (part.getEncrypted() != upload.getMetadata().hasEncryption()) {
        throw invalid(last, "it is not encrypted as the upload says");
      }
      if (part.getEncrypted()) {
        partWriteIds = partWriteIds.concat(part.getWriteId());
      }
      manifest.addAllExtents(part.getManifest().getExtentsList());
      version.addPartLengths(part.getLength());
    }
    if (request.getLength() != 0 && request.getLength() != length) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot complete: the parts have "
              + length
              + " bytes, the request says "
              + request.getLength());
    }
    if (length > LARGEST_OBJECT) {
      throw new StoreException(
          ErrorCode.TOO_LARGE, "Cannot complete: an object of " + length + " bytes is too large");
    }
    Checksum checksum = whole.checksum();
    for (Checksum claimed : request.getChecksumsList()) {
      if (checksum != null
          && claimed.getAlgorithm() == checksum.getAlgorithm()
          && !claimed.getValue().equals(checksum.getValue())) {
        throw new StoreException(
            ErrorCode.BAD_CHECKSUM,
            "Cannot complete: the object's " + claimed.getAlgorithm() + " is not the one given");
      }
    }
    if (checksum != null) {
      version.addChecksums(checksum).setPartChecksums(whole.joined);
    }
    version
        .setLength(length)
        .setMd5(UnsafeByteOperations.unsafeWrap(md5.digest()))
        .setPartCount(request.getPartsCount())
        .setMetadata(upload.getMetadata())
        .setPartWriteIds(partWriteIds)
        .setManifest(manifest.setLength(stored));
    List<UploadedPart> unused =
        uploaded.values().stream().filter(part -> !used.contains(part.getNumber())).toList();
    return new Completion(version.build(), unused);
  }

  /** What a request says of the version that it wants made: number and MD5 of its parts' MD5s. */
  static ObjectVersion named(CompleteUploadRequest request) {
    MessageDigest md5 = digest("MD5");
    for (CompletePart part : request.getPartsList()) {
      md5.update(part.getMd5().asReadOnlyByteBuffer());
    }
    return ObjectVersion.newBuilder()
        .setPartCount(request.getPartsCount())
        .setMd5(UnsafeByteOperations.unsafeWrap(md5.digest()))
        .build();
  }

  private static void requireEqual(int number, List<Checksum> named, List<Checksum> uploaded)
      throws StoreException {
    for (Checksum wanted : named) {
      for (Checksum is : uploaded) {
        if (is.getAlgorithm() == wanted.getAlgorithm()
            && !is.getValue().equals(wanted.getValue())) {
          throw invalid(number, "its " + is.getAlgorithm() + " is another");
        }
      }
    }
  }

  private static StoreException invalid(int number, String why) {
    return new StoreException(
        ErrorCode.INVALID_PART, "Cannot complete with part " + number + ": " + why);
  }

  static MessageDigest digest(String algorithm) {
    try {
      return MessageDigest.getInstance(algorithm);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  /** The checksum of the whole, from those of the parts. Confined to one completion. */
  private static final class Whole {
    private final ChecksumAlgorithm algorithm;
    private final boolean fullObject;
    private final CrcCombination crc;
    private ByteString joined = ByteString.EMPTY;
    private long combined;
    private boolean complete = true;

    private Whole(ChecksumAlgorithm algorithm, boolean fullObject) {
      this.algorithm = algorithm;
      this.fullObject = fullObject;
      this.crc = CrcCombination.of(algorithm);
    }

    static Whole of(UploadInfo upload) {
      if (upload.getChecksumAlgorithm() == ChecksumAlgorithm.CHECKSUM_NONE) {
        // As in S3; parts that have none of it give the whole none either.
        return new Whole(ChecksumAlgorithm.CRC64NVME, true);
      }
      return new Whole(upload.getChecksumAlgorithm(), upload.getChecksumFullObject());
    }

    void add(UploadedPart part) throws StoreException {
      for (Checksum checksum : part.getChecksumsList()) {
        if (checksum.getAlgorithm() == algorithm) {
          if (fullObject) {
            combined = crc.combine(combined, bits(checksum.getValue()), part.getLength());
          } else {
            joined = joined.concat(checksum.getValue());
          }
          return;
        }
      }
      complete = false;
    }

    /** The checksum, or null if none was asked for or a part has none. */
    Checksum checksum() {
      if (!complete) {
        return null;
      }
      return Checksum.newBuilder()
          .setAlgorithm(algorithm)
          .setComposite(!fullObject)
          .setValue(fullObject ? bytes(combined, crc.bytes()) : ofJoined())
          .build();
    }

    private ByteString ofJoined() {
      return switch (algorithm) {
        case CRC32 -> {
          CRC32 crc32 = new CRC32();
          crc32.update(joined.toByteArray());
          yield bytes(crc32.getValue(), 4);
        }
        case CRC32C -> {
          CRC32C crc32c = new CRC32C();
          crc32c.update(joined.toByteArray());
          yield bytes(crc32c.getValue(), 4);
        }
        case SHA1 -> ByteString.copyFrom(digest("SHA-1").digest(joined.toByteArray()));
        case SHA256 -> ByteString.copyFrom(digest("SHA-256").digest(joined.toByteArray()));
        case CRC64NVME, CHECKSUM_NONE, UNRECOGNIZED ->
            throw new IllegalStateException(algorithm + " has no composite form");
      };
    }

    private static long bits(ByteString value) {
      long bits = 0;
      for (int i = 0; i < value.size(); i++) {
        bits = bits << 8 | (value.byteAt(i) & 0xFF);
      }
      return bits;
    }

    private static ByteString bytes(long bits, int size) {
      byte[] eight = ByteBuffer.allocate(8).putLong(bits).array();
      return ByteString.copyFrom(eight, 8 - size, size);
    }
  }
}

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

import io.stowage.common.proto.Checksum;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.s3.payload.HashKind;
import io.stowage.s3.xml.XmlElement;
import io.stowage.s3.xml.XmlOut;
import java.util.List;

/** Checksums in documents. Stateless. */
final class Checksums {
  private Checksums() {}

  /** Element of a kind's value: ChecksumCRC32 and so on. */
  static String element(HashKind kind) {
    return "Checksum" + kind.name();
  }

  static void write(XmlOut out, List<Checksum> checksums, int partCount, boolean withType) {
    for (Checksum checksum : checksums) {
      HashKind kind = HashKind.of(checksum.getAlgorithm());
      if (kind != null) {
        out.text(element(kind), ObjectHeaders.checksumText(checksum, partCount));
        if (withType) {
          out.text("ChecksumType", ObjectHeaders.checksumType(checksum));
        }
      }
    }
  }

  /** Whether the whole's checksum is made of its parts'. */
  static boolean areComposite(ObjectVersion version) {
    return version.getChecksumsList().stream().anyMatch(Checksum::getComposite);
  }

  /** The checksum of one part, which composite ones keep; null if there is none. */
  static Checksum ofPart(ObjectVersion version, int number) {
    for (Checksum whole : version.getChecksumsList()) {
      HashKind kind = HashKind.of(whole.getAlgorithm());
      if (kind != null
          && whole.getComposite()
          && version.getPartChecksums().size() == kind.bytes() * version.getPartLengthsCount()) {
        int from = kind.bytes() * (number - 1);
        return Checksum.newBuilder()
            .setAlgorithm(whole.getAlgorithm())
            .setValue(version.getPartChecksums().substring(from, from + kind.bytes()))
            .build();
      }
    }
    return null;
  }

  /** The checksum among an element's children; null if there is none. */
  static String text(XmlElement parent, HashKind kind) {
    return parent.childText(element(kind));
  }
}

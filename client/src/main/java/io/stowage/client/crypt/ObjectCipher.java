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
package io.stowage.client.crypt;

import io.stowage.client.ObjectReader;
import io.stowage.client.ObjectWriter;
import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.Encryption;
import io.stowage.common.proto.EncryptionMode;
import io.stowage.common.proto.ObjectVersion;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import javax.crypto.SecretKey;
import javax.crypto.spec.SecretKeySpec;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** An object's, or an upload's, envelope with its data key: encrypts and decrypts. Immutable. */
public final class ObjectCipher {
  private static final String PACKETS = "packets";
  private static final String ETAG = "etag";
  private static final int ETAG_BYTES = 16;

  private final Encryption envelope;
  private final DataKey key;
  private final DataKey.Identity identity;

  ObjectCipher(Encryption envelope, DataKey key, DataKey.Identity identity) {
    this.envelope = envelope;
    this.key = key;
    this.identity = identity;
  }

  /** What is stored of the encryption. */
  public Encryption envelope() {
    return envelope;
  }

  /**
   * A writer that takes plain bytes. An object is written once: a second stream under the same
   * identity would use its nonces again.
   *
   * @param partWriteId of the part that it is; empty: a whole object
   * @param sink of a WriteSpec whose length is {@link PacketLayout#cipherLength}
   */
  public ObjectWriter encrypting(ObjectWriter sink, ByteString partWriteId) {
    return new EncryptingWriter(sink, packetKey(identity.ofPart(partWriteId)));
  }

  /**
   * A reader that gives plain bytes.
   *
   * @param version that the stored bytes are of, with its part lengths and write ids
   * @throws CorruptDataException if so many stored bytes cannot be it
   */
  public ObjectReader decrypting(ObjectReader sealed, ObjectVersion version) throws StoreException {
    List<DecryptingReader.Sealed> streams = new ArrayList<>();
    if (isOneStream(version)) {
      streams.add(new DecryptingReader.Sealed(version.getLength(), packetKey(identity)));
    } else {
      ByteString ids = version.getPartWriteIds();
      if (ids.size() != DataKey.Identity.ID_BYTES * version.getPartLengthsCount()) {
        throw new CorruptDataException(
            "Cannot decrypt: ids of "
                + ids.size()
                + " bytes for "
                + version.getPartLengthsCount()
                + " parts");
      }
      for (int i = 0; i < version.getPartLengthsCount(); i++) {
        int at = i * DataKey.Identity.ID_BYTES;
        ByteString id = ids.substring(at, at + DataKey.Identity.ID_BYTES);
        boolean isWhole = id.equals(version.getWriteId()); // one stream, put without an upload
        streams.add(
            new DecryptingReader.Sealed(
                version.getPartLengths(i), packetKey(isWhole ? identity : identity.ofPart(id))));
      }
    }
    return new DecryptingReader(sealed, streams);
  }

  /** Put whole; a file of one part that an older fsck brought back says no more than that. */
  private static boolean isOneStream(ObjectVersion version) {
    return version.getPartCount() == 0
        || (version.getPartCount() == 1 && version.getPartLengthsCount() == 0);
  }

  private SecretKey packetKey(DataKey.Identity of) {
    return new SecretKeySpec(key.derive(PACKETS, of), "AES");
  }

  /**
   * What stands in for the bytes' MD5: itself with SSE-S3, as in Amazon S3. The others' must not
   * tell who has no key that two objects are equal.
   */
  public ByteString etag(byte[] md5) {
    return envelope.getMode() == EncryptionMode.SSE_S3
        ? ByteString.copyFrom(md5)
        : ByteString.copyFrom(Arrays.copyOf(key.derive(ETAG, identity, md5), ETAG_BYTES));
  }

  @Override
  public String toString() {
    return "cipher of " + envelope.getMode();
  }
}

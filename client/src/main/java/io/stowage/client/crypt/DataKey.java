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

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.Arrays;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * A secret from which keys are derived; never used as a cipher's key itself. Says nothing of its
 * bytes to logs. Immutable.
 */
public final class DataKey {
  private static final String MAC = "HmacSHA256";
  private static final int LEAST_BYTES = 16;

  private final byte[] bytes;

  /** Takes the array over. */
  DataKey(byte[] bytes) {
    if (bytes.length < LEAST_BYTES) {
      throw new IllegalArgumentException("a key of " + bytes.length + " bytes");
    }
    this.bytes = bytes;
  }

  /** A key that a key provider made or unwrapped: at least 16 random bytes. */
  public static DataKey of(byte[] bytes) {
    return new DataKey(bytes.clone());
  }

  /**
   * 32 bytes that only who has this key can compute, others for every purpose and identity. This is
   * HKDF's expansion (RFC 5869) to one block.
   */
  byte[] derive(String purpose, Identity identity) {
    return mac(purpose, identity.encoded());
  }

  /** The same, of more bytes. */
  byte[] derive(String purpose, Identity identity, byte[] more) {
    byte[] of = Arrays.copyOf(identity.encoded(), identity.encoded().length + more.length);
    System.arraycopy(more, 0, of, identity.encoded().length, more.length);
    return mac(purpose, of);
  }

  private byte[] mac(String purpose, byte[] of) {
    try {
      Mac mac = Mac.getInstance(MAC);
      mac.init(new SecretKeySpec(bytes, MAC));
      mac.update(("stowage 1 " + purpose).getBytes(StandardCharsets.US_ASCII));
      mac.update((byte) 0);
      mac.update(of);
      mac.update((byte) 1);
      return mac.doFinal();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e); // every JRE has it
    }
  }

  @Override
  public String toString() {
    return "key of " + bytes.length + " bytes";
  }

  /**
   * What a stream of bytes is, wherever it is stored: part of every key that opens it. An object
   * keeps it through renames within its bucket and through repacks.
   *
   * @param bucketId bucket that it was written into
   * @param salt of the object or upload, 16 bytes
   * @param part write id of the part, 16 bytes; empty: an object put whole
   * @param context encryption context of SSE-KMS; empty: none
   */
  record Identity(long bucketId, ByteString salt, ByteString part, ByteString context) {
    static final int ID_BYTES = 16;

    Identity {
      if (salt.size() != ID_BYTES || (!part.isEmpty() && part.size() != ID_BYTES)) {
        throw new IllegalArgumentException(
            "a salt of " + salt.size() + " bytes, a part id of " + part.size());
      }
    }

    Identity ofPart(ByteString writeId) {
      return new Identity(bucketId, salt, writeId, context);
    }

    byte[] encoded() {
      ByteBuffer out = ByteBuffer.allocate(8 + ID_BYTES + 1 + part.size() + context.size());
      out.putLong(bucketId);
      salt.copyTo(out);
      out.put((byte) part.size());
      part.copyTo(out);
      context.copyTo(out);
      return out.array();
    }
  }
}

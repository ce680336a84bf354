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

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.stowage.common.error.CorruptDataException;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.util.List;
import javax.crypto.AEADBadTagException;
import javax.crypto.Cipher;
import javax.crypto.SecretKey;
import javax.crypto.spec.GCMParameterSpec;

/**
 * AES-256-GCM of the packets of one stream. The key is the stream's own and encrypts it once, so
 * the packet's number is a nonce that never comes twice; the stream's last packet has another nonce
 * than any other could have at its place, so that a stream cut at a packet's border is refused. Of
 * the bytes of a packet none is given before its tag was found right.
 *
 * <p>Reads direct buffers where they are and writes direct buffers. Confined to a thread; owns
 * memory of one packet until closed.
 */
final class PacketCipher implements AutoCloseable {
  private static final String TRANSFORMATION = "AES/GCM/NoPadding";
  private static final int LAST = 1;

  private final SecretKey key;
  private final Cipher cipher;
  private final byte[] nonce = new byte[12]; // 4 bytes of flags, 8 of the number
  private ByteBuf scratch; // null until needed

  PacketCipher(SecretKey key) {
    this.key = key;
    try {
      cipher = Cipher.getInstance(TRANSFORMATION);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e); // every JRE has it
    }
  }

  private void init(int mode, long number, boolean last) throws GeneralSecurityException {
    ByteBuffer.wrap(nonce).putInt(last ? LAST : 0).putLong(number);
    cipher.init(mode, key, new GCMParameterSpec(PacketLayout.TAG_BYTES * 8, nonce));
  }

  /** Encrypts the readable bytes of the pieces, at most a packet in all. */
  ByteBuf seal(List<ByteBuf> pieces, int length, long number, boolean last) {
    ByteBuf out = PooledByteBufAllocator.DEFAULT.directBuffer(length + PacketLayout.TAG_BYTES);
    try {
      init(Cipher.ENCRYPT_MODE, number, last);
      ByteBuffer to = out.nioBuffer(0, length + PacketLayout.TAG_BYTES);
      for (ByteBuf piece : pieces) {
        for (ByteBuffer part : piece.nioBuffers()) {
          cipher.update(part, to);
        }
      }
      cipher.doFinal(ByteBuffer.allocate(0), to);
      out.writerIndex(to.position());
      return out;
    } catch (GeneralSecurityException e) {
      out.release();
      throw new IllegalStateException("Cannot encrypt a packet of " + length + " bytes", e);
    }
  }

  /**
   * Decrypts one packet.
   *
   * @param length with the tag
   * @param skip plain bytes to leave out
   * @param take plain bytes to append to {@code out} after those
   */
  void open(
      ByteBuf sealed,
      int index,
      int length,
      long number,
      boolean last,
      int skip,
      int take,
      ByteBuf out)
      throws CorruptDataException {
    int plain = length - PacketLayout.TAG_BYTES;
    boolean whole = skip == 0 && take == plain;
    try {
      init(Cipher.DECRYPT_MODE, number, last);
      ByteBuffer from = contiguous(sealed, index, length);
      if (whole && out.nioBufferCount() == 1) {
        cipher.doFinal(from, out.nioBuffer(out.writerIndex(), plain));
        out.writerIndex(out.writerIndex() + plain);
      } else {
        ByteBuf into = scratch();
        cipher.doFinal(from, into.nioBuffer(PacketLayout.SEALED_BYTES, plain));
        out.writeBytes(into, PacketLayout.SEALED_BYTES + skip, take);
      }
    } catch (AEADBadTagException e) {
      throw new CorruptDataException(
          "Cannot decrypt packet " + number + " of " + length + " bytes: its tag is wrong");
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("Cannot decrypt a packet of " + length + " bytes", e);
    }
  }

  /** The bytes as one buffer; copied only if they lie in two. */
  private ByteBuffer contiguous(ByteBuf sealed, int index, int length) {
    ByteBuffer[] parts = sealed.nioBuffers(index, length);
    if (parts.length == 1) {
      return parts[0];
    }
    ByteBuf joined = scratch();
    sealed.getBytes(index, joined.nioBuffer(0, length));
    return joined.nioBuffer(0, length);
  }

  /** Room for a sealed packet, and behind it for a plain one. */
  private ByteBuf scratch() {
    if (scratch == null) {
      scratch =
          PooledByteBufAllocator.DEFAULT.directBuffer(
              PacketLayout.SEALED_BYTES + PacketLayout.PACKET_BYTES);
    }
    return scratch;
  }

  @Override
  public void close() {
    if (scratch != null) {
      scratch.release();
      scratch = null;
    }
  }
}

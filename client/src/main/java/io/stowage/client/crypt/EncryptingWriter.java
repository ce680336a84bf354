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
import io.stowage.client.ObjectWriter;
import io.stowage.common.error.StoreException;
import java.util.ArrayList;
import java.util.List;
import javax.crypto.SecretKey;

/**
 * Passes what it is given on as packets. A packet goes when more bytes come behind it, since the
 * last one is sealed as such. Confined to its caller's thread; holds the caller's buffers for up to
 * one packet.
 */
final class EncryptingWriter implements ObjectWriter {
  private final ObjectWriter sink;
  private final PacketCipher cipher;
  private final List<ByteBuf> gathered = new ArrayList<>();
  private int gatheredBytes;
  private long number;
  private boolean ended;

  EncryptingWriter(ObjectWriter sink, SecretKey key) {
    this.sink = sink;
    this.cipher = new PacketCipher(key);
  }

  @Override
  public void write(ByteBuf bytes) throws StoreException {
    try {
      while (bytes.isReadable()) {
        if (gatheredBytes == PacketLayout.PACKET_BYTES) {
          pass(false);
        }
        int some = Math.min(bytes.readableBytes(), PacketLayout.PACKET_BYTES - gatheredBytes);
        gathered.add(bytes.readRetainedSlice(some));
        gatheredBytes += some;
      }
    } finally {
      bytes.release();
    }
  }

  private void pass(boolean last) throws StoreException {
    ByteBuf sealed = cipher.seal(gathered, gatheredBytes, number++, last);
    releaseGathered();
    sink.write(sealed);
  }

  private void releaseGathered() {
    gathered.forEach(ByteBuf::release);
    gathered.clear();
    gatheredBytes = 0;
  }

  @Override
  public Written finish() throws StoreException {
    if (gatheredBytes > 0) {
      pass(true);
    }
    return sink.finish();
  }

  @Override
  public void close() {
    if (ended) {
      return;
    }
    ended = true;
    releaseGathered();
    cipher.close();
    sink.close();
  }
}

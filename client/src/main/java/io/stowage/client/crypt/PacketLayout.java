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

/**
 * Where the bytes of an encrypted stream are: packets of 64 KiB, each followed by its tag, the last
 * one as long as what is left. The only place that turns plain lengths and offsets into those of
 * what is stored. Stateless.
 */
public final class PacketLayout {
  /** Plain bytes of every packet but the last. */
  public static final int PACKET_BYTES = 64 << 10;

  /** What encryption adds to a packet. */
  public static final int TAG_BYTES = 16;

  static final int SEALED_BYTES = PACKET_BYTES + TAG_BYTES;

  private PacketLayout() {}

  /** Stored bytes of a stream of so many; -1 if that is not known. */
  public static long cipherLength(long plain) {
    return plain < 0 ? plain : plain + packets(plain) * TAG_BYTES;
  }

  /** The inverse; -1 if no stream has so many stored bytes. */
  public static long plainLength(long cipher) {
    long packets = (cipher + SEALED_BYTES - 1) / SEALED_BYTES;
    long plain = cipher - packets * TAG_BYTES;
    return plain >= 0 && cipherLength(plain) == cipher ? plain : -1;
  }

  static long packets(long plain) {
    return (plain + PACKET_BYTES - 1) / PACKET_BYTES;
  }

  /** Where a packet begins in what is stored. */
  static long sealedOffset(long packet) {
    return packet * SEALED_BYTES;
  }

  /** Plain bytes of one packet of a stream. */
  static int plainBytes(long packet, long plain) {
    return (int) Math.min(PACKET_BYTES, plain - packet * PACKET_BYTES);
  }
}

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
package io.stowage.common.policy;

import io.netty.util.NetUtil;

/** Ranges of IP addresses as policies write them: {@code 10.0.0.0/8}, {@code ::1}. Stateless. */
final class AddressRange {
  private AddressRange() {}

  static void check(String range) throws MalformedPolicyException {
    int slash = range.indexOf('/');
    byte[] network = bytes(slash < 0 ? range : range.substring(0, slash));
    if (network == null || prefix(range, slash, network.length * 8) < 0) {
      throw Policy.malformed("Invalid IP range " + range);
    }
  }

  static boolean contains(String range, String address) {
    int slash = range.indexOf('/');
    byte[] network = bytes(slash < 0 ? range : range.substring(0, slash));
    byte[] host = bytes(address);
    if (network == null || host == null || network.length != host.length) {
      return false;
    }
    int prefix = prefix(range, slash, network.length * 8);
    for (int bit = 0; bit < prefix; bit++) {
      int mask = 0x80 >>> (bit % 8);
      if ((network[bit / 8] & mask) != (host[bit / 8] & mask)) {
        return false;
      }
    }
    return prefix >= 0;
  }

  /** Whether S3 takes a range for everybody: beyond /8 or, of IPv6, /32; private ranges are not. */
  static boolean isBroad(String range) {
    int slash = range.indexOf('/');
    byte[] network = bytes(slash < 0 ? range : range.substring(0, slash));
    if (network == null) {
      return true;
    }
    int prefix = prefix(range, slash, network.length * 8);
    return prefix < (network.length == 4 ? 8 : 32);
  }

  private static byte[] bytes(String address) {
    return NetUtil.createByteArrayFromIpAddressString(address);
  }

  /** Bits that count; -1 if the text does not say how many. */
  private static int prefix(String range, int slash, int bits) {
    if (slash < 0) {
      return bits;
    }
    try {
      int prefix = Integer.parseInt(range.substring(slash + 1));
      return prefix >= 0 && prefix <= bits ? prefix : -1;
    } catch (NumberFormatException e) {
      return -1;
    }
  }
}

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
package io.stowage.s3.auth;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** Key of one secret for one day, region and service. Immutable. */
public final class SigningKey {
  private final byte[] key;

  private SigningKey(byte[] key) {
    this.key = key;
  }

  /**
   * Derives the key, which takes four HMACs.
   *
   * @param date {@code yyyyMMdd}
   */
  public static SigningKey derive(String secret, String date, String region, String service) {
    requireSecret(secret);
    byte[] key = ("AWS4" + secret).getBytes(StandardCharsets.UTF_8);
    for (String step : new String[] {date, region, service, "aws4_request"}) {
      key = hmac(key, step);
    }
    return new SigningKey(key);
  }

  /** Everybody knows the empty one, so what it signs is signed by nobody. */
  static void requireSecret(String secret) {
    if (secret.isEmpty()) {
      throw new IllegalArgumentException("an empty secret signs nothing");
    }
  }

  /** Signature in lower-case hex. */
  public String sign(String stringToSign) {
    return HexFormat.of().formatHex(hmac(key, stringToSign));
  }

  private static byte[] hmac(byte[] key, String text) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(key, "HmacSHA256"));
      return mac.doFinal(SignatureV4.wireBytes(text));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every Java has HmacSHA256", e);
    }
  }
}

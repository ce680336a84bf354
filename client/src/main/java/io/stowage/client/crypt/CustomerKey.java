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

import java.util.Base64;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * A key that a client sends with every request and that is never stored (SSE-C). Immutable.
 *
 * @param key 32 bytes, as a secret to derive from
 * @param md5 of the key, as the client sent it and hears it again
 */
public record CustomerKey(DataKey key, ByteString md5) {
  public static final int BYTES = 32;

  /** As headers give it. */
  public String md5Base64() {
    return Base64.getEncoder().encodeToString(md5.toByteArray());
  }

  @Override
  public String toString() {
    return "customer key"; // not even its MD5: short keys could be guessed from it
  }
}

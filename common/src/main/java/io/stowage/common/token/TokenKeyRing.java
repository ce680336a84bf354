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
package io.stowage.common.token;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.TokenKey;
import io.stowage.common.proto.TokenKeys;

/**
 * The keys of tokens as this process last heard them. Keeps them in memory only and tells nobody.
 * Thread-safe.
 *
 * <p>SCM tells a new key to everybody before it signs anything, so that whoever checks a token has
 * its key; a key stays until the last token that it signed has expired.
 */
public final class TokenKeyRing {
  private volatile TokenKeys keys = TokenKeys.getDefaultInstance();

  /** Takes in keys, unless they are older than those that are known. */
  public void take(TokenKeys heard) {
    synchronized (this) {
      if (heard.getVersion() > keys.getVersion()) {
        keys = heard;
      }
    }
  }

  /** Version of the keys that are known; 0: none. */
  public long version() {
    return keys.getVersion();
  }

  public TokenKeys keys() {
    return keys;
  }

  /** The newest key that everybody has. */
  TokenKey signing(long nowMicros) throws StoreException {
    TokenKey best = null;
    for (TokenKey key : keys.getKeysList()) {
      if (key.getSignsFromMicros() <= nowMicros
          && key.getUntilMicros() > nowMicros
          && (best == null || key.getSignsFromMicros() > best.getSignsFromMicros())) {
        best = key;
      }
    }
    if (best == null) {
      throw new StoreException(
          ErrorCode.UNAVAILABLE, "Cannot sign a token: no key is known yet from SCM");
    }
    return best;
  }

  /** The key of an id; null if it is not known or no longer holds. */
  TokenKey find(int id, long nowMicros) {
    for (TokenKey key : keys.getKeysList()) {
      if (key.getId() == id && key.getUntilMicros() > nowMicros) {
        return key;
      }
    }
    return null;
  }
}

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

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** Wraps data keys under keys that never leave it. Thread-safe. */
public interface KeyService extends AutoCloseable {
  /**
   * A data key and how it is wrapped.
   *
   * @param keyVersion version of the wrapping key
   * @param iv of the wrapping
   */
  record NewKey(DataKey key, String keyVersion, ByteString iv, ByteString wrapped) {}

  /**
   * Makes a data key.
   *
   * @throws StoreException NO_SUCH_ENCRYPTION_KEY; UNAVAILABLE: the service does not answer
   */
  NewKey generate(String keyName) throws StoreException;

  /**
   * Unwraps one.
   *
   * @throws StoreException NO_SUCH_ENCRYPTION_KEY: its wrapping key was destroyed; UNAVAILABLE
   */
  DataKey unwrap(String keyName, String keyVersion, ByteString iv, ByteString wrapped)
      throws StoreException;

  /** Whether there can be any key at all. */
  default boolean isConfigured() {
    return true;
  }

  @Override
  void close();

  /** Where no key service is configured. */
  static KeyService none() {
    return new KeyService() {
      @Override
      public NewKey generate(String keyName) throws StoreException {
        throw missing(keyName);
      }

      @Override
      public DataKey unwrap(String keyName, String keyVersion, ByteString iv, ByteString wrapped)
          throws StoreException {
        throw missing(keyName);
      }

      private StoreException missing(String keyName) {
        return new StoreException(
            ErrorCode.NO_SUCH_ENCRYPTION_KEY,
            "Cannot use key " + keyName + ": stowage.encryption.key-provider is not set");
      }

      @Override
      public boolean isConfigured() {
        return false;
      }

      @Override
      public void close() {}
    };
  }
}

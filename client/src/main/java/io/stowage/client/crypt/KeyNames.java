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

/**
 * The names of the key service's keys. Immutable.
 *
 * @param ofStore the key of SSE-S3, which nobody names
 * @param byDefault the key of SSE-KMS for who names none
 */
public record KeyNames(String ofStore, String byDefault) {
  /** How clients name the default key, as they do at Amazon. */
  private static final String DEFAULT_ALIAS = "aws/s3";

  /** The name that the key service knows a key id by: of an ARN or alias its last part. */
  public String of(String keyId) throws StoreException {
    String name = keyId;
    if (name.startsWith("arn:")) {
      name = name.substring(name.lastIndexOf(':') + 1);
      if (name.startsWith("key/")) {
        name = name.substring("key/".length());
      }
    }
    if (name.startsWith("alias/")) {
      name = name.substring("alias/".length());
    }
    if (name.isEmpty() || name.equals(DEFAULT_ALIAS)) {
      return byDefault;
    }
    if (name.equals(ofStore)) {
      throw new StoreException(
          ErrorCode.ACCESS_DENIED, "Cannot use key " + name + ": it is the store's own");
    }
    return name;
  }
}

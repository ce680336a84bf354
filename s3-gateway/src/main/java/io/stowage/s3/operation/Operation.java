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
package io.stowage.s3.operation;

import io.stowage.common.error.StoreException;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;

/** One operation of S3. Thread-safe. */
public interface Operation {
  /**
   * The action that a caller must be allowed, as IAM names it; null if the operation asks by
   * itself, for each key or for what its body says.
   */
  String action();

  /**
   * Lets the caller take the action, or refuses.
   *
   * @param action that of {@link #action}, or of versions if the call names one
   */
  default void authorize(Backend backend, S3Call call, String action)
      throws S3Exception, StoreException {
    backend
        .authorizer()
        .authorize(call.caller().subject(), action, call.bucket(), call.key(), call.facts());
  }

  /**
   * Answers an authenticated call. If the call names a bucket that the operation works in, {@link
   * S3Call#bucket} has been found and the action on it authorised.
   */
  Response handle(S3Call call) throws S3Exception, StoreException;
}

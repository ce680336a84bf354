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

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;

/** A text that is no policy, with what is wrong with it; S3 has an error of its own for it. */
public final class MalformedPolicyException extends StoreException {
  private static final long serialVersionUID = 1L;

  private final String detail;

  public MalformedPolicyException(String why) {
    this(why, "");
  }

  /**
   * With the text that is wrong.
   *
   * @param detail empty: none in particular
   */
  public MalformedPolicyException(String why, String detail) {
    super(ErrorCode.INVALID_ARGUMENT, why);
    this.detail = detail;
  }

  public String detail() {
    return detail;
  }
}

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
package io.stowage.common.secret;

/**
 * What an access key may be called: 1 to 128 visible ASCII characters, as long as AWS's are at
 * most. Whatever keeps something beside access keys under another name relies on it. Stateless.
 */
public final class AccessKeyIds {
  private static final int LONGEST = 128;

  private AccessKeyIds() {}

  /** Whether there can be such an access key. */
  public static boolean isWellFormed(String accessKey) {
    return !accessKey.isEmpty()
        && accessKey.length() <= LONGEST
        && accessKey.chars().allMatch(c -> c > ' ' && c <= '~');
  }
}

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
package io.stowage.om.bucket;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.util.regex.Pattern;

/**
 * S3's rules for the names of buckets:
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
 */
final class BucketNames {
  private static final Pattern ALLOWED = Pattern.compile("[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]");
  private static final Pattern ADDRESS = Pattern.compile("\\d+\\.\\d+\\.\\d+\\.\\d+");

  private BucketNames() {}

  static void check(String name) throws StoreException {
    if (!ALLOWED.matcher(name).matches()
        || name.contains("..")
        || ADDRESS.matcher(name).matches()
        || name.startsWith("xn--")
        || name.endsWith("-s3alias")) {
      throw new StoreException(
          ErrorCode.INVALID_NAME,
          "Cannot name a bucket '"
              + name
              + "': 3 to 63 lower-case letters, digits, dots and hyphens, beginning and ending"
              + " with a letter or digit");
    }
  }
}

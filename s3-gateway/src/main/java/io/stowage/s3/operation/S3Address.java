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

import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;

/**
 * What a request is about: the service, a bucket or a key, from the host (virtual-host style) or
 * the path. Immutable.
 *
 * @param bucket null: the service
 * @param key null: the bucket
 */
record S3Address(String bucket, String key) {
  static final int LONGEST_KEY_BYTES = 1024;

  enum Level {
    SERVICE,
    BUCKET,
    OBJECT
  }

  /**
   * Reads an address.
   *
   * @param host Host header, with a port or without; may be null
   * @param path decoded path
   * @param domains below which {@code bucket.domain} is virtual-host style
   */
  static S3Address of(String host, String path, List<String> domains) throws S3Exception {
    String bucket = bucketOfHost(host, domains);
    String key;
    if (bucket != null) {
      key = path.substring(1);
    } else {
      int slash = path.indexOf('/', 1);
      bucket = slash < 0 ? path.substring(1) : path.substring(1, slash);
      key = slash < 0 ? "" : path.substring(slash + 1);
    }
    if (bucket.isEmpty()) {
      if (!key.isEmpty()) {
        throw new S3Exception(S3Error.INVALID_BUCKET_NAME).with("BucketName", "");
      }
      return new S3Address(null, null);
    }
    if (key.isEmpty()) {
      return new S3Address(bucket, null);
    }
    checkKey(key);
    return new S3Address(bucket, key);
  }

  static void checkKey(String key) throws S3Exception {
    if (key.length() * 3L > LONGEST_KEY_BYTES) {
      int bytes = key.getBytes(StandardCharsets.UTF_8).length;
      if (bytes > LONGEST_KEY_BYTES) {
        throw new S3Exception(S3Error.KEY_TOO_LONG)
            .with("Size", Integer.toString(bytes))
            .with("MaxSizeAllowed", Integer.toString(LONGEST_KEY_BYTES));
      }
    }
  }

  /** The bucket that a host names; null if it is ours as a whole. */
  static String bucketOfHost(String host, List<String> domains) {
    if (host == null) {
      return null;
    }
    int colon = host.lastIndexOf(':');
    String name =
        (colon > host.lastIndexOf(']') ? host.substring(0, colon) : host).toLowerCase(Locale.ROOT);
    for (String domain : domains) {
      if (name.length() > domain.length() + 1
          && name.endsWith(domain)
          && name.charAt(name.length() - domain.length() - 1) == '.') {
        return name.substring(0, name.length() - domain.length() - 1);
      }
    }
    return null;
  }

  Level level() {
    return bucket == null ? Level.SERVICE : key == null ? Level.BUCKET : Level.OBJECT;
  }
}

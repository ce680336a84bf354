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
package io.stowage.dev.s3;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;

/** An access key and its secret, with the region that requests are signed for. Immutable. */
public record S3Credentials(String accessKey, String secretKey, String region) {
  public S3Credentials {
    Objects.requireNonNull(accessKey, "accessKey");
    Objects.requireNonNull(secretKey, "secretKey");
    Objects.requireNonNull(region, "region");
  }

  /** Reads one profile of an AWS shared credentials file; what other profiles hold is ignored. */
  public static S3Credentials read(Path sharedCredentialsFile, String profile, String region)
      throws IOException {
    String accessKey = null;
    String secretKey = null;
    boolean inProfile = false;
    for (String raw : Files.readAllLines(sharedCredentialsFile)) {
      String line = raw.strip();
      if (line.startsWith("[")) {
        inProfile = line.equals("[" + profile + "]");
      } else if (inProfile && line.indexOf('=') > 0) {
        String name = line.substring(0, line.indexOf('=')).strip();
        String value = line.substring(line.indexOf('=') + 1).strip();
        if (name.equals("aws_access_key_id")) {
          accessKey = value;
        } else if (name.equals("aws_secret_access_key")) {
          secretKey = value;
        }
      }
    }
    if (accessKey == null || secretKey == null) {
      throw new IOException(
          "Cannot read credentials: no access key and secret under ["
              + profile
              + "] in "
              + sharedCredentialsFile);
    }
    return new S3Credentials(accessKey, secretKey, region);
  }

  /** Never shows the secret: records print their fields otherwise. */
  @Override
  public String toString() {
    return "S3Credentials[" + accessKey + ", " + region + "]";
  }
}

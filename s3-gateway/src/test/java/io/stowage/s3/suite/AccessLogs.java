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
package io.stowage.s3.suite;

import software.amazon.awssdk.services.s3.S3Client;

/** How a bucket's requests come to be logged in another one. */
public final class AccessLogs {
  private AccessLogs() {}

  /** By the policy of the bucket that takes the logs. */
  public static void allow(S3Client s3, String watched, String logs, String prefix) {
    s3.putBucketPolicy(
        b ->
            b.bucket(logs)
                .policy(
                    """
                    {"Statement": {"Effect": "Allow",
                     "Principal": {"Service": "logging.s3.amazonaws.com"},
                     "Action": "s3:PutObject", "Resource": "arn:aws:s3:::%s/%s*",
                     "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::%s"}}}}
                    """
                        .formatted(logs, prefix, watched)));
  }

  public static void deliver(S3Client s3, String watched, String logs, String prefix) {
    s3.putBucketLogging(
        b ->
            b.bucket(watched)
                .bucketLoggingStatus(
                    l -> l.loggingEnabled(e -> e.targetBucket(logs).targetPrefix(prefix))));
  }
}

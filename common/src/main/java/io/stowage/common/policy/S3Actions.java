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

import java.util.List;
import java.util.Set;

/**
 * The actions that a bucket's policy can speak of, by what they are taken on: "Actions, resources,
 * and condition keys for Amazon S3". Stateless.
 */
final class S3Actions {
  private static final Set<String> ON_OBJECTS =
      Set.of(
          "s3:AbortMultipartUpload",
          "s3:BypassGovernanceRetention",
          "s3:DeleteObject",
          "s3:DeleteObjectTagging",
          "s3:DeleteObjectVersion",
          "s3:DeleteObjectVersionTagging",
          "s3:GetObject",
          "s3:GetObjectAcl",
          "s3:GetObjectAttributes",
          "s3:GetObjectLegalHold",
          "s3:GetObjectRetention",
          "s3:GetObjectTagging",
          "s3:GetObjectTorrent",
          "s3:GetObjectVersion",
          "s3:GetObjectVersionAcl",
          "s3:GetObjectVersionAttributes",
          "s3:GetObjectVersionForReplication",
          "s3:GetObjectVersionTagging",
          "s3:GetObjectVersionTorrent",
          "s3:InitiateReplication",
          "s3:ListMultipartUploadParts",
          "s3:ObjectOwnerOverrideToBucketOwner",
          "s3:PutObject",
          "s3:PutObjectAcl",
          "s3:PutObjectLegalHold",
          "s3:PutObjectRetention",
          "s3:PutObjectTagging",
          "s3:PutObjectVersionAcl",
          "s3:PutObjectVersionTagging",
          "s3:ReplicateDelete",
          "s3:ReplicateObject",
          "s3:ReplicateTags",
          "s3:RestoreObject",
          "s3:UpdateObjectEncryption");

  private static final Set<String> ON_BUCKETS =
      Set.of(
          "s3:CreateBucket",
          "s3:CreateBucketMetadataTableConfiguration",
          "s3:DeleteBucket",
          "s3:DeleteBucketMetadataTableConfiguration",
          "s3:DeleteBucketPolicy",
          "s3:DeleteBucketWebsite",
          "s3:GetAccelerateConfiguration",
          "s3:GetAnalyticsConfiguration",
          "s3:GetBucketAbac",
          "s3:GetBucketAcl",
          "s3:GetBucketCORS",
          "s3:GetBucketLocation",
          "s3:GetBucketLogging",
          "s3:GetBucketMetadataTableConfiguration",
          "s3:GetBucketNotification",
          "s3:GetBucketObjectLockConfiguration",
          "s3:GetBucketOwnershipControls",
          "s3:GetBucketPolicy",
          "s3:GetBucketPolicyStatus",
          "s3:GetBucketPublicAccessBlock",
          "s3:GetBucketRequestPayment",
          "s3:GetBucketTagging",
          "s3:GetBucketVersioning",
          "s3:GetBucketWebsite",
          "s3:GetEncryptionConfiguration",
          "s3:GetIntelligentTieringConfiguration",
          "s3:GetInventoryConfiguration",
          "s3:GetLifecycleConfiguration",
          "s3:GetMetricsConfiguration",
          "s3:GetReplicationConfiguration",
          "s3:ListBucket",
          "s3:ListBucketMultipartUploads",
          "s3:ListBucketVersions",
          "s3:PutAccelerateConfiguration",
          "s3:PutAnalyticsConfiguration",
          "s3:PutBucketAbac",
          "s3:PutBucketAcl",
          "s3:PutBucketCORS",
          "s3:PutBucketLogging",
          "s3:PutBucketNotification",
          "s3:PutBucketObjectLockConfiguration",
          "s3:PutBucketOwnershipControls",
          "s3:PutBucketPolicy",
          "s3:PutBucketPublicAccessBlock",
          "s3:PutBucketRequestPayment",
          "s3:PutBucketTagging",
          "s3:PutBucketVersioning",
          "s3:PutBucketWebsite",
          "s3:PutEncryptionConfiguration",
          "s3:PutIntelligentTieringConfiguration",
          "s3:PutInventoryConfiguration",
          "s3:PutLifecycleConfiguration",
          "s3:PutMetricsConfiguration",
          "s3:PutReplicationConfiguration",
          "s3:UpdateBucketMetadataInventoryTableConfiguration",
          "s3:UpdateBucketMetadataJournalTableConfiguration");

  private S3Actions() {}

  /**
   * Refuses actions that there are not, and those that no resource of their statement is for.
   *
   * @param actions patterns
   * @param bucket whether a resource can be the bucket
   * @param objects whether a resource can be objects
   */
  static void check(List<String> actions, boolean bucket, boolean objects)
      throws MalformedPolicyException {
    for (String action : actions) {
      boolean onObjects = anyMatches(action, ON_OBJECTS);
      boolean onBuckets = anyMatches(action, ON_BUCKETS);
      if (!onObjects && !onBuckets) {
        throw Policy.malformed("Policy has invalid action");
      }
      if (!(onObjects && objects) && !(onBuckets && bucket)) {
        throw Policy.malformed("Action does not apply to any resource(s) in statement");
      }
    }
  }

  private static boolean anyMatches(String pattern, Set<String> actions) {
    return actions.stream().anyMatch(action -> Patterns.matchesIgnoringCase(pattern, action));
  }
}

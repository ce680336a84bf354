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
 * The condition keys of S3's own that a bucket's policy can ask for: "Actions, resources, and
 * condition keys for Amazon S3". Some no request here ever has, those of access points and jobs
 * among them. Stateless.
 */
final class S3ConditionKeys {
  /** In lower case. */
  private static final Set<String> KEYS =
      Set.of(
          "s3:accessgrantscope",
          "s3:accessgrantsinstancearn",
          "s3:accessgrantslocationscope",
          "s3:accesspointnetworkorigin",
          "s3:annotation-prefix",
          "s3:authtype",
          "s3:dataaccesspointaccount",
          "s3:dataaccesspointarn",
          "s3:delimiter",
          "s3:deliverysourcearn",
          "s3:destinationregion",
          "s3:existingjoboperation",
          "s3:existingjobpriority",
          "s3:if-match",
          "s3:if-none-match",
          "s3:inventoryaccessibleoptionalfields",
          "s3:isreplicationpauserequest",
          "s3:jobsuspendedcause",
          "s3:locationconstraint",
          "s3:logtype",
          "s3:max-annotation-results",
          "s3:max-keys",
          "s3:object-lock-event-hold",
          "s3:object-lock-event-hold-duration-days",
          "s3:object-lock-legal-hold",
          "s3:object-lock-mode",
          "s3:object-lock-remaining-retention-days",
          "s3:object-lock-retain-until-date",
          "s3:objectcreationoperation",
          "s3:prefix",
          "s3:requestjoboperation",
          "s3:requestjobpriority",
          "s3:requestobjecttagkeys",
          "s3:resourceaccount",
          "s3:resourcearnbeingauthorized",
          "s3:signatureage",
          "s3:signatureversion",
          "s3:tlsversion",
          "s3:versionid",
          "s3:x-amz-acl",
          "s3:x-amz-bucket-namespace",
          "s3:x-amz-content-sha256",
          "s3:x-amz-copy-source",
          "s3:x-amz-grant-full-control",
          "s3:x-amz-grant-read",
          "s3:x-amz-grant-read-acp",
          "s3:x-amz-grant-write",
          "s3:x-amz-grant-write-acp",
          "s3:x-amz-metadata-directive",
          "s3:x-amz-object-annotation-directive",
          "s3:x-amz-object-if-match",
          "s3:x-amz-object-ownership",
          "s3:x-amz-request-payer",
          "s3:x-amz-server-side-encryption",
          "s3:x-amz-server-side-encryption-aws-kms-key-id",
          "s3:x-amz-server-side-encryption-customer-algorithm",
          "s3:x-amz-storage-class",
          "s3:x-amz-website-redirect-location");

  /** What stands before the name of a tag. */
  private static final List<String> OF_TAGS =
      List.of("s3:accesspointtag/", "s3:buckettag/", Question.EXISTING_TAG, "s3:requestobjecttag/");

  private S3ConditionKeys() {}

  /**
   * Refuses a key that there is not, which no request ever has: whoever misspelt it would believe
   * that his policy asks for something. Global keys are IAM's, which gets new ones, and are taken.
   *
   * @param key in lower case
   */
  static void check(String key) throws MalformedPolicyException {
    boolean known =
        key.startsWith("aws:")
            || KEYS.contains(key)
            || OF_TAGS.stream()
                .anyMatch(prefix -> key.startsWith(prefix) && key.length() > prefix.length());
    if (!known) {
      throw Policy.malformed("Policy has an invalid condition key");
    }
  }
}

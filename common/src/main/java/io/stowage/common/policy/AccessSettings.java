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

import io.stowage.common.proto.BucketInfo;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** What a bucket's settings say of access. Immutable. */
public record AccessSettings(BucketInfo bucket) {
  public static final String POLICY = "policy";
  public static final String ACL = "acl";

  private String text(String name) {
    ByteString kept = bucket.getSettingsMap().get(name);
    return kept == null ? "" : kept.toStringUtf8();
  }

  /** Null: there is none. */
  public Policy policy(PolicyCache known) throws MalformedPolicyException {
    String json = text(POLICY);
    return json.isEmpty() ? null : known.ofBucket(json, bucket.getName());
  }

  /** Empty: there is none. */
  public String policyText() {
    return text(POLICY);
  }

  public List<String> grants() {
    String acl = text(ACL);
    return acl.isEmpty() ? List.of() : new ArrayList<>(List.of(acl.split("\n", -1)));
  }

  private boolean blocks(String element) {
    return text("publicAccessBlock").contains("<" + element + ">true</");
  }

  public boolean blocksPublicLists() {
    return blocks("BlockPublicAcls");
  }

  public boolean ignoresPublicLists() {
    return blocks("IgnorePublicAcls");
  }

  public boolean blocksPublicPolicy() {
    return blocks("BlockPublicPolicy");
  }

  public boolean restrictsPublic() {
    return blocks("RestrictPublicBuckets");
  }

  public boolean requesterPays() {
    return text("requestPayment").contains("<Payer>Requester</Payer>");
  }

  /** Whether lists count for nothing and the bucket's owner owns all in it. */
  public boolean disablesLists() {
    return text("ownershipControls").contains("BucketOwnerEnforced");
  }

  /** Whether it is said that objects are, or can be, their writers' and not the bucket owner's. */
  public boolean leavesObjectsToWriters() {
    return text("ownershipControls").contains("ObjectWriter") || prefersBucketOwner();
  }

  public boolean prefersBucketOwner() {
    return text("ownershipControls").contains("BucketOwnerPreferred");
  }
}

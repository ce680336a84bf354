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
package io.stowage.s3.auth;

import io.stowage.common.proto.BucketInfo;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;

/**
 * The one place that says who may do what. Today: the owner of a bucket and administrators may do
 * everything in it, nobody else anything; every identity may create buckets and list its own.
 * Stateless.
 */
public final class Authorizer {
  /**
   * Lets an action pass or refuses it.
   *
   * @param action as IAM names it: {@code s3:PutObject}
   * @param bucket null if the action is not about an existing bucket
   * @param key null if the action is not about a key
   */
  public void authorize(Caller caller, String action, BucketInfo bucket, String key)
      throws S3Exception {
    if (bucket == null || caller.isAdmin() || caller.user().equals(bucket.getOwner())) {
      return;
    }
    throw new S3Exception(S3Error.ACCESS_DENIED).with("Action", action);
  }
}

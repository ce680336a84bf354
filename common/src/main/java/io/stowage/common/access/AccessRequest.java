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
package io.stowage.common.access;

import io.stowage.common.error.StoreException;
import io.stowage.common.policy.Question;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.ObjectVersion;
import java.util.List;
import java.util.Map;

/**
 * One question to an authoriser: may this one do that. Actions are named as IAM names S3's, whether
 * the call came over S3 or over Hadoop's RPC. Immutable.
 *
 * @param principal who, as policies name him
 * @param person who, as Hadoop names him, with his groups; null: somebody who is not known
 * @param superuser administers the store
 * @param policies of the user and the user's groups, or of the role, JSON
 * @param boundaries policies of a session: what one of them does not allow is denied
 * @param action {@code s3:GetObject}, {@code iam:CreateUser}, …
 * @param resource ARN, {@code arn:aws:s3:::bucket/key}; {@code *} where there is none
 * @param bucket null if the action is not about an existing bucket
 * @param key null if the action is not about a key
 * @param below the action is about every key that begins with the key
 * @param facts for conditions, by condition key in lower case
 * @param object looks the object up, for lists and tags that stand there
 */
public record AccessRequest(
    Question.Principal principal,
    Person person,
    boolean superuser,
    Iterable<String> policies,
    List<String> boundaries,
    String action,
    String resource,
    BucketInfo bucket,
    String key,
    boolean below,
    Map<String, List<String>> facts,
    ObjectLookup object) {

  /** Finds the object that a question is about; a read of the namespace. */
  public interface ObjectLookup {
    /** Of what is about no object. */
    ObjectLookup NONE = () -> null;

    /** Null if there is none. */
    ObjectVersion find() throws StoreException;
  }
}

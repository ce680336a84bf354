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

import io.stowage.common.proto.Identity;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * What temporary credentials add to whom they stand for. Immutable.
 *
 * @param isTemporary false: of long-term keys, and nothing is added
 * @param roleName of an assumed role; empty: of a user
 * @param name of the session, which whoever assumed the role chose
 * @param boundaries policies that have to allow what the session does, beside all others
 * @param parent the long-term key that all began with; null: the caller's own
 * @param issuedMicros when it began; 0: its token does not say it
 */
public record Session(
    boolean isTemporary,
    String roleName,
    String name,
    List<String> boundaries,
    Parent parent,
    long issuedMicros) {
  /** Of long-term keys. */
  public static final Session NONE = new Session(false, "", "", List.of(), null, 0);

  /**
   * A long-term key: sessions end when it is taken away, is inactive or gets another secret.
   *
   * @param digest of its secret
   */
  public record Parent(String accessKey, ByteString digest) {
    /** The key that a caller without a session has signed with. */
    static Parent of(Identity key) {
      return new Parent(key.getAccessKey(), digest(key.getSecretKey()));
    }

    boolean is(Identity key) {
      return key != null
          && key.getAccessKey().equals(accessKey)
          && MessageDigest.isEqual(digest(key.getSecretKey()).toByteArray(), digest.toByteArray());
    }

    private static ByteString digest(String secret) {
      try {
        return ByteString.copyFrom(
            MessageDigest.getInstance("SHA-256").digest(secret.getBytes(StandardCharsets.UTF_8)));
      } catch (NoSuchAlgorithmException e) {
        throw new IllegalStateException("every JDK has SHA-256", e);
      }
    }
  }

  public boolean isOfRole() {
    return !roleName.isEmpty();
  }
}

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
package io.stowage.om.identity;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.GetSecretReply;
import io.stowage.common.proto.Identity;
import io.stowage.common.proto.IdentityRecord;
import io.stowage.common.proto.UpdateUserRequest;
import io.stowage.om.table.Cell;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.Base64;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * The S3 secret that somebody who proved by Kerberos who he is asks for himself: of one access key,
 * named as his short name, of the S3 user of that name, who is made if there is none. What he makes
 * by S3 then is owned by the same name as what he makes by Hadoop's RPC; an S3 user of that name
 * who owns as somebody else is not his. Thread-safe.
 *
 * <p>It is told once, to the request that made it; whoever asks again is told to revoke it. Steps:
 * (1) the key's row with a fresh secret, by compare-and-set, unless the user lists the key; (2) the
 * user lists the key; (3) the key's row is marked settled, by compare-and-set, and only then the
 * secret is told.
 *
 * <p>Interleavings: B asks while A is between 1 and 3, finds the key not listed and replaces its
 * row. Then A's step 3 fails, A looks again, finds the key listed and not its own, and says that
 * there is one; B's secret counts and is told. Had A got to step 3 first, B's step 1 fails, since
 * the row is no longer as B read it. A reply that is lost: the same request (its write id) is told
 * the same secret. A crash between 1 and 2 leaves a key that nobody lists, and that counts for
 * nothing until it is asked for again; between 2 and 3 a secret that counts and that nobody knows:
 * it is to be revoked.
 */
public final class PrincipalSecrets {
  private static final int MOST_ATTEMPTS = 20;

  /** 40 characters, as AWS's own. */
  private static final int SECRET_BYTES = 30;

  private final Identities identities;
  private final SecureRandom random = new SecureRandom();

  public PrincipalSecrets(Identities identities) {
    this.identities = identities;
  }

  /**
   * Makes a secret.
   *
   * @throws StoreException KEY_EXISTS if there is one
   */
  public GetSecretReply get(String user, ByteString writeId) throws StoreException {
    Identities.checkName(user);
    identities.requireOwnName(user);
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      Cell cell = identities.key(user);
      IdentityRecord there = cell == null ? null : Identities.record(user, cell);
      boolean listed = there != null && !there.getRemoved() && identities.listsKey(user, user);
      IdentityRecord record;
      if (listed && there.getIdentity().getUserName().equals(user)) {
        if (!there.getCreatedBy().equals(writeId)) {
          throw new StoreException(
              ErrorCode.KEY_EXISTS,
              "Cannot get a secret for "
                  + user
                  + ": there is one since "
                  + Instant.ofEpochMilli(there.getIdentity().getCreatedMicros() / 1_000)
                  + ", and it is told once; revoke it first");
        }
        record = there;
      } else {
        identities.requireFreeKey(user, user);
        Identity key = identities.keyOf(user, user, newSecret());
        record = identities.recordOf(key).setCreatedBy(writeId).build();
        if (!identities.replaceKey(user, cell, record)) {
          identities.pause(attempt);
          continue;
        }
        identities.listKey(user, user, writeId);
      }
      if (settle(user, record)) {
        return GetSecretReply.newBuilder()
            .setAccessKey(user)
            .setSecretKey(identities.secretOf(user, record))
            .build();
      }
      identities.pause(attempt);
    }
    throw Identities.contended(user);
  }

  private boolean settle(String user, IdentityRecord record) throws StoreException {
    if (record.getSettled()) {
      return true;
    }
    Cell cell = identities.key(user);
    return cell != null
        && cell.value().equals(record.toByteString())
        && identities.replaceKey(user, cell, record.toBuilder().setSettled(true).build());
  }

  /**
   * Ends it.
   *
   * @throws StoreException NO_SUCH_KEY if there is none
   */
  public void revoke(String user) throws StoreException {
    Identities.checkName(user);
    if (!identities.listsKey(user, user)) {
      throw new StoreException(
          ErrorCode.NO_SUCH_KEY, "Cannot revoke the secret of " + user + ": there is none");
    }
    var unused =
        identities.update(UpdateUserRequest.newBuilder().setName(user).addRemoveKeys(user).build());
  }

  private String newSecret() {
    byte[] secret = new byte[SECRET_BYTES];
    random.nextBytes(secret);
    return Base64.getUrlEncoder().withoutPadding().encodeToString(secret);
  }
}

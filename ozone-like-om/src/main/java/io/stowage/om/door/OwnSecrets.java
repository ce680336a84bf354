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
package io.stowage.om.door;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.GetSecretRequest;
import io.stowage.common.proto.RevokeSecretRequest;
import org.apache.hadoop.thirdparty.protobuf.Message;

/**
 * Whose S3 secret a caller over RPC may get and revoke: his own, if he showed a ticket; an
 * administrator anybody's. Stateless.
 *
 * <p>A job's delegation token, or a service that acts for him, is not enough: a secret outlives
 * both, so whoever stole a job's token for a day would have his objects for good; nor is it for
 * administrators. With security off a caller's name is only what he says, while S3 asks for
 * signatures all the same: then administrators alone.
 */
public final class OwnSecrets {
  private OwnSecrets() {}

  /** Whether a request is one for this class to judge. */
  public static boolean isOne(Object request) {
    return request instanceof GetSecretRequest || request instanceof RevokeSecretRequest;
  }

  /** How a caller has shown who he is. */
  public enum Proof {
    /** A Kerberos ticket of his own. */
    TICKET,
    /** A delegation token, or somebody who speaks for him. */
    LENT,
    /** Not at all: security is off. */
    NONE
  }

  /**
   * The request with the user that it is about.
   *
   * @param caller short name
   * @throws StoreException ACCESS_DENIED
   */
  public static Message allowed(Message request, String caller, Proof proof, boolean administrator)
      throws StoreException {
    String asked =
        request instanceof GetSecretRequest get
            ? get.getUser()
            : ((RevokeSecretRequest) request).getUser();
    String user = asked.isEmpty() ? caller : asked;
    if (!administrator && !user.equals(caller)) {
      throw refused(user, caller + " is no administrator");
    }
    if (proof == Proof.LENT) {
      throw refused(user, caller + " has shown no Kerberos ticket of his own");
    }
    if (proof == Proof.NONE && !administrator) {
      throw refused(user, "security is off, and " + caller + " is no administrator");
    }
    return request instanceof GetSecretRequest get
        ? get.toBuilder().setUser(user).build()
        : ((RevokeSecretRequest) request).toBuilder().setUser(user).build();
  }

  private static StoreException refused(String user, String why) {
    return new StoreException(
        ErrorCode.ACCESS_DENIED, "Cannot get or revoke the S3 secret of " + user + ": " + why);
  }
}

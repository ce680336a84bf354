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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.GetIdentityRequest;
import io.stowage.common.proto.GetSecretRequest;
import io.stowage.common.proto.RevokeSecretRequest;
import io.stowage.om.door.OwnSecrets.Proof;
import org.junit.jupiter.api.Test;

class OwnSecretsTest {
  /** Of whom the caller gets a secret and revokes it: of both or none. */
  private static String user(String asked, String caller, Proof proof, boolean administrator)
      throws StoreException {
    GetSecretRequest get = GetSecretRequest.newBuilder().setUser(asked).build();
    RevokeSecretRequest revoke = RevokeSecretRequest.newBuilder().setUser(asked).build();
    String gets =
        ((GetSecretRequest) OwnSecrets.allowed(get, caller, proof, administrator)).getUser();
    assertEquals(
        gets,
        ((RevokeSecretRequest) OwnSecrets.allowed(revoke, caller, proof, administrator)).getUser());
    return gets;
  }

  private static void refused(String asked, String caller, Proof proof, boolean administrator) {
    assertEquals(
        ErrorCode.ACCESS_DENIED,
        assertThrows(StoreException.class, () -> user(asked, caller, proof, administrator)).code());
    RevokeSecretRequest revoke = RevokeSecretRequest.newBuilder().setUser(asked).build();
    assertThrows(
        StoreException.class, () -> OwnSecrets.allowed(revoke, caller, proof, administrator));
  }

  @Test
  void aTicketGetsOnesOwnAndAnAdministratorAnybodys() throws Exception {
    assertEquals("alice", user("", "alice", Proof.TICKET, false));
    assertEquals("alice", user("alice", "alice", Proof.TICKET, false));
    assertEquals("bob", user("bob", "alice", Proof.TICKET, true));
    assertEquals("alice", user("", "alice", Proof.TICKET, true));
    refused("bob", "alice", Proof.TICKET, false);
    refused("Alice", "alice", Proof.TICKET, false);
  }

  /** A stolen token of a job would be good for ever. */
  @Test
  void whatIsLentGetsNothingNotEvenAnAdministrators() {
    for (boolean administrator : new boolean[] {false, true}) {
      refused("", "alice", Proof.LENT, administrator);
      refused("alice", "alice", Proof.LENT, administrator);
      refused("bob", "alice", Proof.LENT, administrator);
    }
  }

  @Test
  void withSecurityOffAdministratorsAlone() throws Exception {
    refused("", "alice", Proof.NONE, false);
    refused("alice", "alice", Proof.NONE, false);
    refused("bob", "alice", Proof.NONE, false);
    assertEquals("bob", user("bob", "alice", Proof.NONE, true));
  }

  @Test
  void otherRequestsAreNoneOfIts() {
    assertTrue(OwnSecrets.isOne(GetSecretRequest.getDefaultInstance()));
    assertTrue(OwnSecrets.isOne(RevokeSecretRequest.getDefaultInstance()));
    assertFalse(OwnSecrets.isOne(GetIdentityRequest.getDefaultInstance()));
  }
}

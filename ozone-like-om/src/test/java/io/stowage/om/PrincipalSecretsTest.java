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
package io.stowage.om;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.CreateUserRequest;
import io.stowage.common.proto.Entity;
import io.stowage.common.proto.EntityKind;
import io.stowage.common.proto.GetEntityRequest;
import io.stowage.common.proto.GetIdentityRequest;
import io.stowage.common.proto.GetSecretReply;
import io.stowage.common.proto.GetSecretRequest;
import io.stowage.common.proto.Identity;
import io.stowage.common.proto.ListEntitiesRequest;
import io.stowage.common.proto.PutEntityRequest;
import io.stowage.common.proto.RevokeSecretRequest;
import io.stowage.common.proto.User;
import io.stowage.common.secret.SecretSeal;
import io.stowage.common.time.Pause;
import io.stowage.common.time.StoreClock;
import io.stowage.om.table.HookedRowStore;
import io.stowage.om.table.IdentityRowLayout;
import io.stowage.om.table.MemoryRowStore;
import io.stowage.om.table.RowChange;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;

/** Secrets that users get for themselves, and keys that are stored sealed. */
class PrincipalSecretsTest {
  private static final SecretSeal SEAL = SecretSeal.of("password".toCharArray());
  private static final ByteString KEY = ByteString.copyFromUtf8("the key that seals all sessions!");

  private final MemoryRowStore memory = new MemoryRowStore();
  private final HookedRowStore identities = new HookedRowStore(memory);
  private final TestOm.Tables tables =
      new TestOm.Tables(
          new MemoryRowStore(),
          new MemoryRowStore(),
          identities,
          TestOm.Tables.inMemory().regions());
  private final Namespace om = namespace(SEAL);

  private Namespace namespace(SecretSeal seal) {
    try {
      Namespace namespace =
          new Namespace(
              TestOm.CONFIG,
              tables.buckets(),
              tables.objects(),
              tables.identities(),
              new FakeContainers(),
              StoreClock.system(),
              Pause.REAL);
      namespace.sealSecretsWith(seal);
      return namespace;
    } catch (StoreException e) {
      throw new IllegalStateException(e);
    }
  }

  private GetSecretReply get(String user, ByteString writeId) throws StoreException {
    return om.getSecret(GetSecretRequest.newBuilder().setUser(user).setWriteId(writeId).build());
  }

  private void revoke(String user) throws StoreException {
    var unused = om.revokeSecret(RevokeSecretRequest.newBuilder().setUser(user).build());
  }

  private Identity identity(String accessKey) throws StoreException {
    return om.getIdentity(GetIdentityRequest.newBuilder().setAccessKey(accessKey).build())
        .getIdentity();
  }

  private static void fails(ErrorCode code, org.junit.jupiter.api.function.Executable call) {
    StoreException e = assertThrows(StoreException.class, call);
    assertEquals(code, e.code(), e.getMessage());
  }

  @Test
  void aUserIsMadeWithOneKeyUnderHisOwnName() throws Exception {
    GetSecretReply told = get("alice", WriteId.random());
    assertEquals("alice", told.getAccessKey());
    assertEquals(40, told.getSecretKey().length());
    Identity identity = identity("alice");
    assertEquals(told.getSecretKey(), identity.getSecretKey());
    assertEquals("alice", identity.getUser(), "owns what alice makes by RPC");
    assertEquals("alice", identity.getUserName());
    assertFalse(identity.getAdmin());
    assertNotEquals(
        told.getSecretKey(), get("bob", WriteId.random()).getSecretKey(), "a secret each");
  }

  @Test
  void itIsToldOnceAndTheSameRequestIsToldTheSame() throws Exception {
    ByteString request = WriteId.random();
    GetSecretReply told = get("alice", request);
    assertEquals(told, get("alice", request));
    fails(ErrorCode.KEY_EXISTS, () -> get("alice", WriteId.random()));
    assertEquals(told.getSecretKey(), identity("alice").getSecretKey());
  }

  @Test
  void whatIsRevokedCountsNoMoreAndAnotherIsMade() throws Exception {
    fails(ErrorCode.NO_SUCH_KEY, () -> revoke("alice"));
    GetSecretReply first = get("alice", WriteId.random());
    revoke("alice");
    fails(ErrorCode.ACCESS_DENIED, () -> identity("alice"));
    fails(ErrorCode.NO_SUCH_KEY, () -> revoke("alice"));
    GetSecretReply second = get("alice", WriteId.random());
    assertNotEquals(first.getSecretKey(), second.getSecretKey());
    assertEquals(second.getSecretKey(), identity("alice").getSecretKey());
  }

  @Test
  void aUserOfThatNameGetsOneKeyMoreAndNobodyElsesKeyIsTaken() throws Exception {
    var unused =
        om.createUser(
            CreateUserRequest.newBuilder()
                .setUser(User.newBuilder().setName("carol").setCanonicalId("carol"))
                .setAccessKey("OTHER")
                .setSecretKey("hers")
                .setWriteId(WriteId.random())
                .build());
    GetSecretReply told = get("carol", WriteId.random());
    assertEquals("carol", identity("carol").getUser());
    assertEquals("hers", identity("OTHER").getSecretKey());
    revoke("carol");
    assertEquals("hers", identity("OTHER").getSecretKey());
    assertFalse(told.getSecretKey().isEmpty());
    // Whoever is called so, and owns as another.
    unused =
        om.createUser(
            CreateUserRequest.newBuilder()
                .setUser(User.newBuilder().setName("frank").setCanonicalId("alice"))
                .setWriteId(WriteId.random())
                .build());
    fails(ErrorCode.KEY_EXISTS, () -> get("frank", WriteId.random()));
    fails(ErrorCode.ACCESS_DENIED, () -> identity("frank"));
    // An access key that an administrator gave somebody else under dave's name stays his.
    unused =
        om.createUser(
            CreateUserRequest.newBuilder()
                .setUser(User.newBuilder().setName("eve"))
                .setAccessKey("dave")
                .setSecretKey("eves")
                .setWriteId(WriteId.random())
                .build());
    fails(ErrorCode.KEY_EXISTS, () -> get("dave", WriteId.random()));
    assertEquals("eves", identity("dave").getSecretKey());
    fails(ErrorCode.INVALID_ARGUMENT, () -> get("no/name", WriteId.random()));
    fails(ErrorCode.INVALID_ARGUMENT, () -> get("", WriteId.random()));
  }

  /** Two ask at the same time, the second at each mutation of the first: one secret is told. */
  @Test
  void ofTwoAtATimeOneIsToldTheSecretThatCounts() throws Exception {
    for (int mutation = 0; mutation < 4; mutation++) {
      for (boolean before : new boolean[] {true, false}) {
        String user = "user" + mutation + before;
        List<String> told = new ArrayList<>();
        int[] seen = {mutation};
        HookedRowStore.Hook hook =
            new HookedRowStore.Hook() {
              @Override
              public boolean matches(ByteString row, RowChange change) {
                return seen[0]-- == 0;
              }

              @Override
              public void act() {
                ask(user, told);
              }
            };
        if (before) {
          identities.before(hook);
        } else {
          identities.after(hook);
        }
        ask(user, told);
        identities.before(null);
        identities.after(null);
        assertEquals(1, told.size(), user);
        assertEquals(told.get(0), identity(user).getSecretKey(), user);
      }
    }
  }

  private void ask(String user, List<String> told) {
    try {
      told.add(get(user, WriteId.random()).getSecretKey());
    } catch (StoreException e) {
      assertEquals(ErrorCode.KEY_EXISTS, e.code(), e.getMessage());
    }
  }

  private String row(ByteString row) throws Exception {
    return memory
        .get(row, List.of(IdentityRowLayout.ENTITY))
        .value(IdentityRowLayout.ENTITY)
        .toString(StandardCharsets.ISO_8859_1);
  }

  @Test
  void keysThatSealSessionsAreStoredSealedAndOldOnesAreSealedAtTheNextStart() throws Exception {
    Namespace before = namespace(SecretSeal.NONE);
    Entity key =
        Entity.newBuilder()
            .setKind(EntityKind.SEALING_KEY)
            .setName("sessions")
            .setSecret(KEY)
            .build();
    var unused = before.putEntity(PutEntityRequest.newBuilder().setEntity(key).build());
    ByteString place = IdentityRowLayout.entity(EntityKind.SEALING_KEY, "sessions");
    assertTrue(row(place).contains(KEY.toStringUtf8()));
    GetEntityRequest ask =
        GetEntityRequest.newBuilder().setKind(EntityKind.SEALING_KEY).setName("sessions").build();
    assertEquals(KEY, om.getEntity(ask).getEntity().getSecret(), "read as it is");

    Namespace next = namespace(SEAL);
    assertFalse(row(place).contains(KEY.toStringUtf8()));
    assertEquals(KEY, next.getEntity(ask).getEntity().getSecret());
    assertEquals(0, next.getEntity(ask).getEntity().getSecretCipher(), "a matter of the table");
    assertEquals(
        KEY,
        next.listEntities(ListEntitiesRequest.newBuilder().setKind(EntityKind.SEALING_KEY).build())
            .getEntities(0)
            .getSecret());
    String sealed = row(place);
    var again = namespace(SEAL);
    assertEquals(sealed, row(place), "there is nothing to do");
    assertEquals(KEY, again.getEntity(ask).getEntity().getSecret());

    // Made under a password; in another place it opens nothing.
    unused =
        next.putEntity(
            PutEntityRequest.newBuilder().setEntity(key.toBuilder().setName("other")).build());
    assertFalse(
        row(IdentityRowLayout.entity(EntityKind.SEALING_KEY, "other"))
            .contains(KEY.toStringUtf8()));
    Namespace without = namespace(SecretSeal.NONE);
    fails(ErrorCode.BAD_CONFIGURATION, () -> without.getEntity(ask));
    Namespace other = namespace(SecretSeal.of("another".toCharArray()));
    fails(ErrorCode.BAD_CONFIGURATION, () -> other.getEntity(ask));
  }
}

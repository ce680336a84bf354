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

import static io.stowage.om.UploadsTest.crashAt;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.CreateUserRequest;
import io.stowage.common.proto.DeleteUserRequest;
import io.stowage.common.proto.GetIdentityRequest;
import io.stowage.common.proto.Identity;
import io.stowage.common.proto.ListUsersRequest;
import io.stowage.common.proto.UpdateUserRequest;
import io.stowage.common.proto.User;
import io.stowage.common.time.StoreClock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Users that get other names, by object managers that die and by several at once. */
@Timeout(120)
class UserRenamesTest {
  private TestOm author;
  private TestOm other;

  @BeforeEach
  void openTwo() throws StoreException {
    TestOm.Tables tables = TestOm.Tables.inMemory();
    author = new TestOm(tables, new FakeContainers(), StoreClock.system());
    other = new TestOm(tables, new FakeContainers(), new OffsetClock(Duration.ofSeconds(-1)));
  }

  @AfterEach
  void disarm() {
    CrashPoint.disarmAll();
  }

  private static User create(TestOm om, String name, String key) throws StoreException {
    return om.om
        .createUser(
            CreateUserRequest.newBuilder()
                .setUser(User.newBuilder().setName(name).putPolicies("of", name))
                .setAccessKey(key)
                .setSecretKey("secret of " + key)
                .setWriteId(WriteId.random())
                .build())
        .getUser();
  }

  private static User rename(TestOm om, String from, String to) throws StoreException {
    return om.om
        .updateUser(UpdateUserRequest.newBuilder().setName(from).setNewName(to).build())
        .getUser();
  }

  private static Identity identity(TestOm om, String key) throws StoreException {
    return om.om
        .getIdentity(GetIdentityRequest.newBuilder().setAccessKey(key).build())
        .getIdentity();
  }

  private static List<String> names(TestOm om) throws StoreException {
    return om.om.listUsers(ListUsersRequest.getDefaultInstance()).getUsersList().stream()
        .map(User::getName)
        .toList();
  }

  private static void fails(ErrorCode code, org.junit.jupiter.api.function.Executable call) {
    assertEquals(code, assertThrows(StoreException.class, call).code());
  }

  @Test
  void theUserIsTheSameUnderAnotherName() throws StoreException {
    User before = create(author, "ann", "K1");
    User after =
        author
            .om
            .updateUser(
                UpdateUserRequest.newBuilder()
                    .setName("ann")
                    .setNewName("bea")
                    .setPath("/staff/")
                    .build())
            .getUser();
    assertEquals(before.toBuilder().setName("bea").setPath("/staff/").build(), after);
    assertEquals(after, rename(author, "ann", "bea"), "the same again");
    Identity identity = identity(other, "K1");
    assertEquals("bea", identity.getUserName());
    assertEquals(before.getCanonicalId(), identity.getUser());
    assertEquals("secret of K1", identity.getSecretKey());
    assertEquals(List.of("bea"), names(other));
    // The old name is anybody's, and what is asked for the old name is not.
    User next = create(other, "ann", "K2");
    assertEquals("ann", identity(author, "K2").getUserName());
    assertEquals("bea", identity(author, "K1").getUserName());
    fails(ErrorCode.KEY_EXISTS, () -> rename(author, "bea", "ann"));
    fails(ErrorCode.KEY_EXISTS, () -> create(author, "cid", "K1"));
    fails(ErrorCode.NO_SUCH_KEY, () -> rename(author, "nobody", "cid"));
    fails(ErrorCode.INVALID_ARGUMENT, () -> rename(author, "bea", "no name"));
    // A swap, by way of a third name.
    rename(other, "ann", "tmp");
    rename(author, "bea", "ann");
    rename(other, "tmp", "bea");
    assertEquals("ann", identity(other, "K1").getUserName());
    assertEquals(before.getId(), identity(other, "K1").getUserId());
    assertEquals("bea", identity(other, "K2").getUserName());
    assertEquals(next.getId(), identity(other, "K2").getUserId());
    other.om.deleteUser(DeleteUserRequest.newBuilder().setName("ann").build());
    fails(ErrorCode.ACCESS_DENIED, () -> identity(author, "K1"));
    assertEquals(List.of("bea"), names(author));
  }

  static Stream<String> points() {
    return Stream.of("reserved", "moved", "live", "keys")
        .map(point -> "om.rename-user.after-" + point);
  }

  private static boolean happened(String point) {
    return !point.endsWith("reserved");
  }

  private User die(String point) throws StoreException {
    User user = create(author, "ann", "K1");
    crashAt(point, () -> rename(author, "ann", "bea"));
    return user;
  }

  @ParameterizedTest
  @MethodSource("points")
  void aKeyCountsAllTheTime(String point) throws StoreException {
    User user = die(point);
    Identity identity = identity(other, "K1");
    assertEquals(happened(point) ? "bea" : "ann", identity.getUserName());
    assertEquals(user.getCanonicalId(), identity.getUser());
    assertEquals(List.of(happened(point) ? "bea" : "ann"), names(other));
  }

  @ParameterizedTest
  @MethodSource("points")
  void theListTellsOneUser(String point) throws StoreException {
    die(point);
    assertEquals(List.of(happened(point) ? "bea" : "ann"), names(other));
  }

  @ParameterizedTest
  @MethodSource("points")
  void theSameAgainElsewhereDoesTheRest(String point) throws StoreException {
    User user = die(point);
    assertEquals(user.toBuilder().setName("bea").build(), rename(other, "ann", "bea"));
    assertEquals("bea", identity(author, "K1").getUserName());
    assertEquals(List.of("bea"), names(other));
  }

  @ParameterizedTest
  @MethodSource("points")
  void whoTakesOneOfTheNamesTakesNothingElse(String point) throws StoreException {
    die(point);
    create(other, happened(point) ? "ann" : "bea", "K2");
    assertEquals(happened(point) ? "bea" : "ann", identity(other, "K1").getUserName());
    assertEquals(happened(point) ? "ann" : "bea", identity(author, "K2").getUserName());
    assertEquals(List.of("ann", "bea"), names(other));
    fails(ErrorCode.KEY_EXISTS, () -> create(other, happened(point) ? "bea" : "ann", "K3"));
    fails(ErrorCode.KEY_EXISTS, () -> create(other, "cid", "K1"));
  }

  @ParameterizedTest
  @MethodSource("points")
  void changesGoToWhoHasTheNameThen(String point) throws StoreException {
    die(point);
    String name = happened(point) ? "bea" : "ann";
    other.om.updateUser(
        UpdateUserRequest.newBuilder()
            .setName(name)
            .addAddKeys(Identity.newBuilder().setAccessKey("K2").setSecretKey("s"))
            .addRemoveKeys("K1")
            .build());
    assertEquals(name, identity(author, "K2").getUserName());
    fails(ErrorCode.ACCESS_DENIED, () -> identity(author, "K1"));
    rename(other, name, "cid");
    assertEquals("cid", identity(author, "K2").getUserName());
    other.om.deleteUser(DeleteUserRequest.newBuilder().setName("cid").build());
    assertEquals(List.of(), names(author));
  }

  /** Renames, takers of names and readers at once: no user is lost, doubled, or gets a key. */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void manyAtOnceLoseNobody(long seed) throws Exception {
    List<String> names = List.of("a", "b", "c", "d", "e");
    List<String> ids = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      ids.add(create(author, names.get(i), "K" + i).getId());
    }
    ExecutorService threads = Executors.newFixedThreadPool(4);
    List<Future<Integer>> running = new ArrayList<>();
    for (int t = 0; t < 4; t++) {
      TestOm om = t % 2 == 0 ? author : other;
      Random random = new Random(seed * 10 + t);
      running.add(
          threads.submit(
              () -> {
                int renamed = 0;
                for (int round = 0; round < 2_000; round++) {
                  int key = random.nextInt(3);
                  Identity found = identity(om, "K" + key);
                  assertEquals(ids.get(key), found.getUserId());
                  assertEquals("secret of K" + key, found.getSecretKey());
                  try {
                    rename(om, found.getUserName(), names.get(random.nextInt(names.size())));
                    renamed++;
                  } catch (StoreException e) {
                    assertTrue(
                        List.of(ErrorCode.KEY_EXISTS, ErrorCode.NO_SUCH_KEY, ErrorCode.CONFLICT)
                            .contains(e.code()),
                        e::toString);
                  }
                }
                return renamed;
              }));
    }
    int renamed = 0;
    for (Future<Integer> each : running) {
      renamed += each.get();
    }
    threads.shutdown();
    assertTrue(renamed > 10, renamed + " renames");
    List<String> there =
        author.om.listUsers(ListUsersRequest.getDefaultInstance()).getUsersList().stream()
            .map(User::getId)
            .sorted()
            .toList();
    assertEquals(ids.stream().sorted().toList(), there);
    for (int key = 0; key < 3; key++) {
      assertEquals(ids.get(key), identity(other, "K" + key).getUserId());
    }
  }
}

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
package io.stowage.s3.iam;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.stowage.client.twin.InMemoryObjectManager;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.CreateUserRequest;
import io.stowage.common.proto.Entity;
import io.stowage.common.proto.EntityKind;
import io.stowage.common.proto.GetIdentityRequest;
import io.stowage.common.proto.ListUsersReply;
import io.stowage.common.proto.ListUsersRequest;
import io.stowage.common.proto.UpdateUserRequest;
import io.stowage.common.proto.User;
import io.stowage.common.time.StoreClock;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Predicate;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Who is in which group while groups and users are renamed and removed. */
class MembershipsTest {
  private final InMemoryObjectManager manager =
      new InMemoryObjectManager(StoreClock.system(), "rs-3-2");
  private final Memberships memberships = new Memberships(manager);
  private final Entities groups = new Entities(manager, EntityKind.GROUP, "group");

  private interface Act {
    void run() throws Exception;
  }

  @BeforeEach
  void makeGroup() throws Exception {
    var unused = groups.create(Entity.newBuilder().setName("g").setPath("/").setId("AGPA1"));
  }

  private User user(String name) throws Exception {
    return manager
        .createUser(
            CreateUserRequest.newBuilder()
                .setUser(User.newBuilder().setName(name).setId("AIDA" + name))
                .setWriteId(WriteId.random())
                .build())
        .getUser();
  }

  private Map<String, String> groupsOf(String name) {
    return manager
        .listUsers(ListUsersRequest.newBuilder().setOnly(name).build())
        .getUsers(0)
        .getGroupsMap();
  }

  private static Memberships over(ObjectManager asked) {
    return new Memberships(asked);
  }

  /** Something happens right before somebody changes a user of this name, once. */
  private ObjectManager before(String name, Act act) {
    AtomicReference<Act> once = new AtomicReference<>(act);
    return (ObjectManager)
        Proxy.newProxyInstance(
            ObjectManager.class.getClassLoader(),
            new Class<?>[] {ObjectManager.class},
            (proxy, method, arguments) -> {
              if (arguments[0] instanceof UpdateUserRequest change
                  && change.getName().equals(name)) {
                Act now = once.getAndSet(null);
                if (now != null) {
                  now.run();
                }
              }
              try {
                return method.invoke(manager, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  private void renameGroup(ObjectManager by, String from, String to) throws Exception {
    over(by).renamed(new Entities(by, EntityKind.GROUP, "group").rename(from, to, entity -> {}));
  }

  private User renameUser(String from, String to) throws StoreException {
    return manager
        .updateUser(UpdateUserRequest.newBuilder().setName(from).setNewName(to).build())
        .getUser();
  }

  private void deleteGroup(String name) throws Exception {
    Entity group = groups.find(name);
    groups.remove(name, entity -> {});
    memberships.removed(group);
  }

  @Test
  void membersOfARenamedGroupSayItsNewName() throws Exception {
    memberships.add(user("u"), groups.find("g"));
    renameGroup(manager, "g", "h");
    assertEquals(Map.of("h", "AGPA1"), groupsOf("u"));
  }

  @Test
  void whoIsAddedWhileTheGroupIsRenamedIsInIt() throws Exception {
    User user = user("u");
    Entity group = groups.find("g");
    over(before("u", () -> renameGroup(manager, "g", "h"))).add(user, group);
    assertEquals(List.of("AGPA1"), idsOf("u"));
  }

  @Test
  void whoIsAddedWhileTheGroupIsRemovedIsInNone() throws Exception {
    User user = user("u");
    Entity group = groups.find("g");
    IamException refused =
        assertThrows(
            IamException.class, () -> over(before("u", () -> deleteGroup("g"))).add(user, group));
    assertEquals("NoSuchEntity", refused.code());
    assertEquals(Map.of(), groupsOf("u"));
  }

  @Test
  void whoIsRenamedWhileHeIsAddedIsNotThere() throws Exception {
    User user = user("u");
    Entity group = groups.find("g");
    IamException refused =
        assertThrows(
            IamException.class,
            () -> over(before("u", () -> renameUser("u", "v"))).add(user, group));
    assertEquals("NoSuchEntity", refused.code());
    assertEquals(Map.of(), groupsOf("v"));
  }

  @Test
  void whoIsTakenOutWhileTheGroupIsRenamedDoesNotComeBack() throws Exception {
    User user = user("u");
    memberships.add(user, groups.find("g"));
    User in = UserActions.find(manager, "u");
    Entity group = groups.find("g");
    renameGroup(before("u", () -> memberships.remove(in, group)), "g", "h");
    assertEquals(Map.of(), groupsOf("u"));
  }

  @Test
  void whoIsRenamedWhileTheGroupIsStaysInIt() throws Exception {
    memberships.add(user("u"), groups.find("g"));
    renameGroup(before("u", () -> renameUser("u", "a")), "g", "h");
    assertEquals(List.of("AGPA1"), idsOf("a"));
  }

  /** The listing that the group's rename goes by has passed the new name when it is given. */
  @Test
  void whoIsRenamedBehindTheBackOfAGroupsRenameStaysInIt() throws Exception {
    memberships.add(user("u"), groups.find("g"));
    ObjectManager missing =
        seenBy(member -> false); // who is renamed during each listing, ahead of it
    renameGroup(missing, "g", "h");
    assertEquals(Map.of("g", "AGPA1"), groupsOf("u"));
    var unused = renameUser("u", "a");
    assertEquals(List.of("AGPA1"), idsOf("a"));
  }

  /** Listings show some users alone. */
  private ObjectManager seenBy(Predicate<User> shown) {
    return (ObjectManager)
        Proxy.newProxyInstance(
            ObjectManager.class.getClassLoader(),
            new Class<?>[] {ObjectManager.class},
            (proxy, method, arguments) -> {
              if (arguments[0] instanceof ListUsersRequest list) {
                ListUsersReply all = manager.listUsers(list);
                return all.toBuilder()
                    .clearUsers()
                    .addAllUsers(all.getUsersList().stream().filter(shown).toList())
                    .build();
              }
              try {
                return method.invoke(manager, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  /** What a group that is no more left behind is no reason to keep a user for ever. */
  @Test
  void whatAUserSaysOfAGroupThatIsNoMoreMeansNothing() throws Exception {
    memberships.add(user("u"), groups.find("g"));
    groups.remove("g", entity -> {}); // and whoever did it died
    assertEquals(List.of(), memberships.of(UserActions.find(manager, "u")));
    var unused = groups.create(Entity.newBuilder().setName("g").setPath("/").setId("AGPA2"));
    assertEquals(List.of(), memberships.of(UserActions.find(manager, "u")));
  }

  /** Whoever renames it dies before the old name goes. */
  private void leaveUnderBothNames(String from, String to) throws Exception {
    var unused = groups.create(groups.find(from).toBuilder().setName(to).clearStamp());
  }

  /** Whoever renames it dies before he looks at its members. */
  private void leaveMembersBehind(String from, String to) throws Exception {
    var unused = groups.rename(from, to, entity -> {});
  }

  private List<String> idsOf(String name) throws Exception {
    return memberships.of(UserActions.find(manager, name)).stream().map(Entity::getId).toList();
  }

  private List<String> policiesOf(String name) throws StoreException {
    return List.copyOf(
        manager
            .getIdentity(GetIdentityRequest.newBuilder().setUserName(name).build())
            .getIdentity()
            .getPoliciesMap()
            .keySet());
  }

  @Test
  void whoIsTakenOutOfAGroupThatHasTwoNamesIsInNeither() throws Exception {
    memberships.add(user("u"), groups.find("g"));
    leaveUnderBothNames("g", "h");
    manager.updateUser( // as two who add him at the same time may leave it
        UpdateUserRequest.newBuilder().setName("u").putPutGroups("h", "AGPA1").build());
    assertEquals(List.of("AGPA1"), idsOf("u"));
    memberships.remove(UserActions.find(manager, "u"), groups.find("h"));
    assertEquals(List.of(), idsOf("u"));
    renameGroup(manager, "g", "h"); // whoever asks again
    assertEquals(Map.of(), groupsOf("u"));
  }

  @Test
  void whoIsMovedWhileHeIsTakenOutIsTakenOut() throws Exception {
    memberships.add(user("u"), groups.find("g"));
    User in = UserActions.find(manager, "u");
    Entity group = groups.find("g");
    over(before("u", () -> renameGroup(manager, "g", "h"))).remove(in, group);
    assertEquals(Map.of(), groupsOf("u"));
  }

  @Test
  void nobodyIsLostWhoeverDiesInARename() throws Exception {
    groups.change("g", group -> group.putPolicies("p", "{}"));
    memberships.add(user("u"), groups.find("g"));
    leaveMembersBehind("g", "h");
    assertEquals(List.of("AGPA1"), idsOf("u"));
    assertEquals(
        List.of("u"), memberships.members(groups.find("h")).stream().map(User::getName).toList());
    assertEquals(List.of("group/h/p"), policiesOf("u"));
    memberships.remove(UserActions.find(manager, "u"), groups.find("h"));
    assertEquals(Map.of(), groupsOf("u"));
  }

  @Test
  void aGroupThatIsMadeUnderAnOldNameTakesNobodysPlace() throws Exception {
    memberships.add(user("u"), groups.find("g"));
    leaveMembersBehind("g", "h");
    Entity another = groups.create(Entity.newBuilder().setName("g").setPath("/").setId("AGPA2"));
    memberships.add(UserActions.find(manager, "u"), another);
    assertEquals(Map.of("g", "AGPA2", "h", "AGPA1"), groupsOf("u"));
  }

  private Entity groupOfNow() throws StoreException {
    return groups.now("g", "AGPA1");
  }

  private User userOfNow(String id) {
    while (true) {
      for (User user : manager.listUsers(ListUsersRequest.getDefaultInstance()).getUsersList()) {
        if (user.getId().equals(id)) {
          return user;
        }
      }
    }
  }

  /** Until it is done: names change between the look and the change. */
  private static void again(Act act) throws Exception {
    while (true) {
      try {
        act.run();
        return;
      } catch (IamException e) {
        assertEquals("NoSuchEntity", e.code(), e.getMessage());
      }
    }
  }

  @Test
  void racingRenamesLoseNobodyAndBringNobodyBack() throws Exception {
    for (int round = 0; round < 50; round++) {
      race(round);
    }
  }

  private void race(int round) throws Exception {
    List<String> added = List.of("b" + round, "m" + round, "x" + round);
    List<String> takenOut = List.of("c" + round, "n" + round, "y" + round);
    for (String name : added) {
      var unused = user(name);
    }
    for (String name : takenOut) {
      memberships.add(user(name), groupOfNow());
    }
    ExecutorService threads = Executors.newFixedThreadPool(4);
    try {
      List<Future<?>> work = new ArrayList<>();
      work.add(
          threads.submit(
              () -> {
                String[] names = {"g", "a", "z", "h", "g"};
                for (int i = 1; i < names.length; i++) {
                  renameGroup(manager, names[i - 1], names[i]);
                }
                return null;
              }));
      work.add(
          threads.submit(
              () -> {
                for (int i = 0; i < 3; i++) {
                  for (List<String> some : List.of(added, takenOut)) {
                    for (String name : some) {
                      String next = (i % 2 == 0 ? "0" : "zz") + name;
                      var unused = renameUser(userOfNow("AIDA" + name).getName(), next);
                    }
                  }
                }
                return null;
              }));
      work.add(
          threads.submit(
              () -> {
                for (String name : added) {
                  again(() -> memberships.add(userOfNow("AIDA" + name), groupOfNow()));
                }
                return null;
              }));
      work.add(
          threads.submit(
              () -> {
                for (String name : takenOut) {
                  again(() -> memberships.remove(userOfNow("AIDA" + name), groupOfNow()));
                }
                return null;
              }));
      for (Future<?> each : work) {
        each.get();
      }
    } finally {
      threads.shutdownNow();
    }
    for (String name : added) {
      assertEquals(List.of("AGPA1"), idsOf(userOfNow("AIDA" + name).getName()), name);
    }
    for (String name : takenOut) {
      assertEquals(Map.of(), groupsOf(userOfNow("AIDA" + name).getName()), name);
    }
  }
}

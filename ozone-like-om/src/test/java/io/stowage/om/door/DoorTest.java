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
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.common.proto.GetBucketReply;
import io.stowage.common.proto.ListBucketsRequest;
import io.stowage.common.time.ManualClock;
import io.stowage.common.token.ShardGrants;
import io.stowage.common.token.ShardTokens;
import io.stowage.common.token.TokenKeyRing;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.Set;
import java.util.TreeSet;
import org.apache.hadoop.thirdparty.protobuf.Message;
import org.junit.jupiter.api.Test;

class DoorTest {
  private static final Set<String> OPEN_TO_ALL =
      Set.of(
          "createBucket",
          "leaseContainer",
          "listBuckets",
          "locateContainers",
          "releaseLease",
          "renewLeases",
          "reportDamage");

  /** A namespace in which every bucket is alice's. */
  private final Door door =
      new Door(
          (ObjectManager)
              Proxy.newProxyInstance(
                  ObjectManager.class.getClassLoader(),
                  new Class<?>[] {ObjectManager.class},
                  (proxy, method, arguments) ->
                      GetBucketReply.newBuilder()
                          .setBucket(BucketInfo.newBuilder().setOwner("alice"))
                          .build()),
          new ShardGrants(
              new ShardTokens(new TokenKeyRing(), new ManualClock(1)), Duration.ofHours(1)),
          Duration.ofMinutes(15));

  private static Message request(Method method) throws Exception {
    return (Message) method.getParameterTypes()[0].getMethod("getDefaultInstance").invoke(null);
  }

  private Message passed(String name, Message request, String user, boolean administrator)
      throws Exception {
    Message[] seen = {null};
    try {
      var unused =
          door.pass(
              name,
              request,
              user,
              administrator,
              allowed -> {
                seen[0] = allowed;
                return GetBucketReply.getDefaultInstance();
              });
      return seen[0];
    } catch (Exception e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  /** Of every call that there is: one added later is closed until this test is told otherwise. */
  @Test
  void strangersGetThroughOnlyWhereNothingIsAnybodys() throws Exception {
    Set<String> open = new TreeSet<>();
    for (Method method : ObjectManager.class.getMethods()) {
      try {
        var unused = passed(method.getName(), request(method), "bob", false);
        open.add(method.getName());
      } catch (StoreException e) {
        assertEquals(ErrorCode.ACCESS_DENIED, e.code(), method.getName());
      }
      var unused = passed(method.getName(), request(method), "root", true);
    }
    assertEquals(new TreeSet<>(OPEN_TO_ALL), open);
  }

  @Test
  void ownersUseTheirBuckets() throws Exception {
    for (Method method : ObjectManager.class.getMethods()) {
      Message request = request(method);
      boolean ofABucket =
          request.getDescriptorForType().findFieldByName("bucket") != null
              && request.getDescriptorForType().findFieldByName("bucket").getJavaType()
                  == org.apache.hadoop.thirdparty.protobuf.Descriptors.FieldDescriptor.JavaType
                      .STRING;
      if (ofABucket) {
        assertEquals(request, passed(method.getName(), request, "alice", false));
      }
    }
  }

  @Test
  void whoAsksIsTheOwnerWhateverHeSays() throws Exception {
    CreateBucketRequest create = CreateBucketRequest.newBuilder().setOwner("alice").build();
    assertEquals(
        "bob", ((CreateBucketRequest) passed("createBucket", create, "bob", false)).getOwner());
    assertEquals(
        "alice", ((CreateBucketRequest) passed("createBucket", create, "root", true)).getOwner());
    assertEquals(
        "bob",
        ((ListBucketsRequest)
                passed("listBuckets", ListBucketsRequest.getDefaultInstance(), "bob", false))
            .getOwner());
  }

  @Test
  void aCallThatIsNotKnownIsRefused() {
    StoreException e =
        assertThrows(
            StoreException.class,
            () -> passed("eraseAll", GetBucketReply.getDefaultInstance(), "alice", false));
    assertEquals(ErrorCode.ACCESS_DENIED, e.code());
  }
}

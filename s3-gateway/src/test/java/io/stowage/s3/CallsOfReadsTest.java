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
package io.stowage.s3;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.stowage.client.DataPath;
import io.stowage.client.twin.InMemoryDataPath;
import io.stowage.client.twin.InMemoryObjectManager;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.id.WriteId;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.CreateUserRequest;
import io.stowage.common.proto.Identity;
import io.stowage.common.proto.PutIdentityRequest;
import io.stowage.common.proto.User;
import io.stowage.common.time.StoreClock;
import io.stowage.s3.suite.RawS3;
import io.stowage.s3.suite.RawS3.Reply;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/**
 * What requests that ask for no bytes cost: nothing of the data path, so no datanode. What they
 * cost of the namespace is as few calls as docs/PERFORMANCE.md says.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class CallsOfReadsTest {
  private final List<String> dataCalls = new ArrayList<>(); // guarded by itself
  private final List<String> objectCalls = new ArrayList<>(); // guarded by itself
  private S3GatewayServer gateway;
  private RawS3 s3;

  @BeforeAll
  void start() throws Exception {
    InMemoryObjectManager twin = new InMemoryObjectManager(StoreClock.system(), "rs-3-2");
    twin.putIdentity(
        PutIdentityRequest.newBuilder()
            .setIdentity(
                Identity.newBuilder()
                    .setAccessKey("AK")
                    .setSecretKey("s")
                    .setUser("tester")
                    .setAdmin(true))
            .build());
    var unused =
        twin.createUser(
            CreateUserRequest.newBuilder()
                .setUser(User.newBuilder().setName("ann"))
                .setAccessKey("AKANN")
                .setSecretKey("s")
                .setWriteId(WriteId.random())
                .build());
    gateway =
        S3GatewayServer.start(
            StowageConfig.of(Map.of()).with(Keys.S3_BIND, "127.0.0.1:0"),
            counted(ObjectManager.class, twin, objectCalls),
            counted(DataPath.class, new InMemoryDataPath(), dataCalls),
            StoreClock.system());
    s3 = new RawS3(URI.create("http://127.0.0.1:" + gateway.port()), "AK", "s", "us-east-1");
    assertEquals(200, s3.call("PUT", "/bucket").send().status());
    assertEquals(200, s3.call("PUT", "/bucket/small").body("0123456789").send().status());
    assertEquals(200, s3.call("PUT", "/bucket/large").body(new byte[9 << 20]).send().status());
  }

  @AfterAll
  void stop() {
    gateway.close();
  }

  private static <T> T counted(Class<T> type, T behind, List<String> calls) {
    return type.cast(
        Proxy.newProxyInstance(
            type.getClassLoader(),
            new Class<?>[] {type},
            (proxy, method, arguments) -> {
              synchronized (calls) {
                calls.add(method.getName());
              }
              try {
                return method.invoke(behind, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            }));
  }

  private static List<String> taken(List<String> calls) {
    synchronized (calls) {
      List<String> taken = List.copyOf(calls);
      calls.clear();
      return taken;
    }
  }

  /** Sends a request and returns its calls of the data path; those of the namespace are checked. */
  private List<String> calls(String ofObjects, int status, RawS3.Call call) throws IOException {
    taken(dataCalls);
    taken(objectCalls);
    Reply reply = call.send();
    assertEquals(status, reply.status(), reply.text());
    List<String> objects = new ArrayList<>(taken(objectCalls));
    objects.removeIf(name -> !name.equals("getObject") && !name.equals("listObjects"));
    assertEquals(List.of(ofObjects), objects);
    return taken(dataCalls);
  }

  @Test
  void aHeadAsksNoDatanode() throws IOException {
    for (String key : new String[] {"/bucket/small", "/bucket/large"}) {
      String etag = s3.call("HEAD", key).send().headers().get("etag");
      for (String method : new String[] {"HEAD", "GET"}) {
        assertEquals(
            List.of(),
            calls("getObject", 304, s3.call(method, key).header("if-none-match", etag)),
            method);
        assertEquals(
            List.of(),
            calls("getObject", 412, s3.call(method, key).header("if-match", "other")),
            method);
      }
      assertEquals(List.of(), calls("getObject", 200, s3.call("HEAD", key)));
      assertEquals(List.of(), calls("getObject", 206, s3.call("HEAD", key + "?partNumber=1")));
      assertEquals(
          List.of(), calls("getObject", 206, s3.call("HEAD", key).header("range", "bytes=0-3")));
      assertEquals(List.of(), calls("getObject", 200, s3.call("GET", key + "?tagging")));
      assertEquals(
          List.of(),
          calls(
              "getObject",
              200,
              s3.call("GET", key + "?attributes")
                  .header("x-amz-object-attributes", "ETag,ObjectSize")));
    }
    assertEquals(List.of(), calls("getObject", 404, s3.call("HEAD", "/bucket/absent")));
    assertEquals(List.of(), calls("listObjects", 200, s3.call("GET", "/bucket?list-type=2")));
  }

  /** Users are read one by one for it. */
  @Test
  void whoseAKeyIsIsLookedForOnce() throws IOException {
    for (String key : new String[] {"AKANN", "AKNONE"}) {
      taken(objectCalls);
      Reply reply =
          s3.call("POST", "/")
              .scope("us-east-1", "iam")
              .body("Action=GetAccessKeyLastUsed&Version=2010-05-08&AccessKeyId=" + key)
              .send();
      assertEquals(key.equals("AKANN") ? 200 : 404, reply.status(), reply.text());
      assertEquals(
          List.of("listUsers"),
          taken(objectCalls).stream().filter(name -> name.equals("listUsers")).toList());
    }
  }

  /** What the test above would see. */
  @Test
  void aGetReadsOnce() throws IOException {
    assertEquals(List.of("read"), calls("getObject", 200, s3.call("GET", "/bucket/small")));
    assertEquals(List.of("read"), calls("getObject", 200, s3.call("GET", "/bucket/large")));
    assertEquals(
        List.of("read"),
        calls("getObject", 206, s3.call("GET", "/bucket/large").header("range", "bytes=5-9")));
  }
}

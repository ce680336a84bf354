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
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.client.DataPath;
import io.stowage.client.twin.InMemoryDataPath;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.proto.Identity;
import io.stowage.common.proto.PutIdentityRequest;
import io.stowage.common.time.StoreClock;
import io.stowage.om.CountedOm;
import io.stowage.s3.suite.RawS3;
import io.stowage.s3.suite.RawS3.Reply;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.URI;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/**
 * What a request costs of HBase and of datanodes, from HTTP to the tables: as few round trips as
 * docs/PERFORMANCE.md says.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class RowsOfRequestsTest {
  private static final int KEYS = 1_100;

  private final CountedOm om = new CountedOm();
  private final AtomicLong dataCalls = new AtomicLong();
  private S3GatewayServer gateway;
  private RawS3 s3;

  /** What requests cost: calls that read rows, mutations of rows, reads and writes of bytes. */
  private record Cost(long reads, long mutations, long data) {}

  @BeforeAll
  void start() throws Exception {
    om.namespace()
        .putIdentity(
            PutIdentityRequest.newBuilder()
                .setIdentity(
                    Identity.newBuilder().setAccessKey("AK").setSecretKey("s").setUser("tester"))
                .build());
    InMemoryDataPath twin = new InMemoryDataPath();
    DataPath counted =
        (DataPath)
            Proxy.newProxyInstance(
                DataPath.class.getClassLoader(),
                new Class<?>[] {DataPath.class},
                (proxy, method, arguments) -> {
                  if (method.getName().equals("read") || method.getName().equals("write")) {
                    dataCalls.incrementAndGet();
                  }
                  try {
                    return method.invoke(twin, arguments);
                  } catch (InvocationTargetException e) {
                    throw e.getCause();
                  }
                });
    gateway =
        S3GatewayServer.start(
            StowageConfig.of(Map.of()).with(Keys.S3_BIND, "127.0.0.1:0"),
            om.namespace(),
            counted,
            StoreClock.system());
    s3 = new RawS3(URI.create("http://127.0.0.1:" + gateway.port()), "AK", "s", "us-east-1");
    assertEquals(200, s3.call("PUT", "/bucket").send().status());
    assertEquals(200, s3.call("PUT", "/bucket/k").body("content").send().status());
  }

  @AfterAll
  void stop() {
    gateway.close();
    om.close();
  }

  private Cost cost(int status, RawS3.Call call) throws IOException {
    long reads = om.reads();
    long mutations = om.mutations();
    long data = dataCalls.get();
    Reply reply = call.send();
    assertEquals(status, reply.status(), reply.text());
    return new Cost(om.reads() - reads, om.mutations() - mutations, dataCalls.get() - data);
  }

  @Test
  void aPutOfANewKeyIsOneMutation() throws IOException {
    assertEquals(new Cost(0, 1, 1), cost(200, s3.call("PUT", "/bucket/new").body("content")));
    assertEquals(
        new Cost(0, 1, 1),
        cost(200, s3.call("PUT", "/bucket/new2").header("if-none-match", "*").body("content")));
  }

  /** What the one above would see of a look first. */
  @Test
  void aPutOverAKeyReadsItsHead() throws IOException {
    s3.call("PUT", "/bucket/over").body("content").send();
    Cost cost = cost(200, s3.call("PUT", "/bucket/over").body("other"));
    assertTrue(cost.reads() >= 1 && cost.mutations() >= 1, cost::toString);
  }

  @Test
  void aGetIsOneRead() throws IOException {
    assertEquals(new Cost(1, 0, 1), cost(200, s3.call("GET", "/bucket/k")));
    assertEquals(
        new Cost(1, 0, 1), cost(206, s3.call("GET", "/bucket/k").header("range", "bytes=1-2")));
    assertEquals(new Cost(1, 0, 0), cost(404, s3.call("GET", "/bucket/absent")));
  }

  @Test
  void aHeadAsksNoDatanode() throws IOException {
    assertEquals(new Cost(1, 0, 0), cost(200, s3.call("HEAD", "/bucket/k")));
    assertEquals(new Cost(1, 0, 0), cost(404, s3.call("HEAD", "/bucket/absent")));
  }

  @Test
  void aPageOfAThousandKeysIsOneScan() throws IOException {
    assertEquals(200, s3.call("PUT", "/many").send().status());
    for (int i = 0; i < KEYS; i++) {
      String key = String.format("/many/%06d", i);
      assertEquals(200, s3.call("PUT", key).body("").send().status());
    }
    RawS3.Call first = s3.call("GET", "/many?list-type=2");
    assertEquals(new Cost(1, 0, 0), cost(200, first));
    Reply page = s3.call("GET", "/many?list-type=2").send();
    assertEquals("1000", page.element("KeyCount"));
    String next = page.element("NextContinuationToken").replace("=", "%3D").replace("+", "%2B");
    assertEquals(
        new Cost(1, 0, 0),
        cost(200, s3.call("GET", "/many?continuation-token=" + next + "&list-type=2")));
    assertEquals(new Cost(1, 0, 0), cost(200, s3.call("GET", "/many")));
  }
}

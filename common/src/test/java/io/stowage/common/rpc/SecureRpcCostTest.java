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
package io.stowage.common.rpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.conf.Keys;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.GetBucketReply;
import io.stowage.common.proto.GetBucketRequest;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.security.PrivilegedExceptionAction;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.security.UserGroupInformation;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/**
 * What each {@code hadoop.rpc.protection} costs, and no security at all; both ends in this JVM, an
 * answer of 300 bytes. The three take turns, so that whatever else a machine does is the same to
 * all. Asserts nothing of time; prints what {@code docs/PERFORMANCE.md} records.
 */
@EnabledIfSystemProperty(named = "stowage.test.costs", matches = "true")
class SecureRpcCostTest {
  private static final int ROUNDS = 5;
  private static final int WARMUP_SECONDS = 3;
  private static final int ROUND_SECONDS = 2;

  @TempDir private static Path directory;

  /** Calls a second, a figure a round. */
  private static final class Figures {
    final List<Double> ofOne = new ArrayList<>();
    final List<Double> ofSixteen = new ArrayList<>();

    void round(ObjectManager api) throws Exception {
      ofOne.add(rate(api, 1, ROUND_SECONDS));
      ofSixteen.add(rate(api, 16, ROUND_SECONDS));
    }

    void print(String name) {
      System.out.printf(
          "COST RPC with %s: calls/s of one caller %s; of 16 %s%n",
          name, summary(ofOne), summary(ofSixteen));
    }

    private static String summary(List<Double> rates) {
      List<Double> sorted = rates.stream().sorted().toList();
      return String.format(
          Locale.ROOT,
          "%,.0f (%,.0f to %,.0f)",
          sorted.get(sorted.size() / 2),
          sorted.get(0),
          sorted.get(sorted.size() - 1));
    }
  }

  @Test
  void authenticationIntegrityAndPrivacy() throws Exception {
    List<AutoCloseable> open = new ArrayList<>();
    try (TestKdc kdc = TestKdc.start(directory, 3_600)) {
      Figures off = new Figures();
      Configuration without = new Configuration(false);
      RpcServer plain =
          RpcServer.create(without, "localhost:0", 8, RpcProtocol.OBJECT_MANAGER, answering())
              .start();
      open.add(plain);
      ObjectManager nobody = client(open, UserGroupInformation.getCurrentUser(), without, plain);
      warmUp(nobody);
      for (int i = 0; i < ROUNDS; i++) {
        off.round(nobody);
      }
      off.print("security off");
      Map<String, ObjectManager> clients = new LinkedHashMap<>();
      Map<String, Figures> figures = new LinkedHashMap<>();
      for (String protection : List.of("authentication", "integrity", "privacy")) {
        Configuration site = new Configuration(false);
        site.set(Keys.SECURITY_ENABLED.name(), "true");
        site.set("stowage.om.kerberos.principal", "om/_HOST@" + TestKdc.REALM);
        site.set("stowage.om.kerberos.keytab", kdc.keytab("om/localhost").toString());
        site.set("hadoop.rpc.protection", protection);
        KerberosLogin om =
            KerberosLogin.login(
                KerberosLogin.Role.OBJECT_MANAGER, SiteConfiguration.stowage(site), site);
        open.add(om);
        RpcServer server =
            om.user()
                .doAs(
                    (PrivilegedExceptionAction<RpcServer>)
                        () ->
                            RpcServer.create(
                                site, "localhost:0", 8, RpcProtocol.OBJECT_MANAGER, answering()))
                .start();
        open.add(server);
        clients.put(protection, client(open, kdc.logIn("alice"), site, server));
        figures.put(protection, new Figures());
        warmUp(clients.get(protection));
      }
      for (int i = 0; i < ROUNDS; i++) {
        for (var each : clients.entrySet()) {
          figures.get(each.getKey()).round(each.getValue());
        }
      }
      figures.forEach((protection, its) -> its.print(protection));
      for (int i = open.size() - 1; i >= 0; i--) {
        open.get(i).close();
      }
    }
  }

  private static ObjectManager client(
      List<AutoCloseable> open, UserGroupInformation user, Configuration site, RpcServer server)
      throws Exception {
    RpcClient<ObjectManager> client =
        user.doAs(
            (PrivilegedExceptionAction<RpcClient<ObjectManager>>)
                () ->
                    RpcClient.create(
                        RpcProtocol.OBJECT_MANAGER,
                        site,
                        List.of("localhost:" + server.address().getPort()),
                        Duration.ofSeconds(10),
                        Duration.ZERO));
    open.add(client);
    return client.api();
  }

  private static void warmUp(ObjectManager api) throws Exception {
    assertTrue(rate(api, 16, WARMUP_SECONDS) > 0);
  }

  private static ObjectManager answering() {
    GetBucketReply reply =
        GetBucketReply.newBuilder()
            .setBucket(BucketInfo.newBuilder().setName("b".repeat(300)))
            .build();
    return (ObjectManager)
        Proxy.newProxyInstance(
            ObjectManager.class.getClassLoader(),
            new Class<?>[] {ObjectManager.class},
            (proxy, method, arguments) -> reply);
  }

  private static double rate(ObjectManager api, int callers, int seconds) throws Exception {
    LongAdder done = new LongAdder();
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
    GetBucketRequest request = GetBucketRequest.newBuilder().setName("bucket").build();
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < callers; i++) {
      Thread thread =
          new Thread(
              () -> {
                try {
                  while (System.nanoTime() < end) {
                    assertEquals(300, api.getBucket(request).getBucket().getName().length());
                    done.increment();
                  }
                } catch (Exception e) {
                  throw new IllegalStateException(e);
                }
              });
      thread.start();
      threads.add(thread);
    }
    for (Thread thread : threads) {
      thread.join();
    }
    return done.sum() / (double) seconds;
  }
}

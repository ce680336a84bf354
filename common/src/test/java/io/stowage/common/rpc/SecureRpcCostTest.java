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
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.security.UserGroupInformation;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/**
 * What each {@code hadoop.rpc.protection} costs, both ends in this JVM, an answer of 300 bytes.
 * Asserts nothing of time; prints what {@code docs/PERFORMANCE.md} records.
 */
@EnabledIfSystemProperty(named = "stowage.test.costs", matches = "true")
class SecureRpcCostTest {
  @TempDir private static Path directory;

  @Test
  void authenticationIntegrityAndPrivacy() throws Exception {
    try (TestKdc kdc = TestKdc.start(directory, 3_600)) {
      for (String protection : List.of("authentication", "integrity", "privacy")) {
        Configuration site = new Configuration(false);
        site.set(Keys.SECURITY_ENABLED.name(), "true");
        site.set("stowage.om.kerberos.principal", "om/_HOST@" + TestKdc.REALM);
        site.set("stowage.om.kerberos.keytab", kdc.keytab("om/localhost").toString());
        site.set("hadoop.rpc.protection", protection);
        KerberosLogin om =
            KerberosLogin.login(
                KerberosLogin.Role.OBJECT_MANAGER, SiteConfiguration.stowage(site), site);
        RpcServer server =
            om.user()
                .doAs(
                    (PrivilegedExceptionAction<RpcServer>)
                        () ->
                            RpcServer.create(
                                site, "localhost:0", 8, RpcProtocol.OBJECT_MANAGER, answering()))
                .start();
        UserGroupInformation alice = kdc.logIn("alice");
        RpcClient<ObjectManager> client =
            alice.doAs(
                (PrivilegedExceptionAction<RpcClient<ObjectManager>>)
                    () ->
                        RpcClient.create(
                            RpcProtocol.OBJECT_MANAGER,
                            site,
                            List.of("localhost:" + server.address().getPort()),
                            Duration.ofSeconds(10),
                            Duration.ZERO));
        var unused = rate(client.api(), 1, 3);
        double one = rate(client.api(), 1, 4);
        unused = rate(client.api(), 16, 2);
        double sixteen = rate(client.api(), 16, 4);
        System.out.printf(
            "COST RPC with %s: %.0f calls/s of one caller, %.0f of 16%n", protection, one, sixteen);
        client.close();
        server.close();
        om.close();
      }
    }
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

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
package io.stowage.fs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.SyncFileRequest;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Leases of files that are open, of many of them and where some cannot be renewed just now. */
@Timeout(120)
class LeaseRenewalTest {
  private final CountDownLatch answers = new CountDownLatch(1); // of all files but one
  private final Semaphore hanging = new Semaphore(0); // renewals that came
  private final Semaphore lively = new Semaphore(0); // of the one

  private TwinCluster twins;
  private FileSystem fs;
  private ClusterConnection cluster;
  private ScheduledThreadPoolExecutor renewals;

  @BeforeEach
  void start() throws IOException {
    twins = TwinCluster.start(by -> watched());
    twins.createBucket("b");
    fs = twins.open("b");
    cluster = ClusterConnection.open(twins.configuration());
    renewals = (ScheduledThreadPoolExecutor) cluster.leaseRenewals();
  }

  @AfterEach
  void stop() throws IOException {
    answers.countDown();
    cluster.close();
    fs.close();
    twins.close();
  }

  private ObjectManager watched() {
    return (ObjectManager)
        Proxy.newProxyInstance(
            ObjectManager.class.getClassLoader(),
            new Class<?>[] {ObjectManager.class},
            (proxy, method, arguments) -> {
              if (arguments != null
                  && arguments[0] instanceof SyncFileRequest sync
                  && sync.getExtentsCount() == 0
                  && !sync.getClose()) {
                if (sync.getKey().equals("lively")) {
                  lively.release();
                } else {
                  hanging.release();
                  answers.await();
                }
              }
              try {
                return method.invoke(twins.objectManager, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  private FSDataOutputStream opened(String name) throws IOException {
    FSDataOutputStream out = fs.create(new Path("/" + name));
    out.write(1);
    out.hsync();
    return out;
  }

  /** The renewal that waits for its time, taken out of the queue; running it puts it back. */
  private Runnable due() {
    Runnable only = renewals.getQueue().peek();
    assertTrue(renewals.remove(only));
    return only;
  }

  /** HBase moves the region that has their rows. */
  @Test
  void leasesThatCannotBeRenewedHoldUpNoOthers() throws Exception {
    List<FSDataOutputStream> streams = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      streams.add(opened("silent" + i));
      renewals.execute(due());
      assertTrue(hanging.tryAcquire(30, TimeUnit.SECONDS), "renewals wait for one another");
    }
    streams.add(opened("lively"));
    renewals.execute(due());
    assertTrue(lively.tryAcquire(30, TimeUnit.SECONDS), "a renewal waits for those that hang");
    answers.countDown();
    for (FSDataOutputStream out : streams) {
      out.close();
    }
  }

  @Test
  void aLeaseThatASyncHasJustRenewedIsLeftAlone() throws IOException {
    try (FSDataOutputStream out = opened("lively")) {
      due().run();
      assertEquals(1, lively.availablePermits());
      out.write(2);
      out.hsync();
      due().run();
      assertEquals(1, lively.availablePermits());
    }
  }
}

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
package io.stowage.s3.event;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpServer;
import io.stowage.common.id.WriteId;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.ClaimDutyReply;
import io.stowage.common.proto.ClearEventsReply;
import io.stowage.common.proto.ClearEventsRequest;
import io.stowage.common.proto.EventNote;
import io.stowage.common.proto.EventRecord;
import io.stowage.common.proto.EventTarget;
import io.stowage.common.proto.ScanEventsReply;
import io.stowage.common.time.StoreClock;
import java.lang.reflect.Proxy;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a gateway's own two ways to an event, its request and its scan, do to one another. */
@Timeout(300)
class EventDeliveryTest {
  private static final String ARN = "arn:aws:sqs:us-east-1::hook:webhook";
  private static final int PAGES = 200;

  private final Set<ByteString> cleared = ConcurrentHashMap.newKeySet();
  private final AtomicInteger heard = new AtomicInteger();
  private final CountDownLatch scanned = new CountDownLatch(PAGES + 1);
  private final CountDownLatch started = new CountDownLatch(1);
  private EventDelivery delivery;

  private static EventRecord event() {
    return EventRecord.newBuilder()
        .setRow(ByteString.copyFromUtf8("bucketidkey"))
        .setNote(
            EventNote.newBuilder()
                .setId(WriteId.random())
                .setName("ObjectCreated:Put")
                .setBucket("bucket")
                .setTimeMicros(StoreClock.system().wallMicros())
                .addTargets(EventTarget.newBuilder().setArn(ARN)))
        .build();
  }

  /** Each page has an event that was told, sent and cleared between its reading and its arrival. */
  private ScanEventsReply page() throws InterruptedException {
    started.await();
    scanned.countDown();
    if (scanned.getCount() == 0) {
      return ScanEventsReply.getDefaultInstance();
    }
    EventRecord event = event();
    delivery.tell(event);
    while (!cleared.contains(event.getNote().getId())) {
      LockSupport.parkNanos(100_000);
    }
    return ScanEventsReply.newBuilder().addEvents(event).build();
  }

  @Test
  void whatIsClearedWhileAPageIsReadIsNotToldAgain() throws Exception {
    ObjectManager namespace =
        (ObjectManager)
            Proxy.newProxyInstance(
                getClass().getClassLoader(),
                new Class<?>[] {ObjectManager.class},
                (proxy, method, arguments) ->
                    switch (method.getName()) {
                      case "claimDuty" -> ClaimDutyReply.newBuilder().setGranted(true).build();
                      case "scanEvents" -> page();
                      case "clearEvents" -> {
                        ClearEventsRequest request = (ClearEventsRequest) arguments[0];
                        request.getEventsList().forEach(one -> cleared.add(one.getId()));
                        yield ClearEventsReply.getDefaultInstance();
                      }
                      default -> throw new AssertionError(method.getName());
                    });
    HttpServer hook =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    hook.createContext(
        "/",
        exchange -> {
          exchange.getRequestBody().readAllBytes();
          heard.incrementAndGet();
          exchange.sendResponseHeaders(200, -1);
          exchange.close();
        });
    hook.start();
    Duration brief = Duration.ofMillis(1);
    String url = "http://127.0.0.1:" + hook.getAddress().getPort() + "/";
    try {
      delivery =
          EventDelivery.start(
              namespace,
              StoreClock.system(),
              new EventDelivery.Settings(Map.of(ARN, url), brief, brief, Duration.ofHours(1)));
      started.countDown();
      assertTrue(scanned.await(60, TimeUnit.SECONDS), "pages were not asked for");
      // What was told again is in the queue by now, before this one.
      EventRecord last = event();
      delivery.tell(last);
      while (!cleared.contains(last.getNote().getId())) {
        LockSupport.parkNanos(100_000);
      }
      assertEquals(PAGES + 1, heard.get());
    } finally {
      delivery.close();
      hook.stop(0);
    }
  }
}

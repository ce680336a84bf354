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
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpServer;
import io.stowage.common.proto.ScanEventsRequest;
import io.stowage.s3.event.EventDelivery;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.BucketVersioningStatus;
import software.amazon.awssdk.services.s3.model.CompletedPart;
import software.amazon.awssdk.services.s3.model.Event;
import software.amazon.awssdk.services.s3.model.FilterRule;
import software.amazon.awssdk.services.s3.model.HeadBucketResponse;
import software.amazon.awssdk.services.s3.model.NotificationConfiguration;
import software.amazon.awssdk.services.s3.model.ObjectIdentifier;
import software.amazon.awssdk.services.s3.model.QueueConfiguration;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.s3.model.Tag;

/** Events as a webhook hears of them, one that is killed and started again among others. */
class S3EventsTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String ARN = "arn:aws:sqs:us-east-1::hook:webhook";
  private static final String OTHER = "arn:aws:sqs:us-east-1::other:webhook";

  private final List<JsonNode> heard = new CopyOnWriteArrayList<>();
  private final List<JsonNode> tests = new CopyOnWriteArrayList<>();
  private HttpServer hook;
  private InetSocketAddress address;
  private InMemoryTarget target;
  private S3Client s3;
  private volatile int answer = 200;

  @BeforeEach
  void start() throws Exception {
    hook = hook(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    address = hook.getAddress();
    target = new InMemoryTarget(settings());
    s3 = client(target);
    s3.createBucket(b -> b.bucket("bucket"));
  }

  private Map<String, String> settings() {
    String url = "http://127.0.0.1:" + address.getPort() + "/events";
    return new HashMap<>(
        Map.of(
            "stowage.s3.events.targets",
            ARN + "=" + url + "," + OTHER + "=" + url + "/other",
            "stowage.s3.events.scan-interval",
            "200ms",
            "stowage.s3.events.retry-interval",
            "50ms"));
  }

  @AfterEach
  void stop() {
    s3.close();
    target.close();
    hook.stop(0);
  }

  private HttpServer hook(InetSocketAddress on) throws IOException {
    HttpServer server = HttpServer.create(on, 0);
    server.createContext(
        "/events",
        exchange -> {
          JsonNode message = JSON.readTree(exchange.getRequestBody().readAllBytes());
          assertEquals("application/json", exchange.getRequestHeaders().getFirst("Content-Type"));
          if (answer == 200) {
            if (message.has("Records")) {
              message.get("Records").forEach(heard::add);
            } else {
              tests.add(message);
            }
          }
          exchange.sendResponseHeaders(answer, -1);
          exchange.close();
        });
    server.start();
    return server;
  }

  private static S3Client client(InMemoryTarget target) {
    return S3Client.builder()
        .endpointOverride(URI.create("http://127.0.0.1:" + target.gateway.port()))
        .region(Region.US_EAST_1)
        .forcePathStyle(true)
        .httpClientBuilder(UrlConnectionHttpClient.builder())
        .credentialsProvider(
            StaticCredentialsProvider.create(
                AwsBasicCredentials.create(InMemoryTarget.ACCESS_KEY, InMemoryTarget.SECRET_KEY)))
        .build();
  }

  private void configure(Consumer<QueueConfiguration.Builder> queue) {
    QueueConfiguration.Builder configuration = QueueConfiguration.builder().queueArn(ARN);
    queue.accept(configuration);
    s3.putBucketNotificationConfiguration(
        b ->
            b.bucket("bucket")
                .notificationConfiguration(
                    NotificationConfiguration.builder()
                        .queueConfigurations(configuration.build())
                        .build()));
  }

  private void put(String key) {
    s3.putObject(b -> b.bucket("bucket").key(key), RequestBody.fromString("content"));
  }

  private List<String> names() {
    List<String> names = new ArrayList<>();
    heard.forEach(
        record ->
            names.add(
                record.get("eventName").asText() + " " + record.at("/s3/object/key").asText()));
    return names;
  }

  private void awaitHeard(String... names) {
    InMemoryTarget.await(() -> names().containsAll(List.of(names)), List.of(names) + "");
  }

  private boolean outboxIsEmpty() {
    return target.namespace.scanEvents(ScanEventsRequest.getDefaultInstance()).getEventsCount()
        == 0;
  }

  @Test
  void everyKindOfChangeIsTold() {
    configure(
        q ->
            q.id("all")
                .events(
                    Event.S3_OBJECT_CREATED,
                    Event.S3_OBJECT_REMOVED,
                    Event.S3_OBJECT_TAGGING,
                    Event.S3_OBJECT_ACL_PUT));
    String etag =
        s3.putObject(b -> b.bucket("bucket").key("a b+ü"), RequestBody.fromString("content"))
            .eTag();
    s3.copyObject(
        b ->
            b.sourceBucket("bucket")
                .sourceKey("a b+ü")
                .destinationBucket("bucket")
                .destinationKey("copy"));
    s3.putObjectTagging(
        b ->
            b.bucket("bucket")
                .key("copy")
                .tagging(t -> t.tagSet(Tag.builder().key("k").value("v").build())));
    s3.deleteObjectTagging(b -> b.bucket("bucket").key("copy"));
    s3.putObjectAcl(b -> b.bucket("bucket").key("copy").acl("public-read"));
    String upload = s3.createMultipartUpload(b -> b.bucket("bucket").key("parts")).uploadId();
    String part =
        s3.uploadPart(
                b -> b.bucket("bucket").key("parts").uploadId(upload).partNumber(1),
                RequestBody.fromString("part"))
            .eTag();
    s3.completeMultipartUpload(
        b ->
            b.bucket("bucket")
                .key("parts")
                .uploadId(upload)
                .multipartUpload(
                    m -> m.parts(CompletedPart.builder().partNumber(1).eTag(part).build())));
    s3.deleteObject(b -> b.bucket("bucket").key("parts"));
    s3.deleteObjects(
        b ->
            b.bucket("bucket")
                .delete(d -> d.objects(List.of(ObjectIdentifier.builder().key("copy").build()))));
    awaitHeard(
        "ObjectCreated:Put a+b%2B%C3%BC",
        "ObjectCreated:Copy copy",
        "ObjectTagging:Put copy",
        "ObjectTagging:Delete copy",
        "ObjectAcl:Put copy",
        "ObjectCreated:CompleteMultipartUpload parts",
        "ObjectRemoved:Delete parts",
        "ObjectRemoved:Delete copy");
    InMemoryTarget.await(this::outboxIsEmpty, "events that were told");
    assertEquals(8, heard.size());
    JsonNode put = heard.get(0);
    assertEquals("2.1", put.get("eventVersion").asText());
    assertEquals("aws:s3", put.get("eventSource").asText());
    assertEquals("us-east-1", put.get("awsRegion").asText());
    assertEquals("all", put.at("/s3/configurationId").asText());
    assertEquals("bucket", put.at("/s3/bucket/name").asText());
    assertEquals("arn:aws:s3:::bucket", put.at("/s3/bucket/arn").asText());
    assertEquals(7, put.at("/s3/object/size").asInt());
    assertEquals(etag, "\"" + put.at("/s3/object/eTag").asText() + "\"");
    assertEquals("127.0.0.1", put.at("/requestParameters/sourceIPAddress").asText());
    assertEquals("tester", put.at("/userIdentity/principalId").asText());
    HeadBucketResponse answer = s3.headBucket(b -> b.bucket("bucket"));
    assertEquals(
        answer.responseMetadata().extendedRequestId(),
        put.at("/responseElements/x-amz-id-2").asText());
    assertEquals(
        Map.of(
            "ObjectCreated",
            "2.1",
            "ObjectRemoved",
            "2.1",
            "ObjectTagging",
            "2.3",
            "ObjectAcl",
            "2.3"),
        heard.stream()
            .collect(
                Collectors.toMap(
                    event -> event.get("eventName").asText().replaceFirst(":.*", ""),
                    event -> event.get("eventVersion").asText(),
                    (one, other) -> one)));
    String before = "";
    for (JsonNode event : heard) {
      String sequencer = event.at("/s3/object/sequencer").asText();
      assertTrue(sequencer.compareTo(before) > 0);
      before = sequencer;
    }
  }

  /** As of PutBucketNotificationConfiguration: a target that cannot be told is refused. */
  @Test
  void targetsTakeATestMessageBeforeTheyAreKept() {
    configure(q -> q.id("all").events(Event.S3_OBJECT_CREATED));
    JsonNode message = tests.get(0);
    assertEquals("Amazon S3", message.get("Service").asText());
    assertEquals("s3:TestEvent", message.get("Event").asText());
    assertEquals("bucket", message.get("Bucket").asText());
    for (String fact : List.of("Time", "RequestId", "HostId")) {
      assertFalse(message.get(fact).asText().isEmpty(), fact);
    }
    assertEquals(1, tests.size());
    answer = 500;
    refused("InvalidArgument", q -> q.id("other"));
    assertEquals("all", kept().id());
    QueueConfiguration queue =
        QueueConfiguration.builder()
            .id("other")
            .queueArn(ARN)
            .events(Event.S3_OBJECT_CREATED)
            .build();
    s3.putBucketNotificationConfiguration(
        b ->
            b.bucket("bucket")
                .skipDestinationValidation(true)
                .notificationConfiguration(n -> n.queueConfigurations(queue)));
    assertEquals("other", kept().id());
  }

  /** Each answers when all have been asked: one after the other they would never. */
  @Test
  void targetsAreTestedTogether() throws Exception {
    int count = 6;
    CountDownLatch asked = new CountDownLatch(count);
    ExecutorService threads = Executors.newFixedThreadPool(count);
    HttpServer slow =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    slow.setExecutor(threads);
    slow.createContext(
        "/",
        exchange -> {
          exchange.getRequestBody().readAllBytes();
          asked.countDown();
          int status = 500;
          try {
            status = asked.await(5, TimeUnit.SECONDS) ? 200 : 503;
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
          }
          exchange.sendResponseHeaders(status, -1);
          exchange.close();
        });
    slow.start();
    StringJoiner targets = new StringJoiner(",");
    List<QueueConfiguration> queues = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      String arn = "arn:aws:sqs:us-east-1::slow" + i + ":webhook";
      targets.add(arn + "=http://127.0.0.1:" + slow.getAddress().getPort() + "/" + i);
      String prefix = i + "/";
      queues.add(
          QueueConfiguration.builder()
              .queueArn(arn)
              .events(Event.S3_OBJECT_CREATED)
              .filter(
                  f ->
                      f.key(
                          k ->
                              k.filterRules(
                                  FilterRule.builder().name("prefix").value(prefix).build())))
              .build());
    }
    try (InMemoryTarget gateway =
            new InMemoryTarget(Map.of("stowage.s3.events.targets", targets.toString()), target);
        S3Client client = client(gateway)) {
      client.putBucketNotificationConfiguration(
          b -> b.bucket("bucket").notificationConfiguration(n -> n.queueConfigurations(queues)));
    } finally {
      slow.stop(0);
      threads.shutdownNow();
    }
  }

  private QueueConfiguration kept() {
    return s3.getBucketNotificationConfiguration(b -> b.bucket("bucket"))
        .queueConfigurations()
        .get(0);
  }

  @Test
  void versionsAndMarkersAreNamed() {
    s3.putBucketVersioning(
        b ->
            b.bucket("bucket")
                .versioningConfiguration(v -> v.status(BucketVersioningStatus.ENABLED)));
    configure(q -> q.events(Event.S3_OBJECT_CREATED, Event.S3_OBJECT_REMOVED));
    String version =
        s3.putObject(b -> b.bucket("bucket").key("v"), RequestBody.fromString("content"))
            .versionId();
    String marker = s3.deleteObject(b -> b.bucket("bucket").key("v")).versionId();
    s3.deleteObject(b -> b.bucket("bucket").key("v").versionId(version));
    awaitHeard(
        "ObjectCreated:Put v", "ObjectRemoved:DeleteMarkerCreated v", "ObjectRemoved:Delete v");
    assertEquals(
        List.of(version, marker, version),
        heard.stream().map(event -> event.at("/s3/object/versionId").asText()).toList());
  }

  @Test
  void filtersChooseByPrefixSuffixAndKind() {
    configure(
        q ->
            q.events(Event.S3_OBJECT_CREATED_PUT)
                .filter(
                    f ->
                        f.key(
                            k ->
                                k.filterRules(
                                    FilterRule.builder().name("prefix").value("in/").build(),
                                    FilterRule.builder().name("suffix").value(".jpg").build()))));
    put("in/a.png");
    put("out/a.jpg");
    put("in/a.jpg");
    s3.deleteObject(b -> b.bucket("bucket").key("in/a.jpg"));
    put("in/b.jpg");
    awaitHeard("ObjectCreated:Put in/a.jpg", "ObjectCreated:Put in/b.jpg");
    assertEquals(2, heard.size());
    QueueConfiguration kept = kept();
    assertFalse(kept.id().isEmpty());
    assertEquals(ARN, kept.queueArn());
    assertEquals(2, kept.filter().key().filterRules().size());
  }

  @Test
  void aTargetThatIsDownHearsOfEverythingLater() throws Exception {
    configure(q -> q.events(Event.S3_OBJECT_CREATED));
    put("before");
    awaitHeard("ObjectCreated:Put before");
    hook.stop(0);
    put("during 1");
    put("during 2");
    InMemoryTarget.await(() -> !status().up(), "the target is said to be down");
    assertTrue(status().failures() > 0);
    assertFalse(outboxIsEmpty());
    hook = hook(address);
    awaitHeard("ObjectCreated:Put during+1", "ObjectCreated:Put during+2");
    InMemoryTarget.await(() -> status().up(), "the target is said to be up");
    InMemoryTarget.await(this::outboxIsEmpty, "events that were told");
  }

  private EventDelivery.Status status() {
    return target.gateway.events().status().stream()
        .filter(one -> one.arn().equals(ARN))
        .findAny()
        .orElseThrow();
  }

  @Test
  void whatAGatewayLeftBehindIsToldByAnother() throws Exception {
    configure(q -> q.events(Event.S3_OBJECT_CREATED));
    answer = 503;
    put("left behind");
    InMemoryTarget.await(() -> status().failures() > 0, "an attempt");
    target.close(); // as well as dead: what it had queued is in memory only
    assertFalse(outboxIsEmpty());
    answer = 200;
    target = new InMemoryTarget(settings(), target);
    awaitHeard("ObjectCreated:Put left+behind");
    InMemoryTarget.await(this::outboxIsEmpty, "events that were told");
  }

  @Test
  void whatIsTooOldIsGivenUp() throws Exception {
    configure(q -> q.events(Event.S3_OBJECT_CREATED));
    target.close();
    Map<String, String> settings = settings();
    settings.put("stowage.s3.events.keep", "300ms");
    answer = 500;
    target = new InMemoryTarget(settings, target);
    s3.close();
    s3 = client(target);
    put("never");
    InMemoryTarget.await(() -> status().givenUp() == 1, "given up");
    InMemoryTarget.await(this::outboxIsEmpty, "events that were given up");
    assertEquals(List.of(), names());
  }

  @Test
  void configurationsThatCannotWorkAreRefused() {
    refused("InvalidArgument", q -> q.queueArn("arn:aws:sqs:us-east-1::none:x"));
    S3Exception overlapping =
        assertThrows(
            S3Exception.class,
            () ->
                s3.putBucketNotificationConfiguration(
                    b ->
                        b.bucket("bucket")
                            .notificationConfiguration(
                                NotificationConfiguration.builder()
                                    .queueConfigurations(
                                        QueueConfiguration.builder()
                                            .queueArn(ARN)
                                            .events(Event.S3_OBJECT_CREATED)
                                            .build(),
                                        QueueConfiguration.builder()
                                            .queueArn(OTHER)
                                            .events(Event.S3_OBJECT_CREATED_PUT)
                                            .build())
                                    .build())));
    assertEquals("InvalidArgument", overlapping.awsErrorDetails().errorCode());
    refused("InvalidArgument", q -> q.eventsWithStrings("s3:ObjectCreated:Nonsense"));
    s3.putBucketNotificationConfiguration(
        b ->
            b.bucket("bucket")
                .notificationConfiguration(NotificationConfiguration.builder().build()));
    assertFalse(
        s3.getBucketNotificationConfiguration(b -> b.bucket("bucket")).hasQueueConfigurations());
  }

  private void refused(String code, Consumer<QueueConfiguration.Builder> queue) {
    S3Exception e =
        assertThrows(
            S3Exception.class,
            () ->
                configure(
                    q -> {
                      q.events(Event.S3_OBJECT_CREATED);
                      queue.accept(q);
                    }));
    assertEquals(code, e.awsErrorDetails().errorCode());
  }
}

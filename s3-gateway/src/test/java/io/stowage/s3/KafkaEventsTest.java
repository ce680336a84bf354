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

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.stowage.common.proto.ScanEventsRequest;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.Event;
import software.amazon.awssdk.services.s3.model.TopicConfiguration;

/**
 * Events to a topic of a real broker, also across a time in which it is down. Needs a broker's
 * class path, which the project in dev-support/kafka writes down; dev-support/check-all runs it.
 */
@EnabledIfSystemProperty(named = KafkaEventsTest.CLASS_PATH, matches = ".+")
class KafkaEventsTest {
  /** A file that holds a Kafka broker's class path. */
  static final String CLASS_PATH = "stowage.test.kafka-classpath";

  private static final String ARN = "arn:aws:sns:us-east-1::audit:kafka";
  private static final String TOPIC = "s3-events";
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final long PATIENCE_NANOS = Duration.ofMinutes(2).toNanos();

  @TempDir private Path directory;
  private final int port = freePort();
  private final int controllerPort = freePort();
  private final Set<String> heard = new TreeSet<>();
  private Process broker;

  private static int freePort() {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private Process java(String... arguments) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "-cp",
                Files.readString(Path.of(System.getProperty(CLASS_PATH))).strip()));
    command.addAll(List.of(arguments));
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(ProcessBuilder.Redirect.appendTo(directory.resolve("broker").toFile()))
        .start();
  }

  private Path format() throws Exception {
    Path properties = directory.resolve("broker.properties");
    Files.writeString(
        properties,
        """
        process.roles=broker,controller
        node.id=1
        controller.quorum.voters=1@127.0.0.1:%2$d
        listeners=PLAINTEXT://127.0.0.1:%1$d,CONTROLLER://127.0.0.1:%2$d
        advertised.listeners=PLAINTEXT://127.0.0.1:%1$d
        controller.listener.names=CONTROLLER
        listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
        log.dirs=%3$s
        offsets.topic.replication.factor=1
        transaction.state.log.replication.factor=1
        transaction.state.log.min.isr=1
        """
            .formatted(port, controllerPort, directory.resolve("log")));
    Process format =
        java(
            "kafka.tools.StorageTool",
            "format",
            "-t",
            "AAAAAAAAAAAAAAAAAAAAAQ",
            "-c",
            properties.toString());
    assertTrue(format.waitFor(2, TimeUnit.MINUTES), "formatting hangs");
    assertEquals(0, format.exitValue(), said());
    return properties;
  }

  private String said() throws IOException {
    return Files.readString(directory.resolve("broker"));
  }

  private void startBroker(Path properties) throws Exception {
    broker = java("kafka.Kafka", properties.toString());
    long deadline = System.nanoTime() + PATIENCE_NANOS;
    while (true) {
      try (Socket socket = new Socket()) {
        socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 1_000);
        return;
      } catch (IOException e) {
        assertTrue(broker.isAlive() && System.nanoTime() < deadline, said());
        broker.waitFor(100, TimeUnit.MILLISECONDS);
      }
    }
  }

  private void stopBroker() throws InterruptedException {
    broker.destroy();
    if (!broker.waitFor(30, TimeUnit.SECONDS)) {
      broker.destroyForcibly().waitFor();
    }
  }

  /** Reads the topic until all of these have been told of, each at least once. */
  private void awaitHeard(KafkaConsumer<String, String> consumer, String... names)
      throws IOException {
    long deadline = System.nanoTime() + PATIENCE_NANOS;
    while (!heard.containsAll(List.of(names))) {
      assertTrue(System.nanoTime() < deadline, () -> "heard only " + heard);
      for (ConsumerRecord<String, String> each : consumer.poll(Duration.ofMillis(200))) {
        for (JsonNode event : JSON.readTree(each.value()).path("Records")) {
          String key = event.at("/s3/object/key").asText();
          assertEquals("bucket/" + key, each.key());
          heard.add(event.get("eventName").asText() + " " + key);
        }
      }
    }
  }

  @Test
  void everyEventReachesTheTopicThoughTheBrokerWasDown() throws Exception {
    Path properties = format();
    startBroker(properties);
    InMemoryTarget target =
        new InMemoryTarget(
            Map.of(
                "stowage.s3.events.targets",
                ARN + "=kafka://127.0.0.1:" + port + "/" + TOPIC,
                "stowage.s3.events.scan-interval",
                "200ms",
                "stowage.s3.events.retry-interval",
                "200ms"));
    try (S3Client s3 = client(target);
        KafkaConsumer<String, String> consumer = consumer()) {
      s3.createBucket(b -> b.bucket("bucket"));
      s3.putBucketNotificationConfiguration(
          b ->
              b.bucket("bucket")
                  .notificationConfiguration(
                      c ->
                          c.topicConfigurations(
                              TopicConfiguration.builder()
                                  .topicArn(ARN)
                                  .events(Event.S3_OBJECT_CREATED, Event.S3_OBJECT_REMOVED)
                                  .build())));
      for (String key : List.of("a", "b", "c")) {
        put(s3, key);
      }
      s3.deleteObject(b -> b.bucket("bucket").key("b"));
      awaitHeard(
          consumer,
          "ObjectCreated:Put a",
          "ObjectCreated:Put b",
          "ObjectCreated:Put c",
          "ObjectRemoved:Delete b");
      stopBroker();
      put(s3, "meanwhile");
      startBroker(properties);
      put(s3, "after");
      awaitHeard(consumer, "ObjectCreated:Put meanwhile", "ObjectCreated:Put after");
      InMemoryTarget.await(
          () ->
              target.namespace.scanEvents(ScanEventsRequest.getDefaultInstance()).getEventsCount()
                  == 0,
          "events in the outbox");
    } finally {
      target.close();
      stopBroker();
    }
  }

  private KafkaConsumer<String, String> consumer() {
    KafkaConsumer<String, String> consumer =
        new KafkaConsumer<>(
            Map.of(
                ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG,
                "127.0.0.1:" + port,
                ConsumerConfig.AUTO_OFFSET_RESET_CONFIG,
                "earliest"),
            new StringDeserializer(),
            new StringDeserializer());
    consumer.assign(List.of(new TopicPartition(TOPIC, 0)));
    return consumer;
  }

  private static void put(S3Client s3, String key) {
    s3.putObject(b -> b.bucket("bucket").key(key), RequestBody.fromString("content"));
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
}

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

import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Writes events to a Kafka topic, {@code kafka://host:port;host:port/topic}, acknowledged by all
 * in-sync replicas. Thread-safe.
 */
final class KafkaSink implements EventSink {
  private static final int TIMEOUT_MILLIS = 10_000;

  /** One event at a time is on its way: this is what the client would wait with. */
  private static final long BUFFER_BYTES = 2L << 20;

  private final String servers;
  private final String topic;
  private KafkaProducer<String, byte[]> producer; // guarded by this; it is thread-safe itself
  private boolean closed; // guarded by this

  KafkaSink(String address) {
    URI uri = URI.create(address.replace(";", "%3B"));
    this.servers = uri.getRawAuthority().replace("%3B", ",");
    this.topic = uri.getPath().substring(1);
    if (topic.isEmpty()) {
      throw new IllegalArgumentException("no topic in " + address);
    }
  }

  @Override
  public void send(String key, byte[] document) throws IOException, InterruptedException {
    try {
      producer()
          .send(new ProducerRecord<>(topic, key, document))
          .get(2L * TIMEOUT_MILLIS, TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      throw new IOException(e.getCause().getMessage(), e.getCause());
    } catch (TimeoutException | KafkaException | IllegalStateException e) {
      // The last is what a producer says that was closed meanwhile.
      throw new IOException(e.toString(), e);
    }
  }

  private synchronized KafkaProducer<String, byte[]> producer() throws IOException {
    if (closed) {
      throw new IOException("the gateway is stopping");
    }
    if (producer == null) {
      producer = connect();
    }
    return producer;
  }

  private KafkaProducer<String, byte[]> connect() {
    return new KafkaProducer<>(
        Map.of(
            ProducerConfig.BOOTSTRAP_SERVERS_CONFIG,
            servers,
            ProducerConfig.ACKS_CONFIG,
            "all",
            ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG,
            true,
            ProducerConfig.BUFFER_MEMORY_CONFIG,
            BUFFER_BYTES,
            ProducerConfig.MAX_BLOCK_MS_CONFIG,
            TIMEOUT_MILLIS,
            ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG,
            TIMEOUT_MILLIS / 2,
            ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG,
            TIMEOUT_MILLIS,
            ProducerConfig.CLIENT_ID_CONFIG,
            "stowage-events"),
        new StringSerializer(),
        new ByteArraySerializer());
  }

  @Override
  public synchronized void close() {
    closed = true;
    if (producer != null) {
      producer.close(Duration.ofSeconds(1));
    }
  }
}

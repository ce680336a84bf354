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
package io.stowage.common.metrics;

import java.io.IOException;
import java.io.StringWriter;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.metrics2.MetricsCollector;
import org.apache.hadoop.metrics2.MetricsInfo;
import org.apache.hadoop.metrics2.MetricsRecordBuilder;
import org.apache.hadoop.metrics2.MetricsSource;
import org.apache.hadoop.metrics2.MetricsSystem;
import org.apache.hadoop.metrics2.lib.DefaultMetricsSystem;
import org.apache.hadoop.metrics2.lib.Interns;
import org.apache.hadoop.metrics2.sink.PrometheusMetricsSink;
import org.apache.hadoop.metrics2.source.JvmMetrics;

/**
 * Hadoop's metrics of this process, which Hadoop's RPC servers tell theirs, too. There is one
 * system in a JVM; where HBase runs in the same one, it has started it already, and ours join.
 *
 * <p>While a snapshot is made, for a reader of {@link #prometheusText} or for a sink every ten
 * seconds, the system's lock is held: sources are asked one after the other, and a role that starts
 * or stops waits for that. So a source reads counters and takes no lock that is held while somebody
 * registers or unregisters. Thread-safe.
 */
public final class MetricSystem {
  /** Context of all our records, and the first word of their names. */
  private static final String CONTEXT = "stowage";

  private static final String SINK = "stowage-prometheus";

  /** Sources of a kind so far: several may be in one JVM, and no name is given twice. */
  private static final Map<String, Integer> REGISTERED = new ConcurrentHashMap<>();

  private static PrometheusMetricsSink sink; // guarded by the class
  private static boolean started; // guarded by the class

  private MetricSystem() {}

  /**
   * Starts it, unless this was done before in this JVM.
   *
   * @param process how {@code hadoop-metrics2-PROCESS.properties} and JMX name this one
   */
  public static synchronized void start(String process) {
    if (!started) {
      started = true;
      DefaultMetricsSystem.initialize(process);
      JvmMetrics.initSingleton(process, "");
    }
  }

  /** Of a role that runs. */
  public interface Source {
    /** Adds records; must return soon, and not wait for anybody who starts or stops. */
    void addTo(Records records);
  }

  /** Takes records of one snapshot. */
  public static final class Records {
    private final MetricsCollector collector;
    private final int number;

    private Records(MetricsCollector collector, int number) {
      this.collector = collector;
      this.number = number;
    }

    /**
     * One more record.
     *
     * @param name in words with capitals; "stowage" is put before it
     */
    public Group add(String name) {
      Group group = new Group(collector.addRecord("Stowage" + name).setContext(CONTEXT));
      return number == 1 ? group : group.label("source", Integer.toString(number));
    }
  }

  /** Metrics under the same labels. Confined to the thread that makes the snapshot. */
  public static final class Group {
    private final MetricsRecordBuilder builder;

    private Group(MetricsRecordBuilder builder) {
      this.builder = builder;
    }

    /** Of few values: each is a series of its own. */
    public Group label(String name, String value) {
      builder.tag(Interns.info(name, name), value);
      return this;
    }

    /** What only grows while the process lives. */
    public Group counter(String name, String description, long value) {
      builder.addCounter(info(name, description), value);
      return this;
    }

    /** What is now. */
    public Group gauge(String name, String description, long value) {
      builder.addGauge(info(name, description), value);
      return this;
    }

    private static MetricsInfo info(String name, String description) {
      return Interns.info(name, description);
    }
  }

  /**
   * Has a source asked from now on. Where several of a kind are, or were, in one JVM, the label
   * "source" tells the second and later ones apart.
   *
   * @param name of the kind of source, for JMX
   * @return ends that
   */
  public static Registration register(String name, Source source) {
    MetricsSystem system = DefaultMetricsSystem.instance();
    int number = REGISTERED.merge(name, 1, Integer::sum);
    String unique = "Stowage" + name + (number == 1 ? "" : "-" + number);
    MetricsSource asked = (collector, all) -> source.addTo(new Records(collector, number));
    MetricsSource unused = system.register(unique, "Stowage: " + name, asked);
    return () -> system.unregisterSource(unique);
  }

  /** A source that is asked until this is closed. */
  public interface Registration extends AutoCloseable {
    @Override
    void close();
  }

  /** All metrics as they are now, in Prometheus's text format. */
  static synchronized String prometheusText() throws IOException {
    MetricsSystem system = DefaultMetricsSystem.instance();
    if (sink == null) {
      sink = new PrometheusMetricsSink();
      PrometheusMetricsSink unused =
          system.register(SINK, "what GET /metrics of Stowage answers", sink);
    }
    system.publishMetricsNow();
    StringWriter text = new StringWriter(64 << 10);
    sink.writeMetrics(text);
    return text.toString();
  }
}

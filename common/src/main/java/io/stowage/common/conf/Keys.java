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
package io.stowage.common.conf;

import io.stowage.common.conf.ConfigKey.Tag;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Every configuration key, declared once. The reference page is generated from here. */
public final class Keys {
  private static final List<ConfigKey<?>> ALL = new ArrayList<>();

  // Addresses.
  public static final ConfigKey<List<String>> SCM_ADDRESSES =
      add(
          ConfigKey.list(
              "stowage.scm.addresses", null, Tag.BASIC, "host:port of every SCM's RPC server."));
  public static final ConfigKey<String> SCM_BIND =
      add(
          ConfigKey.text(
              "stowage.scm.bind",
              "127.0.0.1:9860",
              Tag.BASIC,
              "host:port that this SCM serves RPC on."));
  public static final ConfigKey<List<String>> OM_ADDRESSES =
      add(
          ConfigKey.list(
              "stowage.om.addresses",
              null,
              Tag.BASIC,
              "host:port of every object manager's RPC server."));
  public static final ConfigKey<String> OM_BIND =
      add(
          ConfigKey.text(
              "stowage.om.bind",
              "127.0.0.1:9862",
              Tag.BASIC,
              "host:port that this object manager serves RPC on."));
  public static final ConfigKey<String> DATANODE_BIND =
      add(
          ConfigKey.text(
              "stowage.datanode.bind",
              "127.0.0.1:9864",
              Tag.BASIC,
              "host:port of this datanode's data plane."));
  public static final ConfigKey<String> S3_BIND =
      add(
          ConfigKey.text(
              "stowage.s3.bind",
              "127.0.0.1:9878",
              Tag.BASIC,
              "host:port that the S3 gateway serves HTTP on."));
  public static final ConfigKey<List<String>> S3_DOMAINS =
      add(
          ConfigKey.list(
              "stowage.s3.domains",
              "localhost",
              Tag.BASIC,
              "Domains under which bucket.domain is virtual-host style."));
  public static final ConfigKey<String> S3_REGION =
      add(
          ConfigKey.text(
              "stowage.s3.region",
              "us-east-1",
              Tag.BASIC,
              "Region that the gateway answers and signs for."));
  public static final ConfigKey<String> S3_CONSOLE_BIND =
      add(
          ConfigKey.text(
              "stowage.s3.console.bind",
              "",
              Tag.BASIC,
              "host:port that the gateway serves its console on, a page for browsers; empty: it has"
                  + " none."));
  public static final ConfigKey<String> S3_CONSOLE_ENDPOINT =
      add(
          ConfigKey.text(
              "stowage.s3.console.endpoint",
              "",
              Tag.BASIC,
              "URL at which others reach S3, for links that the console shares; empty: this"
                  + " gateway's own port."));
  public static final ConfigKey<String> METRICS_BIND =
      add(
          ConfigKey.text(
              "stowage.metrics.bind",
              "",
              Tag.BASIC,
              "host:port at which this process tells how it is: GET /metrics for Prometheus, GET"
                  + " /health for load balancers; over TLS if there is a stowage.tls.certificate;"
                  + " empty: nowhere. Beyond loopback /metrics needs the token that the credential"
                  + " provider has under the name stowage.metrics.token."));
  public static final ConfigKey<Integer> S3_WORKERS =
      add(
          ConfigKey.integer(
              "stowage.s3.workers",
              128,
              4,
              4096,
              Tag.TUNING,
              "Threads of a gateway that run operations; three quarters of them may follow uploads"
                  + " at their senders' pace."));
  public static final ConfigKey<Integer> S3_CONNECTIONS =
      add(
          ConfigKey.integer(
              "stowage.s3.connections",
              4096,
              1,
              1 << 20,
              Tag.TUNING,
              "Connections that a gateway has open at most; a further one is closed at once."));
  public static final ConfigKey<Long> S3_MEMORY =
      add(
          ConfigKey.bytes(
              "stowage.s3.memory",
              "320m",
              16L << 20,
              1L << 40,
              Tag.TUNING,
              "Direct memory of a gateway for bodies on their way in (a fifth for those that are"
                  + " gathered, a fifth for those that are streamed) and for responses on their way"
                  + " out."));
  public static final ConfigKey<Duration> S3_PATIENCE =
      add(
          ConfigKey.duration(
              "stowage.s3.patience",
              "10s",
              Duration.ofMillis(10),
              Duration.ofMinutes(5),
              Tag.TUNING,
              "When a completion or a copy takes longer, 200 and white space are sent, and more of"
                  + " it each time as long again, so that nobody takes the connection for dead; an"
                  + " error is then in the body."));
  public static final ConfigKey<Duration> S3_DRAIN =
      add(
          ConfigKey.duration(
              "stowage.s3.drain",
              "30s",
              Duration.ZERO,
              Duration.ofHours(1),
              Tag.TUNING,
              "How long a gateway that is stopped goes on with the requests at work."));
  public static final ConfigKey<String> S3_TLS_CERTIFICATE =
      add(
          ConfigKey.text(
              "stowage.s3.tls.certificate",
              "",
              Tag.BASIC,
              "PEM file of the certificate, then those that vouch for it; empty: no TLS. Read again"
                  + " within seconds when it changes."));
  public static final ConfigKey<String> S3_TLS_KEY =
      add(
          ConfigKey.text(
              "stowage.s3.tls.key",
              "",
              Tag.BASIC,
              "PEM file of the certificate's private key, in PKCS#8 without a password."));
  public static final ConfigKey<String> S3_TLS_BIND =
      add(
          ConfigKey.text(
              "stowage.s3.tls.bind",
              "",
              Tag.BASIC,
              "host:port that HTTPS is served on beside HTTP; empty: with a certificate there is"
                  + " HTTPS alone, on stowage.s3.bind."));
  public static final ConfigKey<Duration> S3_IDLE_TIMEOUT =
      add(
          ConfigKey.duration(
              "stowage.s3.idle-timeout",
              "60s",
              Duration.ofMillis(100),
              Duration.ofHours(1),
              Tag.TUNING,
              "A connection on which nothing moves for this long is closed."));
  public static final ConfigKey<String> S3_AUDIT_FILE =
      add(
          ConfigKey.text(
              "stowage.s3.audit.file",
              "",
              Tag.BASIC,
              "File to which a gateway writes every decision on a request, a line of JSON each;"
                  + " empty: beside the process's own log; none: nowhere."));
  public static final ConfigKey<Long> S3_AUDIT_FILE_SIZE =
      add(
          ConfigKey.bytes(
              "stowage.s3.audit.file-size",
              "64m",
              1L << 10,
              1L << 40,
              Tag.TUNING,
              "Size at which the audit log is put aside and begun anew."));
  public static final ConfigKey<Integer> S3_AUDIT_FILES =
      add(
          ConfigKey.integer(
              "stowage.s3.audit.files",
              10,
              1,
              10_000,
              Tag.TUNING,
              "Files of the audit log that are kept, the present one included."));
  public static final ConfigKey<String> S3_SSE_C_TRANSPORT =
      add(
          ConfigKey.text(
              "stowage.s3.sse-c-transport",
              "loopback",
              Tag.BASIC,
              "Where clients may send keys of their own (SSE-C): tls (over TLS only, as Amazon S3),"
                  + " loopback (also without from this machine), any (a proxy ends TLS)."));
  public static final ConfigKey<String> ENCRYPTION_KEY_PROVIDER =
      add(
          ConfigKey.text(
              "stowage.encryption.key-provider",
              "",
              Tag.BASIC,
              "URI of the Hadoop key provider whose keys wrap those of objects (SSE-S3, SSE-KMS):"
                  + " kms://https@host:9600/kms, or jceks://file/path for one gateway; empty:"
                  + " neither is offered."));
  public static final ConfigKey<String> ENCRYPTION_STORE_KEY =
      add(
          ConfigKey.text(
              "stowage.encryption.store-key",
              "stowage-s3",
              Tag.BASIC,
              "Name of the key of SSE-S3; made, 256 bits, when first needed and not there."));
  public static final ConfigKey<String> ENCRYPTION_DEFAULT_KEY =
      add(
          ConfigKey.text(
              "stowage.encryption.default-key",
              "stowage-kms",
              Tag.BASIC,
              "Name of the key of SSE-KMS where a client names none; made as the other."));
  public static final ConfigKey<List<String>> S3_EVENT_TARGETS =
      add(
          ConfigKey.list(
              "stowage.s3.events.targets",
              "",
              Tag.BASIC,
              "Where notification configurations may send events: ARN=http(s)://host:port/path or"
                  + " ARN=kafka://host:port;host:port/topic, the same at all gateways."));
  public static final ConfigKey<Duration> S3_EVENT_SCAN_INTERVAL =
      add(
          ConfigKey.duration(
              "stowage.s3.events.scan-interval",
              "30s",
              Duration.ofMillis(10),
              Duration.ofHours(1),
              Tag.TUNING,
              "Between two looks of one gateway for events that others left behind."));
  public static final ConfigKey<Duration> S3_EVENT_RETRY_INTERVAL =
      add(
          ConfigKey.duration(
              "stowage.s3.events.retry-interval",
              "10s",
              Duration.ofMillis(10),
              Duration.ofHours(1),
              Tag.TUNING,
              "Longest pause between two attempts at a target that does not take events."));
  public static final ConfigKey<Duration> S3_EVENT_KEEP =
      add(
          ConfigKey.duration(
              "stowage.s3.events.keep",
              "1d",
              Duration.ofMillis(100),
              Duration.ofDays(365),
              Tag.TUNING,
              "How long an event is tried before it is given up."));
  public static final ConfigKey<Duration> S3_ACCESS_LOG_INTERVAL =
      add(
          ConfigKey.duration(
              "stowage.s3.access-log-interval",
              "5m",
              Duration.ofMillis(10),
              Duration.ofDays(1),
              Tag.TUNING,
              "Between two deliveries of a bucket's access log to its target bucket."));
  public static final ConfigKey<String> ZOOKEEPER_QUORUM =
      add(
          ConfigKey.text(
              "stowage.zookeeper.quorum",
              null,
              Tag.BASIC,
              "host:port,… of ZooKeeper, for SCM leadership and registration."));
  public static final ConfigKey<String> ZOOKEEPER_ROOT =
      add(
          ConfigKey.text(
              "stowage.zookeeper.root",
              "/stowage",
              Tag.BASIC,
              "ZooKeeper node below which Stowage keeps its own."));
  public static final ConfigKey<Boolean> ZOOKEEPER_SASL =
      add(
          ConfigKey.flag(
              "stowage.zookeeper.sasl",
              true,
              Tag.BASIC,
              "With security on, SCMs log in to ZooKeeper by their Kerberos principal, and their"
                  + " nodes are theirs alone; not to be used with a ZooKeeper that has no SASL."));
  public static final ConfigKey<Duration> ZOOKEEPER_SESSION_TIMEOUT =
      add(
          ConfigKey.duration(
              "stowage.zookeeper.session-timeout",
              "6s",
              Duration.ofSeconds(1),
              Duration.ofMinutes(2),
              Tag.TUNING,
              "A leader that ZooKeeper has not heard for this long is replaced."));
  public static final ConfigKey<String> HBASE_NAMESPACE =
      add(
          ConfigKey.text(
              "stowage.hbase.namespace",
              "stowage",
              Tag.BASIC,
              "HBase namespace of Stowage's tables."));

  // Storage.
  public static final ConfigKey<String> DEFAULT_POLICY =
      add(
          ConfigKey.text(
              "stowage.default-policy",
              "rs-6-3",
              Tag.BASIC,
              "Erasure policy of buckets that name none."));
  public static final ConfigKey<Long> CONTAINER_CAPACITY =
      add(
          ConfigKey.bytes(
              "stowage.container.capacity",
              "1g",
              4L << 20,
              64L << 30,
              Tag.TUNING,
              "Address space of one shard of a new container."));
  public static final ConfigKey<String> FAILURE_DOMAIN =
      add(
          ConfigKey.text(
              "stowage.placement.failure-domain",
              "host",
              Tag.BASIC,
              "disk, host or rack: no two shards of a container share one. Of single policies"
                  + " another: host,rs-3-2=rack."));
  public static final ConfigKey<String> DATANODE_HOST =
      add(
          ConfigKey.text(
              "stowage.datanode.host",
              "",
              Tag.BASIC,
              "Host name that others reach this datanode by; empty: the one that it binds."));
  public static final ConfigKey<List<String>> DATANODE_DISKS =
      add(
          ConfigKey.list(
              "stowage.datanode.disks",
              null,
              Tag.BASIC,
              "Directories, one a disk, in which a datanode keeps shards."));
  public static final ConfigKey<Long> DATANODE_RESERVED =
      add(
          ConfigKey.bytes(
              "stowage.datanode.reserved",
              "1g",
              0,
              1L << 50,
              Tag.BASIC,
              "Bytes of every disk that a datanode leaves free."));
  public static final ConfigKey<String> DATANODE_DURABILITY =
      add(
          ConfigKey.text(
              "stowage.datanode.durability",
              "sync",
              Tag.BASIC,
              "sync: forced to the device; os: page cache, as HDFS."));
  public static final ConfigKey<Long> DATANODE_WRITE_MEMORY =
      add(
          ConfigKey.bytes(
              "stowage.datanode.write-memory",
              "512m",
              16L << 20,
              1L << 40,
              Tag.TUNING,
              "Payload that may wait for a datanode's disks; beyond it writers are held back."));
  public static final ConfigKey<Long> DATANODE_REPAIR_RATE =
      add(
          ConfigKey.bytes(
              "stowage.datanode.repair-rate",
              "100m",
              0,
              1L << 40,
              Tag.BASIC,
              "Bytes a second that rebuilds of shards read from and write to each disk; 0: no"
                  + " limit."));
  public static final ConfigKey<Integer> DATANODE_REBUILDS_PER_DISK =
      add(
          ConfigKey.integer(
              "stowage.datanode.rebuilds-per-disk",
              2,
              1,
              64,
              Tag.TUNING,
              "Shards that are rebuilt onto one disk at the same time; others wait."));
  public static final ConfigKey<Long> DATANODE_REPAIR_MEMORY =
      add(
          ConfigKey.bytes(
              "stowage.datanode.repair-memory",
              "256m",
              16L << 20,
              1L << 40,
              Tag.TUNING,
              "Memory of a datanode's rebuilds: about 20 MiB each with rs-3-2, 60 MiB with"
                  + " rs-10-4."));
  public static final ConfigKey<Long> DATANODE_SCRUB_RATE =
      add(
          ConfigKey.bytes(
              "stowage.datanode.scrub-rate",
              "8m",
              0,
              1L << 40,
              Tag.BASIC,
              "Bytes a second of each disk that the scrubber reads and verifies; 0: no limit."));
  public static final ConfigKey<Duration> DATANODE_SCRUB_INTERVAL =
      add(
          ConfigKey.duration(
              "stowage.datanode.scrub-interval",
              "14d",
              Duration.ofMillis(10),
              Duration.ofDays(3_650),
              Tag.TUNING,
              "Time from the start of one scrub of a disk to the next, if it does not take"
                  + " longer."));
  public static final ConfigKey<Duration> HEARTBEAT_INTERVAL =
      add(
          ConfigKey.duration(
              "stowage.datanode.heartbeat-interval",
              "1s",
              Duration.ofMillis(50),
              Duration.ofMinutes(1),
              Tag.TUNING,
              "Time between two heartbeats of a datanode."));
  public static final ConfigKey<Duration> DEAD_INTERVAL =
      add(
          ConfigKey.duration(
              "stowage.scm.dead-interval",
              "30s",
              Duration.ofMillis(500),
              Duration.ofHours(1),
              Tag.TUNING,
              "A datanode silent for this long is dead."));
  public static final ConfigKey<Integer> REPAIR_PER_DISK =
      add(
          ConfigKey.integer(
              "stowage.scm.repair-per-disk",
              2,
              1,
              64,
              Tag.TUNING,
              "Shards that one disk is written at once for repair, decommission and balance."));
  public static final ConfigKey<Duration> LEASE_DURATION =
      add(
          ConfigKey.duration(
              "stowage.scm.lease-duration",
              "60s",
              Duration.ofSeconds(1),
              Duration.ofHours(1),
              Tag.TUNING,
              "A writer's lease lapses this long after its grant or renewal."));

  // Commit.
  public static final ConfigKey<Duration> COMMIT_WINDOW =
      add(
          ConfigKey.duration(
              "stowage.commit-window",
              "15m",
              Duration.ofMillis(100),
              Duration.ofHours(24),
              Tag.TUNING,
              "A manifest may be committed this long after its lease was granted; collectors wait"
                  + " it out. One value for all services; clients are told."));
  public static final ConfigKey<Duration> CLOCK_BOUND =
      add(
          ConfigKey.duration(
              "stowage.clock-bound",
              "10s",
              Duration.ofMillis(1),
              Duration.ofMinutes(5),
              Tag.TUNING,
              "Clocks of services may differ by at most this; an object manager beyond it refuses"
                  + " to serve, an SCM beyond it goes by what most of its datanodes' clocks say."));
  public static final ConfigKey<Duration> MUTATION_DEADLINE =
      add(
          ConfigKey.duration(
              "stowage.om.mutation-deadline",
              "60s",
              Duration.ofMillis(100),
              Duration.ofMinutes(10),
              Tag.TUNING,
              "A row mutation is not sent again later than this after its stamp."));
  public static final ConfigKey<Duration> COLLECT_INTERVAL =
      add(
          ConfigKey.duration(
              "stowage.om.collect-interval",
              "1m",
              Duration.ofMillis(100),
              Duration.ofHours(24),
              Tag.TUNING,
              "Garbage in the namespace's tables is collected at least this often."));
  public static final ConfigKey<Duration> COLLECT_MARGIN =
      add(
          ConfigKey.duration(
              "stowage.om.collect-margin",
              "5m",
              Duration.ofMillis(100),
              Duration.ofHours(24),
              Tag.TUNING,
              "Garbage stays this much longer than a mutation's deadline and the clock bound. A"
                  + " request may be repeated for as long; at least the mutation's deadline."));
  public static final ConfigKey<Duration> COLLECT_FULL_INTERVAL =
      add(
          ConfigKey.duration(
              "stowage.om.collect-full-interval",
              "24h",
              Duration.ofMillis(100),
              Duration.ofDays(30),
              Tag.TUNING,
              "The whole table of objects is looked through for garbage this often."));
  public static final ConfigKey<Duration> OPEN_FILE_LIMIT =
      add(
          ConfigKey.duration(
              "stowage.om.open-file-limit",
              "1h",
              Duration.ofMillis(100),
              Duration.ofDays(365),
              Tag.TUNING,
              "A file whose writer gave no sign of life for so long is closed at what it synced. No"
                  + " less than garbage stays."));

  public static final ConfigKey<Integer> LEASES_PER_MINUTE =
      add(
          ConfigKey.integer(
              "stowage.om.leases-per-minute",
              6_000,
              0,
              1_000_000,
              Tag.TUNING,
              "Leases of containers that one user gets of an object manager over RPC, and four"
                  + " minutes' worth at once; beyond it writers wait. 0: no bound."));
  public static final ConfigKey<Integer> DAMAGE_REPORTS_PER_MINUTE =
      add(
          ConfigKey.integer(
              "stowage.om.damage-reports-per-minute",
              120,
              0,
              1_000_000,
              Tag.TUNING,
              "Reports of damaged shards and silent datanodes that an object manager believes one"
                  + " user over RPC enough to look; others are dropped. 0: no bound."));

  public static final ConfigKey<Integer> TOKENS_PER_MINUTE =
      add(
          ConfigKey.integer(
              "stowage.om.delegation-tokens-per-minute",
              120,
              0,
              1_000_000,
              Tag.TUNING,
              "Delegation tokens that one user gets of an object manager, himself or by a proxy,"
                  + " and four minutes' worth at once: each is a row until its life ends. 0: no"
                  + " bound."));

  public static final ConfigKey<Integer> LIFECYCLE_DAY_SECONDS =
      add(
          ConfigKey.integer(
              "stowage.s3.lifecycle.day-seconds",
              86_400,
              1,
              86_400,
              Tag.TUNING,
              "Length of a day in rules of lifecycle, for tests; what clients are told in"
                  + " x-amz-expiration stays in days of the calendar."));
  public static final ConfigKey<Integer> LIFECYCLE_RATE =
      add(
          ConfigKey.integer(
              "stowage.om.lifecycle-deletes-per-second",
              1_000,
              1,
              1_000_000,
              Tag.TUNING,
              "Versions and uploads that an object manager deletes in a second because of rules of"
                  + " lifecycle, at most."));

  public static final ConfigKey<Duration> BUCKET_CACHE_AGE =
      add(
          ConfigKey.duration(
              "stowage.om.bucket-cache-age",
              "2s",
              Duration.ofMillis(10),
              Duration.ofSeconds(2),
              Tag.TEST,
              "An object manager knows a bucket's settings at most this long; deleting a bucket"
                  + " waits it out. The same for all object managers."));

  // Repack.
  public static final ConfigKey<Integer> REPACK_WORKERS =
      add(
          ConfigKey.integer(
              "stowage.repack.workers",
              1,
              0,
              64,
              Tag.TUNING,
              "Containers that a gateway surveys or repacks at a time; 0: none."));
  public static final ConfigKey<Long> REPACK_RATE =
      add(
          ConfigKey.bytes(
              "stowage.repack.rate",
              "64m",
              64L << 10,
              1L << 40,
              Tag.TUNING,
              "Bytes a second that a gateway's repackers read, and as many that they write."));
  public static final ConfigKey<Integer> REPACK_WASTE =
      add(
          ConfigKey.integer(
              "stowage.repack.waste",
              25,
              1,
              10_000,
              Tag.TUNING,
              "A sealed container is repacked when it takes this many percent more than what lives"
                  + " in it needs."));
  public static final ConfigKey<Duration> REPACK_KEEP =
      add(
          ConfigKey.duration(
              "stowage.repack.keep-time",
              "24h",
              Duration.ZERO,
              Duration.ofDays(30),
              Tag.TUNING,
              "An emptied container's shards are kept this long for readers of old manifests."));
  public static final ConfigKey<Duration> REPACK_CLAIM =
      add(
          ConfigKey.duration(
              "stowage.repack.claim-duration",
              "60s",
              Duration.ofMillis(500),
              Duration.ofHours(1),
              Tag.TUNING,
              "A container whose repacker has not been heard for this long goes to another."));
  public static final ConfigKey<Duration> OPEN_TIME =
      add(
          ConfigKey.duration(
              "stowage.container.open-time",
              "6h",
              Duration.ofMillis(500),
              Duration.ofDays(30),
              Tag.TUNING,
              "A container open for longer is sealed however little is in it: only what is sealed"
                  + " can be collected."));

  // Client.
  public static final ConfigKey<Long> PACKING_LIMIT =
      add(
          ConfigKey.bytes(
              "stowage.client.packing-limit",
              "128k",
              4096,
              1L << 20,
              Tag.TUNING,
              "Objects up to this size are packed whole into one cell."));
  public static final ConfigKey<Long> CELL_SIZE =
      add(
          ConfigKey.bytes(
              "stowage.client.cell-size",
              "1m",
              4096,
              16L << 20,
              Tag.TUNING,
              "Largest cell of a stripe."));
  public static final ConfigKey<Long> STRIPE_MEMORY =
      add(
          ConfigKey.bytes(
              "stowage.client.stripe-memory",
              "256m",
              1L << 20,
              1L << 40,
              Tag.TUNING,
              "Direct memory for stripes in flight, of the whole process."));

  // Hadoop's FileSystem.
  public static final ConfigKey<Long> FS_BLOCK_SIZE =
      add(
          ConfigKey.bytes(
              "stowage.fs.block-size",
              "128m",
              1L << 10,
              1L << 40,
              Tag.TUNING,
              "Block size that the FileSystem tells of a file, by which jobs split their input."));
  public static final ConfigKey<Long> FS_READ_AHEAD =
      add(
          ConfigKey.bytes(
              "stowage.fs.read-ahead",
              "4m",
              64L << 10,
              64L << 20,
              Tag.TUNING,
              "Largest piece that a file being read in sequence fetches at once, never more than 4"
                  + " MiB; up to three more are fetched ahead."));

  // Security.
  public static final ConfigKey<Boolean> SECURITY_ENABLED =
      add(
          ConfigKey.flag(
              "stowage.security.enabled",
              false,
              Tag.BASIC,
              "Kerberos on every RPC, tokens on the data plane; the same in all roles and"
                  + " clients."));
  public static final ConfigKey<Boolean> INSECURE =
      add(
          ConfigKey.flag(
              "stowage.insecure",
              false,
              Tag.BASIC,
              "With security off, lets servers bind other addresses than loopback, at which anybody"
                  + " on the network could read and delete everything."));

  public static final ConfigKey<String> TLS_MODE =
      add(
          ConfigKey.text(
              "stowage.tls.mode",
              "off",
              Tag.BASIC,
              "TLS between clients, services and datanodes; the same in all roles and clients. off;"
                  + " accept: datanodes take TLS beside plain text; speak: and everybody else"
                  + " speaks it; only: and datanodes take nothing else. A running cluster goes"
                  + " through all four."));
  public static final ConfigKey<String> TLS_CERTIFICATE =
      add(
          ConfigKey.text(
              "stowage.tls.certificate",
              "",
              Tag.BASIC,
              "PEM file of this host's certificate, then those that vouch for it: datanodes serve"
                  + " with it, services show it to datanodes. Read again within seconds when it"
                  + " changes. S3 has its own, since that is believed by others."));
  public static final ConfigKey<String> TLS_KEY =
      add(
          ConfigKey.text(
              "stowage.tls.key",
              "",
              Tag.BASIC,
              "PEM file of the certificate's private key, in PKCS#8 without a password; who cannot"
                  + " read it shows no certificate."));
  public static final ConfigKey<String> TLS_AUTHORITIES =
      add(
          ConfigKey.text(
              "stowage.tls.authorities",
              "",
              Tag.BASIC,
              "PEM file of the certificates of those who vouch for datanodes and services; empty:"
                  + " those that the JDK trusts."));
  public static final ConfigKey<String> TLS_CLIENT_CERTIFICATES =
      add(
          ConfigKey.text(
              "stowage.tls.client-certificates",
              "none",
              Tag.BASIC,
              "Who has to show datanodes a certificate: none; services (gateways, SCMs, datanodes,"
                  + " administrators' commands; jobs come by their tokens alone); all."));

  public static final ConfigKey<String> SCM_PRINCIPAL =
      add(
          ConfigKey.text(
              "stowage.scm.kerberos.principal",
              "",
              Tag.BASIC,
              "Kerberos principal of SCMs, such as scm/_HOST@REALM; _HOST is the host's name."));
  public static final ConfigKey<String> SCM_KEYTAB =
      add(
          ConfigKey.text(
              "stowage.scm.kerberos.keytab",
              "",
              Tag.BASIC,
              "File of the keys of stowage.scm.kerberos.principal."));
  public static final ConfigKey<String> OM_PRINCIPAL =
      add(
          ConfigKey.text(
              "stowage.om.kerberos.principal",
              "",
              Tag.BASIC,
              "Kerberos principal of object managers, such as om/_HOST@REALM; _HOST is the host's"
                  + " name."));
  public static final ConfigKey<String> OM_KEYTAB =
      add(
          ConfigKey.text(
              "stowage.om.kerberos.keytab",
              "",
              Tag.BASIC,
              "File of the keys of stowage.om.kerberos.principal."));
  public static final ConfigKey<String> DATANODE_PRINCIPAL =
      add(
          ConfigKey.text(
              "stowage.datanode.kerberos.principal",
              "",
              Tag.BASIC,
              "Kerberos principal of datanodes, such as datanode/_HOST@REALM; _HOST is the host's"
                  + " name."));
  public static final ConfigKey<String> DATANODE_KEYTAB =
      add(
          ConfigKey.text(
              "stowage.datanode.kerberos.keytab",
              "",
              Tag.BASIC,
              "File of the keys of stowage.datanode.kerberos.principal."));
  public static final ConfigKey<String> S3_PRINCIPAL =
      add(
          ConfigKey.text(
              "stowage.s3.kerberos.principal",
              "",
              Tag.BASIC,
              "Kerberos principal of gateways, such as s3/_HOST@REALM; _HOST is the host's name."));
  public static final ConfigKey<String> S3_KEYTAB =
      add(
          ConfigKey.text(
              "stowage.s3.kerberos.keytab",
              "",
              Tag.BASIC,
              "File of the keys of stowage.s3.kerberos.principal."));
  public static final ConfigKey<String> ADMINISTRATORS =
      add(
          ConfigKey.text(
              "stowage.administrators",
              "",
              Tag.BASIC,
              "Who may administer, beside the user that a service runs as: users separated by"
                  + " commas, a space, groups separated by commas."));

  // Who may do what.
  public static final ConfigKey<Boolean> PERMISSIONS_ENABLED =
      add(
          ConfigKey.flag(
              "stowage.permissions.enabled",
              false,
              Tag.BASIC,
              "Object managers ask who may do what also without stowage.security.enabled, with"
                  + " which they always do; then the name that a caller gives himself is"
                  + " believed."));
  public static final ConfigKey<String> SUPERUSER_GROUP =
      add(
          ConfigKey.text(
              "stowage.permissions.superuser-group",
              "supergroup",
              Tag.BASIC,
              "Whoever is in this group may do everything with buckets and files over Hadoop"
                  + " RPC, as may the user that a service runs as and stowage.administrators;"
                  + " empty: nobody else."));
  public static final ConfigKey<String> ACCESS_AUTHORIZER =
      add(
          ConfigKey.text(
              "stowage.access.authorizer",
              "",
              Tag.BASIC,
              "Class that decides who may do what, in gateways and object managers, an"
                  + " io.stowage.common.access.AccessAuthorizer; empty: the store's own."));
  public static final ConfigKey<String> ACCESS_AUTHORIZER_SETTING =
      add(
          ConfigKey.text(
              "stowage.access.authorizer.setting",
              "",
              Tag.BASIC,
              "Handed to the class of stowage.access.authorizer as it is."));
  public static final ConfigKey<String> OM_AUDIT_FILE =
      add(
          ConfigKey.text(
              "stowage.om.audit.file",
              "",
              Tag.BASIC,
              "File to which an object manager writes every decision on a call over Hadoop RPC, a"
                  + " line of JSON each, where it asks who may do what; empty: beside the"
                  + " process's own log; none: nowhere."));
  public static final ConfigKey<Long> OM_AUDIT_FILE_SIZE =
      add(
          ConfigKey.bytes(
              "stowage.om.audit.file-size",
              "64m",
              1L << 10,
              1L << 40,
              Tag.TUNING,
              "Size at which that audit log is put aside and begun anew."));
  public static final ConfigKey<Integer> OM_AUDIT_FILES =
      add(
          ConfigKey.integer(
              "stowage.om.audit.files",
              10,
              1,
              10_000,
              Tag.TUNING,
              "Files of that audit log that are kept, the present one included."));

  public static final ConfigKey<String> SCM_AUDIT_FILE =
      add(
          ConfigKey.text(
              "stowage.scm.audit.file",
              "",
              Tag.BASIC,
              "File to which an SCM with security on writes whom it refused, what operators had it"
                  + " do and who else took the keys of tokens, a line of JSON each;"
                  + " empty: beside the process's own log; none: nowhere. As large and as many as"
                  + " stowage.om.audit.file-size and stowage.om.audit.files say."));

  public static final ConfigKey<Duration> TOKEN_KEY_INTERVAL =
      add(
          ConfigKey.duration(
              "stowage.security.token-key-interval",
              "1d",
              Duration.ofMillis(100),
              Duration.ofDays(365),
              Tag.TUNING,
              "A key that signs tokens of the data plane is replaced after this long."));
  public static final ConfigKey<Duration> TOKEN_LIFE =
      add(
          ConfigKey.duration(
              "stowage.security.token-life",
              "10h",
              Duration.ofMillis(100),
              Duration.ofDays(30),
              Tag.TUNING,
              "A reader's token of the data plane holds this long; who has a file open for longer"
                  + " gets another if he still may read it."));
  public static final ConfigKey<Duration> DELEGATION_TOKEN_LIFE =
      add(
          ConfigKey.duration(
              "stowage.security.delegation-token-life",
              "7d",
              Duration.ofSeconds(1),
              Duration.ofDays(90),
              Tag.TUNING,
              "A job's delegation token cannot be renewed for longer than this."));
  public static final ConfigKey<Duration> DELEGATION_RENEW_INTERVAL =
      add(
          ConfigKey.duration(
              "stowage.security.delegation-renew-interval",
              "1d",
              Duration.ofSeconds(1),
              Duration.ofDays(90),
              Tag.TUNING,
              "A delegation token that is not renewed holds this long."));
  public static final ConfigKey<Duration> DELEGATION_KEY_INTERVAL =
      add(
          ConfigKey.duration(
              "stowage.security.delegation-key-interval",
              "1d",
              Duration.ofSeconds(1),
              Duration.ofDays(365),
              Tag.TUNING,
              "A key that signs delegation tokens is replaced after this long."));

  private Keys() {}

  private static <T> ConfigKey<T> add(ConfigKey<T> key) {
    ALL.add(key);
    return key;
  }

  /** All keys in the order of their declaration. */
  public static List<ConfigKey<?>> all() {
    return Collections.unmodifiableList(ALL);
  }

  /** The key of a name, or null. */
  static ConfigKey<?> find(String name) {
    for (ConfigKey<?> key : ALL) {
      if (key.name().equals(name)) {
        return key;
      }
    }
    return null;
  }

  /** The known name with the smallest edit distance. */
  static String nearest(String name) {
    String best = "";
    int bestDistance = Integer.MAX_VALUE;
    for (ConfigKey<?> key : ALL) {
      int distance = editDistance(name, key.name());
      if (distance < bestDistance) {
        best = key.name();
        bestDistance = distance;
      }
    }
    return best;
  }

  private static int editDistance(String a, String b) {
    int[] row = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int above = row[j];
        int change = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        row[j] = Math.min(change, Math.min(above, row[j - 1]) + 1);
        diagonal = above;
      }
    }
    return row[b.length()];
  }
}

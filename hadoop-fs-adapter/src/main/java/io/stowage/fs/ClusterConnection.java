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

import io.netty.util.internal.PlatformDependent;
import io.stowage.client.DataPath;
import io.stowage.client.crypt.ClientCiphers;
import io.stowage.client.crypt.KeyService;
import io.stowage.client.crypt.ObjectCipher;
import io.stowage.common.conf.BucketSettings;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.delegation.DelegationTokenIdentifier;
import io.stowage.common.delegation.DelegationTokenSelector;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.BucketEncryption;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.rpc.RpcSecurity;
import io.stowage.common.time.StoreClock;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.ref.Cleaner;
import java.security.PrivilegedAction;
import java.security.PrivilegedExceptionAction;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.RejectedExecutionHandler;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.Semaphore;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.io.Text;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.security.token.Token;

/**
 * A FileSystem's hold on a cluster. All FileSystems of a process with the same settings and user
 * share one namespace client, one data path (whose leases and stripes only pay if writers share
 * them), the threads that renew leases, and one client of the key service; the last one to close it
 * ends them. Threads that read ahead, and the bound of what streams keep, are the process's,
 * whoever its users are.
 *
 * <p>A FileContext has no close, and services make one for each of their users. So a hold is given
 * back, too, when it can no longer be reached: a FileSystem reaches it, and each of its streams,
 * uploads and listings, by the object manager that they ask ({@link FsStatistics#counting}). A file
 * that was synced and never closed is reached by its lease's renewal. Thread-safe.
 */
final class ClusterConnection implements AutoCloseable {
  /**
   * Reads in flight ahead of their readers, of the whole process; beyond it a stream waits for its
   * own reads.
   */
  private static final int READ_AHEAD_THREADS = 16;

  /** Of these so many for pieces behind the next one: few streams in sequence take not all. */
  private static final Semaphore FAR_AHEAD = new Semaphore(READ_AHEAD_THREADS / 2);

  /**
   * Pieces of vectored reads in flight, of the whole process; each has one buffer. Beyond it
   * whoever asks reads some itself: nothing waits for reads of others, whose cluster may not
   * answer.
   */
  private static final int RANGE_READ_THREADS = 16;

  /** Of these threads, for one cluster and user. */
  private static final int RANGE_READS_OF_ONE = 12;

  /**
   * Leases renewed at a time. A renewal is a forced mutation, 5 to 15 ms, so these do a thousand a
   * second, where 10,000 streams that are open and silent need 500; and some may wait for rows that
   * HBase moves while the others are renewed.
   */
  private static final int LEASE_RENEWAL_THREADS = 16;

  /**
   * Forgotten clusters that are ended at a time; the others wait. A service that forgets many at
   * once, as a long pause for the garbage collector finds them, would else have a thread for each.
   */
  private static final int ENDING_THREADS = 4;

  /** Of direct memory, what pieces may take that streams keep between reads. */
  private static final int PIECE_MEMORY_SHARE = 4;

  private static final ExecutorService READ_AHEAD = readAheadThreads();
  private static final ExecutorService RANGE_READS = rangeReadThreads();
  private static final PieceMemory PIECE_MEMORY =
      new PieceMemory(PlatformDependent.maxDirectMemory() / PIECE_MEMORY_SHARE);

  private static final Map<Key, Shared> OPEN = new HashMap<>(); // guarded by itself
  private static final Cleaner FORGOTTEN = Cleaner.create();
  private static final ExecutorService ENDS = endingThreads();

  private static volatile ClusterConnector connector = new NetworkConnector();

  private record Key(Map<String, String> settings, UserGroupInformation user) {}

  private static final class Shared {
    final ClusterConnector.Connected cluster;
    final ScheduledExecutorService leaseRenewals = leaseRenewalThreads();
    private final Semaphore rangeReads = new Semaphore(RANGE_READS_OF_ONE);
    int holders; // guarded by OPEN
    volatile boolean closed;
    private KeyService keys; // null: not needed yet
    private ClientCiphers ciphers; // with the keys

    synchronized ClientCiphers ciphers(StowageConfig config) throws StoreException {
      if (ciphers == null) {
        keys = cluster.keys().open();
        ciphers = new ClientCiphers(config, keys, StoreClock.system());
      }
      return ciphers;
    }

    private synchronized void closeKeys() {
      if (keys != null) {
        keys.close();
      }
    }

    Shared(ClusterConnector.Connected cluster) {
      this.cluster = cluster;
    }

    /** Reads a piece on a thread for it, or here. */
    void readRange(Runnable read) {
      if (!rangeReads.tryAcquire()) {
        read.run();
        return;
      }
      AtomicBoolean begun = new AtomicBoolean();
      Runnable once =
          () -> {
            if (begun.getAndSet(true)) {
              return;
            }
            try {
              read.run();
            } finally {
              rangeReads.release();
            }
          };
      try {
        RANGE_READS.execute(once);
      } catch (OutOfMemoryError e) {
        if (begun.get()) {
          throw e; // the read's own
        }
        once.run(); // no thread can be made
      }
    }

    void end() {
      closed = true;
      leaseRenewals.shutdown(); // what was to be renewed again is not
      try {
        cluster.close().run();
      } finally {
        closeKeys();
      }
    }
  }

  /**
   * What is to be given back once, apart from the connection, which may be out of reach by then.
   */
  private static final class Hold {
    private final Key key;
    private final Shared shared;
    private final AtomicBoolean given = new AtomicBoolean();

    Hold(Key key, Shared shared) {
      this.key = key;
      this.shared = shared;
    }

    /** Whether nobody holds the cluster any more; who is told so ends it. */
    private boolean giveBack() {
      if (!given.compareAndSet(false, true)) {
        return false;
      }
      synchronized (OPEN) {
        if (--shared.holders > 0) {
          return false;
        }
        OPEN.remove(key);
        return true;
      }
    }

    void close() {
      if (giveBack()) {
        shared.end();
      }
    }

    /** Elsewhere, and as its user: the end asks servers, and others are to be cleaned. */
    void forget() {
      if (giveBack()) {
        PrivilegedAction<Void> end =
            () -> {
              shared.end();
              return null;
            };
        ENDS.execute(() -> key.user().doAs(end));
      }
    }
  }

  private final Key key;
  private final Shared shared;
  private final Hold hold;
  private final StowageConfig config;
  private final Configuration hadoop;
  private final List<String> objectManagers; // addresses

  private ClusterConnection(
      Key key,
      Shared shared,
      StowageConfig config,
      Configuration hadoop,
      List<String> objectManagers) {
    this.hadoop = hadoop;
    this.key = key;
    this.shared = shared;
    this.config = config;
    this.objectManagers = objectManagers;
    this.hold = new Hold(key, shared);
    var unused = FORGOTTEN.register(this, hold::forget);
  }

  private static Map<String, String> settings(Configuration hadoop) {
    Map<String, String> settings = new TreeMap<>();
    hadoop
        .getPropsWithPrefix(StowageConfig.PREFIX)
        .forEach((name, value) -> settings.put(StowageConfig.PREFIX + name, value));
    return settings;
  }

  /** A configuration in which what is set for this bucket alone takes the place of the rest. */
  static Configuration settingsOf(String bucket, Configuration hadoop) throws StoreException {
    Map<String, String> all = settings(hadoop);
    Map<String, String> ours = BucketSettings.of(all, bucket);
    if (ours.equals(all)) {
      return hadoop;
    }
    Configuration copy = new Configuration(hadoop);
    all.keySet().forEach(copy::unset);
    ours.forEach(copy::set);
    return copy;
  }

  /** The buckets that a configuration has settings of their own for. */
  static SortedSet<String> bucketsWithSettings(Configuration hadoop) throws StoreException {
    return BucketSettings.buckets(settings(hadoop));
  }

  /** Shares the connection that is there, or makes one. */
  static ClusterConnection open(Configuration hadoop) throws IOException {
    Map<String, String> settings = settings(hadoop);
    StowageConfig config = StowageConfig.of(settings);
    Key key = new Key(settings, UserGroupInformation.getCurrentUser());
    List<String> objectManagers =
        RpcSecurity.isOn(hadoop) ? config.get(Keys.OM_ADDRESSES) : List.of();
    synchronized (OPEN) {
      Shared shared = OPEN.get(key);
      if (shared == null) {
        shared = new Shared(connector.connect(config, hadoop));
        OPEN.put(key, shared);
      }
      shared.holders++;
      return new ClusterConnection(key, shared, config, hadoop, objectManagers);
    }
  }

  /** Runs something short when an object can no longer be reached, or by the answer's clean. */
  static Cleaner.Cleanable whenForgotten(Object object, Runnable end) {
    return FORGOTTEN.register(object, end);
  }

  /** Tests only: from now on, connections are made by this; returns what made them before. */
  static ClusterConnector replaceConnector(ClusterConnector replacement) {
    ClusterConnector before = connector;
    connector = replacement;
    return before;
  }

  /** Clusters that this process holds. */
  static int openClusters() {
    synchronized (OPEN) {
      return OPEN.size();
    }
  }

  private static ExecutorService readAheadThreads() {
    // A read that finds no thread is not made ahead, and its reader makes it when it comes to it.
    return unqueued(
        READ_AHEAD_THREADS, "stowage-read-ahead-", new ThreadPoolExecutor.AbortPolicy());
  }

  private static void readFarAhead(Runnable read) {
    if (!FAR_AHEAD.tryAcquire()) {
      throw new RejectedExecutionException("enough is read far ahead");
    }
    boolean begun = false;
    try {
      READ_AHEAD.execute(
          () -> {
            try {
              read.run();
            } finally {
              FAR_AHEAD.release();
            }
          });
      begun = true;
    } finally {
      if (!begun) {
        FAR_AHEAD.release();
      }
    }
  }

  private static ExecutorService rangeReadThreads() {
    return unqueued(
        RANGE_READ_THREADS, "stowage-range-read-", new ThreadPoolExecutor.CallerRunsPolicy());
  }

  private static ExecutorService unqueued(
      int most, String name, RejectedExecutionHandler whenAllAreBusy) {
    return new ThreadPoolExecutor(
        0, most, 30, TimeUnit.SECONDS, new SynchronousQueue<>(), daemons(name), whenAllAreBusy);
  }

  private static ExecutorService endingThreads() {
    ThreadFactory daemons = daemons("stowage-end-of-forgotten-");
    ThreadPoolExecutor threads =
        new ThreadPoolExecutor(
            ENDING_THREADS,
            ENDING_THREADS,
            10,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(), // of clusters that were open
            task -> {
              Thread thread = daemons.newThread(task);
              // The cleaner that asks for it has none.
              thread.setContextClassLoader(ClusterConnection.class.getClassLoader());
              return thread;
            });
    threads.allowCoreThreadTimeOut(true);
    return threads;
  }

  /** Threads that go when there is nothing to renew. */
  private static ScheduledExecutorService leaseRenewalThreads() {
    ScheduledThreadPoolExecutor threads =
        new ScheduledThreadPoolExecutor(LEASE_RENEWAL_THREADS, daemons("stowage-file-leases-"));
    threads.setRemoveOnCancelPolicy(true);
    threads.setKeepAliveTime(1, TimeUnit.SECONDS);
    threads.allowCoreThreadTimeOut(true);
    return threads;
  }

  private static ThreadFactory daemons(String prefix) {
    AtomicInteger count = new AtomicInteger();
    return task -> {
      Thread thread = new Thread(task, prefix + count.incrementAndGet());
      thread.setDaemon(true);
      return thread;
    };
  }

  ObjectManager objectManager() {
    return shared.cluster.objectManager();
  }

  /** Of datanodes, by all who share the cluster. */
  long datanodeCalls() {
    return shared.cluster.datanodeCalls().getAsLong();
  }

  DataPath dataPath() {
    return shared.cluster.dataPath();
  }

  /** The cipher of a new file; null: its bucket keeps it as it is. */
  ObjectCipher cipherOfNew(BucketInfo bucket) throws StoreException {
    return BucketEncryption.isDefault(bucket) ? shared.ciphers(config).forWrite(bucket) : null;
  }

  /** The cipher of a file; null: it is kept as it is. */
  ObjectCipher cipherOf(long bucketId, ObjectVersion version) throws StoreException {
    return version.getMetadata().hasEncryption()
        ? shared.ciphers(config).forRead(bucketId, version)
        : null;
  }

  /** For the next piece of a stream; refuses what it does not begin at once. */
  Executor readAhead() {
    return READ_AHEAD;
  }

  /** The same for pieces behind that one. */
  Executor readFarAhead() {
    return ClusterConnection::readFarAhead;
  }

  /** For pieces of vectored reads; those that find no thread are read by who brings them. */
  Executor rangeReads() {
    return shared::readRange;
  }

  /**
   * Where leases of this cluster's files are renewed, some at a time. Not for the whole process: a
   * cluster that does not answer would hold up those of others.
   */
  ScheduledExecutorService leaseRenewals() {
    return shared.leaseRenewals;
  }

  PieceMemory pieceMemory() {
    return PIECE_MEMORY;
  }

  /** Whether the last of those that share the cluster has closed it. */
  boolean isClosed() {
    return shared.closed;
  }

  boolean isSecure() {
    return RpcSecurity.isOn(hadoop);
  }

  /** What delegation tokens of this cluster are for. */
  Text tokenService() {
    return DelegationTokenSelector.service(objectManagers);
  }

  /** A new delegation token of this connection's user, who needs a ticket for that. */
  Token<DelegationTokenIdentifier> issueToken(String renewer) throws IOException {
    try {
      return key.user()
          .doAs(
              (PrivilegedExceptionAction<Token<DelegationTokenIdentifier>>)
                  () -> TokenCalls.issue(hadoop, objectManagers, renewer));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while a delegation token was issued");
    }
  }

  StowageConfig config() {
    return config;
  }

  @Override
  public void close() {
    hold.close();
  }
}

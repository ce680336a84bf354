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

import io.stowage.client.crypt.KeyService;
import io.stowage.client.crypt.MemoryKeys;
import io.stowage.client.twin.InMemoryDataPath;
import io.stowage.client.twin.InMemoryObjectManager;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.common.proto.FindPathRequest;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.ListObjectsRequest;
import io.stowage.common.time.StoreClock;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.URI;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;

/**
 * Twins of object manager and data path behind {@code stow://}, for this JVM until closed. One at a
 * time.
 */
final class TwinCluster implements AutoCloseable {
  final InMemoryObjectManager objectManager =
      new InMemoryObjectManager(StoreClock.system(), "rs-3-2");
  final InMemoryDataPath dataPath = new InMemoryDataPath();
  final MemoryKeys keys = new MemoryKeys("stowage-s3", "stowage-kms", "named");

  /** What FileSystems find that are opened from now on. */
  volatile KeyService keysFound = keys;

  final AtomicInteger connected = new AtomicInteger();

  /** Keys that begin so may not be looked at one by one; null: all may. */
  volatile String closed;

  /** Keeps FileSystems of an earlier twin, which Hadoop may cache, apart. */
  private final String address = UUID.randomUUID() + ":1";

  private ClusterConnector before;

  private TwinCluster() {}

  static TwinCluster start() {
    return start(TwinCluster::guarded);
  }

  /**
   * Starts twins that are asked by another object manager.
   *
   * @param asked makes one for each client that connects
   */
  static TwinCluster start(Function<TwinCluster, ObjectManager> asked) {
    TwinCluster twins = new TwinCluster();
    twins.before =
        ClusterConnection.replaceConnector(
            (config, hadoop) -> {
              twins.connected.incrementAndGet();
              return new ClusterConnector.Connected(
                  asked.apply(twins),
                  twins.dataPath,
                  () -> twins.keysFound,
                  () -> 0,
                  twins.connected::decrementAndGet);
            });
    return twins;
  }

  /** The object manager, which refuses what is {@link #closed}. */
  private ObjectManager guarded() {
    return (ObjectManager)
        Proxy.newProxyInstance(
            ObjectManager.class.getClassLoader(),
            new Class<?>[] {ObjectManager.class},
            (proxy, method, arguments) -> {
              String key = null;
              Object request = arguments == null ? null : arguments[0];
              if (request instanceof GetObjectRequest get) {
                key = get.getKey();
              } else if (request instanceof ListObjectsRequest list) {
                key = list.getPrefix();
              } else if (request instanceof FindPathRequest find) {
                key = find.getPath();
              }
              if (closed != null && key != null && key.startsWith(closed)) {
                throw new StoreException(ErrorCode.ACCESS_DENIED, "Permission denied: " + key);
              }
              try {
                return method.invoke(objectManager, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  void createBucket(String name) throws StoreException {
    objectManager.createBucket(
        CreateBucketRequest.newBuilder().setName(name).setWriteId(WriteId.random()).build());
  }

  Map<String, String> settings() {
    return Map.of("stowage.om.addresses", address);
  }

  Configuration configuration() {
    Configuration conf = new Configuration(false);
    settings().forEach(conf::set);
    return conf;
  }

  /** A FileSystem of its own, which the caller closes. */
  FileSystem open(String bucket) throws IOException {
    return FileSystem.newInstance(URI.create("stow://" + bucket), configuration());
  }

  @Override
  public void close() throws IOException {
    FileSystem.closeAll();
    ClusterConnection.replaceConnector(before);
  }
}

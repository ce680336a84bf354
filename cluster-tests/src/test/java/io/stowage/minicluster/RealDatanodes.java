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
package io.stowage.minicluster;

import io.stowage.client.TwinCluster;
import io.stowage.common.data.NetworkDatanodes;
import io.stowage.common.data.ShardService;
import io.stowage.common.error.StoreException;
import io.stowage.common.time.StoreClock;
import io.stowage.common.tls.ClientTls;
import io.stowage.common.tls.ServerTls;
import io.stowage.datanode.disk.DiskFiles;
import io.stowage.datanode.disk.LocalDiskFiles;
import io.stowage.datanode.net.DataServer;
import io.stowage.datanode.store.ShardStore;
import io.stowage.datanode.store.StoreSettings;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.IntFunction;

/** Datanodes of one disk each under a container manager in memory. Stateless. */
final class RealDatanodes {
  private static final long WRITE_MEMORY = 64 << 20;

  private RealDatanodes() {}

  static TwinCluster inProcess(Path directory, int count) {
    return inProcess(directory, count, disk -> LocalDiskFiles.INSTANCE);
  }

  /** As {@link #inProcess}, each disk seen through what a test puts in between. */
  static TwinCluster inProcess(Path directory, int count, IntFunction<DiskFiles> disks) {
    return start(directory, count, null, disks);
  }

  static TwinCluster inProcessUnforced(Path directory, int count) {
    return inProcess(directory, count, disk -> UnforcedFiles.INSTANCE);
  }

  static TwinCluster overNetworkUnforced(Path directory, int count) {
    return overNetworkUnforced(directory, count, new Encryption(ServerTls.OFF, ClientTls.OFF));
  }

  static TwinCluster overNetworkUnforced(Path directory, int count, Encryption encryption) {
    return start(directory, count, encryption, disk -> UnforcedFiles.INSTANCE);
  }

  /** How both ends speak over the network. */
  record Encryption(ServerTls servers, ClientTls clients) {}

  private static TwinCluster start(
      Path directory, int count, Encryption encryption, IntFunction<DiskFiles> disks) {
    boolean overNetwork = encryption != null;
    List<ShardService> services = new ArrayList<>();
    List<String> diskIds = new ArrayList<>();
    Deque<Runnable> onClose = new ArrayDeque<>();
    try {
      Path base = Files.createTempDirectory(directory, "nodes");
      NetworkDatanodes network = overNetwork ? new NetworkDatanodes(encryption.clients) : null;
      for (int i = 0; i < count; i++) {
        Path disk = Files.createDirectories(base.resolve("disk-" + i));
        ShardStore store =
            ShardStore.open(
                List.of(disk),
                disks.apply(i),
                new StoreSettings(0, true, WRITE_MEMORY),
                StoreClock.system());
        onClose.push(store::close);
        store.joinCluster("a cluster of tests");
        diskIds.add(store.diskInfos().get(0).getDiskId());
        if (overNetwork) {
          DataServer server =
              DataServer.start(
                  new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                  encryption.servers,
                  new DataServer.Served(store, store),
                  WRITE_MEMORY / 2);
          onClose.push(server::close);
          services.add(network.datanode("127.0.0.1", server.port()));
        } else {
          services.add(store);
        }
      }
      if (overNetwork) {
        onClose.push(network::close);
      }
    } catch (StoreException e) {
      onClose.forEach(Runnable::run);
      throw new UncheckedIOException(e);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return new TwinCluster(
        services, diskIds, StoreClock.system(), () -> onClose.forEach(Runnable::run));
  }
}

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

import java.net.URI;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;

/**
 * A ZooKeeper and an HBase whose files are in a store, in a JVM of their own, to be killed.
 *
 * <p>Arguments: a file with the settings of {@code stow://}, HBase's root, a local directory for
 * ZooKeeper. Says {@code serving PORT} of ZooKeeper on its output; ends with its input.
 */
final class HBaseOnStowProcess {
  private HBaseOnStowProcess() {}

  public static void main(String[] arguments) throws Exception {
    try {
      run(arguments);
    } catch (Throwable e) {
      e.printStackTrace();
      Runtime.getRuntime().halt(1); // ZooKeeper's threads would keep a process that failed alive
    }
  }

  private static void run(String[] arguments) throws Exception {
    Configuration configuration = new Configuration();
    configuration.addResource(Path.of(arguments[0]).toUri().toURL());
    // HBase refuses a file system that does not say that it syncs its log.
    configuration.setBoolean("hbase.unsafe.stream.capability.enforce", true);
    configuration.set("hbase.wal.provider", "filesystem");
    Path directory = Path.of(arguments[2]);
    EmbeddedZooKeeper zooKeeper = EmbeddedZooKeeper.start(directory.resolve("zookeeper"), 0);
    EmbeddedHBase.startOverHdfs(
        URI.create(arguments[1]), configuration, directory.resolve("tmp"), zooKeeper);
    System.out.println("serving " + zooKeeper.port());
    System.out.flush();
    while (System.in.read() >= 0) {}
    Runtime.getRuntime().halt(0);
  }
}

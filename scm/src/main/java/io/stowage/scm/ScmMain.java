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
package io.stowage.scm;

import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.StoreException;
import io.stowage.common.time.StoreClock;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.apache.hadoop.conf.Configuration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A storage container manager as a process. Reads stowage-site.xml, core-site.xml and
 * hbase-site.xml from the class path; stops cleanly on SIGTERM; on a bad start says why in one line
 * and exits with 1.
 */
public final class ScmMain {
  private static final Logger LOG = LoggerFactory.getLogger(ScmMain.class);

  private ScmMain() {}

  public static void main(String[] args) {
    ScmServer server;
    try {
      Configuration site = new Configuration();
      site.addResource("hbase-default.xml");
      site.addResource("hbase-site.xml");
      site.addResource("stowage-site.xml");
      Map<String, String> settings = new HashMap<>();
      site.forEach(entry -> settings.put(entry.getKey(), site.get(entry.getKey())));
      server = ScmServer.start(StowageConfig.of(settings), site, StoreClock.system());
    } catch (StoreException | RuntimeException e) {
      LOG.error("Cannot start SCM", e);
      System.err.println("Cannot start SCM: " + e.getMessage());
      System.exit(1);
      return;
    }
    CountDownLatch stopped = new CountDownLatch(1);
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  server.close();
                  stopped.countDown();
                },
                "scm-shutdown"));
    try {
      stopped.await(); // until SIGTERM
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}

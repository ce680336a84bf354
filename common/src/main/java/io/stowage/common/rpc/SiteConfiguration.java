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
package io.stowage.common.rpc;

import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.net.MalformedURLException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;

/**
 * The site files of a process: {@code core-site.xml}, {@code hadoop-policy.xml} and {@code
 * stowage-site.xml}, from a directory or from the class path. Settings of HBase that a service
 * needs ({@code hbase.*}) stand in {@code stowage-site.xml} beside ours. Stateless.
 */
public final class SiteConfiguration {
  private static final String SITE = "stowage-site.xml";

  /** Hadoop's file of service ACLs. */
  private static final String POLICY = "hadoop-policy.xml";

  private static final String CORE = "core-site.xml";

  private SiteConfiguration() {}

  /** From the class path; a file that is not there is left out. */
  public static Configuration fromClassPath() {
    Configuration hadoop = new Configuration();
    hadoop.addResource(POLICY);
    hadoop.addResource(SITE);
    return hadoop;
  }

  /**
   * From a directory, which must hold {@code stowage-site.xml}; what it says wins over the class
   * path.
   */
  public static Configuration fromDirectory(Path directory) throws StoreException {
    if (!Files.isRegularFile(directory.resolve(SITE))) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION, "Cannot start: no " + SITE + " in " + directory);
    }
    Configuration hadoop = new Configuration();
    try {
      if (Files.isRegularFile(directory.resolve(CORE))) {
        hadoop.addResource(directory.resolve(CORE).toUri().toURL());
      }
      if (Files.isRegularFile(directory.resolve(POLICY))) {
        hadoop.addResource(directory.resolve(POLICY).toUri().toURL());
      }
      hadoop.addResource(directory.resolve(SITE).toUri().toURL());
      hadoop.size(); // reads the files now: a malformed one is this caller's error
    } catch (MalformedURLException | RuntimeException e) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot read the configuration in " + directory + ": " + e.getMessage(),
          e);
    }
    return hadoop;
  }

  /** Our settings, with variables expanded, checked for unknown keys. */
  public static StowageConfig stowage(Configuration hadoop) throws StoreException {
    Map<String, String> ours = new HashMap<>();
    for (Map.Entry<String, String> entry : hadoop) {
      if (entry.getKey().startsWith(StowageConfig.PREFIX)) {
        ours.put(entry.getKey(), hadoop.get(entry.getKey()));
      }
    }
    return StowageConfig.of(ours);
  }
}

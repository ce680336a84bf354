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
package io.stowage.fs.contract;

import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.contract.AbstractFSContract;

/**
 * What {@code contract/stow.xml} says of {@code stow://}, on a bucket that the test class has named
 * by {@link #useBucket} before its suites run.
 */
public final class StowageContract extends AbstractFSContract {
  private static String bucket;
  private static boolean twins;
  private static Map<String, String> clusterSettings = Map.of();

  public StowageContract(Configuration conf) {
    super(conf);
    addConfResource("contract/stow.xml");
    clusterSettings.forEach(getConf()::set);
  }

  /**
   * Sends the suites that follow in this JVM to a bucket that is there, of a cluster found by these
   * settings.
   */
  public static void useBucket(String name, Map<String, String> settings) {
    bucket = name;
    clusterSettings = Map.copyOf(settings);
    twins = false;
  }

  /** The same where twins in memory take the cluster's place. */
  public static void useBucketOfTwins(String name, Map<String, String> settings) {
    useBucket(name, settings);
    twins = true;
  }

  static boolean isOverTwins() {
    return twins;
  }

  static String bucket() {
    return bucket;
  }

  @Override
  public FileSystem getTestFileSystem() throws java.io.IOException {
    return getTestPath().getFileSystem(getConf());
  }

  @Override
  public String getScheme() {
    return "stow";
  }

  @Override
  public Path getTestPath() {
    return new Path("stow://" + bucket + "/test");
  }
}

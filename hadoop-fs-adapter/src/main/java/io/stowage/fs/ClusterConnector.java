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

import io.stowage.client.DataPath;
import io.stowage.client.crypt.KeyService;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import java.util.function.LongSupplier;
import org.apache.hadoop.conf.Configuration;

/**
 * How a process gets to a cluster: by RPC and network, or, in tests, to twins in memory.
 * Thread-safe.
 */
interface ClusterConnector {
  /** Opens the namespace and the data path; asks nobody yet. */
  Connected connect(StowageConfig config, Configuration hadoop) throws StoreException;

  /**
   * @param keys finds the keys of encrypted objects, when they are first needed
   * @param datanodeCalls how many the data path has made
   * @param close ends object manager and data path; called once
   */
  record Connected(
      ObjectManager objectManager,
      DataPath dataPath,
      KeysSource keys,
      LongSupplier datanodeCalls,
      Runnable close) {}

  /** Opens a key service, which the caller closes. */
  interface KeysSource {
    KeyService open() throws StoreException;
  }
}

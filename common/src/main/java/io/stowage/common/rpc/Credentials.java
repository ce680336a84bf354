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

import io.stowage.common.conf.KeyStores;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.io.IOException;
import org.apache.hadoop.conf.Configuration;

/** Secrets of Hadoop's credential provider: nothing that is secret stands in a site file. */
public final class Credentials {
  /** Name of the token that readers of metrics show beyond loopback. */
  public static final String METRICS_TOKEN = "stowage.metrics.token";

  private Credentials() {}

  /** The secret of a name; null if no provider has it. */
  public static char[] read(Configuration hadoop, String name) throws StoreException {
    KeyStores.letHadoopReadItsKeys();
    try {
      return hadoop.getPasswordFromCredentialProviders(name);
    } catch (IOException e) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot read " + name + " from the credential provider: " + e.getMessage(),
          e);
    }
  }
}

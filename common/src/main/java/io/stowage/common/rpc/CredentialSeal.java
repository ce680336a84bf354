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

import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.StoreException;
import io.stowage.common.secret.SecretSeal;
import org.apache.hadoop.conf.Configuration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The key that secrets in tables are encrypted with: made of a password of Hadoop's credential
 * provider, the same at every object manager, gateway and SCM. Stateless.
 */
public final class CredentialSeal {
  /** Name of the password. */
  public static final String ALIAS = "stowage.identity.secret-key";

  private static final Logger LOG = LoggerFactory.getLogger(CredentialSeal.class);

  private static final String WARNING =
      "INSECURE: no credential provider has "
          + ALIAS
          + ": secrets of S3 users and the keys that sign tokens are in HBase as they are";

  private CredentialSeal() {}

  /** By the provider's password; none: secrets are stored as they are. */
  public static SecretSeal of(StowageConfig config, Configuration hadoop) throws StoreException {
    char[] password = Credentials.read(hadoop, ALIAS);
    if (password != null) {
      return SecretSeal.of(password);
    }
    if (config.get(Keys.SECURITY_ENABLED)) {
      LOG.warn(WARNING);
    }
    return SecretSeal.NONE;
  }

  /** What people are told at every start of who keeps secrets; empty if all is well. */
  static String warning(StowageConfig config, Configuration hadoop) throws StoreException {
    return config.get(Keys.SECURITY_ENABLED) && Credentials.read(hadoop, ALIAS) == null
        ? WARNING
        : "";
  }
}

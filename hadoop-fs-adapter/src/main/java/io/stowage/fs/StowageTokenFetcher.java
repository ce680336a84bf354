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

import java.io.IOException;
import java.net.URI;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.io.Text;
import org.apache.hadoop.security.Credentials;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.security.token.DtFetcher;
import org.apache.hadoop.security.token.Token;

/**
 * Gets a delegation token for {@code hadoop dtutil get stow://BUCKET}, into a file that a job is
 * given by {@code HADOOP_TOKEN_FILE_LOCATION}. Announced by a service file. Compiled for Java 8,
 * since {@code dtutil} loads all fetchers that are announced. Stateless.
 */
public class StowageTokenFetcher implements DtFetcher {
  @Override
  public Text getServiceName() {
    return new Text(StowageFileSystem.SCHEME);
  }

  @Override
  public boolean isTokenRequired() {
    return UserGroupInformation.isSecurityEnabled();
  }

  /**
   * Adds a token for all buckets of a cluster.
   *
   * @param url stow://BUCKET, or just BUCKET where the service was named otherwise
   */
  @Override
  public Token<?> addDelegationTokens(
      Configuration conf, Credentials credentials, String renewer, String url) throws IOException {
    String prefix = StowageFileSystem.SCHEME + "://";
    URI bucket = URI.create(url.startsWith(prefix) ? url : prefix + url);
    Token<?> token = FileSystem.get(bucket, conf).getDelegationToken(renewer);
    if (token == null) {
      throw new IOException(
          "Cannot get a delegation token of " + bucket + ": its cluster has no security");
    }
    credentials.addToken(token.getService(), token);
    return token;
  }
}

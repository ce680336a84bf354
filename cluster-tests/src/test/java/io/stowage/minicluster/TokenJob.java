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

import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.security.UserGroupInformation;

/**
 * What a job's process does on a worker: copies a file, with the tokens that {@code
 * HADOOP_TOKEN_FILE_LOCATION} names and nothing else.
 */
final class TokenJob {
  private TokenJob() {}

  /** Takes a site file, a source and a target. */
  public static void main(String[] args) {
    try {
      Configuration hadoop = new Configuration();
      hadoop.addResource(Path.of(args[0]).toUri().toURL());
      UserGroupInformation.setConfiguration(hadoop);
      if (UserGroupInformation.getLoginUser().hasKerberosCredentials()) {
        throw new IllegalStateException("there is a ticket, so that this would show nothing");
      }
      org.apache.hadoop.fs.Path from = new org.apache.hadoop.fs.Path(args[1]);
      org.apache.hadoop.fs.Path to = new org.apache.hadoop.fs.Path(args[2]);
      byte[] bytes;
      try (FSDataInputStream in = from.getFileSystem(hadoop).open(from)) {
        bytes = in.readAllBytes();
      }
      try (FSDataOutputStream out = to.getFileSystem(hadoop).create(to)) {
        out.write(bytes);
      }
    } catch (Throwable e) {
      e.printStackTrace();
      Runtime.getRuntime().halt(1);
    }
    Runtime.getRuntime().halt(0);
  }
}

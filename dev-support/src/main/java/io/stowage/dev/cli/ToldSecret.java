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
package io.stowage.dev.cli;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import picocli.CommandLine.Option;

/**
 * How a secret that is told once is told: shown, or written to a file that only its owner reads.
 */
final class ToldSecret {
  @Option(
      names = "--credentials",
      paramLabel = "FILE",
      description = "write an AWS shared credentials file instead of showing the secret")
  private Path credentials;

  /** Refuses what could not be kept, before anything is created. */
  void prepare() throws StoreException {
    if (credentials != null && Files.exists(credentials)) {
      throw exists();
    }
  }

  void tell(Map<String, Object> facts, String accessKey, String secretKey) throws IOException {
    facts.put("access key", accessKey);
    if (credentials == null) {
      facts.put("secret key", secretKey);
    } else {
      write(accessKey, secretKey);
      facts.put("credentials", credentials);
    }
  }

  private void write(String accessKey, String secretKey) throws IOException {
    try {
      Files.createFile(
          credentials,
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    } catch (UnsupportedOperationException e) {
      Files.createFile(credentials);
    } catch (FileAlreadyExistsException e) {
      throw exists();
    }
    Files.writeString(
        credentials,
        "[default]\naws_access_key_id = "
            + accessKey
            + "\naws_secret_access_key = "
            + secretKey
            + "\n");
  }

  private StoreException exists() {
    return new StoreException(
        ErrorCode.INVALID_ARGUMENT, "Cannot write " + credentials + ": it exists");
  }
}

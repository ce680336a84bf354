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
import io.stowage.common.proto.Identity;
import io.stowage.common.proto.PutIdentityRequest;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code stowage identity …}: for administrators. */
@Command(
    name = "identity",
    mixinStandardHelpOptions = true,
    description = "Create S3 access keys.",
    subcommands = IdentityCommands.Create.class)
final class IdentityCommands {
  private static final String KEY_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  private static final int KEY_LENGTH = 16;
  private static final int SECRET_BYTES = 30;

  @Command(
      name = "create",
      mixinStandardHelpOptions = true,
      description = "Create an access key with its secret; the secret is shown once.")
  static final class Create extends ClusterCommand {
    @Option(names = "--user", description = "default: you")
    private String user = System.getProperty("user.name");

    @Option(names = "--admin", description = "may work with all buckets")
    private boolean admin;

    @Option(
        names = "--credentials",
        paramLabel = "FILE",
        description = "write an AWS shared credentials file instead of showing the secret")
    private Path credentials;

    @Override
    void run(Session session, Output output) throws Exception {
      if (credentials != null && Files.exists(credentials)) {
        throw new StoreException(
            ErrorCode.INVALID_ARGUMENT, "Cannot write " + credentials + ": it exists");
      }
      SecureRandom random = new SecureRandom();
      StringBuilder accessKey = new StringBuilder("STOW");
      for (int i = 0; i < KEY_LENGTH; i++) {
        accessKey.append(KEY_LETTERS.charAt(random.nextInt(KEY_LETTERS.length())));
      }
      byte[] secretBytes = new byte[SECRET_BYTES];
      random.nextBytes(secretBytes);
      // 40 characters, as AWS's own; letters that need no quoting in a shell
      String secret = Base64.getUrlEncoder().withoutPadding().encodeToString(secretBytes);
      session
          .objectManager()
          .putIdentity(
              PutIdentityRequest.newBuilder()
                  .setIdentity(
                      Identity.newBuilder()
                          .setAccessKey(accessKey.toString())
                          .setSecretKey(secret)
                          .setUser(user)
                          .setAdmin(admin))
                  .build());
      Map<String, Object> facts = new LinkedHashMap<>();
      facts.put("user", user);
      facts.put("access key", accessKey);
      if (credentials == null) {
        facts.put("secret key", secret);
      } else {
        writeCredentials(accessKey.toString(), secret);
        facts.put("credentials", credentials);
      }
      output.facts(facts);
    }

    private void writeCredentials(String accessKey, String secret) throws IOException {
      try {
        Files.createFile(
            credentials,
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
      } catch (UnsupportedOperationException e) {
        Files.createFile(credentials);
      } catch (FileAlreadyExistsException e) {
        throw new StoreException(
            ErrorCode.INVALID_ARGUMENT, "Cannot write " + credentials + ": it exists", e);
      }
      Files.writeString(
          credentials,
          "[default]\naws_access_key_id = "
              + accessKey
              + "\naws_secret_access_key = "
              + secret
              + "\n");
    }
  }
}

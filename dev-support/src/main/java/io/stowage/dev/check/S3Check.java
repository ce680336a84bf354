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
package io.stowage.dev.check;

import io.stowage.dev.s3.S3Connection;
import io.stowage.dev.s3.S3Credentials;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.InstantSource;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code S3Check sizes|uploads|ledger}: exit code 0 if everything was as it must be. */
@Command(
    name = "s3-check",
    mixinStandardHelpOptions = true,
    description = "Checks a running S3 endpoint.",
    subcommands = {SizesCheck.class, UploadsCheck.class, LedgerCheck.class})
public final class S3Check {
  /** Where the endpoint is and who asks. */
  static final class Endpoint {
    @Option(names = "--endpoint", defaultValue = "http://127.0.0.1:9878", description = "URL")
    private URI endpoint;

    @Option(
        names = "--credentials",
        defaultValue = "stowage-data/aws-credentials",
        description = "AWS shared credentials file (${DEFAULT-VALUE})")
    private Path credentials;

    @Option(names = "--bucket", defaultValue = "check", description = "made if it is not there")
    private String bucket;

    String bucket() {
      return bucket;
    }

    URI address() {
      return endpoint;
    }

    /**
     * @param signPayload whether bodies are hashed, too: reads them twice
     */
    S3Connection connect(boolean signPayload) throws IOException {
      return new S3Connection(
          endpoint,
          S3Credentials.read(credentials, "default", "us-east-1"),
          signPayload,
          InstantSource.system());
    }
  }

  private S3Check() {}

  public static void main(String[] args) {
    CommandLine commandLine = new CommandLine(new S3Check());
    commandLine.setCaseInsensitiveEnumValuesAllowed(true);
    commandLine.setExecutionExceptionHandler(
        (failure, command, parsed) -> {
          command.getErr().println("s3-check: " + failure.getMessage());
          return 1;
        });
    System.exit(commandLine.execute(args));
  }
}

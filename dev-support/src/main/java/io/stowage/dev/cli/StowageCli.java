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

import io.stowage.common.error.StoreException;
import java.nio.file.Path;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code stowage}: the admin commands. A failure is one line on standard error and exit code 1. */
@Command(
    name = "stowage",
    mixinStandardHelpOptions = true,
    version = "stowage 0.1.0-SNAPSHOT",
    synopsisSubcommandLabel = "COMMAND",
    description = "Looks at and works with a Stowage cluster.",
    footer = {
      "",
      "Also, from the launcher:",
      "  scm, om, datanode, s3g  Run a role until SIGTERM.",
      "  fs                      Hadoop's FsShell.",
      "  spark-example           Parquet to stow:// and back in Spark's local mode.",
      "  s3-load                 Drive an S3 endpoint, verify, print rates."
    },
    subcommands = {
      StatusCommand.class,
      FsckCommand.class,
      BucketCommands.class,
      SnapshotCommands.class,
      ObjectCommands.class,
      ContainerCommands.class,
      RepackCommands.class,
      DatanodeCommands.class,
      BalanceCommands.class,
      UserCommands.class,
      SecretCommands.class
    })
public final class StowageCli {
  @Option(
      names = "--conf",
      paramLabel = "DIR",
      description = "Directory of stowage-site.xml and core-site.xml.")
  private Path conf;

  Path conf() {
    return conf;
  }

  public static void main(String[] args) {
    int exitCode = commandLine().execute(args);
    // Hadoop's IPC threads would keep the JVM for a while.
    System.exit(exitCode);
  }

  static CommandLine commandLine() {
    CommandLine commandLine = new CommandLine(new StowageCli());
    commandLine.setExecutionExceptionHandler(
        (failure, command, parsed) -> {
          command.getErr().println("stowage: " + oneLine(failure));
          return 1;
        });
    commandLine.setParameterExceptionHandler(
        (failure, args) -> {
          CommandLine command = failure.getCommandLine();
          command
              .getErr()
              .println(command.getCommandSpec().qualifiedName() + ": " + oneLine(failure));
          command
              .getErr()
              .println("Try '" + command.getCommandSpec().qualifiedName() + " --help'.");
          return 2;
        });
    commandLine.setCaseInsensitiveEnumValuesAllowed(true);
    return commandLine;
  }

  private static String oneLine(Exception failure) {
    String message = failure.getMessage();
    if (message == null || !(failure instanceof StoreException || message.contains(" "))) {
      message = failure.toString();
    }
    int end = message.indexOf('\n');
    return end < 0 ? message : message.substring(0, end);
  }
}

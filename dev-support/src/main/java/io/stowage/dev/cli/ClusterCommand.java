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

import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** What all commands that ask the cluster share: where it is, and how to answer. */
abstract class ClusterCommand implements Callable<Integer> {
  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss'Z'").withZone(ZoneOffset.UTC);

  @Option(names = "--json", description = "Answer in JSON.")
  private boolean json;

  @Spec private CommandSpec spec;

  /** Answers, or throws; a command whose exit code says more overrides the other. */
  void run(Session session, Output output) throws Exception {
    throw new IllegalStateException("a command that does nothing");
  }

  int runForExitCode(Session session, Output output) throws Exception {
    run(session, output);
    return 0;
  }

  /** For progress. */
  final PrintWriter errors() {
    return spec.commandLine().getErr();
  }

  @Override
  public final Integer call() throws Exception {
    Path conf = ((StowageCli) spec.root().userObject()).conf();
    try (Session session = Session.open(conf)) {
      return runForExitCode(session, new Output(spec.commandLine().getOut(), json));
    }
  }

  static String timeOf(long micros) {
    return micros == 0
        ? ""
        : TIME.format(Instant.ofEpochSecond(0, TimeUnit.MICROSECONDS.toNanos(micros)));
  }
}

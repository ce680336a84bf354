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
import io.stowage.common.time.StoreClock;
import io.stowage.dev.fsck.Check;
import io.stowage.dev.fsck.CheckReport;
import io.stowage.dev.fsck.Progress;
import io.stowage.dev.fsck.Rebuild;
import io.stowage.dev.fsck.RebuildReport;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code stowage fsck}: exit code 0 if nothing is wrong, 3 if something is. */
@Command(
    name = "fsck",
    mixinStandardHelpOptions = true,
    description = {
      "Compare namespace, container table and disks, both ways; or rebuild the namespace from the"
          + " containers.",
      "Exit code: 0 nothing is wrong, 3 problems were found, 1 it could not be done."
    })
final class FsckCommand extends ClusterCommand {
  private static final int PROBLEMS = 3;

  @Option(names = "--verify", description = "read every object and compare it with its checksums")
  private boolean verify;

  @Option(names = "--repair", description = "tell SCM of what is missing, so that it is rebuilt")
  private boolean repair;

  @Option(
      names = "--rebuild",
      description = {
        "re-create buckets and objects from the containers alone, where they are newer than what"
            + " the tables say (docs/format/needle.md says what may be lost)"
      })
  private boolean rebuild;

  @Option(names = "--limit", description = "findings told one by one (${DEFAULT-VALUE})")
  private int limit = 100;

  @Option(
      names = "--work-dir",
      paramLabel = "DIR",
      description = "for what does not fit into memory; default: where temporary files are")
  private Path directory;

  @Option(names = "--quiet", description = "no progress on standard error")
  private boolean quiet;

  @Override
  int runForExitCode(Session session, Output output) throws Exception {
    if (rebuild && (verify || repair)) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT, "Cannot do both: --rebuild goes without --verify, --repair");
    }
    Path work =
        directory == null
            ? Files.createTempDirectory("stowage-fsck")
            : Files.createTempDirectory(directory, "stowage-fsck");
    Progress progress = quiet ? Progress.NONE : new OnStandardError(errors(), StoreClock.system());
    try {
      if (rebuild) {
        RebuildReport report = new Rebuild(session.cluster(), work, progress).run();
        output.facts(report.facts());
        return report.isWhole() ? 0 : PROBLEMS;
      }
      List<Check.Option> options = new ArrayList<>();
      if (verify) {
        options.add(Check.Option.VERIFY);
      }
      if (repair) {
        options.add(Check.Option.REPAIR);
      }
      CheckReport report = new Check(session.cluster(), work, progress, options, limit).run();
      output.facts(report.facts());
      return report.isClean() ? 0 : PROBLEMS;
    } finally {
      deleteIfEmpty(work);
    }
  }

  private static void deleteIfEmpty(Path work) {
    try {
      Files.deleteIfExists(work);
    } catch (IOException e) {
      // a run that failed left files for whoever looks into it
    }
  }

  /** A line a second at most: what was done, of how much, and how fast. */
  static final class OnStandardError implements Progress {
    private final PrintWriter err;
    private final StoreClock clock;
    private String step = "";
    private long stepBegan;
    private long last;

    OnStandardError(PrintWriter err, StoreClock clock) {
      this.err = err;
      this.clock = clock;
    }

    @Override
    public void at(String what, long done, long total) {
      long now = clock.monotonicNanos();
      if (!what.equals(step)) {
        step = what;
        stepBegan = now;
        last = now;
      }
      if (now - last < TimeUnit.SECONDS.toNanos(1)) {
        return;
      }
      last = now;
      double rate = done * 1e9 / (now - stepBegan);
      String of = total > 0 ? "/" + total : "";
      err.println(String.format(Locale.ROOT, "%s: %d%s, %.0f/s", what, done, of, rate));
      err.flush();
    }
  }
}

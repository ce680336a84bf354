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
package io.stowage.om;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.om.table.HBaseFixture;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class OpenFilesOnHBaseContractTest extends OpenFilesContract {
  /** What 30,000 hsyncs of a 128 MiB file may write to HBase's log: 10 MB. */
  private static final int MOST_BYTES_A_SYNC = 333;

  private static final int SYNCS = Integer.getInteger("stowage.it.syncs", 1_000);

  private static TestOm.Tables tables; // of this class alone, since clocks run ahead here

  @Override
  TestOm.Tables tables() throws Exception {
    if (tables == null) {
      tables = TestOm.onHBase("files");
    }
    return tables;
  }

  @Test
  void anHsyncCostsAThirdOfAKilobyteOfLog() throws Exception {
    long before = logBytes();
    syncLikeALog(
        "hbase/WALs/node1,16020,1760000000000/node1%2C16020%2C1760000000000.1760000000000", SYNCS);
    long bytes = logBytes() - before;
    System.err.printf(
        "%d hsyncs wrote %d bytes of HBase's log, %.1f each%n",
        SYNCS, bytes, (double) bytes / SYNCS);
    assertTrue(bytes > 100L * SYNCS, "the log was looked for in the wrong place");
    assertTrue(bytes <= (long) MOST_BYTES_A_SYNC * SYNCS, bytes + " bytes of log");
  }

  /** Every byte of every log, also of those rolled since. */
  private static long logBytes() throws Exception {
    Path root = Path.of(URI.create(HBaseFixture.configuration().get("hbase.rootdir")));
    long bytes = 0;
    for (String logs : new String[] {"WALs", "oldWALs"}) {
      if (Files.isDirectory(root.resolve(logs))) {
        try (Stream<Path> files = Files.walk(root.resolve(logs))) {
          for (Path file : files.filter(Files::isRegularFile).toList()) {
            bytes += Files.size(file);
          }
        } catch (IOException e) {
          throw new IOException("a log was moved while it was counted", e);
        }
      }
    }
    return bytes;
  }
}

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
package io.stowage.jobs;

import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.iceberg.DataFile;
import org.apache.iceberg.DataFiles;
import org.apache.iceberg.PartitionSpec;
import org.apache.iceberg.Schema;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.Table;
import org.apache.iceberg.TableProperties;
import org.apache.iceberg.avro.Avro;
import org.apache.iceberg.catalog.Namespace;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.data.GenericRecord;
import org.apache.iceberg.data.IcebergGenerics;
import org.apache.iceberg.data.Record;
import org.apache.iceberg.data.avro.DataWriter;
import org.apache.iceberg.hadoop.HadoopCatalog;
import org.apache.iceberg.io.CloseableIterable;
import org.apache.iceberg.io.FileAppender;
import org.apache.iceberg.io.OutputFile;
import org.apache.iceberg.types.Types;

/**
 * A table of Iceberg's HadoopCatalog, to which several processes commit at once. Its commit is a
 * rename of the new metadata onto a name that must be free; processes share no lock, so what keeps
 * their commits apart is the file system alone.
 *
 * <pre>IcebergJobs ROOT_URI PROCESSES COMMITS_OF_EACH</pre>
 *
 * <p>Ends with 1 and a line on standard error if a commit was lost or came twice.
 */
public final class IcebergJobs {
  private static final int RECORDS = 10; // of a commit
  private static final TableIdentifier NAME = TableIdentifier.of(Namespace.of("db"), "counted");
  private static final Schema SCHEMA =
      new Schema(
          Types.NestedField.required(1, "writer", Types.IntegerType.get()),
          Types.NestedField.required(2, "number", Types.IntegerType.get()));

  private IcebergJobs() {}

  public static void main(String[] args) throws Exception {
    if (args.length == 4) { // one of the processes
      commit(args[0], Integer.parseInt(args[2]), Integer.parseInt(args[3]));
      System.exit(0);
    }
    if (args.length != 3) {
      System.err.println("usage: IcebergJobs ROOT_URI PROCESSES COMMITS_OF_EACH");
      System.exit(2);
    }
    int processes = Integer.parseInt(args[1]);
    int commits = Integer.parseInt(args[2]);
    try (HadoopCatalog catalog = catalog(args[0])) {
      if (catalog.tableExists(NAME)) {
        boolean unused = catalog.dropTable(NAME, true);
      }
      Table created =
          catalog.createTable(
              NAME,
              SCHEMA,
              PartitionSpec.unpartitioned(),
              Map.of(
                  TableProperties.COMMIT_NUM_RETRIES,
                  "1000",
                  TableProperties.COMMIT_MIN_RETRY_WAIT_MS,
                  "5",
                  TableProperties.COMMIT_MAX_RETRY_WAIT_MS,
                  "200"));
      List<Process> children = new ArrayList<>();
      for (int i = 0; i < processes; i++) {
        children.add(
            ChildJvm.of(
                    IcebergJobs.class,
                    Redirect.INHERIT,
                    args[0],
                    "writer",
                    String.valueOf(i),
                    String.valueOf(commits))
                .start());
      }
      for (Process child : children) {
        if (child.waitFor() != 0) {
          System.err.println("WRONG: a writer failed");
          System.exit(1);
        }
      }
      created.refresh();
      System.exit(check(created, processes, commits) ? 0 : 1);
    }
  }

  private static HadoopCatalog catalog(String root) {
    return new HadoopCatalog(new Configuration(), root + "/iceberg");
  }

  private static void commit(String root, int writer, int commits) throws IOException {
    try (HadoopCatalog catalog = catalog(root)) {
      Table table = catalog.loadTable(NAME);
      for (int i = 0; i < commits; i++) {
        OutputFile file =
            table.io().newOutputFile(table.location() + "/data/" + UUID.randomUUID() + ".avro");
        FileAppender<Record> appender =
            Avro.write(file).schema(SCHEMA).createWriterFunc(DataWriter::create).build();
        try (appender) {
          for (int j = 0; j < RECORDS; j++) {
            Record record = GenericRecord.create(SCHEMA);
            record.setField("writer", writer);
            record.setField("number", i * RECORDS + j);
            appender.add(record);
          }
        }
        DataFile data =
            DataFiles.builder(PartitionSpec.unpartitioned())
                .withPath(file.location())
                .withFileSizeInBytes(appender.length())
                .withRecordCount(RECORDS)
                .build();
        table.newAppend().appendFile(data).commit();
      }
    }
  }

  private static boolean check(Table table, int processes, int commits) throws IOException {
    int snapshots = 0;
    for (Snapshot unused : table.snapshots()) {
      snapshots++;
    }
    Set<Long> seen = new HashSet<>();
    int records = 0;
    try (CloseableIterable<Record> all = IcebergGenerics.read(table).build()) {
      for (Record record : all) {
        records++;
        seen.add((Integer) record.getField("writer") * 1_000_000L + (Integer) record.getField("number"));
      }
    }
    int expected = processes * commits * RECORDS;
    if (snapshots != processes * commits || records != expected || seen.size() != expected) {
      System.err.printf(
          "WRONG: %d snapshots, %d records, %d different ones, instead of %d and %d%n",
          snapshots, records, seen.size(), processes * commits, expected);
      return false;
    }
    System.out.printf(
        "iceberg: %d processes committed %d times each; %d snapshots, every record once%n",
        processes, commits, snapshots);
    return true;
  }
}

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

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.apache.derby.tools.ij;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RemoteIterator;
import org.apache.hadoop.hive.conf.HiveConf;
import org.apache.hadoop.hive.ql.DriverFactory;
import org.apache.hadoop.hive.ql.IDriver;
import org.apache.hadoop.hive.ql.session.SessionState;

/**
 * Hive's own local mode: its compiler, its metastore on Derby and MapReduce's local runner in one
 * process, with a check of what is there after each statement.
 *
 * <pre>HiveJobs ROOT_URI SCRATCH_DIRECTORY</pre>
 *
 * <p>Ends with 1 and a line on standard error at the first thing that is not as it should be.
 */
public final class HiveJobs {
  private static final long ROWS = 1_000;
  private static final String BY_DAY =
      "SELECT day, count(*), sum(id), max(name) FROM h.managed GROUP BY day ORDER BY day";
  private static final String BY_NAME =
      "SELECT name, count(*), sum(id) FROM h.acid GROUP BY name ORDER BY name";
  private static final Pattern TABLE_FILE =
      Pattern.compile(
          ".*/(numbers|managed/day=d[0-3]|outside)/[0-9]+_0(_copy_1)?|.*/acid/(delete_)?delta_[0-9_]+/(bucket_[0-9_]+|_orc_acid_version)");

  private final Path root;
  private final FileSystem fs;
  private final IDriver driver;

  private HiveJobs(String root) throws IOException {
    HiveConf conf = new HiveConf();
    this.root = new Path(root);
    this.fs = this.root.getFileSystem(conf);
    SessionState.start(conf);
    this.driver = DriverFactory.newDriver(conf);
  }

  /** Settings are those of a hive-site.xml: Hive's threads make configurations of their own. */
  private static void configure(String root, String scratch, String metastore) throws IOException {
    Configuration site = new Configuration(false);
    site.set("hive.metastore.warehouse.dir", root + "/warehouse");
    site.set("hive.metastore.warehouse.external.dir", root + "/warehouse");
    site.set("javax.jdo.option.ConnectionURL", metastore);
    // a managed table as the user said it, not as Hive 4 translates it: to an external one
    site.set("metastore.metadata.transformer.class", " ");
    site.set("hive.support.concurrency", "true"); // as transactional tables want it
    site.set("hive.txn.manager", "org.apache.hadoop.hive.ql.lockmgr.DbTxnManager");
    site.set("hive.exec.scratchdir", root + "/tmp");
    site.set("hive.exec.local.scratchdir", scratch + "/local");
    site.set("hive.downloaded.resources.dir", scratch + "/resources");
    site.set("hive.querylog.location", scratch + "/querylog");
    site.set("hive.execution.engine", "mr");
    site.set("mapreduce.framework.name", "local");
    site.set("mapreduce.cluster.local.dir", scratch + "/mapred");
    site.set("mapreduce.jobtracker.staging.root.dir", "file:" + scratch + "/staging");
    site.set("hive.auto.convert.join", "false"); // which on MapReduce wants bin/hadoop, and cannot MERGE
    site.set("hive.exec.dynamic.partition.mode", "nonstrict");
    site.set("hive.compute.query.using.stats", "false"); // or counts would not read the tables
    site.set("hive.session.silent", "true");
    File file = new File(scratch, "hive-site.xml");
    try (OutputStream out = new FileOutputStream(file)) {
      site.writeXml(out);
    }
    HiveConf.setHiveSiteLocation(file.toURI().toURL());
  }

  /** What schematool does. */
  private static void makeSchema(String url) throws IOException, SQLException, WrongResult {
    ByteArrayOutputStream said = new ByteArrayOutputStream();
    try (Connection connection = DriverManager.getConnection(url);
        InputStream script = HiveJobs.class.getResourceAsStream("/hive-schema-4.0.0.derby.sql")) {
      if (ij.runScript(connection, script, "UTF-8", said, "UTF-8") != 0) {
        throw new WrongResult(said.toString(StandardCharsets.UTF_8));
      }
    }
  }

  public static void main(String[] args) throws Exception {
    if (args.length != 2) {
      System.err.println("usage: HiveJobs ROOT_URI SCRATCH_DIRECTORY");
      System.exit(2);
    }
    try {
      String metastore = "jdbc:derby:;databaseName=" + args[1] + "/metastore;create=true";
      makeSchema(metastore);
      configure(args[0], args[1], metastore);
      new HiveJobs(args[0]).tables();
    } catch (WrongResult e) {
      System.err.println("WRONG: " + e.getMessage());
      System.exit(1);
    }
    System.exit(0);
  }

  private void tables() throws Exception {
    Path inside = new Path(root, "inside");
    Path outside = new Path(root, "outside");
    run("CREATE DATABASE h LOCATION '" + new Path(root, "h") + "' MANAGEDLOCATION '" + inside + "'");
    run("CREATE TABLE h.made (id BIGINT)");
    run("ALTER TABLE h.made RENAME TO h.numbers");
    run(
        LongStream.range(0, ROWS)
            .mapToObj(id -> "(" + id + ")")
            .collect(Collectors.joining(", ", "INSERT INTO h.numbers VALUES ", "")));
    expect("SELECT count(*), sum(id) FROM h.numbers", "1000\t499500");

    run("CREATE TABLE h.managed (id BIGINT, name STRING) PARTITIONED BY (day STRING) STORED AS ORC");
    run("INSERT INTO h.managed PARTITION (day) SELECT id, concat('n', id), concat('d', id % 3) FROM h.numbers");
    expect(BY_DAY, "d0\t334\t166833\tn999", "d1\t333\t166167\tn997", "d2\t333\t166500\tn998");
    run("INSERT INTO h.managed PARTITION (day = 'd0') SELECT id, 'more' FROM h.numbers WHERE id >= 990");
    expect(BY_DAY, "d0\t344\t176778\tn999", "d1\t333\t166167\tn997", "d2\t333\t166500\tn998");
    Path managed = new Path(inside, "managed");
    List<Path> before = files(new Path(managed, "day=d0"));
    run("INSERT OVERWRITE TABLE h.managed PARTITION (day = 'd1') SELECT id, 'new' FROM h.numbers WHERE id < 7");
    expect(BY_DAY, "d0\t344\t176778\tn999", "d1\t7\t21\tnew", "d2\t333\t166500\tn998");
    run("INSERT OVERWRITE TABLE h.managed PARTITION (day) SELECT id, 'newer', concat('d', id % 2 + 2) FROM h.numbers WHERE id < 10");
    expect(BY_DAY, "d0\t344\t176778\tn999", "d1\t7\t21\tnew", "d2\t5\t20\tnewer", "d3\t5\t25\tnewer");
    if (!before.equals(files(new Path(managed, "day=d0")))) {
      throw new WrongResult("a partition that was not written changed");
    }
    expect("SELECT count(*), sum(n.id) FROM h.managed m JOIN h.numbers n ON m.id = n.id WHERE m.day > 'd0'", "17\t66");

    run("CREATE TABLE h.acid (id BIGINT, name STRING) STORED AS ORC TBLPROPERTIES ('transactional' = 'true')");
    run("INSERT INTO h.acid SELECT id, 'old' FROM h.numbers WHERE id < 100");
    run("UPDATE h.acid SET name = 'new' WHERE id % 2 = 0");
    run("DELETE FROM h.acid WHERE id < 10");
    run("MERGE INTO h.acid a USING (SELECT id FROM h.numbers WHERE id >= 90 AND id < 110) n ON a.id = n.id"
        + " WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (n.id, 'merged')");
    expect(BY_NAME, "merged\t10\t1045", "new\t40\t1960", "old\t40\t2000");

    run("CREATE EXTERNAL TABLE h.kept (id BIGINT) STORED AS PARQUET LOCATION '" + outside + "'");
    run("INSERT OVERWRITE TABLE h.kept SELECT id FROM h.numbers");
    run("INSERT OVERWRITE TABLE h.kept SELECT id FROM h.numbers WHERE id % 2 = 0");
    expect("SELECT count(*), sum(id) FROM h.kept", "500\t249500");
    List<Path> left = files(inside);
    left.addAll(files(outside));
    left.removeIf(file -> TABLE_FILE.matcher(file.toString()).matches());
    if (!left.isEmpty()) {
      throw new WrongResult("beside the tables' files are left " + left);
    }

    run("DROP TABLE h.managed");
    if (fs.exists(managed)) {
      throw new WrongResult("DROP TABLE left " + files(managed));
    }
    run("DROP TABLE h.kept");
    run("DROP DATABASE h CASCADE");
    if (fs.exists(inside) || !fs.exists(new Path(outside, "000000_0"))) {
      throw new WrongResult("DROP DATABASE must take managed tables' files, and leave external ones'");
    }
    driver.close();
    SessionState.get().close();
    if (!files(new Path(root, "tmp")).isEmpty()) {
      throw new WrongResult("the session left " + files(new Path(root, "tmp")));
    }
    System.out.println(
        "hive-local: managed, external, partitioned and transactional tables, INSERT OVERWRITE, MERGE, DROP");
  }

  private List<String> run(String statement) throws Exception {
    driver.run(statement);
    List<String> rows = new ArrayList<>();
    driver.getResults(rows);
    return rows;
  }

  private void expect(String query, String... rows) throws Exception {
    List<String> found = run(query);
    if (!found.equals(List.of(rows))) {
      throw new WrongResult(query + ": " + found + " instead of " + List.of(rows));
    }
  }

  private List<Path> files(Path directory) throws IOException {
    List<Path> files = new ArrayList<>();
    RemoteIterator<LocatedFileStatus> all = fs.listFiles(directory, true);
    while (all.hasNext()) {
      files.add(all.next().getPath());
    }
    files.sort(null);
    return files;
  }

  private static final class WrongResult extends Exception {
    private static final long serialVersionUID = 1;

    WrongResult(String message) {
      super(message);
    }
  }
}

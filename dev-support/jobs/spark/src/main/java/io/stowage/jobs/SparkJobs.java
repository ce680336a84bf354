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

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.sum;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RemoteIterator;
import org.apache.hadoop.util.VersionInfo;
import org.apache.hadoop.util.VersionUtil;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.streaming.StreamingQuery;
import org.apache.spark.sql.streaming.Trigger;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * What Spark's users do with a file system, each with a check of what is there afterwards. It is
 * compiled against each Spark from the same source, so it calls only what they share.
 *
 * <pre>SparkJobs ROOT_URI SCRATCH_DIRECTORY committers|partitions|stream|hive...</pre>
 *
 * <p>Ends with 1 and a line on standard error at the first thing that is not as it should be.
 */
public final class SparkJobs {
  private static final long ROWS = 20_000;

  /**
   * What a Spark without spark-hadoop-cloud does. With it on the class path Spark 4.1 takes
   * PathOutputCommitProtocol by itself, whose FileOutputCommitter appends where a dynamic overwrite
   * should replace, on any file system.
   */
  private static final List<String> PLAIN_PROTOCOL =
      List.of(
          "spark.sql.sources.commitProtocolClass",
          "org.apache.spark.sql.execution.datasources.SQLHadoopMapReduceCommitProtocol",
          "spark.sql.parquet.output.committer.class",
          "org.apache.parquet.hadoop.ParquetOutputCommitter");

  /** What takes the committer that a scheme names. */
  private static final List<String> PATH_PROTOCOL =
      List.of(
          "spark.sql.sources.commitProtocolClass",
          "org.apache.spark.internal.io.cloud.PathOutputCommitProtocol",
          "spark.sql.parquet.output.committer.class",
          "org.apache.spark.internal.io.cloud.BindingParquetOutputCommitter");

  private final String root;
  private final String scratch;

  private SparkJobs(String root, String scratch) {
    this.root = root;
    this.scratch = scratch;
  }

  public static void main(String[] args) throws Exception {
    if (args.length < 3) {
      System.err.println(
          "usage: SparkJobs ROOT_URI SCRATCH_DIRECTORY committers|partitions|stream|hive...");
      System.exit(2);
    }
    SparkJobs jobs = new SparkJobs(args[0], args[1]);
    try {
      for (String job : Arrays.asList(args).subList(2, args.length)) {
        switch (job) {
          case "committers" -> jobs.committers();
          case "partitions" -> jobs.inSession(jobs::dynamicPartitions);
          case "stream" -> jobs.inSession(jobs::stream);
          case "hive" -> jobs.inSession(jobs::hive);
          default -> throw new IllegalArgumentException("no such job: " + job);
        }
      }
    } catch (WrongResult e) {
      System.err.println("WRONG: " + e.getMessage());
      System.exit(1);
    }
    System.exit(0);
  }

  private interface Job {
    void run(SparkSession spark) throws Exception;
  }

  private void inSession(Job job) throws Exception {
    try (SparkSession spark = session(PLAIN_PROTOCOL)) {
      job.run(spark);
    }
  }

  /** Settings are pairs of key and value. */
  private SparkSession session(List<String> settings) {
    SparkSession.Builder builder =
        SparkSession.builder()
            .appName("stowage-jobs")
            // two cores; a task may fail three times
            .master("local[2,4]")
            .config("spark.sql.warehouse.dir", root + "/warehouse")
            .config(
                "spark.hadoop.javax.jdo.option.ConnectionURL",
                "jdbc:derby:;databaseName=" + scratch + "/metastore;create=true")
            .config("spark.hadoop.hive.exec.scratchdir", "file:" + scratch + "/hive")
            .config("spark.hadoop.datanucleus.schema.autoCreateAll", "true")
            .config("spark.hadoop.hive.metastore.schema.verification", "false")
            .config("hive.exec.dynamic.partition.mode", "nonstrict")
            .enableHiveSupport();
    for (int i = 0; i < settings.size(); i += 2) {
      builder.config(settings.get(i), settings.get(i + 1));
    }
    return builder.getOrCreate();
  }

  private void committers() throws IOException, WrongResult {
    committer("file-1", root, fileCommitter(1), "");
    committer("file-2", root, fileCommitter(2), "");
    if (VersionUtil.compareVersions(VersionInfo.getVersion(), "3.3.5") < 0) {
      System.out.println(
          "committer manifest: skipped, Hadoop " + VersionInfo.getVersion() + " has none (3.3.5 and newer)");
    } else {
      committer("manifest", root, manifestCommitter(), ".manifest.ManifestCommitter");
    }
    committer("magic", root.replaceFirst("^stow:", "s3a:"), magicCommitter(), "magic");
  }

  private static List<String> fileCommitter(int algorithm) {
    return and(
        PLAIN_PROTOCOL,
        "spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version",
        String.valueOf(algorithm));
  }

  private List<String> manifestCommitter() {
    return and(
        PATH_PROTOCOL,
        "spark.hadoop.mapreduce.outputcommitter.factory.scheme.stow",
        "org.apache.hadoop.mapreduce.lib.output.committer.manifest.ManifestCommitterFactory",
        "spark.hadoop.mapreduce.manifest.committer.summary.report.directory",
        root + "/reports");
  }

  /** S3A's, over the S3 endpoint. */
  private List<String> magicCommitter() {
    return and(
        PATH_PROTOCOL,
        "spark.hadoop.mapreduce.outputcommitter.factory.scheme.s3a",
        "org.apache.hadoop.fs.s3a.commit.S3ACommitterFactory",
        "spark.hadoop.fs.s3a.committer.name",
        "magic",
        "spark.hadoop.fs.s3a.buffer.dir",
        scratch + "/s3a");
  }

  private static List<String> and(List<String> settings, String... more) {
    List<String> all = new ArrayList<>(settings);
    all.addAll(List.of(more));
    return all;
  }

  /**
   * Tasks die after they wrote; what stow:// shows at the end is each row once, and nothing else,
   * whichever way it was written.
   *
   * @param mark what the committer calls itself at the end of its name in _SUCCESS; those of files
   *     leave that empty
   */
  private void committer(String name, String writtenTo, List<String> settings, String mark)
      throws IOException, WrongResult {
    String table = "/committers/" + name;
    String uri = root + table;
    try (SparkSession spark = session(settings)) {
      spark
          .range(0, ROWS, 1, 4)
          .map(
              (MapFunction<Long, Long>)
                  id -> {
                    TaskContext task = TaskContext.get();
                    if (task.attemptNumber() == 0
                        && task.partitionId() % 2 == 1
                        && id % (ROWS / 4) == ROWS / 4 - 1) {
                      throw new IllegalStateException("this attempt is to fail");
                    }
                    return id;
                  },
              Encoders.LONG())
          .toDF("id")
          .write()
          .mode(SaveMode.Overwrite)
          .parquet(writtenTo + table);
      expect(name + ": rows", ROWS, spark.read().parquet(uri).count());
      expect(
          name + ": sum",
          ROWS * (ROWS - 1) / 2,
          spark.read().parquet(uri).agg(sum(col("id"))).first().getLong(0));
      Configuration hadoop = spark.sparkContext().hadoopConfiguration();
      FileSystem fs = new Path(uri).getFileSystem(hadoop);
      String success = text(fs, new Path(uri, "_SUCCESS"));
      boolean its =
          mark.isEmpty()
              ? success.isEmpty()
              : success.matches("(?s).*\"committer\" *: *\"[^\"]*" + mark + "\".*");
      if (!its) {
        throw new WrongResult(name + " was not the one that committed: " + success);
      }
      int files = 0;
      for (FileStatus file : fs.listStatus(new Path(uri))) {
        String leaf = file.getPath().getName();
        if (!leaf.equals("_SUCCESS") && !leaf.startsWith("part-")) {
          throw new WrongResult(name + " left " + file.getPath());
        }
        files += leaf.startsWith("part-") ? 1 : 0;
      }
      expect(name + ": files", 4, files);
      System.out.println("committer " + name + ": four files, " + ROWS + " rows, two attempts failed");
    }
  }

  private static String text(FileSystem fs, Path file) throws IOException {
    try (InputStream in = fs.open(file)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  private void dynamicPartitions(SparkSession spark) throws IOException, WrongResult {
    String uri = root + "/dynamic";
    spark.conf().set("spark.sql.sources.partitionOverwriteMode", "dynamic");
    Dataset<Row> first =
        spark.range(0, ROWS, 1, 2).select(col("id"), col("id").mod(lit(5)).as("part"));
    first.write().mode(SaveMode.Overwrite).partitionBy("part").parquet(uri);
    FileSystem fs = new Path(uri).getFileSystem(spark.sparkContext().hadoopConfiguration());
    List<String> before = leaves(fs, new Path(uri, "part=1"));
    spark
        .range(0, 10)
        .select(col("id"), lit(3L).as("part"))
        .write()
        .mode(SaveMode.Overwrite)
        .partitionBy("part")
        .parquet(uri);
    expect("dynamic overwrite: rows", ROWS - ROWS / 5 + 10, spark.read().parquet(uri).count());
    expect(
        "dynamic overwrite: rows of the partition",
        10,
        spark.read().parquet(uri).filter(col("part").equalTo(3)).count());
    if (!before.equals(leaves(fs, new Path(uri, "part=1")))) {
      throw new WrongResult("a partition that was not written changed");
    }
    for (FileStatus file : fs.listStatus(new Path(uri))) {
      if (file.getPath().getName().startsWith(".spark-staging")) {
        throw new WrongResult("dynamic overwrite left " + file.getPath());
      }
    }
    System.out.println("dynamic partition overwrite: one of five partitions replaced");
  }

  private static List<String> leaves(FileSystem fs, Path directory) throws IOException {
    List<String> names = new ArrayList<>();
    RemoteIterator<LocatedFileStatus> files = fs.listFiles(directory, true);
    while (files.hasNext()) {
      names.add(files.next().getPath().getName());
    }
    names.sort(null);
    return names;
  }

  /** Source, sink and checkpoint here; stopped, and begun again from the checkpoint. */
  private void stream(SparkSession spark) throws Exception {
    String source = root + "/stream/in";
    String sink = root + "/stream/out";
    StructType schema = new StructType().add("id", DataTypes.LongType);
    for (int round = 0; round < 3; round++) {
      spark
          .range(round * ROWS, (round + 1) * ROWS, 1, 2)
          .toDF("id")
          .write()
          .mode(SaveMode.Append)
          .parquet(source);
      StreamingQuery query =
          spark
              .readStream()
              .schema(schema)
              .parquet(source)
              .writeStream()
              .format("parquet")
              .option("checkpointLocation", root + "/stream/checkpoint")
              .option("path", sink)
              .trigger(Trigger.AvailableNow())
              .start();
      if (!query.awaitTermination(TimeUnit.MINUTES.toMillis(5))) {
        throw new WrongResult("the stream does not end");
      }
      Row all =
          spark.read().parquet(sink).agg(count(lit(1)), sum(col("id"))).first();
      long rows = (round + 1) * ROWS;
      expect("stream: rows", rows, all.getLong(0));
      expect("stream: sum", rows * (rows - 1) / 2, all.getLong(1));
    }
    System.out.println("stream: three runs from one checkpoint, every row once");
  }

  private void hive(SparkSession spark) throws IOException, WrongResult {
    FileSystem fs = new Path(root).getFileSystem(spark.sparkContext().hadoopConfiguration());
    spark.sql("CREATE DATABASE IF NOT EXISTS d LOCATION '" + root + "/warehouse/d.db'");
    spark.sql("DROP TABLE IF EXISTS d.managed");
    spark.sql("CREATE TABLE d.managed (id BIGINT, name STRING) PARTITIONED BY (day STRING) STORED AS PARQUET");
    spark.range(0, 1_000).createOrReplaceTempView("numbers");
    spark.sql(
        "INSERT INTO d.managed PARTITION (day) SELECT id, concat('n', id), concat('d', id % 3) FROM numbers");
    expect("managed table: rows", 1_000, spark.table("d.managed").count());
    expect("managed table: partitions", 3, spark.sql("SHOW PARTITIONS d.managed").count());
    spark.sql(
        "INSERT OVERWRITE TABLE d.managed PARTITION (day = 'd1') SELECT id, 'new' FROM numbers WHERE id < 7");
    expect(
        "overwritten partition: rows",
        7,
        spark.sql("SELECT * FROM d.managed WHERE day = 'd1'").count());
    expect("other partitions: rows", 667, spark.sql("SELECT * FROM d.managed WHERE day <> 'd1'").count());

    Path outside = new Path(root, "outside");
    spark.sql("DROP TABLE IF EXISTS d.external");
    spark.sql("CREATE EXTERNAL TABLE d.external (id BIGINT) STORED AS ORC LOCATION '" + outside + "'");
    spark.sql("INSERT OVERWRITE TABLE d.external SELECT id FROM numbers");
    spark.sql("INSERT OVERWRITE TABLE d.external SELECT id FROM numbers WHERE id % 2 = 0");
    expect("external table: rows", 500, spark.table("d.external").count());

    Path managed = new Path(root, "warehouse/d.db/managed");
    if (!fs.exists(managed)) {
      throw new WrongResult("the managed table is not at " + managed);
    }
    spark.sql("DROP TABLE d.managed");
    spark.sql("DROP TABLE d.external");
    if (fs.exists(managed) || leaves(fs, outside).isEmpty()) {
      throw new WrongResult("DROP TABLE must take a managed table's files, and leave an external one's");
    }
    System.out.println("hive: managed, external, partitioned, INSERT OVERWRITE, DROP");
  }

  private static void expect(String what, long expected, long found) throws WrongResult {
    if (expected != found) {
      throw new WrongResult(what + ": " + found + " instead of " + expected);
    }
  }

  private static final class WrongResult extends Exception {
    private static final long serialVersionUID = 1;

    WrongResult(String message) {
      super(message);
    }
  }
}

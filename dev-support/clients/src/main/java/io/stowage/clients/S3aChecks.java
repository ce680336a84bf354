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
package io.stowage.clients;

import static io.stowage.clients.ClientsCheck.bytes;
import static io.stowage.clients.ClientsCheck.check;

import io.stowage.clients.ClientsCheck.Endpoint;
import java.io.FileNotFoundException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.FileRange;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.NullWritable;
import org.apache.hadoop.io.Text;
import org.apache.hadoop.mapreduce.Job;
import org.apache.hadoop.mapreduce.JobContext;
import org.apache.hadoop.mapreduce.JobID;
import org.apache.hadoop.mapreduce.OutputCommitter;
import org.apache.hadoop.mapreduce.RecordWriter;
import org.apache.hadoop.mapreduce.TaskAttemptContext;
import org.apache.hadoop.mapreduce.TaskAttemptID;
import org.apache.hadoop.mapreduce.TaskID;
import org.apache.hadoop.mapreduce.TaskType;
import org.apache.hadoop.mapreduce.lib.output.FileOutputFormat;
import org.apache.hadoop.mapreduce.lib.output.TextOutputFormat;
import org.apache.hadoop.mapreduce.task.JobContextImpl;
import org.apache.hadoop.mapreduce.task.TaskAttemptContextImpl;

/** hadoop-aws: its file system, its streams, its way of creating and its committers. Stateless. */
final class S3aChecks {
  private static final int MIB = 1 << 20;

  private S3aChecks() {}

  private static Configuration configuration(Endpoint e) {
    Configuration conf = new Configuration();
    conf.set("fs.s3a.endpoint", e.url());
    conf.set("fs.s3a.endpoint.region", "us-east-1");
    conf.set("fs.s3a.path.style.access", "true");
    conf.set("fs.s3a.connection.ssl.enabled", "false");
    conf.set("fs.s3a.access.key", e.accessKey());
    conf.set("fs.s3a.secret.key", e.secretKey());
    conf.set("fs.s3a.multipart.size", "5M");
    conf.set("fs.s3a.buffer.dir", System.getProperty("java.io.tmpdir"));
    return conf;
  }

  private static FileSystem open(Endpoint e, Configuration conf) throws Exception {
    SdkBuckets.create(e);
    return FileSystem.newInstance(URI.create("s3a://" + e.bucket() + "/"), conf);
  }

  private static void write(FileSystem fs, Path path, byte[] content) throws Exception {
    try (FSDataOutputStream out = fs.create(path)) {
      out.write(content);
    }
  }

  private static byte[] read(FileSystem fs, Path path) throws Exception {
    try (FSDataInputStream in = fs.open(path)) {
      return in.readAllBytes();
    }
  }

  static String fileSystem(Endpoint e) throws Exception {
    try (FileSystem fs = open(e, configuration(e))) {
      byte[] content = bytes(12 * MIB + 5, 3);
      write(fs, new Path("/a/b/large"), content);
      write(fs, new Path("/a/b/small file+ü"), bytes(10, 4));
      check(Arrays.equals(content, read(fs, new Path("/a/b/large"))), "a file of three parts");
      try (FSDataInputStream in = fs.open(new Path("/a/b/large"))) {
        List<FileRange> ranges = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
          ranges.add(FileRange.createFileRange(2L * MIB * i + 11, 5000));
        }
        in.readVectored(ranges, ByteBuffer::allocate);
        for (FileRange range : ranges) {
          byte[] got = new byte[range.getLength()];
          range.getData().get().get(got);
          int from = (int) range.getOffset();
          check(Arrays.equals(Arrays.copyOfRange(content, from, from + 5000), got), "a vectored range");
        }
      }
      check(fs.rename(new Path("/a/b"), new Path("/a/c")), "the rename");
      check(!fs.exists(new Path("/a/b")), "the old name is gone");
      check(Arrays.equals(content, read(fs, new Path("/a/c/large"))), "the renamed file");
      FileStatus[] listed = fs.listStatus(new Path("/a/c"));
      check(listed.length == 2, listed.length + " files are listed");
      check(fs.delete(new Path("/a"), true), "the delete");
      try {
        fs.getFileStatus(new Path("/a/c/large"));
        throw new AssertionError("a deleted file is there");
      } catch (FileNotFoundException expected) {
        return "three parts, vectored reads, rename and delete of a directory";
      }
    }
  }

  static String analyticsStream(Endpoint e) throws Exception {
    Configuration conf = configuration(e);
    conf.set("fs.s3a.input.stream.type", "analytics");
    try (FileSystem fs = open(e, conf)) {
      byte[] content = bytes(20 * MIB + 77, 5);
      Path path = new Path("/data.parquet"); // read ahead by its tail, as parquet is
      write(fs, path, content);
      check(Arrays.equals(content, read(fs, path)), "the whole");
      try (FSDataInputStream in = fs.open(path)) {
        byte[] got = new byte[10_000];
        for (long at : new long[] {content.length - 10_000, 0, 15L * MIB, 7}) {
          in.readFully(at, got);
          check(
              Arrays.equals(Arrays.copyOfRange(content, (int) at, (int) at + 10_000), got),
              "10,000 bytes at " + at);
        }
      }
      return "20 MiB, from the front and by leaps";
    }
  }

  /** What its users ask for who commit by creating a file. */
  private static FSDataOutputStream createOnce(FileSystem fs, Path path) throws Exception {
    var builder = fs.createFile(path);
    builder.overwrite(false);
    builder.opt("fs.option.create.conditional.overwrite", true);
    return builder.build();
  }

  static String conditionalCreate(Endpoint e) throws Exception {
    Configuration conf = configuration(e);
    try (FileSystem fs = open(e, conf)) {
      Path path = new Path("/once");
      try (FSDataOutputStream out =
          createOnce(fs, path)) {
        out.write(1);
      }
      boolean refused = false;
      try (FSDataOutputStream out =
          createOnce(fs, path)) {
        out.write(2);
      } catch (FileAlreadyExistsException | org.apache.hadoop.fs.s3a.RemoteFileChangedException expected) {
        refused = true;
      } catch (java.io.IOException other) {
        refused = other.toString().contains("412") || other.toString().contains("exists");
        check(refused, other.toString());
      }
      check(refused, "the second create was not refused");
      check(Arrays.equals(new byte[] {1}, read(fs, path)), "the first one's content");
      return "the second create of one path is refused";
    }
  }

  /** A job of three tasks, one of which fails once, as MapReduce and Spark drive a committer. */
  static String committer(Endpoint e, String name) throws Exception {
    Configuration conf = configuration(e);
    conf.set("fs.s3a.committer.name", name);
    conf.set("mapreduce.outputcommitter.factory.scheme.s3a", "org.apache.hadoop.fs.s3a.commit.S3ACommitterFactory");
    conf.set("fs.s3a.committer.staging.conflict-mode", "replace");
    conf.set("fs.s3a.committer.staging.tmp.path", Files.createTempDirectory("staging").toString());
    conf.set("fs.defaultFS", "file:///");
    JobID jobId = new JobID("20260101000000", 1);
    conf.set("mapreduce.job.application.attempt.id", "1");
    conf.set("spark.sql.sources.writeJobUUID", java.util.UUID.randomUUID().toString());
    try (FileSystem fs = open(e, conf)) {
      Path output = new Path("s3a://" + e.bucket() + "/table");
      Job job = Job.getInstance(conf);
      FileOutputFormat.setOutputPath(job, output);
      JobContext context = new JobContextImpl(job.getConfiguration(), jobId);
      TextOutputFormat<Text, NullWritable> format = new TextOutputFormat<>();
      OutputCommitter driver = format.getOutputCommitter(task(job, jobId, 0, 0));
      check(driver.getClass().getSimpleName().toLowerCase(java.util.Locale.ROOT).contains(name), driver.toString());
      driver.setupJob(context);
      // Its output must not be seen.
      runTask(job, jobId, 0, 0, false, name);
      for (int number = 0; number < 3; number++) {
        runTask(job, jobId, number, number == 0 ? 1 : 0, true, name);
      }
      Path first = new Path(output, (name.equals("partitioned") ? "day=1/" : "") + "part-m-00000");
      check(!fs.exists(first), "a file is seen before the job's commit");
      driver.commitJob(context);
      String success = new String(read(fs, new Path(output, "_SUCCESS")), StandardCharsets.UTF_8);
      check(success.contains("\"committer\":\"" + name), "_SUCCESS of this committer: " + success);
      int parts = 0;
      var files = fs.listFiles(output, true);
      while (files.hasNext()) {
        Path file = files.next().getPath();
        if (file.getName().startsWith("part-")) {
          parts++;
          String text = new String(read(fs, file), StandardCharsets.UTF_8);
          check(text.startsWith("row 0 of task"), text);
          check(!text.contains("attempt 0 of a task that failed"), "output of the failed attempt");
        }
      }
      check(parts == 3, parts + " parts");
      return "three tasks, an attempt aborted, one commit";
    }
  }

  private static TaskAttemptContext task(Job job, JobID jobId, int number, int attempt) {
    TaskAttemptID id = new TaskAttemptID(new TaskID(jobId, TaskType.MAP, number), attempt);
    Configuration conf = new Configuration(job.getConfiguration());
    conf.set("mapreduce.task.attempt.id", id.toString());
    conf.setBoolean("mapreduce.task.ismap", true);
    conf.setInt("mapreduce.task.partition", number);
    return new TaskAttemptContextImpl(conf, id);
  }

  private static void runTask(Job job, JobID jobId, int number, int attempt, boolean succeeds, String name)
      throws Exception {
    TaskAttemptContext context = task(job, jobId, number, attempt);
    TextOutputFormat<Text, NullWritable> format =
        new TextOutputFormat<>() {
          @Override
          public Path getDefaultWorkFile(TaskAttemptContext c, String extension)
              throws java.io.IOException {
            Path file = super.getDefaultWorkFile(c, extension);
            // That committer takes files in partitions only.
            return name.equals("partitioned")
                ? new Path(new Path(file.getParent(), "day=1"), file.getName())
                : file;
          }
        };
    OutputCommitter committer = format.getOutputCommitter(context);
    committer.setupTask(context);
    RecordWriter<Text, NullWritable> out = format.getRecordWriter(context);
    for (int row = 0; row < 1000; row++) {
      String of = succeeds ? "row " + row + " of task " + number : "attempt 0 of a task that failed";
      out.write(new Text(of), NullWritable.get());
    }
    out.close(context);
    if (succeeds) {
      check(committer.needsTaskCommit(context), "task " + number + " has output");
      committer.commitTask(context);
    } else {
      committer.abortTask(context);
    }
  }
}

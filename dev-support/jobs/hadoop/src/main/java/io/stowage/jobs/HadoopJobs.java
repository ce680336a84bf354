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

import java.io.BufferedReader;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.examples.terasort.TeraChecksum;
import org.apache.hadoop.examples.terasort.TeraGen;
import org.apache.hadoop.examples.terasort.TeraSort;
import org.apache.hadoop.examples.terasort.TeraValidate;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RemoteIterator;
import org.apache.hadoop.hdfs.DistributedFileSystem;
import org.apache.hadoop.hdfs.HdfsConfiguration;
import org.apache.hadoop.hdfs.MiniDFSCluster;
import org.apache.hadoop.mapreduce.Job;
import org.apache.hadoop.mapreduce.JobID;
import org.apache.hadoop.mapreduce.TaskAttemptContext;
import org.apache.hadoop.mapreduce.TaskAttemptID;
import org.apache.hadoop.mapreduce.TaskID;
import org.apache.hadoop.mapreduce.TaskType;
import org.apache.hadoop.mapreduce.lib.output.FileOutputCommitter;
import org.apache.hadoop.mapreduce.lib.output.FileOutputFormat;
import org.apache.hadoop.mapreduce.task.JobContextImpl;
import org.apache.hadoop.mapreduce.task.TaskAttemptContextImpl;
import org.apache.hadoop.tools.DistCp;
import org.apache.hadoop.tools.DistCpOptions;
import org.apache.hadoop.tools.mapred.CopyMapper;
import org.apache.hadoop.util.Tool;
import org.apache.hadoop.util.ToolRunner;

/**
 * What MapReduce's users do with a file system, each with a check of what is there afterwards.
 *
 * <pre>HadoopJobs ROOT_URI SCRATCH_DIRECTORY terasort|attempts|distcp...</pre>
 *
 * <p>Ends with 1 and a line on standard error at the first thing that is not as it should be.
 */
public final class HadoopJobs {
  private static final int ROWS = 50_000; // of 100 bytes
  private static final int MIB = 1 << 20;

  /** Of attempts: so much is written by one that is killed then, and by one that commits. */
  private static final int KILLED_MIB = 112;

  private static final int WHOLE_MIB = 128;

  /** What one that is killed says when it has written so much. */
  private static final String WRITTEN = "written";

  private final Path root;
  private final String scratch;
  private final Configuration conf;

  private HadoopJobs(String root, String scratch) {
    this.root = new Path(root);
    this.scratch = scratch;
    this.conf = new Configuration();
    conf.set("hadoop.tmp.dir", scratch);
    conf.set("mapreduce.framework.name", "local");
    conf.set("mapreduce.jobtracker.staging.root.dir", scratch + "/staging");
    conf.setInt("mapreduce.local.map.tasks.maximum", 2);
    conf.setInt("mapreduce.local.reduce.tasks.maximum", 2);
  }

  public static void main(String[] args) throws Exception {
    if (args.length < 3) {
      System.err.println("usage: HadoopJobs ROOT_URI SCRATCH_DIRECTORY terasort|attempts|distcp...");
      System.exit(2);
    }
    HadoopJobs jobs = new HadoopJobs(args[0], args[1]);
    if (args.length == 5 && args[2].equals("attempt")) { // one of the processes that are killed
      jobs.writeUntilKilled(Integer.parseInt(args[3]), Integer.parseInt(args[4]));
      System.exit(0);
    }
    try {
      for (String job : Arrays.asList(args).subList(2, args.length)) {
        switch (job) {
          case "terasort" -> jobs.terasort();
          case "attempts" -> jobs.attempts();
          case "distcp" -> jobs.distcp();
          default -> throw new IllegalArgumentException("no such job: " + job);
        }
      }
    } catch (WrongResult e) {
      System.err.println("WRONG: " + e.getMessage());
      System.exit(1);
    }
    System.exit(0);
  }

  private void terasort() throws Exception {
    String in = root + "/tera/in";
    String out = root + "/tera/out";
    FileSystem fs = root.getFileSystem(conf);
    fs.delete(new Path(root, "tera"), true);
    run(new TeraGen(), "-Dmapreduce.job.maps=4", String.valueOf(ROWS), in);
    run(new TeraSort(), "-Dmapreduce.job.reduces=3", in, out);
    run(new TeraValidate(), out, root + "/tera/report");
    run(new TeraChecksum(), in, root + "/tera/sum");
    List<String> report = lines(fs, new Path(root, "tera/report"));
    List<String> sum = lines(fs, new Path(root, "tera/sum"));
    // One line, the checksum of what was sorted; every mistake would have one of its own.
    if (report.size() != 1 || sum.size() != 1 || !report.get(0).endsWith("\t" + sum.get(0).strip())) {
      throw new WrongResult("terasort: " + report + ", of the input " + sum);
    }
    System.out.println("terasort: " + ROWS + " rows sorted and validated, " + report.get(0));
  }

  private void run(Tool tool, String... args) throws Exception {
    Configuration its = new Configuration(conf);
    if (ToolRunner.run(its, tool, args) != 0) {
      throw new WrongResult(tool.getClass().getSimpleName() + " failed");
    }
  }

  private static List<String> lines(FileSystem fs, Path directory) throws IOException {
    List<String> lines = new ArrayList<>();
    for (FileStatus file : fs.listStatus(directory, path -> path.getName().startsWith("part-"))) {
      try (BufferedReader reader =
          new BufferedReader(
              new InputStreamReader(fs.open(file.getPath()), StandardCharsets.UTF_8))) {
        reader.lines().forEach(lines::add);
      }
    }
    return lines;
  }

  /** Speculation: two attempts of each task write; one commits, the other is lost or aborted. */
  private void attempts() throws Exception {
    FileSystem fs = root.getFileSystem(conf);
    for (int algorithm = 1; algorithm <= 2; algorithm++) {
      Path out = new Path(root, "attempts/" + algorithm);
      fs.delete(out, true);
      Job job = attemptsJob(out, algorithm);
      JobID id = attemptsId(algorithm);
      FileOutputCommitter jobCommitter = setUp(job, id, out);
      List<OutputStream> lost = new ArrayList<>();
      for (int task = 0; task < 6; task++) {
        TaskID taskId = new TaskID(id, TaskType.MAP, task);
        OutputStream[] open = new OutputStream[2];
        FileOutputCommitter[] committers = new FileOutputCommitter[2];
        TaskAttemptContext[] contexts = new TaskAttemptContext[2];
        for (int i = 0; i < 2; i++) {
          contexts[i] = attempt(job, taskId, i);
          committers[i] = new FileOutputCommitter(out, contexts[i]);
          committers[i].setupTask(contexts[i]);
          open[i] = fs.create(new Path(committers[i].getWorkPath(), "part-" + task));
          open[i].write(("attempt " + i).getBytes(StandardCharsets.UTF_8));
        }
        int winner = task % 2;
        open[winner].close();
        committers[winner].commitTask(contexts[winner]);
        if (task % 3 == 0) {
          open[1 - winner].close();
          committers[1 - winner].abortTask(contexts[1 - winner]);
        } else {
          lost.add(open[1 - winner]);
        }
      }
      jobCommitter.commitJob(new JobContextImpl(job.getConfiguration(), id));
      TreeMap<String, String> found = contents(fs, out);
      TreeMap<String, String> expected = new TreeMap<>();
      expected.put("_SUCCESS", "");
      for (int task = 0; task < 6; task++) {
        expected.put("part-" + task, "attempt " + task % 2);
      }
      if (!found.equals(expected)) {
        throw new WrongResult("attempts, algorithm " + algorithm + ": " + found);
      }
      closeLate(fs, out, lost, expected);
    }
    System.out.println("attempts: of two attempts a task the committed one is visible, and nothing else");
    for (int algorithm = 1; algorithm <= 2; algorithm++) {
      killedAttempts(fs, algorithm);
    }
  }

  /** Lost attempts go on after the job's commit: nothing that they do is to be seen by who reads. */
  private static void closeLate(
      FileSystem fs, Path out, List<OutputStream> lost, TreeMap<String, String> expected)
      throws IOException, WrongResult {
    int refused = 0;
    for (OutputStream one : lost) {
      try {
        one.close();
      } catch (FileNotFoundException e) {
        refused++;
      }
    }
    TreeMap<String, String> found = contents(fs, out);
    if (refused < lost.size()) {
      found.keySet().removeIf(name -> name.startsWith("_temporary/")); // where none is looked for
    }
    if (!found.equals(expected)) {
      throw new WrongResult("after attempts were closed late are there " + found);
    }
    System.out.printf(
        "attempts: of %d lost ones %d cannot close their files after the job's commit, the others' are not visible%n",
        lost.size(), refused);
  }

  private static TreeMap<String, String> contents(FileSystem fs, Path out) throws IOException {
    TreeMap<String, String> found = new TreeMap<>();
    for (Path file : files(fs, out)) {
      try (InputStream in = fs.open(file)) {
        found.put(
            out.toUri().relativize(file.toUri()).getPath(),
            new String(in.readAllBytes(), StandardCharsets.UTF_8));
      }
    }
    return found;
  }

  /**
   * Attempts are processes that are killed in mid-write, far into their files: of task 0 before
   * another attempt begins; of task 1, which has synced what it wrote, after the other committed.
   */
  private void killedAttempts(FileSystem fs, int algorithm) throws Exception {
    Path out = new Path(root, "attempts/killed-" + algorithm);
    fs.delete(out, true);
    Job job = attemptsJob(out, algorithm);
    JobID id = attemptsId(algorithm);
    FileOutputCommitter jobCommitter = setUp(job, id, out);
    Process[] killed = new Process[2];
    for (int task = 0; task < 2; task++) {
      killed[task] =
          ChildJvm.of(
                  HadoopJobs.class,
                  Redirect.PIPE,
                  root.toString(),
                  scratch,
                  "attempt",
                  String.valueOf(algorithm),
                  String.valueOf(task))
              .start();
    }
    try {
      for (Process process : killed) {
        String said = process.inputReader().readLine();
        if (!WRITTEN.equals(said)) {
          throw new WrongResult("an attempt that was to be killed said " + said);
        }
      }
      kill(killed[0]);
      commitWhole(fs, job, out, id, 0);
      commitWhole(fs, job, out, id, 1);
      kill(killed[1]);
    } finally {
      for (Process process : killed) {
        process.destroyForcibly();
      }
    }
    for (int task = 0; task < 2; task++) {
      checkKilled(fs, out, new TaskAttemptID(new TaskID(id, TaskType.MAP, task), 0), task);
    }
    jobCommitter.commitJob(new JobContextImpl(job.getConfiguration(), id));
    List<String> left = new ArrayList<>();
    for (Path file : files(fs, out)) {
      left.add(out.toUri().relativize(file.toUri()).getPath());
    }
    left.sort(null);
    if (!left.equals(List.of("_SUCCESS", "part-0", "part-1"))) {
      throw new WrongResult("killed attempts, algorithm " + algorithm + ": " + left);
    }
    for (int task = 0; task < 2; task++) {
      Path part = new Path(out, "part-" + task);
      if (fs.getFileStatus(part).getLen() != (long) WHOLE_MIB * MIB) {
        throw new WrongResult(part + " has " + fs.getFileStatus(part).getLen() + " bytes");
      }
      checkBytes(fs, part, task, 1);
    }
    System.out.printf(
        "attempts: two processes killed behind %d MiB of their files, algorithm %d; each file of %d MiB is whole, of the others nothing is left%n",
        KILLED_MIB, algorithm, WHOLE_MIB);
  }

  /** What is there of a killed attempt before the job's commit: what it synced, and nothing else. */
  private static void checkKilled(FileSystem fs, Path out, TaskAttemptID attempt, int task)
      throws IOException, WrongResult {
    List<Path> its = new ArrayList<>();
    for (Path file : files(fs, out)) {
      if (file.toString().contains(attempt.toString())) {
        its.add(file);
      }
    }
    if (its.size() != task) {
      throw new WrongResult("of the killed attempt " + attempt + " are there " + its);
    }
    for (Path synced : its) {
      if (fs.getFileStatus(synced).getLen() < (long) KILLED_MIB * MIB) {
        throw new WrongResult(
            synced + " has " + fs.getFileStatus(synced).getLen() + " bytes of " + KILLED_MIB + " MiB that were synced");
      }
      checkBytes(fs, synced, task, 0);
    }
  }

  private static void kill(Process process) throws InterruptedException, WrongResult {
    if (!process.isAlive()) {
      throw new WrongResult("an attempt ended by itself, with " + process.exitValue());
    }
    process.destroyForcibly().waitFor();
  }

  /** The process that is killed: it goes on with its file until then. */
  private void writeUntilKilled(int algorithm, int task) throws Exception {
    Path out = new Path(root, "attempts/killed-" + algorithm);
    TaskAttemptContext context =
        attempt(attemptsJob(out, algorithm), new TaskID(attemptsId(algorithm), TaskType.MAP, task), 0);
    FileOutputCommitter committer = new FileOutputCommitter(out, context);
    committer.setupTask(context);
    try (FSDataOutputStream file =
        root.getFileSystem(conf).create(new Path(committer.getWorkPath(), "part-" + task))) {
      for (int i = 0; i < KILLED_MIB; i++) {
        file.write(mebibyte(task, 0, i));
      }
      if (task == 1) {
        file.hsync();
      }
      System.out.println(WRITTEN);
      for (int i = KILLED_MIB; i < 100 * KILLED_MIB && !System.out.checkError(); i++) {
        file.write(mebibyte(task, 0, i));
        System.out.println(i);
        Thread.sleep(50); // it must not be done before it is killed
      }
    }
  }

  private static void commitWhole(FileSystem fs, Job job, Path out, JobID id, int task)
      throws IOException {
    TaskAttemptContext context = attempt(job, new TaskID(id, TaskType.MAP, task), 1);
    FileOutputCommitter committer = new FileOutputCommitter(out, context);
    committer.setupTask(context);
    try (OutputStream file = fs.create(new Path(committer.getWorkPath(), "part-" + task))) {
      for (int i = 0; i < WHOLE_MIB; i++) {
        file.write(mebibyte(task, 1, i));
      }
    }
    committer.commitTask(context);
  }

  private static void checkBytes(FileSystem fs, Path file, int task, int attempt)
      throws IOException, WrongResult {
    try (InputStream in = fs.open(file)) {
      int i = 0;
      for (byte[] read = in.readNBytes(MIB); read.length > 0; read = in.readNBytes(MIB)) {
        if (!Arrays.equals(read, Arrays.copyOf(mebibyte(task, attempt, i), read.length))) {
          throw new WrongResult(file + " has other bytes than were written, within 1 MiB from " + (long) i * MIB);
        }
        i++;
      }
    }
  }

  /** A part of what an attempt writes, like no other. */
  private static byte[] mebibyte(int task, int attempt, int index) {
    byte[] bytes = new byte[MIB];
    new Random(((long) index * 2 + attempt) * 2 + task).nextBytes(bytes);
    return bytes;
  }

  private Job attemptsJob(Path out, int algorithm) throws IOException {
    Job job = Job.getInstance(conf);
    job.getConfiguration().setInt("mapreduce.fileoutputcommitter.algorithm.version", algorithm);
    FileOutputFormat.setOutputPath(job, out);
    return job;
  }

  private static JobID attemptsId(int algorithm) {
    return new JobID("attempts", algorithm);
  }

  private static FileOutputCommitter setUp(Job job, JobID id, Path out) throws IOException {
    FileOutputCommitter committer =
        new FileOutputCommitter(out, attempt(job, new TaskID(id, TaskType.MAP, 0), 0));
    committer.setupJob(new JobContextImpl(job.getConfiguration(), id));
    return committer;
  }

  private static TaskAttemptContext attempt(Job job, TaskID task, int number) {
    return new TaskAttemptContextImpl(job.getConfiguration(), new TaskAttemptID(task, number));
  }

  /** From HDFS, replicated and erasure-coded, and back, with checksums compared. */
  private void distcp() throws Exception {
    Configuration hdfs = new HdfsConfiguration(conf);
    hdfs.set("dfs.checksum.combine.mode", "COMPOSITE_CRC");
    hdfs.set(MiniDFSCluster.HDFS_MINIDFS_BASEDIR, scratch + "/hdfs");
    hdfs.set("dfs.namenode.ec.system.default.policy", "RS-3-2-1024k");
    hdfs.setInt("dfs.blocksize", 1 << 20);
    try (MiniDFSCluster cluster = new MiniDFSCluster.Builder(hdfs).numDataNodes(5).build()) {
      cluster.waitActive();
      DistributedFileSystem dfs = cluster.getFileSystem();
      FileSystem stow = root.getFileSystem(hdfs);
      stow.delete(new Path(root, "distcp"), true);
      Path source = new Path(dfs.getUri() + "/source");
      dfs.mkdirs(new Path(source, "coded"));
      dfs.enableErasureCodingPolicy("RS-3-2-1024k");
      dfs.setErasureCodingPolicy(new Path(source, "coded"), "RS-3-2-1024k");
      Random random = new Random(7);
      int files = 0;
      for (String directory : List.of("plain", "coded")) {
        for (int length : new int[] {0, 1, 511, 512, 513, 100_000, 1 << 20, 7_000_001, 20_000_000, 140_000_000}) {
          try (OutputStream out = dfs.create(new Path(source, directory + "/" + length))) {
            for (int done = 0; done < length; done += MIB) {
              byte[] bytes = new byte[Math.min(MIB, length - done)];
              random.nextBytes(bytes);
              out.write(bytes);
            }
          }
          files++;
        }
      }
      Path there = new Path(root, "distcp");
      Path back = new Path(dfs.getUri() + "/back");
      long copied = copy(hdfs, source, there, CopyMapper.Counter.COPY);
      long again = copy(hdfs, source, there, CopyMapper.Counter.SKIP);
      long returned = copy(hdfs, there, back, CopyMapper.Counter.COPY);
      if (copied < files || again < files || returned < files) {
        throw new WrongResult("distcp copied " + copied + ", skipped " + again + ", brought back " + returned + " of " + files);
      }
      RemoteIterator<LocatedFileStatus> all = dfs.listFiles(source, true);
      while (all.hasNext()) {
        Path file = all.next().getPath();
        String name = source.toUri().relativize(file.toUri()).getPath();
        Path copy = new Path(there, name);
        if (!isSame(dfs, file, dfs, new Path(back, name)) || !isSame(dfs, file, stow, copy)) {
          throw new WrongResult("distcp changed " + name);
        }
        if (dfs.getFileStatus(file).getLen() > 0
            && !dfs.getFileChecksum(file).equals(stow.getFileChecksum(copy))) {
          throw new WrongResult(
              "checksums of " + name + ": " + dfs.getFileChecksum(file) + " and " + stow.getFileChecksum(copy));
        }
      }
      System.out.println("distcp: " + files + " files there, skipped as equal, and back; checksums agree");
    }
  }

  /** A copy with -update; the count of one of its counters. */
  private static long copy(Configuration conf, Path from, Path to, CopyMapper.Counter counter)
      throws Exception {
    DistCpOptions options =
        new DistCpOptions.Builder(List.of(from), to).withSyncFolder(true).maxMaps(2).build();
    Job job = new DistCp(conf, options).execute();
    return job.getCounters().findCounter(counter).getValue();
  }

  private static List<Path> files(FileSystem fs, Path directory) throws IOException {
    List<Path> files = new ArrayList<>();
    RemoteIterator<LocatedFileStatus> all = fs.listFiles(directory, true);
    while (all.hasNext()) {
      files.add(all.next().getPath());
    }
    return files;
  }

  private static boolean isSame(FileSystem fs, Path file, FileSystem otherFs, Path other)
      throws IOException {
    try (InputStream in = fs.open(file);
        InputStream otherIn = otherFs.open(other)) {
      byte[] read;
      do {
        read = in.readNBytes(MIB);
        if (!Arrays.equals(read, otherIn.readNBytes(MIB))) {
          return false;
        }
      } while (read.length > 0);
      return true;
    }
  }

  private static final class WrongResult extends Exception {
    private static final long serialVersionUID = 1;

    WrongResult(String message) {
      super(message);
    }
  }
}

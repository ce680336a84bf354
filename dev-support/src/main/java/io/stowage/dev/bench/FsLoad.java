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
package io.stowage.dev.bench;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.URI;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileRange;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RemoteIterator;
import org.apache.hadoop.fs.StreamCapabilities;
import org.apache.hadoop.fs.statistics.IOStatistics;
import org.apache.hadoop.fs.statistics.IOStatisticsSupport;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/**
 * Drives any Hadoop FileSystem, each kind of call for a while, and prints rates, latencies, this
 * process's CPU time for each and, for a FileSystem that counts them, its remote calls. Works in
 * one directory, which it makes and deletes. What is read is compared with what was written.
 *
 * <p>Knows nothing of ours: with another classpath and its configuration it measures any peer.
 */
@Command(
    name = "fs-load",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = "Drives any Hadoop FileSystem, prints rates, latencies and remote calls.")
public final class FsLoad implements Callable<Integer> {
  private static final int MIB = 1 << 20;
  private static final String DELETE = "delete";
  private static final OperatingSystemMXBean CPU =
      ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);

  /** Counters that together tell remote calls, of FileSystems that have them: ours, S3A, ABFS. */
  private static final List<List<String>> REMOTE_CALLS =
      List.of(
          List.of("object_manager_calls", "datanode_calls"),
          List.of("store_io_request"),
          List.of("action_http_get_request"));

  @Parameters(index = "0", description = "where to work: scheme://authority/directory")
  private URI target;

  @Option(names = "--threads", defaultValue = "32", description = "of small calls")
  private int threads;

  @Option(names = "--seconds", defaultValue = "10", description = "of each kind of small call")
  private int seconds;

  @Option(names = "--warmup-seconds", defaultValue = "5", description = "before them, each")
  private int warmupSeconds;

  @Option(
      names = "--only",
      split = ",",
      description = "kinds of small calls, and nothing else; one may be named again")
  private List<String> only = List.of();

  @Option(names = "--small", defaultValue = "4096", description = "bytes of a small file")
  private int smallBytes;

  @Option(
      names = "--files",
      defaultValue = "1000",
      description = "in a directory that is listed; so many are deleted, too")
  private int files;

  @Option(names = "--large-mib", defaultValue = "1024", description = "MiB of the large file")
  private int largeMib;

  @Option(names = "--repeat", defaultValue = "3", description = "runs of the large file's phases")
  private int repeat;

  @Option(names = "--syncs", defaultValue = "3000", description = "hsyncs of a file, one by one")
  private int syncs;

  @Option(names = "--sync-bytes", defaultValue = "4474", description = "written before each")
  private int syncBytes;

  private final AtomicLong names = new AtomicLong();
  private FileSystem fs;
  private Path base;

  private FsLoad() {}

  /** Runs the tool; the process ends with 0 if every call succeeded. */
  public static void main(String[] arguments) {
    System.exit(new CommandLine(new FsLoad()).execute(arguments));
  }

  /** What a call tells when nothing is left to do. */
  private static final long DONE = -1;

  /** One call, by a thread; tells the bytes that it moved, or {@link #DONE}. */
  private interface Call {
    long run(int thread, Random random) throws Exception;
  }

  /** What is done with each of a number of files. */
  private interface FileCall {
    void run(Path file) throws Exception;
  }

  @Override
  public Integer call() throws Exception {
    Configuration conf = new Configuration();
    fs = FileSystem.newInstance(target, conf);
    base = new Path(new Path(target), "fs-load-" + System.nanoTime());
    System.out.printf(
        Locale.ROOT,
        "# %s, %d threads, %d CPUs, Java %s%n",
        fs.getUri(),
        threads,
        Runtime.getRuntime().availableProcessors(),
        System.getProperty("java.version"));
    fs.mkdirs(base);
    long failures = 0;
    try {
      failures += small();
      if (only.isEmpty()) {
        failures += syncs();
        directories();
        large();
      }
    } finally {
      fs.delete(base, true);
      fs.close();
    }
    return failures == 0 ? 0 : 1;
  }

  private long small() throws Exception {
    byte[] content = new byte[smallBytes];
    new Random(1).nextBytes(content);
    Path listed = new Path(base, "listed");
    fs.mkdirs(listed);
    for (int i = 0; i < files; i++) {
      fs.create(new Path(listed, "f" + i)).close();
    }
    Map<String, Call> kinds = new LinkedHashMap<>();
    kinds.put("create", (thread, random) -> create(thread, new byte[0]));
    kinds.put("write", (thread, random) -> create(thread, content));
    kinds.put(
        "stat",
        (thread, random) -> {
          fs.getFileStatus(new Path(listed, "f" + random.nextInt(files)));
          return 0;
        });
    kinds.put(
        "list",
        (thread, random) -> {
          int count = 0;
          for (RemoteIterator<?> i = fs.listStatusIterator(listed); i.hasNext(); i.next()) {
            count++;
          }
          if (count != files) {
            throw new IOException(count + " files are listed, not " + files);
          }
          return 0;
        });
    int[] names = new int[threads]; // that each thread's file had
    kinds.put(
        "rename",
        (thread, random) -> {
          Path from = new Path(base, "renamed" + thread + "-" + names[thread]);
          Path to = new Path(base, "renamed" + thread + "-" + (names[thread] + 1));
          if (names[thread] == 0) {
            fs.create(from).close();
          }
          if (!fs.rename(from, to)) {
            throw new IOException("Cannot rename " + from + " to " + to);
          }
          names[thread]++;
          return 0;
        });
    kinds.put(DELETE, null); // which needs files that are there
    long failures = 0;
    for (String name : only.isEmpty() ? kinds.keySet() : only) {
      if (!kinds.containsKey(name)) {
        throw new IllegalArgumentException("no kind " + name + ": there are " + kinds.keySet());
      }
      failures += name.equals(DELETE) ? deletes() : timed(name, kinds.get(name));
    }
    return failures;
  }

  /** As many as there are in a directory that is listed, one by one, twice: once to warm up. */
  private long deletes() throws Exception {
    LoadReport report = new LoadReport();
    for (int round = 0; round < 2; round++) {
      forEachFile(file -> fs.create(file).close());
      Spent before = spent();
      long start = System.nanoTime();
      report =
          forEachFile(
              file -> {
                if (!fs.delete(file, false)) {
                  throw new IOException(file + " was not there to be deleted");
                }
              });
      if (round == 1) {
        print(DELETE, report, System.nanoTime() - start, spent().minus(before));
      }
    }
    return report.failureCount();
  }

  private LoadReport forEachFile(FileCall call) throws Exception {
    AtomicLong next = new AtomicLong();
    return run(
        (thread, random) -> {
          long number = next.getAndIncrement();
          if (number >= files) {
            return DONE;
          }
          call.run(new Path(base, "deleted/f" + number));
          return 0;
        },
        Integer.MAX_VALUE);
  }

  private long create(int thread, byte[] content) throws IOException {
    try (FSDataOutputStream out =
        fs.create(new Path(base, "t" + thread + "/f" + names.incrementAndGet()), false)) {
      out.write(content);
    }
    return content.length;
  }

  /** As a log is written: by one who waits for each, and by as many as there are threads. */
  private long syncs() throws Exception {
    byte[] record = new byte[syncBytes];
    new Random(3).nextBytes(record);
    Path log = new Path(base, "log");
    try (FSDataOutputStream out = fs.create(log)) {
      if (!out.hasCapability(StreamCapabilities.HSYNC)) {
        System.out.println("hsync    not offered");
        return 0;
      }
      LoadReport report = new LoadReport();
      Spent before = spent();
      long begin = System.nanoTime();
      for (int i = 0; i < syncs; i++) {
        long start = System.nanoTime();
        out.write(record);
        out.hsync();
        report.succeeded(System.nanoTime() - start, syncBytes);
      }
      print("hsync", report, System.nanoTime() - begin, spent().minus(before));
    }
    if (fs.getFileStatus(log).getLen() != (long) syncs * syncBytes) {
      throw new IOException(log + " has " + fs.getFileStatus(log).getLen() + " bytes");
    }
    FSDataOutputStream[] logs = new FSDataOutputStream[threads];
    for (int i = 0; i < threads; i++) {
      logs[i] = fs.create(new Path(base, "log" + i));
    }
    long failures =
        timed(
            "hsyncs",
            (thread, random) -> {
              logs[thread].write(record);
              logs[thread].hsync();
              return syncBytes;
            });
    for (FSDataOutputStream one : logs) {
      one.close();
    }
    return failures;
  }

  /** A directory of many files, renamed and deleted. */
  private void directories() throws IOException {
    LoadReport rename = new LoadReport();
    LoadReport delete = new LoadReport();
    Spent before = spent();
    long begin = System.nanoTime();
    Path from = new Path(base, "listed");
    for (int i = 0; i < repeat; i++) {
      Path to = new Path(base, "listed" + i);
      long start = System.nanoTime();
      if (!fs.rename(from, to)) {
        throw new IOException("Cannot rename " + from + " to " + to);
      }
      rename.succeeded(System.nanoTime() - start, 0);
      from = to;
    }
    Spent onRenames = spent().minus(before);
    before = spent();
    long renamed = System.nanoTime();
    fs.delete(from, true);
    delete.succeeded(System.nanoTime() - renamed, 0);
    print("mvdir", rename, renamed - begin, onRenames);
    print("rmdir", delete, System.nanoTime() - renamed, spent().minus(before));
  }

  private void large() throws Exception {
    Path file = new Path(base, "large");
    byte[] chunk = new byte[MIB];
    long bytes = (long) largeMib * MIB;
    for (int run = 0; run < repeat; run++) {
      LoadReport write = new LoadReport();
      Spent before = spent();
      long start = System.nanoTime();
      try (FSDataOutputStream out = fs.create(file, true)) {
        for (int i = 0; i < largeMib; i++) {
          fill(chunk, i);
          out.write(chunk);
        }
      }
      write.succeeded(System.nanoTime() - start, bytes);
      print("w-big", write, System.nanoTime() - start, spent().minus(before));
      read(file, chunk);
      vectored(file);
    }
  }

  /** What the MiB of this number begins with tells it from all others; the rest is noise. */
  private static void fill(byte[] chunk, int number) {
    if (number == 0) {
      new Random(2).nextBytes(chunk);
    }
    ByteBuffer.wrap(chunk).putInt(number);
  }

  private void read(Path file, byte[] chunk) throws IOException {
    LoadReport read = new LoadReport();
    Spent before = spent();
    long start = System.nanoTime();
    try (FSDataInputStream in = fs.open(file)) {
      for (int i = 0; i < largeMib; i++) {
        in.readFully(chunk);
        check(ByteBuffer.wrap(chunk), i);
      }
    }
    read.succeeded(System.nanoTime() - start, (long) largeMib * MIB);
    print("r-big", read, System.nanoTime() - start, spent().minus(before));
  }

  private static void check(ByteBuffer chunk, int number) throws IOException {
    if (chunk.getInt(chunk.position()) != number) {
      throw new IOException("MiB " + number + " begins with " + chunk.getInt(chunk.position()));
    }
  }

  /**
   * As parquet reads some columns of each row group: a footer, then of each 128 MiB, or of a lesser
   * file, eight ranges of 1 MiB, every other one next to the one before.
   */
  private void vectored(Path file) throws Exception {
    int rowGroup = Math.min(128, largeMib);
    if (rowGroup < 8) {
      return; // no eight ranges
    }
    LoadReport report = new LoadReport();
    Spent before = spent();
    long begin = System.nanoTime();
    try (FSDataInputStream in = fs.open(file)) {
      in.readFully((long) largeMib * MIB - 64, new byte[64]);
      for (int group = 0; group + rowGroup <= largeMib; group += rowGroup) {
        List<FileRange> ranges = new ArrayList<>();
        for (int column = 0; column < 8; column++) {
          int mib = group + column / 2 * (rowGroup / 4) + column % 2;
          ranges.add(FileRange.createFileRange((long) mib * MIB, MIB));
        }
        long start = System.nanoTime();
        in.readVectored(ranges, ByteBuffer::allocate);
        for (FileRange range : ranges) {
          check(range.getData().get(), (int) (range.getOffset() / MIB));
        }
        report.succeeded(System.nanoTime() - start, 8L * MIB);
      }
    }
    print("vec", report, System.nanoTime() - begin, spent().minus(before));
  }

  private long timed(String name, Call call) throws InterruptedException, ExecutionException {
    run(call, warmupSeconds);
    Spent before = spent();
    long start = System.nanoTime();
    LoadReport report = run(call, seconds);
    print(name, report, System.nanoTime() - start, spent().minus(before));
    return report.failureCount();
  }

  private LoadReport run(Call call, int runSeconds)
      throws InterruptedException, ExecutionException {
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    CountDownLatch ready = new CountDownLatch(threads);
    List<Future<LoadReport>> running = new ArrayList<>();
    for (int i = 0; i < threads; i++) {
      int thread = i;
      running.add(
          pool.submit(
              () -> {
                ready.countDown();
                ready.await();
                LoadReport report = new LoadReport();
                Random random = new Random(thread);
                long end = System.nanoTime() + runSeconds * 1_000_000_000L;
                for (long now = System.nanoTime(); now < end; ) {
                  try {
                    long bytes = call.run(thread, random);
                    if (bytes == DONE) {
                      break;
                    }
                    report.succeeded(System.nanoTime() - now, bytes);
                  } catch (Exception e) {
                    report.failed(e.toString());
                  }
                  now = System.nanoTime();
                }
                return report;
              }));
    }
    LoadReport all = new LoadReport();
    for (Future<LoadReport> one : running) {
      all.addAll(one.get());
    }
    pool.shutdown();
    return all;
  }

  /** 0 if the FileSystem counts none. */
  private long remoteCalls() {
    IOStatistics statistics = IOStatisticsSupport.retrieveIOStatistics(fs);
    if (statistics != null) {
      Map<String, Long> counters = statistics.counters();
      for (List<String> names : REMOTE_CALLS) {
        if (counters.keySet().containsAll(names)) {
          return names.stream().mapToLong(counters::get).sum();
        }
      }
    }
    return 0;
  }

  /** What this process has spent so far: remote calls, if they are counted, and CPU time. */
  private record Spent(long calls, long cpuNanos) {
    Spent minus(Spent before) {
      return new Spent(calls - before.calls, cpuNanos - before.cpuNanos);
    }
  }

  private Spent spent() {
    return new Spent(remoteCalls(), CPU.getProcessCpuTime());
  }

  private static void print(String name, LoadReport report, long nanos, Spent spent) {
    System.out.printf(
        Locale.ROOT,
        "%s   cpu each %.3f ms, remote calls each %s%n",
        report.toLine(name, nanos / 1e9),
        spent.cpuNanos / 1e6 / report.operations(),
        spent.calls <= 0
            ? "not counted"
            : String.format(Locale.ROOT, "%.2f", (double) spent.calls / report.operations()));
  }
}

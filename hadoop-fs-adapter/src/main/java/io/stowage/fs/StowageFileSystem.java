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
package io.stowage.fs;

import java.io.IOException;
import java.lang.reflect.Constructor;
import java.net.URI;
import java.util.EnumSet;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.ContentSummary;
import org.apache.hadoop.fs.CreateFlag;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.FilterFileSystem;
import org.apache.hadoop.fs.MultipartUploaderBuilder;
import org.apache.hadoop.fs.Options;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.QuotaUsage;
import org.apache.hadoop.fs.permission.FsCreateModes;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.fs.statistics.IOStatistics;
import org.apache.hadoop.fs.statistics.IOStatisticsSource;
import org.apache.hadoop.security.token.Token;
import org.apache.hadoop.util.Progressable;

/**
 * The class that a Hadoop configuration names for {@code stow://}. Compiled for Java 8, so that an
 * older Java loads it and gets told what is missing instead of an UnsupportedClassVersionError; the
 * FileSystem itself is loaded by name in {@link #initialize}. Nothing happens before that, since
 * Hadoop makes an instance of every FileSystem on its classpath only to ask for the scheme.
 *
 * <p>No method here may name a type that Hadoop 3.3.4 lacks: reflection over this class, which
 * PySpark does, would fail there. Thread-safe as any FileSystem.
 */
public class StowageFileSystem extends FilterFileSystem implements IOStatisticsSource {
  static final String SCHEME = "stow";

  static {
    // As HDFS does with hdfs-default.xml and hdfs-site.xml, as soon as any FileSystem is looked
    // for: FileContext finds stow://, and jobs find the cluster with no more than the second file
    // on the classpath. Files that are added later win, over core-site.xml, too: what that says is
    // not to be hidden by a default.
    if (new Configuration().get("fs.AbstractFileSystem.stow.impl") == null) {
      Configuration.addDefaultResource("stowage-default.xml");
    }
    Configuration.addDefaultResource("stowage-site.xml");
  }

  private static final int OLDEST_JAVA = 17;
  private static final String REAL_CLASS = "io.stowage.fs.BucketFileSystem";
  private static final String REAL_CLASS_OF_NEWER_HADOOP = "io.stowage.fs.NewerBucketFileSystem";

  /** What came last of what the class for newer Hadoops needs, in 3.4.1. */
  private static final String IN_NEWER_HADOOP = "org.apache.hadoop.fs.BulkDelete";

  @Override
  public String getScheme() {
    return SCHEME;
  }

  @Override
  public void initialize(URI name, Configuration conf) throws IOException {
    requireJava(System.getProperty("java.specification.version"));
    fs = newBucketFileSystem();
    // First, so that Hadoop's statistics of the scheme are those of the one that counts; the call
    // below initializes only what was not yet.
    fs.initialize(name, conf);
    super.initialize(name, conf);
  }

  /** From now on, what is done counts here. */
  final void countIn(Statistics other) {
    statistics = other;
    ((CountedElsewhere) fs).countIn(other);
  }

  /** As FileContext renames, which may not call the method of that name. */
  @SuppressWarnings("deprecation")
  final void renameWith(Path source, Path target, Options.Rename option) throws IOException {
    rename(source, target, option);
  }

  /**
   * Fails with one plain line if this Java (as in java.specification.version) cannot run the rest
   * of the jar.
   */
  static void requireJava(String version) throws IOException {
    String major = version.startsWith("1.") ? version.substring(2) : version;
    if (Integer.parseInt(major) < OLDEST_JAVA) {
      throw new IOException(
          "Cannot use "
              + SCHEME
              + ":// : Stowage's FileSystem needs Java "
              + OLDEST_JAVA
              + " or newer, and this process runs on Java "
              + version
              + " ("
              + System.getProperty("java.home")
              + "); set JAVA_HOME of the job to a newer one");
    }
  }

  /** Whether this process's Hadoop has what the classes named Newer need. */
  static boolean isNewerHadoop() {
    try {
      Class.forName(IN_NEWER_HADOOP, false, StowageFileSystem.class.getClassLoader());
      return true;
    } catch (ClassNotFoundException e) {
      return false;
    }
  }

  private static FileSystem newBucketFileSystem() throws IOException {
    String name = isNewerHadoop() ? REAL_CLASS_OF_NEWER_HADOOP : REAL_CLASS;
    try {
      Constructor<?> constructor =
          Class.forName(name, true, StowageFileSystem.class.getClassLoader())
              .getDeclaredConstructor();
      return (FileSystem) constructor.newInstance();
    } catch (ReflectiveOperationException e) {
      throw new IOException("Cannot load " + name + ": is the jar complete?", e);
    }
  }

  // As FileContext makes files and directories: with its own umask taken already.

  @Override
  @SuppressWarnings("deprecation")
  protected FSDataOutputStream primitiveCreate(
      Path path,
      FsPermission absolute,
      EnumSet<CreateFlag> flags,
      int bufferSize,
      short replication,
      long blockSize,
      Progressable progress,
      Options.ChecksumOpt checksum)
      throws IOException {
    return super.primitiveCreate(
        path, masked(absolute), flags, bufferSize, replication, blockSize, progress, checksum);
  }

  @Override
  @SuppressWarnings("deprecation")
  protected boolean primitiveMkdir(Path path, FsPermission absolute) throws IOException {
    return super.primitiveMkdir(path, masked(absolute));
  }

  @Override
  @SuppressWarnings("deprecation")
  protected void primitiveMkdir(Path path, FsPermission absolute, boolean createParent)
      throws IOException {
    super.primitiveMkdir(path, masked(absolute), createParent);
  }

  /** A permission that no umask bounds any more. */
  private static FsPermission masked(FsPermission absolute) {
    return absolute == null || absolute.getUnmasked() != null
        ? absolute
        : FsCreateModes.create(absolute, absolute);
  }

  // What FilterFileSystem does not hand on.

  @Override
  public String getCanonicalServiceName() {
    return fs == null ? null : fs.getCanonicalServiceName();
  }

  @Override
  public Token<?> getDelegationToken(String renewer) throws IOException {
    return fs.getDelegationToken(renewer);
  }

  @Override
  @SuppressWarnings("rawtypes") // as Hadoop declares it
  public MultipartUploaderBuilder createMultipartUploader(Path base) throws IOException {
    return fs.createMultipartUploader(base);
  }

  @Override
  public boolean hasPathCapability(Path path, String capability) throws IOException {
    // Who can recover leases is the FileSystem behind this one, as HBase knows to look for.
    return !capability.equalsIgnoreCase("fs.capability.lease.recoverable")
        && fs.hasPathCapability(path, capability);
  }

  @Override
  public ContentSummary getContentSummary(Path path) throws IOException {
    return fs.getContentSummary(path);
  }

  @Override
  public QuotaUsage getQuotaUsage(Path path) throws IOException {
    return fs.getQuotaUsage(path);
  }

  @Override
  public void setQuota(Path path, long objects, long bytes) throws IOException {
    fs.setQuota(path, objects, bytes);
  }

  @Override
  public IOStatistics getIOStatistics() {
    return fs instanceof IOStatisticsSource ? ((IOStatisticsSource) fs).getIOStatistics() : null;
  }

  @Override
  public void close() throws IOException {
    if (fs == null) { // never initialized
      return;
    }
    super.close();
  }

  @Override
  public String toString() {
    return fs == null ? "StowageFileSystem, not initialized" : fs.toString();
  }
}

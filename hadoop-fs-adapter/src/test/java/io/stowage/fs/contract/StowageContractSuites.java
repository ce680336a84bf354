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
package io.stowage.fs.contract;

import static org.junit.Assert.assertFalse;
import static org.junit.Assume.assumeTrue;

import java.io.IOException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.CommonPathCapabilities;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.FilterFileSystem;
import org.apache.hadoop.fs.Options;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.SafeMode;
import org.apache.hadoop.fs.SafeModeAction;
import org.apache.hadoop.fs.contract.AbstractContractAppendTest;
import org.apache.hadoop.fs.contract.AbstractContractBulkDeleteTest;
import org.apache.hadoop.fs.contract.AbstractContractConcatTest;
import org.apache.hadoop.fs.contract.AbstractContractContentSummaryTest;
import org.apache.hadoop.fs.contract.AbstractContractCopyFromLocalTest;
import org.apache.hadoop.fs.contract.AbstractContractCreateTest;
import org.apache.hadoop.fs.contract.AbstractContractDeleteTest;
import org.apache.hadoop.fs.contract.AbstractContractEtagTest;
import org.apache.hadoop.fs.contract.AbstractContractGetEnclosingRoot;
import org.apache.hadoop.fs.contract.AbstractContractGetFileStatusTest;
import org.apache.hadoop.fs.contract.AbstractContractLeaseRecoveryTest;
import org.apache.hadoop.fs.contract.AbstractContractMkdirTest;
import org.apache.hadoop.fs.contract.AbstractContractMultipartUploaderTest;
import org.apache.hadoop.fs.contract.AbstractContractOpenTest;
import org.apache.hadoop.fs.contract.AbstractContractPathHandleTest;
import org.apache.hadoop.fs.contract.AbstractContractRenameTest;
import org.apache.hadoop.fs.contract.AbstractContractRootDirectoryTest;
import org.apache.hadoop.fs.contract.AbstractContractSafeModeTest;
import org.apache.hadoop.fs.contract.AbstractContractSeekTest;
import org.apache.hadoop.fs.contract.AbstractContractSetTimesTest;
import org.apache.hadoop.fs.contract.AbstractContractStreamIOStatisticsTest;
import org.apache.hadoop.fs.contract.AbstractContractUnbufferTest;
import org.apache.hadoop.fs.contract.AbstractContractVectoredReadTest;
import org.apache.hadoop.fs.contract.AbstractFSContract;
import org.apache.hadoop.fs.contract.ContractTestUtils;
import org.apache.hadoop.test.LambdaTestUtils;
import org.junit.Test;

/**
 * Hadoop's suites. A test class extends this, is run with JUnit 4's Enclosed, and names its bucket
 * in a BeforeClass method.
 */
public abstract class StowageContractSuites {

  public static class Append extends AbstractContractAppendTest {
    /**
     * Unlike HDFS, where the stream goes on into the renamed file: whoever renames a file takes it
     * from its writer, who is told at his next call and no later than at close.
     */
    @Override
    @Test
    public void testRenameFileBeingAppended() throws Throwable {
      FileSystem fs = getFileSystem();
      Path target = path("test/target-being-appended");
      Path renamed = path("test/renamed");
      byte[] data = ContractTestUtils.dataset(256, 'a', 'z');
      ContractTestUtils.createFile(fs, target, true, data);
      FSDataOutputStream out = fs.append(target);
      out.write(data);
      out.hsync();
      rename(target, renamed);
      out.write(data);
      LambdaTestUtils.intercept(IOException.class, out::close);
      assertPathDoesNotExist("renamed away", target);
      assertEquals("what was synced", 512, fs.getFileStatus(renamed).getLen());
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new StowageContract(conf);
    }
  }

  public static class ContentSummary extends AbstractContractContentSummaryTest {
    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new StowageContract(conf);
    }
  }

  public static class Create extends AbstractContractCreateTest {
    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new StowageContract(conf);
    }
  }

  public static class Delete extends AbstractContractDeleteTest {
    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new StowageContract(conf);
    }
  }

  public static class Etag extends AbstractContractEtagTest {
    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new StowageContract(conf);
    }
  }

  public static class GetFileStatus extends AbstractContractGetFileStatusTest {
    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new StowageContract(conf);
    }
  }

  public static class Mkdir extends AbstractContractMkdirTest {
    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new StowageContract(conf);
    }
  }

  public static class Open extends AbstractContractOpenTest {
    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new StowageContract(conf);
    }
  }

  public static class Rename extends AbstractContractRenameTest {
    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new StowageContract(conf);
    }
  }

  public static class RootDirectory extends AbstractContractRootDirectoryTest {
    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new StowageContract(conf);
    }
  }

  public static class Seek extends AbstractContractSeekTest {
    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new StowageContract(conf);
    }
  }

  public static class Unbuffer extends AbstractContractUnbufferTest {
    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new StowageContract(conf);
    }
  }

  public static class BulkDelete extends AbstractContractBulkDeleteTest {
    /** Made one after another over the whole store; over the twins it is a page of them. */
    private static final int FILES = Integer.getInteger("stowage.it.bulk-files", 100);

    @Override
    @Test
    public void testBulkDeleteSuccessful() throws Exception {
      takeFewerFiles();
      super.testBulkDeleteSuccessful();
    }

    @Override
    @Test
    public void testBulkDeleteSuccessfulUsingDirectFS() throws Exception {
      takeFewerFiles();
      super.testBulkDeleteSuccessfulUsingDirectFS();
    }

    private void takeFewerFiles() {
      if (!StowageContract.isOverTwins()) {
        pageSize = FILES;
      }
    }

    @Override
    protected int getExpectedPageSize() {
      return 1_000;
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new StowageContract(conf);
    }
  }

  public static class Concat extends AbstractContractConcatTest {
    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new StowageContract(conf);
    }
  }

  public static class CopyFromLocal extends AbstractContractCopyFromLocalTest {
    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new StowageContract(conf);
    }
  }

  public static class EnclosingRoot extends AbstractContractGetEnclosingRoot {
    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new StowageContract(conf);
    }
  }

  public static class SetTimes extends AbstractContractSetTimesTest {
    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new StowageContract(conf);
    }
  }

  public static class StreamIOStatistics extends AbstractContractStreamIOStatisticsTest {
    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new StowageContract(conf);
    }
  }

  /** Of the FileSystem behind the one that users have, where HBase looks for it, too. */
  public static class LeaseRecovery extends AbstractContractLeaseRecoveryTest {
    @Override
    public FileSystem getFileSystem() {
      return ((FilterFileSystem) super.getFileSystem()).getRawFileSystem();
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new StowageContract(conf);
    }
  }

  public static class NoSafeMode extends AbstractContractSafeModeTest {
    /** The suite enters it; there is none to enter, and whoever asks is told so. */
    @Override
    @Test
    public void testSafeMode() throws Throwable {
      SafeMode mode = (SafeMode) ((FilterFileSystem) getFileSystem()).getRawFileSystem();
      assertFalse(mode.setSafeMode(SafeModeAction.GET));
      LambdaTestUtils.intercept(
          UnsupportedOperationException.class, () -> mode.setSafeMode(SafeModeAction.ENTER));
      assertFalse(mode.setSafeMode(SafeModeAction.GET));
      assertFalse(mode.setSafeMode(SafeModeAction.LEAVE));
      assertFalse(mode.setSafeMode(SafeModeAction.FORCE_EXIT));
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new StowageContract(conf);
    }
  }

  public static class MultipartUploader extends AbstractContractMultipartUploaderTest {
    @Override
    protected int partSizeInBytes() {
      return 5 << 20; // all but the last must not be smaller, as S3 has it
    }

    @Override
    protected int getTestPayloadCount() {
      return 3;
    }

    @Override
    protected boolean finalizeConsumesUploadIdImmediately() {
      // The store remembers how an upload ended, and answers a repetition as the first call; the
      // twins do not.
      return StowageContract.isOverTwins();
    }

    @Override
    protected boolean supportsConcurrentUploadsToSamePath() {
      return true;
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new StowageContract(conf);
    }
  }

  public static class PathHandle extends AbstractContractPathHandleTest {
    public PathHandle(String name, Options.HandleOpt[] options, boolean serialized) {
      super(name, options, serialized);
    }

    @Override
    public void testChanged() throws IOException {
      assumeTrue(
          "changes a file by appending to it",
          getFileSystem()
              .hasPathCapability(getContract().getTestPath(), CommonPathCapabilities.FS_APPEND));
      super.testChanged();
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new StowageContract(conf);
    }
  }

  public static class VectoredRead extends AbstractContractVectoredReadTest {
    public VectoredRead(String bufferType) {
      super(bufferType);
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new StowageContract(conf);
    }
  }
}

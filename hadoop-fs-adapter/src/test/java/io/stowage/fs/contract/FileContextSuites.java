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

import static org.junit.Assume.assumeTrue;

import java.io.IOException;
import java.net.URI;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.CommonPathCapabilities;
import org.apache.hadoop.fs.FileContext;
import org.apache.hadoop.fs.FileContextCreateMkdirBaseTest;
import org.apache.hadoop.fs.FileContextMainOperationsBaseTest;
import org.apache.hadoop.fs.FileContextPermissionBase;
import org.apache.hadoop.fs.FileContextTestHelper;
import org.apache.hadoop.fs.FileContextURIBase;
import org.apache.hadoop.fs.FileContextUtilBase;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.FileSystemContractBaseTest;
import org.apache.hadoop.fs.Path;
import org.junit.AssumptionViolatedException;
import org.junit.Before;

/**
 * Hadoop's older suites: of FileContext, which goes through AbstractFileSystem, and the first one
 * of FileSystem. A test class extends this, is run with JUnit 4's Enclosed, and names its bucket by
 * {@link StowageContract#useBucket} in a BeforeClass method.
 */
public abstract class FileContextSuites {
  private static FileContext context() throws IOException {
    Configuration conf = new StowageContract(new Configuration()).getConf();
    // That it finds stow:// takes no setting, only that a FileSystem has been looked for.
    var unused = FileSystem.getFileSystemClass("stow", conf);
    return FileContext.getFileContext(bucket(), conf);
  }

  private static URI bucket() {
    return URI.create("stow://" + StowageContract.bucket());
  }

  public static class MainOperations extends FileContextMainOperationsBaseTest {
    @Override
    protected FileContextTestHelper createFileContextHelper() {
      return new FileContextTestHelper("/main-operations");
    }

    @Before
    @Override
    public void setUp() throws Exception {
      fc = context();
      super.setUp();
    }

    @Override
    protected boolean listCorruptedBlocksSupported() {
      return false; // repair is the store's business, and fsck tells of it
    }

    @Override
    protected Path getDefaultWorkingDirectory() throws IOException {
      return fc.getHomeDirectory();
    }

    @Override
    public void testSetVerifyChecksum() {
      throw new AssumptionViolatedException(
          "looks at a file before it is closed or synced, and files are visible from then on");
    }

    @Override
    public void testCreateFlagCreateAppendExistingFile() throws IOException {
      assumeTrue("appends", hasCapability(CommonPathCapabilities.FS_APPEND));
      super.testCreateFlagCreateAppendExistingFile();
    }

    @Override
    public void testCreateFlagAppendExistingFile() throws IOException {
      assumeTrue("appends", hasCapability(CommonPathCapabilities.FS_APPEND));
      super.testCreateFlagAppendExistingFile();
    }

    @Override
    public void testBuilderCreateAppendExistingFile() throws IOException {
      assumeTrue("appends", hasCapability(CommonPathCapabilities.FS_APPEND));
      super.testBuilderCreateAppendExistingFile();
    }

    private static boolean hasCapability(String name) throws IOException {
      return fc.hasPathCapability(new Path(bucket().resolve("/")), name);
    }
  }

  public static class Uris extends FileContextURIBase {
    @Before
    @Override
    public void setUp() throws Exception {
      fc1 = context();
      fc2 = fc1;
      super.setUp();
    }
  }

  public static class CreateMkdir extends FileContextCreateMkdirBaseTest {
    @Override
    protected FileContextTestHelper createFileContextHelper() {
      return new FileContextTestHelper("/create-mkdir");
    }

    @Before
    @Override
    public void setUp() throws Exception {
      fc = context();
      super.setUp();
    }
  }

  public static class Permission extends FileContextPermissionBase {
    @Override
    protected FileContextTestHelper getFileContextHelper() {
      return new FileContextTestHelper("/permission");
    }

    @Override
    protected FileContext getFileContext() throws Exception {
      return context();
    }
  }

  public static class Util extends FileContextUtilBase {
    @Before
    @Override
    public void setUp() throws Exception {
      fc = context();
      super.setUp();
    }
  }

  public static class FirstContract extends FileSystemContractBaseTest {
    @Before
    public void open() throws IOException {
      fs = FileSystem.get(bucket(), new StowageContract(new Configuration()).getConf());
    }

    @Override
    protected String getDefaultWorkingDirectory() {
      return fs.getHomeDirectory().toUri().getPath();
    }
  }
}

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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.URI;
import java.util.EnumSet;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.CreateFlag;
import org.apache.hadoop.fs.FileContext;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Options;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.permission.AclEntry;
import org.apache.hadoop.fs.permission.FsPermission;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Which bits what is made gets: from who asks, from a umask, from default entries; as on HDFS. */
@Timeout(60)
class ModesOfNewFilesTest {
  private static final FsPermission ALL = new FsPermission((short) 0777);

  private TwinCluster twins;

  @BeforeEach
  void start() throws IOException {
    twins = TwinCluster.start();
    twins.createBucket("b");
  }

  @AfterEach
  void stop() throws IOException {
    twins.close();
    assertEquals(0, twins.connected.get(), "clusters left connected");
  }

  private Configuration configuration(String umask) {
    Configuration conf = new Configuration();
    twins.settings().forEach(conf::set);
    conf.set("fs.permissions.umask-mode", umask);
    return conf;
  }

  private FileSystem open(String umask) throws IOException {
    return FileSystem.newInstance(URI.create("stow://b"), configuration(umask));
  }

  private static String bits(FileSystem fs, String path) throws IOException {
    return fs.getFileStatus(new Path(path)).getPermission().toString();
  }

  /** What a FileContext does; it has no close. */
  private interface Work {
    void on(FileContext context) throws IOException;
  }

  private void withContext(String umask, Work work) throws IOException {
    FileContext context = FileContext.getFileContext(URI.create("stow://b"), configuration(umask));
    try {
      work.on(context);
    } finally {
      ((StowageFs) context.getDefaultFileSystem()).fileSystem().close();
    }
  }

  private static void create(FileContext context, String path, FsPermission permission)
      throws IOException {
    context
        .create(
            new Path(path),
            EnumSet.of(CreateFlag.CREATE),
            Options.CreateOpts.createParent(),
            Options.CreateOpts.perms(permission))
        .close();
  }

  @Test
  void noUmaskCountsWhereThereAreDefaultEntries() throws IOException {
    for (String umask : new String[] {"022", "077"}) {
      Path shared = new Path("/shared-" + umask);
      try (FileSystem fs = open(umask)) {
        assertTrue(fs.mkdirs(shared));
        fs.setPermission(shared, new FsPermission((short) 0750));
        fs.modifyAclEntries(shared, AclEntry.parseAclSpec("default:user:etl:rwx", true));
        fs.create(new Path(shared, "created")).close();
        fs.create(
                new Path(shared, "asked"),
                FsPermission.getFileDefault(),
                false,
                1,
                (short) 1,
                1,
                null)
            .close();
        fs.createFile(new Path(shared, "built")).build().close();
        fs.mkdirs(new Path(shared, "directory"));
        withContext(
            umask,
            context -> {
              create(context, shared + "/by-context", FsPermission.getFileDefault());
              context.mkdir(new Path(shared, "directory-by-context"), null, false);
            });
        for (String name : new String[] {"created", "asked", "built", "by-context"}) {
          assertEquals("rw-rw----", bits(fs, shared + "/" + name), name + ", umask " + umask);
        }
        for (String name : new String[] {"directory", "directory-by-context"}) {
          assertEquals("rwxrwx---", bits(fs, shared + "/" + name), name + ", umask " + umask);
        }
        fs.create(
                new Path(shared, "private"),
                new FsPermission((short) 0600),
                false,
                1,
                (short) 1,
                1,
                null)
            .close();
        assertEquals("rw-------", bits(fs, shared + "/private"), "who asks for less gets less");
      }
    }
  }

  @Test
  void aFileContextsUmaskIsTheOnlyOneThatCountsForIt() throws IOException {
    try (FileSystem fs = open("077")) {
      withContext(
          "077",
          context -> {
            context.setUMask(new FsPermission((short) 0));
            context.mkdir(new Path("/d"), ALL, true);
            create(context, "/d/f", ALL);
            assertEquals("rwxrwxrwx", bits(fs, "/d"));
            assertEquals("rwxrwxrwx", bits(fs, "/d/f"));
            context.setUMask(new FsPermission((short) 022));
            context.mkdir(new Path("/e"), ALL, true);
            create(context, "/e/f", FsPermission.getFileDefault());
            assertEquals("rwxr-xr-x", bits(fs, "/e"));
            assertEquals("rw-r--r--", bits(fs, "/e/f"));
          });
      fs.create(new Path("/f")).close();
      fs.mkdirs(new Path("/g"), ALL);
      assertEquals("rw-------", bits(fs, "/f"));
      assertEquals("rwx------", bits(fs, "/g"));
    }
  }

  /** As an AbstractFileSystem is called that is not behind a FileContext. */
  @Test
  void anAbsolutePermissionStaysAsItIs() throws Exception {
    try (FileSystem fs = open("077")) {
      withContext(
          "077",
          context -> {
            context.getDefaultFileSystem().mkdir(new Path("/d"), ALL, false);
            context
                .getDefaultFileSystem()
                .create(
                    new Path("/d/f"), EnumSet.of(CreateFlag.CREATE), Options.CreateOpts.perms(ALL))
                .close();
          });
      assertEquals("rwxrwxrwx", bits(fs, "/d"));
      assertEquals("rwxrwxrwx", bits(fs, "/d/f"));
    }
  }
}

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
package io.stowage.minicluster;

import java.net.URI;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;

/**
 * Writes one file of a store and says on its output how much of it is synced, until it is killed.
 *
 * <p>Arguments: a file with the settings of {@code stow://}, the path, the seed of the content.
 */
final class SyncingProcess {
  private SyncingProcess() {}

  public static void main(String[] arguments) throws Exception {
    Configuration configuration = new Configuration(false);
    configuration.addResource(Path.of(arguments[0]).toUri().toURL());
    URI file = URI.create(arguments[1]);
    byte[] content = TestContent.of(arguments[2], SyncedFilesIT.LONGEST);
    try (FileSystem files = FileSystem.newInstance(file, configuration);
        FSDataOutputStream out = files.create(new org.apache.hadoop.fs.Path(file))) {
      int done = 0;
      for (int i = 0; done < content.length; i++) {
        int some = Math.min(content.length - done, 1 + (i * 7_919) % 27_000);
        out.write(content, done, some);
        done += some;
        out.hsync();
        System.out.println("synced " + done);
        System.out.flush();
      }
    }
  }
}

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
import org.apache.hadoop.fs.BulkDelete;
import org.apache.hadoop.fs.Path;

/**
 * {@link StowageFileSystem} with the methods that only newer Hadoops have. Announced beside it and
 * behind it, so that a newer Hadoop takes this one for {@code stow://}; under an older one it is
 * the FileSystem of a scheme that nobody asks for. Compiled for Java 8.
 *
 * <p>No interface that Hadoop 3.3.4 lacks may be implemented here: this class is loaded there, too,
 * with all FileSystems that are announced. Thread-safe as any FileSystem.
 */
public class NewerStowageFileSystem extends StowageFileSystem {
  @Override
  public String getScheme() {
    return isNewerHadoop() ? super.getScheme() : super.getScheme() + "-of-a-newer-hadoop";
  }

  @Override
  public BulkDelete createBulkDelete(Path path) throws IOException {
    return fs.createBulkDelete(path);
  }
}

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
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.fs.BulkDelete;
import org.apache.hadoop.fs.BulkDeleteUtils;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.statistics.IOStatistics;

/**
 * Deletes files below one directory, a page of them by one call of an object manager. What is not
 * there counts as deleted; directories stay. Stateless beside its FileSystem.
 */
final class NewerBulkDelete implements BulkDelete {
  /** As many as one call of an object manager takes, and S3's DeleteObjects. */
  static final int PAGE = 1_000;

  private final NewerBucketFileSystem fileSystem;
  private final Path base;

  NewerBulkDelete(NewerBucketFileSystem fileSystem, Path base) {
    this.fileSystem = fileSystem;
    this.base = base;
  }

  @Override
  public int pageSize() {
    return PAGE;
  }

  @Override
  public Path basePath() {
    return base;
  }

  @Override
  public List<Map.Entry<Path, String>> bulkDelete(Collection<Path> paths) throws IOException {
    BulkDeleteUtils.validateBulkDeletePaths(paths, PAGE, base);
    return new ArrayList<>(fileSystem.deleteFiles(paths).entrySet());
  }

  @Override
  public IOStatistics getIOStatistics() {
    return fileSystem.getIOStatistics();
  }

  @Override
  public void close() {}
}

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
import org.apache.hadoop.fs.CreateFlag;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FSDataOutputStreamBuilder;
import org.apache.hadoop.fs.Path;

/** What createFile and appendFile give; options are {@link NewFile}'s. Confined to its caller. */
final class NewFileBuilder extends FSDataOutputStreamBuilder<FSDataOutputStream, NewFileBuilder> {
  private final BucketFileSystem fileSystem;

  NewFileBuilder(BucketFileSystem fileSystem, Path path) {
    super(fileSystem, path);
    this.fileSystem = fileSystem;
  }

  @Override
  public NewFileBuilder getThisBuilder() {
    return this;
  }

  @Override
  public FSDataOutputStream build() throws IOException {
    rejectUnknownMandatoryKeys(NewFile.OPTIONS, " for " + getPath());
    if (getFlags().contains(CreateFlag.APPEND)) {
      return fileSystem.append(getPath(), getBufferSize(), getProgress());
    }
    if (!getFlags().contains(CreateFlag.CREATE) && !getFlags().contains(CreateFlag.OVERWRITE)) {
      throw new IOException(
          "Cannot open " + getPath() + " for writing: neither create, overwrite nor append is set");
    }
    NewFile plain =
        new NewFile(
            getPermission(),
            getFlags().contains(CreateFlag.OVERWRITE),
            null,
            null,
            isRecursive(),
            getProgress());
    return fileSystem.create(getPath(), plain.with(getOptions()));
  }
}

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

import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.StoreException;

/**
 * Settings of the FileSystem. Immutable.
 *
 * @param blockSizeBytes what a file's status tells
 * @param readAheadBytes largest piece fetched at once
 */
record FsConfig(long blockSizeBytes, int readAheadBytes) {
  static FsConfig from(StowageConfig config) throws StoreException {
    return new FsConfig(
        config.get(Keys.FS_BLOCK_SIZE), Math.toIntExact(config.get(Keys.FS_READ_AHEAD)));
  }
}

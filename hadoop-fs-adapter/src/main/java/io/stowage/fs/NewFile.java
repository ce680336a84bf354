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

import io.stowage.common.proto.Condition;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.util.Progressable;

/**
 * How a file is to be created. Immutable.
 *
 * @param permission as asked for, which tells whether its umask was taken; null: all bits
 * @param overwrite false: only if there is nothing, when asked and when committed
 * @param etag overwritten only if the file there has this ETag when committed; null: whatever it is
 * @param contentType for S3; null: not said
 * @param recursive whether missing parents come into being with it
 * @param progress null: nobody wants to know
 */
record NewFile(
    FsPermission permission,
    boolean overwrite,
    String etag,
    String contentType,
    boolean recursive,
    Progressable progress) {
  private static final String CONDITIONAL = "fs.option.create.conditional.overwrite";
  private static final String CONDITIONAL_ETAG = "fs.option.create.conditional.overwrite.etag";
  private static final String CONTENT_TYPE = "fs.option.create.content.type";

  /** What a builder of this FileSystem understands where it must; Hadoop's names of 3.4.2. */
  static final Set<String> OPTIONS = Set.of(CONDITIONAL, CONDITIONAL_ETAG, CONTENT_TYPE);

  /** As create asks for it. */
  static NewFile of(FsPermission permission, boolean overwrite, Progressable progress) {
    return new NewFile(permission, overwrite, null, null, true, progress);
  }

  /** As a builder's options change it. */
  NewFile with(Configuration options) {
    String wanted = options.getTrimmed(CONDITIONAL_ETAG);
    boolean absentOnly = options.getBoolean(CONDITIONAL, false);
    if (wanted != null && (absentOnly || wanted.isEmpty())) {
      throw new IllegalArgumentException(
          wanted.isEmpty()
              ? CONDITIONAL_ETAG + " is empty"
              : CONDITIONAL + " and " + CONDITIONAL_ETAG + " exclude one another");
    }
    return new NewFile(
        permission,
        (overwrite || wanted != null) && !absentOnly,
        wanted,
        options.getTrimmed(CONTENT_TYPE),
        recursive,
        progress);
  }

  /** What must hold of the row when the file is committed. */
  Condition condition() {
    if (etag != null) {
      return Condition.newBuilder().setIfMatchEtag(etag).build();
    }
    return Condition.newBuilder().setMustBeAbsent(!overwrite).build();
  }
}

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
import org.apache.hadoop.fs.CommonPathCapabilities;
import org.apache.hadoop.fs.LeaseRecoverable;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.SafeMode;
import org.apache.hadoop.fs.SafeModeAction;

/**
 * {@link BucketFileSystem} with what only newer Hadoops have, from 3.4.1 on; taken where the Hadoop
 * at hand has it. Classes whose name begins with Newer are the only ones that may name types and
 * methods which Hadoop 3.3.4 lacks. Thread-safe.
 */
final class NewerBucketFileSystem extends BucketFileSystem implements LeaseRecoverable, SafeMode {
  @Override
  public BulkDelete createBulkDelete(Path base) {
    return new NewerBulkDelete(this, makeQualified(base));
  }

  @Override
  public boolean hasPathCapability(Path path, String capability) throws IOException {
    return capability.equalsIgnoreCase(CommonPathCapabilities.LEASE_RECOVERABLE)
        || super.hasPathCapability(path, capability);
  }

  /** There is no safe mode: to ask, or to leave it, is answered by no; to enter is refused. */
  @Override
  public boolean setSafeMode(SafeModeAction action, boolean isChecked) {
    return switch (action) {
      case GET, LEAVE, FORCE_EXIT -> false;
      case ENTER ->
          throw new UnsupportedOperationException("Cannot enter safe mode: stow:// has none");
    };
  }
}

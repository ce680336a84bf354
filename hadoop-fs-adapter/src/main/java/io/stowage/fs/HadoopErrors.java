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

import io.stowage.common.error.StoreException;
import java.io.EOFException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InterruptedIOException;
import org.apache.hadoop.fs.ClusterStorageCapacityExceededException;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.InvalidRequestException;
import org.apache.hadoop.fs.ParentNotDirectoryException;
import org.apache.hadoop.fs.PathIOException;
import org.apache.hadoop.fs.PathIsNotEmptyDirectoryException;
import org.apache.hadoop.security.AccessControlException;

/**
 * The one place where a StoreException becomes what callers of a FileSystem catch. Public for the
 * page of errors in docs. Stateless.
 */
public final class HadoopErrors {
  private HadoopErrors() {}

  /** The exception for a failed call, with the StoreException as its cause. */
  public static IOException of(StoreException e, String path) {
    if (Thread.currentThread().isInterrupted()) {
      return withCause(new InterruptedIOException(path + ": " + e.getMessage()), e);
    }
    return switch (e.code()) {
      case NO_SUCH_BUCKET, NO_SUCH_KEY, NO_SUCH_VERSION, NO_SUCH_UPLOAD ->
          withCause(new FileNotFoundException(path + ": " + e.getMessage()), e);
      case KEY_EXISTS, IS_A_DIRECTORY, BUCKET_EXISTS, BUCKET_OWNED_BY_CALLER ->
          withCause(new FileAlreadyExistsException(path + ": " + e.getMessage()), e);
      case BUCKET_NOT_EMPTY, DIRECTORY_NOT_EMPTY ->
          withCause(new PathIsNotEmptyDirectoryException(path), e);
      case NOT_A_DIRECTORY ->
          withCause(new ParentNotDirectoryException(path + ": " + e.getMessage()), e);
      // In HDFS's words, which name the path: tools look for how they begin.
      case ACCESS_DENIED -> withCause(new AccessControlException(e.getMessage()), e);
      case BUCKET_READ_ONLY, BUCKET_LOCKED ->
          withCause(new AccessControlException(path + ": " + e.getMessage()), e);
      case QUOTA_EXCEEDED -> quotaExceeded(path + ": " + e.getMessage(), e);
      case INVALID_RANGE -> withCause(new EOFException(path + ": " + e.getMessage()), e);
      case INVALID_ARGUMENT, INVALID_NAME, TOO_LARGE ->
          withCause(new InvalidRequestException(path + ": " + e.getMessage()), e);
      // What else a caller can be told is the store's own words.
      case PRECONDITION_FAILED,
          NOT_MODIFIED,
          CONFLICT,
          INVALID_PART,
          INVALID_PART_ORDER,
          PART_TOO_SMALL,
          BAD_CHECKSUM,
          INCOMPLETE_BODY,
          INTERNAL,
          UNAVAILABLE,
          NOT_LEADER,
          TIMEOUT,
          OUTCOME_UNKNOWN,
          CLOCK_SKEW,
          FENCED,
          LEASE_LOST,
          COMMIT_TOO_LATE,
          SHARD_SEALED,
          NO_SUCH_SHARD,
          SHARD_FAILED,
          SECTOR_WRITTEN,
          EPOCH_LIST_FULL,
          NO_SUCH_CONTAINER,
          WRONG_CLUSTER,
          FORMAT_TOO_NEW,
          FORMAT_TOO_OLD,
          NO_SUCH_ENCRYPTION_KEY,
          BAD_CONFIGURATION,
          NOT_ENOUGH_NODES,
          DISK_FULL,
          OVERLOADED,
          CONTAINER_FULL,
          TOO_MANY_VERSIONS,
          CORRUPT_DATA,
          DATA_UNAVAILABLE ->
          new PathIOException(path, e.code() + ": " + e.getMessage(), e);
    };
  }

  /** What MapReduce and Tez give up at at once, instead of trying the task again. */
  @SuppressWarnings("serial")
  private static IOException quotaExceeded(String message, StoreException cause) {
    return withCause(new ClusterStorageCapacityExceededException(message), cause);
  }

  private static <E extends IOException> E withCause(E exception, StoreException cause) {
    exception.initCause(cause);
    return exception;
  }
}

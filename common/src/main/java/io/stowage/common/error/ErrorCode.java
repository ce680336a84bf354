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
package io.stowage.common.error;

import java.util.HashMap;
import java.util.Map;

/**
 * Why a store operation did not succeed. Numbers go over the wire and stay; each code says who is
 * at fault and whether asking again can help. Edges map codes to S3 errors and Hadoop exceptions by
 * an exhaustive switch. Immutable.
 */
public enum ErrorCode {
  // The caller asked for something that cannot be.
  INVALID_ARGUMENT(100, Blame.CALLER, Retry.NEVER),
  INVALID_NAME(101, Blame.CALLER, Retry.NEVER),
  NO_SUCH_BUCKET(102, Blame.CALLER, Retry.NEVER),
  BUCKET_EXISTS(103, Blame.CALLER, Retry.NEVER),
  BUCKET_OWNED_BY_CALLER(104, Blame.CALLER, Retry.NEVER),
  BUCKET_NOT_EMPTY(105, Blame.CALLER, Retry.NEVER),
  NO_SUCH_KEY(106, Blame.CALLER, Retry.NEVER),
  NO_SUCH_VERSION(107, Blame.CALLER, Retry.NEVER),
  KEY_EXISTS(108, Blame.CALLER, Retry.NEVER),
  PRECONDITION_FAILED(109, Blame.CALLER, Retry.NEVER),
  NOT_MODIFIED(110, Blame.CALLER, Retry.NEVER),
  CONFLICT(111, Blame.CALLER, Retry.SAME_NODE),
  NO_SUCH_UPLOAD(112, Blame.CALLER, Retry.NEVER),
  INVALID_PART(113, Blame.CALLER, Retry.NEVER),
  INVALID_PART_ORDER(114, Blame.CALLER, Retry.NEVER),
  PART_TOO_SMALL(115, Blame.CALLER, Retry.NEVER),
  TOO_LARGE(116, Blame.CALLER, Retry.NEVER),
  BAD_CHECKSUM(117, Blame.CALLER, Retry.NEVER),
  INCOMPLETE_BODY(118, Blame.CALLER, Retry.NEVER),
  ACCESS_DENIED(119, Blame.CALLER, Retry.NEVER),
  INVALID_RANGE(120, Blame.CALLER, Retry.NEVER),
  BUCKET_READ_ONLY(121, Blame.CALLER, Retry.NEVER),
  /** Object lock does not allow that of the bucket. */
  BUCKET_LOCKED(122, Blame.CALLER, Retry.NEVER),
  /** The bucket holds as much as it may. */
  QUOTA_EXCEEDED(123, Blame.CALLER, Retry.NEVER),
  NO_SUCH_ENCRYPTION_KEY(140, Blame.CALLER, Retry.NEVER),
  /** Of a path in a FILE_SYSTEM bucket, something on the way is a file. */
  NOT_A_DIRECTORY(150, Blame.CALLER, Retry.NEVER),
  IS_A_DIRECTORY(151, Blame.CALLER, Retry.NEVER),
  DIRECTORY_NOT_EMPTY(152, Blame.CALLER, Retry.NEVER),

  // A part of the system is not able to answer now.
  INTERNAL(200, Blame.SYSTEM, Retry.OTHER_NODE),
  UNAVAILABLE(201, Blame.SYSTEM, Retry.OTHER_NODE),
  NOT_LEADER(202, Blame.SYSTEM, Retry.OTHER_NODE),
  TIMEOUT(203, Blame.SYSTEM, Retry.OTHER_NODE),
  OUTCOME_UNKNOWN(204, Blame.SYSTEM, Retry.AFTER_READ_BACK),
  CLOCK_SKEW(205, Blame.SYSTEM, Retry.OTHER_NODE),
  FENCED(206, Blame.SYSTEM, Retry.OTHER_NODE),
  LEASE_LOST(207, Blame.SYSTEM, Retry.OTHER_NODE),
  COMMIT_TOO_LATE(208, Blame.SYSTEM, Retry.NEVER),
  SHARD_SEALED(209, Blame.SYSTEM, Retry.OTHER_NODE),
  NO_SUCH_SHARD(210, Blame.SYSTEM, Retry.OTHER_NODE),
  SHARD_FAILED(211, Blame.SYSTEM, Retry.OTHER_NODE),
  SECTOR_WRITTEN(212, Blame.SYSTEM, Retry.NEVER),
  EPOCH_LIST_FULL(213, Blame.SYSTEM, Retry.OTHER_NODE),
  NO_SUCH_CONTAINER(214, Blame.SYSTEM, Retry.NEVER),
  WRONG_CLUSTER(215, Blame.SYSTEM, Retry.NEVER),
  FORMAT_TOO_NEW(216, Blame.SYSTEM, Retry.NEVER),
  FORMAT_TOO_OLD(217, Blame.SYSTEM, Retry.NEVER),
  BAD_CONFIGURATION(218, Blame.SYSTEM, Retry.NEVER),

  // There is not enough of something.
  NOT_ENOUGH_NODES(300, Blame.CAPACITY, Retry.SAME_NODE),
  DISK_FULL(301, Blame.CAPACITY, Retry.OTHER_NODE),
  OVERLOADED(302, Blame.CAPACITY, Retry.SAME_NODE),
  CONTAINER_FULL(303, Blame.CAPACITY, Retry.OTHER_NODE),
  TOO_MANY_VERSIONS(304, Blame.CAPACITY, Retry.NEVER),

  // Bytes are damaged.
  CORRUPT_DATA(400, Blame.DATA, Retry.OTHER_NODE),
  DATA_UNAVAILABLE(401, Blame.DATA, Retry.SAME_NODE);

  /** Who is at fault. */
  public enum Blame {
    CALLER,
    SYSTEM,
    CAPACITY,
    DATA
  }

  /** Whether and where the same call may succeed later. */
  public enum Retry {
    NEVER,
    SAME_NODE,
    OTHER_NODE,
    AFTER_READ_BACK
  }

  private static final Map<Integer, ErrorCode> BY_NUMBER = new HashMap<>();

  static {
    for (ErrorCode code : values()) {
      if (BY_NUMBER.put(code.number, code) != null) {
        throw new IllegalStateException("two error codes share number " + code.number);
      }
    }
  }

  private final int number;
  private final Blame blame;
  private final Retry retry;

  ErrorCode(int number, Blame blame, Retry retry) {
    this.number = number;
    this.blame = blame;
    this.retry = retry;
  }

  /** Stable number, never 0. */
  public int number() {
    return number;
  }

  public Blame blame() {
    return blame;
  }

  public Retry retry() {
    return retry;
  }

  /**
   * Code of a number from the wire; {@link #INTERNAL} for one that a newer peer knows and we do
   * not.
   */
  public static ErrorCode ofNumber(int number) {
    return BY_NUMBER.getOrDefault(number, INTERNAL);
  }
}

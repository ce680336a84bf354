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
package io.stowage.common.expiry;

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.DefaultRetention;
import io.stowage.common.proto.LegalHold;
import io.stowage.common.proto.LockMode;
import io.stowage.common.proto.ObjectLock;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.Versioning;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;

/**
 * Until when a version must not go, and who may change that. Judged on the very cell that the
 * mutation compares itself with, so that a lock that was acknowledged holds against whatever comes
 * after it. Stateless.
 *
 * <p>What a lock keeps is the version: a delete marker may be put over it, and it may be moved
 * within the store, but nobody removes it: no delete by id, no overwrite of a null version, no rule
 * of lifecycle, no rename of its key.
 */
public final class Retention {
  /** Name of the bucket's setting that says that versions can be locked; the document. */
  public static final String SETTING = "object-lock";

  /** Name of the setting that holds a {@code DefaultRetention}. */
  public static final String DEFAULT_SETTING = "object-lock.default";

  private static final int FORMAT = 1;
  private static final long DAY_MICROS = 86_400_000_000L;

  private Retention() {}

  /** Whether versions in the bucket can be locked. */
  public static boolean isEnabled(BucketInfo bucket) {
    return bucket.containsSettings(SETTING);
  }

  /** What a bucket keeps of its default. */
  public static ByteString defaultOf(LockMode mode, int days) {
    return DefaultRetention.newBuilder()
        .setFormat(FORMAT)
        .setMode(mode)
        .setDays(days)
        .build()
        .toByteString();
  }

  /** A new version's metadata, with the bucket's default if they ask for no retention. */
  public static ObjectMetadata withDefault(
      BucketInfo bucket, ObjectMetadata metadata, long nowMicros) throws StoreException {
    ByteString setting = bucket.getSettingsMap().get(DEFAULT_SETTING);
    if (setting == null || metadata.getLock().getMode() != LockMode.UNLOCKED) {
      return metadata;
    }
    DefaultRetention retention;
    try {
      retention = DefaultRetention.parseFrom(setting);
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException("Cannot read a default retention: " + e.getMessage());
    }
    if (retention.getFormat() > FORMAT) {
      throw new StoreException(
          ErrorCode.FORMAT_TOO_NEW,
          "Cannot read a default retention of format " + retention.getFormat());
    }
    ObjectLock.Builder lock =
        metadata.getLock().toBuilder()
            .setMode(retention.getMode())
            .setRetainUntilMicros(nowMicros + retention.getDays() * DAY_MICROS);
    return metadata.toBuilder().setLock(lock).build();
  }

  /**
   * Whether a version must stay.
   *
   * @param bypass the caller may do without governance, and asks for it
   */
  public static boolean keeps(ObjectLock lock, long nowMicros, boolean bypass) {
    return lock.getLegalHold() == LegalHold.HOLD_ON || isRetained(lock, nowMicros, bypass);
  }

  private static boolean isRetained(ObjectLock lock, long nowMicros, boolean bypass) {
    return lock.getRetainUntilMicros() > nowMicros
        && switch (lock.getMode()) {
          case COMPLIANCE -> true;
          case GOVERNANCE -> !bypass;
          case UNLOCKED, UNRECOGNIZED -> false;
        };
  }

  /** Refuses to remove a version that must stay. */
  public static void requireRemovable(
      ObjectMetadata metadata, long nowMicros, boolean bypass, String key) throws StoreException {
    if (metadata.hasLock() && keeps(metadata.getLock(), nowMicros, bypass)) {
      throw new StoreException(
          ErrorCode.ACCESS_DENIED,
          "Cannot remove a version of " + key + ": it is protected by object lock");
    }
  }

  /** Refuses a change that would let a version go earlier than what was promised. */
  public static void requireChangeable(
      ObjectMetadata from, ObjectMetadata to, long nowMicros, boolean bypass, String key)
      throws StoreException {
    ObjectLock before = from.getLock();
    ObjectLock after = to.getLock();
    boolean extended =
        after.getMode() == before.getMode()
            && after.getRetainUntilMicros() >= before.getRetainUntilMicros();
    if (!extended && isRetained(before, nowMicros, bypass)) {
      throw new StoreException(
          ErrorCode.ACCESS_DENIED,
          "Cannot shorten the retention of a version of " + key + ": it is in force");
    }
  }

  /** Refuses settings of a bucket under which locks would not hold. */
  public static void requireKept(BucketInfo from, BucketInfo to) throws StoreException {
    boolean given = isEnabled(from) && !isEnabled(to);
    boolean unversioned = isEnabled(to) && to.getVersioning() != Versioning.ENABLED;
    if (given || unversioned) {
      throw new StoreException(
          ErrorCode.BUCKET_LOCKED,
          given
              ? "Cannot disable object lock of bucket " + to.getName()
              : "Cannot have object lock without versioning in bucket " + to.getName());
    }
  }
}

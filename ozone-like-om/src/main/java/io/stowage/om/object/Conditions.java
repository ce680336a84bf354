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
package io.stowage.om.object;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.Condition;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.om.table.Head;
import io.stowage.om.table.ObjectRowLayout;
import java.util.HexFormat;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * What a request demands of the current version. Judged on the head that the mutation then compares
 * itself with, so that the judgement holds at the moment of the mutation.
 */
public final class Conditions {
  private Conditions() {}

  /** Refuses if the condition does not hold of what is there. */
  public static void require(Condition condition, SeenRow row) throws StoreException {
    require(condition, row.key(), row.head());
  }

  /** Refuses if the condition does not hold of a version, or of there being none. */
  static void require(Condition condition, ByteString row, Head headOrNull) throws StoreException {
    boolean live = headOrNull != null && headOrNull.isLive();
    ObjectVersion version =
        live ? headOrNull.record().getVersion() : ObjectVersion.getDefaultInstance();
    String key = " of " + ObjectRowLayout.key(row);
    if (condition.getMustBeAbsent() && live) {
      throw failed("there is a version" + key);
    }
    String ifMatch = condition.getIfMatchEtag();
    if (!ifMatch.isEmpty()) {
      if (!live) {
        throw new StoreException(
            ErrorCode.NO_SUCH_KEY, "Cannot match an ETag: there is no version" + key);
      }
      if (!ifMatch.equals("*") && !ifMatch.equals(etag(version))) {
        throw failed("the ETag" + key + " is " + etag(version) + ", not " + ifMatch);
      }
    }
    String ifNoneMatch = condition.getIfNoneMatchEtag();
    if (live
        && !ifNoneMatch.isEmpty()
        && (ifNoneMatch.equals("*") || ifNoneMatch.equals(etag(version)))) {
      throw failed("the ETag" + key + " is " + etag(version));
    }
    if (condition.getIfVersionId() != 0
        && (!live || version.getVersionId() != condition.getIfVersionId())) {
      throw failed("another version" + key + " is current");
    }
    if (live
        && condition.hasIfLength()
        && condition.getIfLength().getBytes() != version.getLength()) {
      throw failed("the length" + key + " is " + version.getLength());
    }
    if (live
        && condition.hasIfModified()
        && condition.getIfModified().getSeconds() != version.getModifiedMicros() / 1_000_000) {
      throw failed("the time of modification" + key + " is another");
    }
  }

  /** Refuses if the version that is to go is not as it was when the caller read it. */
  static void requireUnchanged(Condition condition, SeenRow row, Head version)
      throws StoreException {
    boolean unchanged = version != null && version.stamp() == condition.getIfStamp();
    if (condition.getIfStamp() != 0 && !unchanged) {
      throw failed(
          "a version of " + ObjectRowLayout.key(row.key()) + " has changed since it was read");
    }
  }

  /** Whether the condition can hold of an absent key only if something is there. */
  public static boolean needsPresence(Condition condition) {
    return !condition.getIfMatchEtag().isEmpty() || condition.getIfVersionId() != 0;
  }

  /** Whether the condition cannot hold where something is, whatever that is. */
  static boolean refusesPresence(Condition condition) {
    return condition.getMustBeAbsent() || condition.getIfNoneMatchEtag().equals("*");
  }

  /** S3's ETag of a version, without quotes. */
  public static String etag(ObjectVersion version) {
    String md5 = HexFormat.of().formatHex(version.getMd5().toByteArray());
    return version.getPartCount() == 0 ? md5 : md5 + "-" + version.getPartCount();
  }

  private static StoreException failed(String why) {
    return new StoreException(ErrorCode.PRECONDITION_FAILED, "Precondition failed: " + why);
  }
}

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
package io.stowage.om.door;

import io.stowage.common.proto.LegalHold;
import io.stowage.common.proto.LockMode;
import io.stowage.common.proto.ObjectLock;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.UploadInfo;

/**
 * What of an object somebody may not know, by the actions that read it over S3: it is left out of
 * what he is told, and stays as it is in what he changes from that. Immutable.
 *
 * @param content headers, user metadata, attributes, parts, checksums, how it is encrypted: all
 *     that a listing does not tell, and has no action of its own
 */
record Unseen(boolean content, boolean tags, boolean grants, boolean retention, boolean hold) {
  /** Of what a listing tells. */
  static final Unseen BUT_LISTED = new Unseen(true, true, true, true, true);

  /** The version without it. */
  ObjectVersion leftOutOf(ObjectVersion version) {
    ObjectMetadata.Builder metadata = version.getMetadata().toBuilder();
    ObjectVersion.Builder told = version.toBuilder();
    if (content) {
      metadata.clearHeaders().clearUser().clearXattrs().clearAcl().clearEncryption();
      told.clearPartLengths().clearChecksums().clearPartChecksums().clearPartWriteIds();
    }
    if (tags) {
      metadata.clearTags();
    }
    if (grants) {
      metadata.clearGrants();
    }
    if (metadata.hasLock() && (retention || hold)) {
      ObjectLock.Builder lock = metadata.getLockBuilder();
      if (retention) {
        lock.clearMode().clearRetainUntilMicros();
      }
      if (hold) {
        lock.clearLegalHold();
      }
      if (lock.build().equals(ObjectLock.getDefaultInstance())) {
        metadata.clearLock();
      }
    }
    return version.hasMetadata() ? told.setMetadata(metadata).build() : told.build();
  }

  /**
   * An upload under way as it is told: whose it is and in what mode it is encrypted; what the
   * object is to say of itself whoever may read it will be told.
   */
  static UploadInfo ofUpload(UploadInfo upload) {
    ObjectMetadata metadata = upload.getMetadata();
    ObjectMetadata.Builder told =
        ObjectMetadata.newBuilder()
            .setOwner(metadata.getOwner())
            .setStorageClass(metadata.getStorageClass());
    if (metadata.hasEncryption()) {
      told.getEncryptionBuilder().setMode(metadata.getEncryption().getMode());
    }
    return upload.hasMetadata() ? upload.toBuilder().setMetadata(told).build() : upload;
  }

  /** What somebody made from that, with what he could not know as it was. */
  ObjectMetadata keptIn(ObjectMetadata after, ObjectMetadata before) {
    ObjectMetadata.Builder kept = after.toBuilder();
    if (content) {
      if (after.getHeadersCount() == 0) {
        kept.putAllHeaders(before.getHeadersMap());
      }
      if (after.getUserCount() == 0) {
        kept.putAllUser(before.getUserMap());
      }
      if (after.getXattrsCount() == 0) {
        kept.putAllXattrs(before.getXattrsMap());
      }
      if (after.getAclCount() == 0 && after.getFile().getHasAcl()) {
        kept.addAllAcl(before.getAclList());
      }
      if (!after.hasEncryption() && before.hasEncryption()) {
        kept.setEncryption(before.getEncryption());
      }
    }
    if (tags && after.getTagsCount() == 0) {
      kept.putAllTags(before.getTagsMap());
    }
    if (grants && after.getGrantsCount() == 0) {
      kept.addAllGrants(before.getGrantsList());
    }
    ObjectLock was = before.getLock();
    if (retention && after.getLock().getMode() == LockMode.UNLOCKED && isRetained(was)) {
      kept.getLockBuilder().setMode(was.getMode()).setRetainUntilMicros(was.getRetainUntilMicros());
    }
    if (hold
        && after.getLock().getLegalHold() == LegalHold.HOLD_NEVER_SET
        && was.getLegalHold() != LegalHold.HOLD_NEVER_SET) {
      kept.getLockBuilder().setLegalHold(was.getLegalHold());
    }
    return kept.build();
  }

  static boolean isRetained(ObjectLock lock) {
    return lock.getMode() != LockMode.UNLOCKED || lock.getRetainUntilMicros() != 0;
  }
}

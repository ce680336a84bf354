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
import io.stowage.common.error.OutcomeUnknownException;
import io.stowage.common.error.StoreException;
import io.stowage.common.expiry.Retention;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.EventNote;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.SetObjectMetadataRequest;
import io.stowage.om.row.Sent;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Changes of what a version says of itself, tags and access control lists: a compare-and-set of the
 * head under the stamp that the caller read. Thread-safe.
 */
public final class MetadataChanges {
  private final ObjectRows rows;

  public MetadataChanges(ObjectRows rows) {
    this.rows = rows;
  }

  public ObjectVersion set(BucketInfo bucket, SetObjectMetadataRequest request)
      throws StoreException {
    return Sent.track(sent -> set(bucket, request, sent));
  }

  private ObjectVersion set(BucketInfo bucket, SetObjectMetadataRequest request, Sent sent)
      throws StoreException {
    ByteString row = ObjectRows.row(bucket.getId(), request.getKey());
    for (int attempt = 0; attempt < ObjectRows.MOST_ATTEMPTS; attempt++) {
      ObjectRows.Located located = rows.locate(row, request.getVersionId(), List.of()).located();
      if (located == null || !located.version().isLive()) {
        throw request.getVersionId() == 0
            ? new StoreException(ErrorCode.NO_SUCH_KEY, "Cannot find " + request.getKey())
            : new StoreException(
                ErrorCode.NO_SUCH_VERSION, "Cannot find that version of " + request.getKey());
      }
      ObjectVersion version = rows.details(located);
      if (version == null) {
        continue;
      }
      if (located.version().stamp() != request.getStamp()) {
        throw new StoreException(
            ErrorCode.CONFLICT,
            "Cannot change what " + request.getKey() + " says of itself: it changed meanwhile");
      }
      Retention.requireChangeable(
          version.getMetadata(),
          request.getMetadata(),
          rows.stamps().now(),
          request.getBypassGovernance(),
          request.getKey());
      ObjectVersion changed = version.toBuilder().setMetadata(request.getMetadata()).build();
      sent.mark();
      List<EventNote> events =
          EventNotes.changed(bucket, request, version.getMetadata(), rows.stamps().now());
      ObjectRows.Rewritten rewritten = rows.rewrite(located, changed, events);
      switch (rewritten.outcome()) {
        case APPLIED -> {
          return SeenRow.withoutManifest(
              changed.toBuilder()
                  .setKey(request.getKey())
                  .setStamp(rewritten.stamp())
                  .setWriteId(located.told().getWriteId())
                  .build());
        }
        case REFUSED -> rows.committer().pause().backOff(attempt);
        case UNKNOWN ->
            throw new OutcomeUnknownException(
                "Cannot tell whether " + request.getKey() + " was changed", null);
      }
    }
    throw ObjectRows.contended(row);
  }
}

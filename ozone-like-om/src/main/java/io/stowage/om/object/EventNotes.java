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

import io.stowage.common.error.StoreException;
import io.stowage.common.event.EventRules;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.EventNote;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectToDelete;
import io.stowage.common.proto.SetObjectMetadataRequest;
import io.stowage.common.proto.Versioning;
import java.util.ArrayList;
import java.util.List;

/**
 * Notes of changes that come by no gateway: by Hadoop RPC, and by rules of lifecycle. A gateway
 * looks for itself whom to tell, by the same rules, and its note, which has a name in any case,
 * stands: it knows a copy from a put, and who asked from where. Nobody else's note comes here: what
 * others say of events {@code Door} takes out of their requests. Stateless.
 */
public final class EventNotes {
  /** Who did it, as far as an event says. */
  private static final String RPC = "hadoop-rpc";

  /** As S3 names itself where it acts by a rule. */
  private static final String LIFECYCLE = "s3.amazonaws.com";

  private EventNotes() {}

  /** The note of a request that makes a version. */
  public static EventNote created(
      BucketInfo bucket, EventNote given, String how, String key, long nowMicros)
      throws StoreException {
    return given.getName().isEmpty()
        ? note(bucket, "ObjectCreated:" + how, key, RPC, nowMicros)
        : given;
  }

  /** The note of a deletion. */
  static EventNote removed(BucketInfo bucket, ObjectToDelete what, long nowMicros)
      throws StoreException {
    return what.getEvent().getName().isEmpty()
        ? note(
            bucket,
            "ObjectRemoved:" + deletion(bucket, what.getVersionId()),
            what.getKey(),
            RPC,
            nowMicros)
        : what.getEvent();
  }

  /** The notes of a change of what a version says of itself; none if nobody is told of such. */
  static List<EventNote> changed(
      BucketInfo bucket, SetObjectMetadataRequest what, ObjectMetadata before, long nowMicros)
      throws StoreException {
    if (!what.getEvent().getName().isEmpty()) {
      return List.of(what.getEvent());
    }
    ObjectMetadata after = what.getMetadata();
    List<EventNote> notes = new ArrayList<>();
    if (!before.getTagsMap().equals(after.getTagsMap())) {
      String how = after.getTagsMap().isEmpty() ? "Delete" : "Put";
      notes.add(note(bucket, "ObjectTagging:" + how, what.getKey(), RPC, nowMicros));
    }
    if (!before.getGrantsList().equals(after.getGrantsList())) {
      notes.add(note(bucket, "ObjectAcl:Put", what.getKey(), RPC, nowMicros));
    }
    return notes;
  }

  /** The note of a deletion that a rule demands. */
  public static EventNote expired(BucketInfo bucket, String key, long versionId, long nowMicros)
      throws StoreException {
    return note(
        bucket, "LifecycleExpiration:" + deletion(bucket, versionId), key, LIFECYCLE, nowMicros);
  }

  /** The note of what a rename leaves at its source. */
  static EventNote renamedAway(BucketInfo bucket, String key, boolean marks, long nowMicros)
      throws StoreException {
    return note(
        bucket, "ObjectRemoved:" + (marks ? "DeleteMarkerCreated" : "Delete"), key, RPC, nowMicros);
  }

  /** The note of what a rename makes of its target. */
  static EventNote renamedTo(BucketInfo bucket, String key, long nowMicros) throws StoreException {
    return note(bucket, "ObjectCreated:Copy", key, RPC, nowMicros);
  }

  private static String deletion(BucketInfo bucket, long versionId) {
    return bucket.getVersioning() != Versioning.UNVERSIONED && versionId == 0
        ? "DeleteMarkerCreated"
        : "Delete";
  }

  private static EventNote note(
      BucketInfo bucket, String name, String key, String who, long nowMicros)
      throws StoreException {
    EventNote.Builder note = EventRules.of(bucket).note(bucket, name, key, nowMicros);
    return note.getId().isEmpty()
        ? note.build()
        : note.setPrincipal(who).setSourceIp(who.equals(LIFECYCLE) ? LIFECYCLE : "").build();
  }
}

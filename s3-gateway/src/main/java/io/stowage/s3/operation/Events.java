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
package io.stowage.s3.operation;

import io.stowage.common.error.StoreException;
import io.stowage.common.event.EventRules;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.DeletedObject;
import io.stowage.common.proto.EventNote;
import io.stowage.common.proto.EventRecord;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.setting.BucketSettings;
import io.stowage.s3.setting.NotificationRules;
import io.stowage.s3.xml.XmlElement;
import java.nio.ByteBuffer;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * What an operation does for those who want to be told of it: a note with its request, which the
 * object manager writes down in the same mutation, and word to the delivery when it happened.
 * Stateless.
 */
final class Events {
  private Events() {}

  /**
   * Whom to tell of a change that is about to be made; if nobody, a note that says so, since an
   * object manager looks for itself where a request comes with none.
   */
  static EventNote note(Backend backend, S3Call call, String name, String key)
      throws StoreException {
    EventNote.Builder note =
        rules(call.bucket()).note(call.bucket(), name, key, backend.clock().wallMicros());
    if (note.getId().isEmpty()) {
      return note.build();
    }
    return note.setPrincipal(call.caller().user())
        .setSourceIp(call.caller().origin().address())
        .setRequestId(call.caller().origin().requestId())
        .setHostId(backend.hostId())
        .setRegion(backend.region())
        .build();
  }

  private static EventRules rules(BucketInfo bucket) throws StoreException {
    ByteString kept = bucket.getSettingsMap().get(BucketSettings.NOTIFICATION.name());
    if (kept == null || bucket.containsSettings(EventRules.SETTING)) {
      return EventRules.of(bucket);
    }
    // Stored before the rules were kept beside the document.
    try {
      XmlElement document =
          XmlElement.parse(kept.toByteArray(), BucketSettings.NOTIFICATION.shape().name());
      return EventRules.of(NotificationRules.of(document, null).ruleSet());
    } catch (S3Exception e) {
      throw new IllegalStateException("a notification configuration that was checked", e);
    }
  }

  /** Hands a change that was made to the delivery. */
  static void happened(
      Backend backend, S3Call call, EventNote note, String key, ObjectVersion version, long stamp) {
    if (note.getId().isEmpty()) {
      return;
    }
    EventRecord.Builder event =
        EventRecord.newBuilder().setNote(note).setRow(row(call, key)).setStamp(stamp);
    if (version != null) {
      event.setVersion(version);
    }
    backend.events().tell(event.build());
  }

  /** What is told of a deletion: the version removed, or the marker made; null: neither. */
  static ObjectVersion told(DeletedObject deleted) {
    return deleted.hasVersion() ? deleted.getVersion() : null;
  }

  private static ByteString row(S3Call call, String key) {
    return ByteString.copyFrom(ByteBuffer.allocate(8).putLong(call.bucket().getId()).flip())
        .concat(ByteString.copyFromUtf8(key));
  }

  /** How a version came to be, by the request that makes it. */
  static String created(S3Call call) {
    if (call.header(CopySource.HEADER) != null) {
      return "ObjectCreated:Copy";
    }
    return call.method().equals("POST") ? "ObjectCreated:Post" : "ObjectCreated:Put";
  }
}

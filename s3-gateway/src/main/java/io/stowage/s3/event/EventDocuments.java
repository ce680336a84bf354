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
package io.stowage.s3.event;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.stowage.common.proto.EventNote;
import io.stowage.common.proto.EventRecord;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.s3.access.VersionIds;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.HexFormat;
import java.util.Locale;

/**
 * Events as S3 writes them
 * (https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html).
 * Stateless.
 */
final class EventDocuments {
  private static final JsonFactory JSON = new JsonFactory();
  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", Locale.ROOT)
          .withZone(ZoneOffset.UTC);

  private static final int ROW_PREFIX_BYTES = 8;

  private EventDocuments() {}

  static String key(EventRecord event) {
    return event.getRow().substring(ROW_PREFIX_BYTES).toStringUtf8();
  }

  /** The message that one target gets. */
  static byte[] of(EventRecord event, String configurationId) {
    EventNote note = event.getNote();
    ByteArrayOutputStream bytes = new ByteArrayOutputStream(1_024);
    try (JsonGenerator json = JSON.createGenerator(bytes)) {
      json.writeStartObject();
      json.writeArrayFieldStart("Records");
      json.writeStartObject();
      json.writeStringField("eventVersion", eventVersion(note.getName()));
      json.writeStringField("eventSource", "aws:s3");
      json.writeStringField("awsRegion", note.getRegion());
      json.writeStringField("eventTime", TIME.format(instant(note.getTimeMicros())));
      json.writeStringField("eventName", note.getName());
      json.writeObjectFieldStart("userIdentity");
      json.writeStringField("principalId", note.getPrincipal());
      json.writeEndObject();
      json.writeObjectFieldStart("requestParameters");
      json.writeStringField("sourceIPAddress", note.getSourceIp());
      json.writeEndObject();
      json.writeObjectFieldStart("responseElements");
      json.writeStringField("x-amz-request-id", note.getRequestId());
      json.writeStringField("x-amz-id-2", note.getHostId());
      json.writeEndObject();
      json.writeObjectFieldStart("s3");
      json.writeStringField("s3SchemaVersion", "1.0");
      json.writeStringField("configurationId", configurationId);
      json.writeObjectFieldStart("bucket");
      json.writeStringField("name", note.getBucket());
      json.writeObjectFieldStart("ownerIdentity");
      json.writeStringField("principalId", note.getBucketOwner());
      json.writeEndObject();
      json.writeStringField("arn", "arn:aws:s3:::" + note.getBucket());
      json.writeEndObject();
      writeObject(json, event);
      json.writeEndObject();
      json.writeEndObject();
      json.writeEndArray();
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e); // into memory
    }
    return bytes.toByteArray();
  }

  /** The message that a target gets when it is named in a bucket's configuration. */
  static byte[] test(String bucket, String requestId, String hostId, long timeMicros) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream(256);
    try (JsonGenerator json = JSON.createGenerator(bytes)) {
      json.writeStartObject();
      json.writeStringField("Service", "Amazon S3");
      json.writeStringField("Event", "s3:TestEvent");
      json.writeStringField("Time", TIME.format(instant(timeMicros)));
      json.writeStringField("Bucket", bucket);
      json.writeStringField("RequestId", requestId);
      json.writeStringField("HostId", hostId);
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e); // into memory
    }
    return bytes.toByteArray();
  }

  /** What S3 says of the kinds of events that it told of later. */
  private static String eventVersion(String name) {
    boolean isLater =
        name.startsWith("Lifecycle")
            || name.startsWith("ObjectTagging")
            || name.startsWith("ObjectAcl");
    return isLater ? "2.3" : "2.1";
  }

  private static void writeObject(JsonGenerator json, EventRecord event) throws IOException {
    json.writeObjectFieldStart("object");
    json.writeStringField("key", encoded(key(event)));
    if (event.hasVersion() && event.getNote().getName().startsWith("ObjectCreated")) {
      ObjectVersion version = event.getVersion();
      json.writeNumberField("size", version.getLength());
      json.writeStringField("eTag", etag(version));
    }
    if (event.getNote().getVersioned() && event.hasVersion()) {
      ObjectVersion version = event.getVersion();
      json.writeStringField(
          "versionId", VersionIds.text(version.getVersionId(), version.getVersioned()));
    }
    // Of one key's events the later has the higher, compared as text.
    json.writeStringField(
        "sequencer", HexFormat.of().withUpperCase().toHexDigits(event.getStamp()));
    json.writeEndObject();
  }

  /** As in a form, but for slashes, which stay. */
  private static String encoded(String key) {
    return URLEncoder.encode(key, StandardCharsets.UTF_8).replace("%2F", "/");
  }

  private static String etag(ObjectVersion version) {
    String hex = HexFormat.of().formatHex(version.getMd5().toByteArray());
    return version.getPartCount() == 0 ? hex : hex + "-" + version.getPartCount();
  }

  private static Instant instant(long micros) {
    return Instant.ofEpochMilli(micros / 1_000);
  }
}

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
package io.stowage.s3.suite;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.s3.suite.RawS3.Reply;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.model.BucketVersioningStatus;
import software.amazon.awssdk.services.s3.model.CompletedPart;
import software.amazon.awssdk.services.s3.model.CopyObjectResponse;
import software.amazon.awssdk.services.s3.model.DeleteMarkerEntry;
import software.amazon.awssdk.services.s3.model.DeleteObjectResponse;
import software.amazon.awssdk.services.s3.model.DeleteObjectsResponse;
import software.amazon.awssdk.services.s3.model.HeadObjectResponse;
import software.amazon.awssdk.services.s3.model.ListObjectVersionsResponse;
import software.amazon.awssdk.services.s3.model.MetadataDirective;
import software.amazon.awssdk.services.s3.model.ObjectCannedACL;
import software.amazon.awssdk.services.s3.model.ObjectIdentifier;
import software.amazon.awssdk.services.s3.model.ObjectVersion;
import software.amazon.awssdk.services.s3.model.PutObjectResponse;
import software.amazon.awssdk.services.s3.model.Tag;

/**
 * Versions, delete markers and conditions as the AWS SDK meets them. Part of {@link
 * S3ContractTest}, so that they run wherever that does.
 *
 * @see <a href="https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html">Versioning
 *     </a>
 */
public abstract class S3VersionsSuite extends S3Suite {
  private String kept;

  protected final String newBucket() {
    return newBucket("suite", b -> {});
  }

  private void set(String bucket, BucketVersioningStatus status) {
    s3.putBucketVersioning(b -> b.bucket(bucket).versioningConfiguration(v -> v.status(status)));
  }

  /** A bucket with versioning enabled, for tests that use keys of their own in it. */
  synchronized String versioned() {
    if (kept == null) {
      kept = newBucket();
      set(kept, BucketVersioningStatus.ENABLED);
    }
    return kept;
  }

  PutObjectResponse put(String bucket, String key, String content) {
    return s3.putObject(b -> b.bucket(bucket).key(key), RequestBody.fromString(content));
  }

  String get(String bucket, String key, String version) {
    return s3.getObjectAsBytes(b -> b.bucket(bucket).key(key).versionId(version)).asUtf8String();
  }

  ListObjectVersionsResponse list(String bucket, String prefix) {
    return s3.listObjectVersions(b -> b.bucket(bucket).prefix(prefix));
  }

  @Test
  void versioningIsOffOnOrSuspended() throws Exception {
    String bucket = newBucket();
    assertNull(s3.getBucketVersioning(b -> b.bucket(bucket)).status());
    PutObjectResponse before = put(bucket, "k", "before");
    assertNull(before.versionId());
    set(bucket, BucketVersioningStatus.ENABLED);
    assertEquals(
        BucketVersioningStatus.ENABLED, s3.getBucketVersioning(b -> b.bucket(bucket)).status());
    assertEquals("null", s3.headObject(b -> b.bucket(bucket).key("k")).versionId());
    String one = put(bucket, "k", "one").versionId();
    assertNotEquals("null", one);
    assertEquals("before", get(bucket, "k", "null"));
    set(bucket, BucketVersioningStatus.SUSPENDED);
    put(bucket, "k", "suspended");
    assertEquals("suspended", get(bucket, "k", "null"));
    assertEquals("one", get(bucket, "k", one));
    assertEquals(2, list(bucket, "k").versions().size());
    DeleteObjectResponse marked = s3.deleteObject(b -> b.bucket(bucket).key("k"));
    assertTrue(marked.deleteMarker());
    assertEquals("null", marked.versionId());
    assertEquals(1, list(bucket, "k").versions().size());
    s3.deleteObject(b -> b.bucket(bucket).key("k").versionId("null"));
    assertEquals("one", get(bucket, "k", null));

    Reply reply =
        raw.call("PUT", "/" + bucket + "?versioning")
            .body("<VersioningConfiguration><Status>Perhaps</Status></VersioningConfiguration>")
            .send();
    assertEquals("MalformedXML", reply.code());
    reply = raw.call("PUT", "/" + bucket + "?versioning").body("<VersioningConfiguration/>").send();
    assertEquals("IllegalVersioningConfigurationException", reply.code());
    reply =
        raw.call("PUT", "/" + bucket + "?versioning")
            .body(
                "<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>"
                    + "</VersioningConfiguration>")
            .send();
    assertEquals(501, reply.status());
    fails(409, "BucketNotEmpty", () -> s3.deleteBucket(b -> b.bucket(bucket)));
    s3.deleteObject(b -> b.bucket(bucket).key("k").versionId(one));
    s3.deleteBucket(b -> b.bucket(bucket));
  }

  @Test
  void everyPutMakesAVersionAndADeleteAMarker() throws Exception {
    String bucket = versioned();
    String one = put(bucket, "life", "one").versionId();
    String two = put(bucket, "life", "two!").versionId();
    assertTrue(one.matches("[A-Za-z0-9_-]+"), one);
    assertEquals("two!", get(bucket, "life", null));
    assertEquals("one", get(bucket, "life", one));
    HeadObjectResponse head = s3.headObject(b -> b.bucket(bucket).key("life").versionId(one));
    assertEquals(3, head.contentLength());
    assertEquals(one, head.versionId());

    DeleteObjectResponse marker = s3.deleteObject(b -> b.bucket(bucket).key("life"));
    assertTrue(marker.deleteMarker());
    Reply gone = raw.call("GET", "/" + bucket + "/life").send();
    assertEquals(404, gone.status());
    assertEquals("NoSuchKey", gone.code());
    assertEquals("true", gone.headers().get("x-amz-delete-marker"));
    assertEquals(marker.versionId(), gone.headers().get("x-amz-version-id"));
    for (String method : List.of("GET", "HEAD")) {
      Reply marked =
          raw.call(method, "/" + bucket + "/life?versionId=" + marker.versionId()).send();
      assertEquals(405, marked.status());
      assertEquals("true", marked.headers().get("x-amz-delete-marker"));
      assertEquals("DELETE", marked.headers().get("allow"));
      assertTrue(marked.headers().containsKey("last-modified"));
    }
    assertEquals("two!", get(bucket, "life", two));

    ListObjectVersionsResponse listed = list(bucket, "life");
    assertEquals(
        List.of(two, one), listed.versions().stream().map(ObjectVersion::versionId).toList());
    DeleteMarkerEntry entry = listed.deleteMarkers().get(0);
    assertEquals(marker.versionId(), entry.versionId());
    assertTrue(entry.isLatest());
    assertFalse(entry.owner().id().isEmpty());
    assertFalse(listed.versions().get(0).isLatest());
    assertEquals(4L, listed.versions().get(0).size());
    assertTrue(s3.listObjectsV2(b -> b.bucket(bucket).prefix("life")).contents().isEmpty());

    DeleteObjectResponse undeleted =
        s3.deleteObject(b -> b.bucket(bucket).key("life").versionId(marker.versionId()));
    assertTrue(undeleted.deleteMarker());
    assertEquals(marker.versionId(), undeleted.versionId());
    assertEquals("two!", get(bucket, "life", null));
    DeleteObjectResponse deleted =
        s3.deleteObject(b -> b.bucket(bucket).key("life").versionId(two));
    assertEquals(two, deleted.versionId());
    assertNull(deleted.deleteMarker());
    assertEquals("one", get(bucket, "life", null));
    fails(404, "NoSuchVersion", () -> get(bucket, "life", two));
    assertEquals(
        two, s3.deleteObject(b -> b.bucket(bucket).key("life").versionId(two)).versionId());
  }

  @Test
  void idsThatAreNoneAreToldFromThoseOfNoVersion() throws Exception {
    String bucket = versioned();
    String id = put(bucket, "ids", "x").versionId();
    String other = put(bucket, "ids-other", "x").versionId();
    for (String bad : List.of("abc", "", id.substring(1), id + "A", "NULL", id + "%")) {
      Reply reply =
          raw.call("GET", "/" + bucket + "/ids?versionId=" + bad.replace("%", "%25")).send();
      assertEquals(400, reply.status(), bad);
      assertEquals("InvalidArgument", reply.code());
    }
    fails(404, "NoSuchVersion", () -> get(bucket, "ids", other));
    fails(404, "NoSuchVersion", () -> get(bucket, "ids", "null"));
    Reply put = raw.call("PUT", "/" + bucket + "/ids?versionId=" + id).body("x").send();
    assertEquals("InvalidArgument", put.code());
    Reply marker = raw.call("GET", "/" + bucket + "?versions&version-id-marker=" + id).send();
    assertEquals("InvalidArgument", marker.code());
  }

  @Test
  void whatIsSaidOfAVersionIsSaidOfThatOneAlone() {
    String bucket = versioned();
    String one = put(bucket, "said", "one").versionId();
    String two = put(bucket, "said", "two").versionId();
    s3.putObjectTagging(
        b ->
            b.bucket(bucket)
                .key("said")
                .versionId(one)
                .tagging(t -> t.tagSet(Tag.builder().key("of").value("one").build())));
    assertEquals(
        one, s3.getObjectTagging(b -> b.bucket(bucket).key("said").versionId(one)).versionId());
    assertEquals(
        1, s3.getObjectTagging(b -> b.bucket(bucket).key("said").versionId(one)).tagSet().size());
    assertTrue(s3.getObjectTagging(b -> b.bucket(bucket).key("said")).tagSet().isEmpty());
    assertEquals(1, s3.headObject(b -> b.bucket(bucket).key("said").versionId(one)).tagCount());
    s3.deleteObjectTagging(b -> b.bucket(bucket).key("said").versionId(one));
    assertTrue(
        s3.getObjectTagging(b -> b.bucket(bucket).key("said").versionId(one)).tagSet().isEmpty());
    s3.putObjectAcl(
        b -> b.bucket(bucket).key("said").versionId(one).acl(ObjectCannedACL.AUTHENTICATED_READ));
    assertEquals(
        2, s3.getObjectAcl(b -> b.bucket(bucket).key("said").versionId(one)).grants().size());
    assertEquals(
        1, s3.getObjectAcl(b -> b.bucket(bucket).key("said").versionId(two)).grants().size());
    assertEquals(
        3L,
        s3.getObjectAttributes(
                b ->
                    b.bucket(bucket)
                        .key("said")
                        .versionId(one)
                        .objectAttributesWithStrings("ObjectSize"))
            .objectSize());
    assertEquals("two", get(bucket, "said", null));
  }

  @Test
  void copiesAnyVersion() {
    String bucket = versioned();
    String one = put(bucket, "from", "one").versionId();
    String two = put(bucket, "from", "two").versionId();
    CopyObjectResponse copied =
        s3.copyObject(
            b ->
                b.sourceBucket(bucket)
                    .sourceKey("from")
                    .sourceVersionId(one)
                    .destinationBucket(bucket)
                    .destinationKey("to"));
    assertEquals(one, copied.copySourceVersionId());
    assertEquals("one", get(bucket, "to", copied.versionId()));
    // An older version becomes the current one by being copied onto the key.
    CopyObjectResponse restored =
        s3.copyObject(
            b ->
                b.sourceBucket(bucket)
                    .sourceKey("from")
                    .sourceVersionId(one)
                    .destinationBucket(bucket)
                    .destinationKey("from"));
    assertEquals("one", get(bucket, "from", null));
    assertEquals(3, list(bucket, "from").versions().size());
    assertNotEquals(one, restored.versionId());
    assertEquals(
        two,
        s3.copyObject(
                b ->
                    b.sourceBucket(bucket)
                        .sourceKey("from")
                        .sourceVersionId(two)
                        .metadataDirective(MetadataDirective.REPLACE)
                        .destinationBucket(bucket)
                        .destinationKey("to"))
            .copySourceVersionId());
    String marker = s3.deleteObject(b -> b.bucket(bucket).key("from")).versionId();
    fails(
        400,
        "InvalidRequest",
        () ->
            s3.copyObject(
                b ->
                    b.sourceBucket(bucket)
                        .sourceKey("from")
                        .sourceVersionId(marker)
                        .destinationBucket(bucket)
                        .destinationKey("to")));
    String upload = s3.createMultipartUpload(b -> b.bucket(bucket).key("parts")).uploadId();
    var part =
        s3.uploadPartCopy(
            b ->
                b.sourceBucket(bucket)
                    .sourceKey("from")
                    .sourceVersionId(two)
                    .destinationBucket(bucket)
                    .destinationKey("parts")
                    .uploadId(upload)
                    .partNumber(1));
    assertEquals(two, part.copySourceVersionId());
    String whole =
        s3.completeMultipartUpload(
                b ->
                    b.bucket(bucket)
                        .key("parts")
                        .uploadId(upload)
                        .multipartUpload(
                            m ->
                                m.parts(
                                    CompletedPart.builder()
                                        .partNumber(1)
                                        .eTag(part.copyPartResult().eTag())
                                        .build())))
            .versionId();
    assertEquals("two", get(bucket, "parts", whole));
  }

  @Test
  void deletesManyVersionsAtOnce() {
    String bucket = versioned();
    String one = put(bucket, "many/1", "one").versionId();
    put(bucket, "many/1", "two");
    put(bucket, "many/2", "three");
    DeleteObjectsResponse deleted =
        s3.deleteObjects(
            b ->
                b.bucket(bucket)
                    .delete(
                        d ->
                            d.objects(
                                ObjectIdentifier.builder().key("many/1").versionId(one).build(),
                                ObjectIdentifier.builder().key("many/2").build(),
                                ObjectIdentifier.builder().key("many/3").versionId("x").build(),
                                ObjectIdentifier.builder().key("many/1").eTag("other").build())));
    assertEquals(2, deleted.deleted().size());
    assertEquals(one, deleted.deleted().get(0).versionId());
    assertNull(deleted.deleted().get(0).deleteMarker());
    assertTrue(deleted.deleted().get(1).deleteMarker());
    assertNull(deleted.deleted().get(1).versionId());
    assertEquals(
        List.of("PreconditionFailed", "NoSuchVersion"),
        deleted.errors().stream().map(e -> e.code()).toList());
    assertEquals("x", deleted.errors().get(1).versionId());
    String marker = deleted.deleted().get(1).deleteMarkerVersionId();
    DeleteObjectsResponse again =
        s3.deleteObjects(
            b ->
                b.bucket(bucket)
                    .delete(
                        d ->
                            d.objects(
                                ObjectIdentifier.builder()
                                    .key("many/2")
                                    .versionId(marker)
                                    .build())));
    assertTrue(again.deleted().get(0).deleteMarker());
    assertEquals(marker, again.deleted().get(0).deleteMarkerVersionId());
    assertEquals("three", get(bucket, "many/2", null));
  }

  @Test
  void listsVersionsByPages() {
    String bucket = versioned();
    List<String> expected = new ArrayList<>();
    for (String key : List.of("page/a", "page/b b", "page/c/1", "page/c/2", "page/d")) {
      List<String> ids = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        ids.add(0, key + " " + put(bucket, key, key + i).versionId());
      }
      expected.addAll(ids);
    }
    for (int size : new int[] {1, 2, 4, 15, 1000}) {
      List<String> found = new ArrayList<>();
      for (var page :
          s3.listObjectVersionsPaginator(b -> b.bucket(bucket).prefix("page/").maxKeys(size))) {
        assertTrue(page.versions().size() <= size);
        page.versions().forEach(v -> found.add(v.key() + " " + v.versionId()));
      }
      assertEquals(expected, found);
    }
    ListObjectVersionsResponse folded =
        s3.listObjectVersions(b -> b.bucket(bucket).prefix("page/").delimiter("/").maxKeys(7));
    assertEquals(6, folded.versions().size());
    assertEquals("page/c/", folded.commonPrefixes().get(0).prefix());
    assertEquals("page/c/", folded.nextKeyMarker());
    assertNull(folded.nextVersionIdMarker());
    assertEquals(
        3,
        s3.listObjectVersions(
                b ->
                    b.bucket(bucket)
                        .prefix("page/")
                        .delimiter("/")
                        .keyMarker(folded.nextKeyMarker()))
            .versions()
            .size());
    assertEquals(0, s3.listObjectVersions(b -> b.bucket(bucket).maxKeys(0)).versions().size());
  }
}

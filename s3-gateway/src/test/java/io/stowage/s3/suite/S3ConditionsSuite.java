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
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.s3.suite.RawS3.Reply;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import software.amazon.awssdk.core.ResponseBytes;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.model.CopyObjectResponse;
import software.amazon.awssdk.services.s3.model.DeleteObjectsResponse;
import software.amazon.awssdk.services.s3.model.GetObjectResponse;
import software.amazon.awssdk.services.s3.model.ListObjectVersionsResponse;
import software.amazon.awssdk.services.s3.model.ObjectIdentifier;
import software.amazon.awssdk.services.s3.model.S3Exception;

/**
 * Conditions of what changes an object: what they answer, and that of many who race one wins. Part
 * of {@link S3ContractTest}, so that they run wherever that does.
 *
 * @see <a href="https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html">
 *     Conditional writes</a>
 * @see <a href="https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html">
 *     Conditional deletes</a>
 */
public abstract class S3ConditionsSuite extends S3VersionsSuite {
  private static final int RIVALS = 8;
  private static final int ROUNDS = 5;

  /** The ways to make a version. */
  private enum Way {
    PUT,
    COMPLETE,
    COPY
  }

  /** What a request was answered: its status, and the error's code or nothing. */
  private record Answer(int status, String code) {
    static final Answer DONE = new Answer(200, "");
  }

  /** Makes a version of a key by one of the ways, on a condition. */
  private Answer make(Way way, String bucket, String key, String header, String value)
      throws IOException {
    String path = "/" + bucket + "/" + key;
    Reply reply =
        switch (way) {
          case PUT -> raw.call("PUT", path).body("put").header(header, value).send();
          case COPY ->
              raw.call("PUT", path)
                  .header("x-amz-copy-source", "/" + bucket + "/source")
                  .header(header, value)
                  .send();
          case COMPLETE -> {
            String id = raw.call("POST", path + "?uploads=").send().element("UploadId");
            String etag =
                raw.call("PUT", path + "?partNumber=1&uploadId=" + id)
                    .body("part")
                    .send()
                    .headers()
                    .get("etag");
            yield raw.call("POST", path + "?uploadId=" + id)
                .header(header, value)
                .body(
                    "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"
                        + etag
                        + "</ETag></Part></CompleteMultipartUpload>")
                .send();
          }
        };
    return reply.status() == 200 ? Answer.DONE : new Answer(reply.status(), reply.code());
  }

  @Test
  void whatWritesAnswerToEveryCondition() throws Exception {
    String bucket = versioned();
    put(bucket, "source", "copied");
    for (Way way : Way.values()) {
      String key = "answers/" + way;
      Answer absent = new Answer(404, "NoSuchKey");
      Answer failed = new Answer(412, "PreconditionFailed");
      assertEquals(absent, make(way, bucket, key, "if-match", "\"abc\""));
      assertEquals(Answer.DONE, make(way, bucket, key, "if-none-match", "*"));
      assertEquals(failed, make(way, bucket, key, "if-none-match", "*"));
      assertEquals(failed, make(way, bucket, key, "if-match", "\"abc\""));
      String etag = s3.headObject(b -> b.bucket(bucket).key(key)).eTag();
      assertEquals(Answer.DONE, make(way, bucket, key, "if-match", etag));
      // Deleted meanwhile: for If-Match there is nothing; for If-None-Match it is as if new.
      s3.deleteObject(b -> b.bucket(bucket).key(key));
      assertEquals(absent, make(way, bucket, key, "if-match", etag));
      assertEquals(Answer.DONE, make(way, bucket, key, "if-none-match", "*"));
      assertEquals(
          4, list(bucket, key).versions().size() + list(bucket, key).deleteMarkers().size());
    }
  }

  @Test
  void aConditionalDeleteDeletesWhatItNamesOrNothing() throws Exception {
    String bucket = versioned();
    String etag = put(bucket, "cond", "one").eTag();
    fails(
        412,
        "PreconditionFailed",
        () -> s3.deleteObject(b -> b.bucket(bucket).key("cond").ifMatch("\"other\"")));
    assertEquals("one", get(bucket, "cond", null));
    assertTrue(s3.deleteObject(b -> b.bucket(bucket).key("cond").ifMatch(etag)).deleteMarker());
    for (String match : List.of(etag, "*")) {
      Reply absent = raw.call("DELETE", "/" + bucket + "/cond").header("if-match", match).send();
      assertEquals(404, absent.status());
    }
    // A marker is nothing: a put that must not overwrite anything goes through.
    s3.putObject(b -> b.bucket(bucket).key("cond").ifNoneMatch("*"), RequestBody.fromString("two"));
    fails(
        412,
        "PreconditionFailed",
        () ->
            s3.putObject(
                b -> b.bucket(bucket).key("cond").ifNoneMatch("*"),
                RequestBody.fromString("three")));
    fails(
        404,
        "NoSuchKey",
        () ->
            s3.putObject(
                b -> b.bucket(bucket).key("nothing").ifMatch("*"), RequestBody.fromString("x")));
    CopyObjectResponse copied =
        s3.copyObject(
            b ->
                b.sourceBucket(bucket)
                    .sourceKey("cond")
                    .destinationBucket(bucket)
                    .destinationKey("copy"));
    Reply refused =
        raw.call("PUT", "/" + bucket + "/copy")
            .header("x-amz-copy-source", "/" + bucket + "/cond")
            .header("if-none-match", "*")
            .send();
    assertEquals(412, refused.status());
    Reply replaced =
        raw.call("PUT", "/" + bucket + "/copy")
            .header("x-amz-copy-source", "/" + bucket + "/cond")
            .header("if-match", copied.copyObjectResult().eTag())
            .send();
    assertEquals(200, replaced.status(), replaced.text());
  }

  /** S3 judges conditions by the current version alone, and says so where another is named. */
  @Test
  void anEntityTagIsNotComparedWithAVersionThatIsNamed() throws Exception {
    String bucket = versioned();
    var made = put(bucket, "named", "one");
    for (String match : List.of(made.eTag(), "\"other\"", "*")) {
      Reply refused =
          raw.call("DELETE", "/" + bucket + "/named?versionId=" + made.versionId())
              .header("if-match", match)
              .send();
      assertEquals(501, refused.status(), refused.text());
      assertEquals("NotImplemented", refused.code());
      assertEquals("If-Match", refused.element("Header"));
    }
    DeleteObjectsResponse each =
        s3.deleteObjects(
            b ->
                b.bucket(bucket)
                    .delete(
                        d ->
                            d.objects(
                                ObjectIdentifier.builder()
                                    .key("named")
                                    .versionId(made.versionId())
                                    .eTag(made.eTag())
                                    .build())));
    assertEquals("NotImplemented", each.errors().get(0).code());
    assertEquals(made.versionId(), each.errors().get(0).versionId());
    assertEquals("one", get(bucket, "named", made.versionId()));
    // Size and time are asked of what is named.
    assertEquals(412, deleteIfSize(bucket, "named?versionId=" + made.versionId(), 4));
    assertEquals(204, deleteIfSize(bucket, "named?versionId=" + made.versionId(), 3));
    assertEquals(204, deleteIfSize(bucket, "named?versionId=" + made.versionId(), 7));
    assertTrue(list(bucket, "named").versions().isEmpty());
  }

  private int deleteIfSize(String bucket, String key, long size) throws IOException {
    return raw.call("DELETE", "/" + bucket + "/" + key)
        .header("x-amz-if-match-size", Long.toString(size))
        .send()
        .status();
  }

  @Test
  void aDeleteGoesBySizeAndTimeOfModification() throws Exception {
    String bucket = versioned();
    put(bucket, "sized", "12345");
    assertEquals(412, deleteIfSize(bucket, "sized", 4));
    Instant modified = s3.headObject(b -> b.bucket(bucket).key("sized")).lastModified();
    assertEquals(412, deleteIfModified(bucket, "sized", "Thu, 01 Jan 2015 00:00:00 GMT"));
    assertEquals(400, deleteIfModified(bucket, "sized", "yesterday"));
    assertEquals("12345", get(bucket, "sized", null));
    assertEquals(204, deleteIfModified(bucket, "sized", modified.toString()));
    assertEquals(1, list(bucket, "sized").deleteMarkers().size());
  }

  private int deleteIfModified(String bucket, String key, String time) throws IOException {
    return raw.call("DELETE", "/" + bucket + "/" + key)
        .header("x-amz-if-match-last-modified-time", time)
        .send()
        .status();
  }

  @Test
  void eachObjectOfADeleteObjectsHasConditionsOfItsOwn() throws Exception {
    String bucket = versioned();
    Map<String, ObjectIdentifier.Builder> asked = new TreeMap<>();
    for (String key :
        List.of("tag", "no-tag", "any", "size", "no-size", "time", "no-time", "both")) {
      asked.put(key, ObjectIdentifier.builder().key("each/" + key));
      put(bucket, "each/" + key, key);
    }
    String etag = s3.headObject(b -> b.bucket(bucket).key("each/tag")).eTag();
    Instant modified = s3.headObject(b -> b.bucket(bucket).key("each/time")).lastModified();
    asked.get("tag").eTag(etag);
    asked.get("no-tag").eTag(etag);
    asked.get("any").eTag("*");
    asked.get("size").size(4L);
    asked.get("no-size").size(6L);
    asked.get("time").lastModifiedTime(modified);
    asked.get("no-time").lastModifiedTime(modified.minusSeconds(100));
    asked.get("both").eTag("*").size(5L);
    asked.put("gone-tag", ObjectIdentifier.builder().key("each/gone-tag").eTag(etag));
    asked.put("gone-any", ObjectIdentifier.builder().key("each/gone-any").eTag("*"));
    asked.put("gone-size", ObjectIdentifier.builder().key("each/gone-size").size(1L));
    List<ObjectIdentifier> objects =
        asked.values().stream().map(ObjectIdentifier.Builder::build).toList();
    DeleteObjectsResponse answered =
        s3.deleteObjects(b -> b.bucket(bucket).delete(d -> d.objects(objects)));
    Map<String, String> outcomes = new TreeMap<>();
    answered.deleted().forEach(one -> outcomes.put(one.key().substring(5), "deleted"));
    answered.errors().forEach(one -> outcomes.put(one.key().substring(5), one.code()));
    String failed = "PreconditionFailed";
    Map<String, String> expected = new TreeMap<>();
    List.of("tag", "any", "size", "time", "gone-size").forEach(key -> expected.put(key, "deleted"));
    List.of("no-tag", "no-size", "no-time", "both").forEach(key -> expected.put(key, failed));
    List.of("gone-tag", "gone-any").forEach(key -> expected.put(key, "NoSuchKey"));
    assertEquals(expected, outcomes);
  }

  // ---- races

  private interface Rival {
    Answer act(int number) throws Exception;
  }

  /** What each of many is answered who act at once. */
  private static List<Answer> race(ExecutorService threads, Rival rival) throws Exception {
    CyclicBarrier start = new CyclicBarrier(RIVALS);
    List<Future<Answer>> running = new ArrayList<>();
    for (int i = 0; i < RIVALS; i++) {
      int number = i;
      running.add(
          threads.submit(
              () -> {
                start.await();
                return rival.act(number);
              }));
    }
    List<Answer> answers = new ArrayList<>();
    for (Future<Answer> one : running) {
      answers.add(one.get());
    }
    return answers;
  }

  private static void assertOneWon(List<Answer> answers, Answer... otherwise) {
    List<Answer> losers = new ArrayList<>(answers);
    assertTrue(losers.remove(Answer.DONE), answers::toString);
    for (Answer loser : losers) {
      assertTrue(List.of(otherwise).contains(loser), answers::toString);
    }
  }

  @Test
  void ofRivalsForANewKeyOneWinsAndTheOthersAreTold412() throws Exception {
    String bucket = versioned();
    put(bucket, "source", "copied");
    ExecutorService threads = Executors.newFixedThreadPool(RIVALS);
    try {
      for (int round = 0; round < ROUNDS; round++) {
        String key = "new/" + round;
        List<Answer> answers =
            race(
                threads,
                number -> make(Way.values()[number % 3], bucket, key, "if-none-match", "*"));
        assertOneWon(answers, new Answer(412, "PreconditionFailed"));
        assertEquals(1, list(bucket, key).versions().size());
      }
    } finally {
      threads.shutdownNow();
    }
  }

  /** Of many that saw the same entity tag one may replace or delete what has it. */
  @Test
  void ofRivalsWithTheSameEntityTagOneWins() throws Exception {
    String bucket = versioned();
    put(bucket, "source", "copied");
    ExecutorService threads = Executors.newFixedThreadPool(RIVALS);
    try {
      for (int round = 0; round < ROUNDS; round++) {
        String key = "rivals/" + round;
        String etag = put(bucket, key, "start").eTag();
        List<Answer> answers = race(threads, number -> change(bucket, key, etag, number));
        // After a delete there is nothing to match.
        assertOneWon(answers, new Answer(412, "PreconditionFailed"), new Answer(404, "NoSuchKey"));
        ListObjectVersionsResponse listed = list(bucket, key);
        assertEquals(2, listed.versions().size() + listed.deleteMarkers().size());
      }
    } finally {
      threads.shutdownNow();
    }
  }

  private Answer change(String bucket, String key, String etag, int number) throws IOException {
    if (number % 4 < 3) {
      return make(Way.values()[number % 4], bucket, key, "if-match", etag);
    }
    Reply reply = raw.call("DELETE", "/" + bucket + "/" + key).header("if-match", etag).send();
    return reply.status() == 204 ? Answer.DONE : new Answer(reply.status(), reply.code());
  }

  @Test
  void noUpdateIsLostAmongThoseWhoReadChangeAndWriteIfNobodyElseDid() throws Exception {
    String bucket = versioned();
    put(bucket, "counter", "0");
    ExecutorService threads = Executors.newFixedThreadPool(RIVALS);
    try {
      race(
          threads,
          number -> {
            for (int i = 0; i < ROUNDS; i++) {
              while (!increment(bucket)) {
                Thread.onSpinWait();
              }
            }
            return Answer.DONE;
          });
    } finally {
      threads.shutdownNow();
    }
    assertEquals(Integer.toString(RIVALS * ROUNDS), get(bucket, "counter", null));
    assertEquals(RIVALS * ROUNDS + 1, list(bucket, "counter").versions().size());
  }

  private boolean increment(String bucket) {
    ResponseBytes<GetObjectResponse> seen =
        s3.getObjectAsBytes(b -> b.bucket(bucket).key("counter"));
    int next = Integer.parseInt(seen.asUtf8String()) + 1;
    try {
      s3.putObject(
          b -> b.bucket(bucket).key("counter").ifMatch(seen.response().eTag()),
          RequestBody.fromString(Integer.toString(next)));
      return true;
    } catch (S3Exception e) {
      assertEquals(412, e.statusCode(), e.getMessage());
      return false;
    }
  }
}

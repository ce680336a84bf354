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
import io.stowage.common.expiry.DayLength;
import io.stowage.common.expiry.LifecycleRules;
import io.stowage.common.expiry.LifecycleRules.Due;
import io.stowage.common.expiry.LifecycleRules.Facts;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.s3.auth.UriEncoding;
import io.stowage.s3.http.Response;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What answers say of the bucket's rules: when the current version expires, when an upload is
 * aborted. In days of the calendar, however short {@code stowage.s3.lifecycle.day-seconds} makes
 * them for the rules: test suites that shorten them reckon with real dates here. Rules that cannot
 * be read cost these headers and no answer. Stateless but for what was logged.
 */
final class ExpirationHeaders {
  private static final Logger LOG = LoggerFactory.getLogger(ExpirationHeaders.class);

  /** A line for each of so many buckets tells enough. */
  private static final int MOST_LOGGED = 100;

  /** Ids of buckets whose rules could not be read and of which that was logged. */
  private static final Set<Long> LOGGED = ConcurrentHashMap.newKeySet();

  private ExpirationHeaders() {}

  /** Adds {@code x-amz-expiration} to the answer about a current version, if it expires. */
  static void announce(BucketInfo bucket, ObjectVersion version, Response response) {
    LifecycleRules rules = rules(bucket);
    if (rules.isEmpty()) {
      return;
    }
    Facts facts =
        new Facts(version.getKey(), version.getLength(), version.getMetadata().getTagsMap());
    Due due = rules.current(facts, version.getModifiedMicros(), DayLength.REAL);
    if (due != null) {
      response.header(
          "x-amz-expiration",
          "expiry-date=\""
              + Times.http(due.micros())
              + "\", rule-id=\""
              + UriEncoding.encode(due.rule(), false)
              + "\"");
    }
  }

  /** Adds {@code x-amz-abort-date} to the answer about an upload, if a rule aborts it. */
  static void announceAbort(BucketInfo bucket, String key, long createdMicros, Response response) {
    Due due = rules(bucket).upload(key, createdMicros, DayLength.REAL);
    if (due != null) {
      response.header("x-amz-abort-date", Times.http(due.micros()));
      response.header("x-amz-abort-rule-id", due.rule());
    }
  }

  /** None where they cannot be read: what they expire is not known then. */
  private static LifecycleRules rules(BucketInfo bucket) {
    try {
      return LifecycleRules.of(bucket);
    } catch (StoreException e) {
      if (LOGGED.size() < MOST_LOGGED && LOGGED.add(bucket.getId())) {
        LOG.warn("Cannot say when objects in {} expire: {}", bucket.getName(), e.toString());
      }
      return LifecycleRules.NONE;
    }
  }
}

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
package io.stowage.common.access;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * For whom this thread asks the object manager in its process: what lies between the edge that
 * decided (a gateway, the door of RPC) and the tree of directories, where the permissions of files
 * are read, is an interface without callers. A thread for which nobody said anything works for the
 * service itself and is not asked for permissions.
 *
 * <p>Confined to its thread; what an operation hands to other threads it takes along as a value.
 *
 * <pre>{@code
 * try (Acting acting = Acting.begin(person)) {
 *   acting.limitIn("bucket"); // files' permissions decide there
 *   namespace.getObject(…);
 * }
 * }</pre>
 */
public final class Acting implements AutoCloseable {
  private static final ThreadLocal<Acting> CURRENT = new ThreadLocal<>();

  private final Acting before;
  private final Person person;
  private final Set<String> limited = new HashSet<>(2); // buckets
  private final Set<String> wholly = new HashSet<>(2); // of those, where it is not about a key
  private final Set<String> keys = new HashSet<>(2); // bucket/key
  private final List<Pending> pending = new ArrayList<>(1);
  private final Map<String, String> refused = new ConcurrentHashMap<>(); // by key, of a batch
  private String failed;

  /** A decision that the permissions of files have yet to make. */
  private record Pending(String key, Outcome outcome) {}

  /** Told how it came out. */
  public interface Outcome {
    /**
     * Once.
     *
     * @param refusal null: allowed
     */
    void decided(String refusal);
  }

  private Acting(Acting before, Person person) {
    this.before = before;
    this.person = person;
  }

  /**
   * From now until it is closed.
   *
   * @param person null: somebody who is not known
   */
  public static Acting begin(Person person) {
    Acting acting = new Acting(CURRENT.get(), person);
    CURRENT.set(acting);
    return acting;
  }

  /** Null: for the service. */
  public static Acting current() {
    return CURRENT.get();
  }

  /** Null: not known. */
  public Person person() {
    return person;
  }

  /** Says that what is done in a bucket is bounded by the permissions of its files. */
  public void limitIn(String bucket) {
    limited.add(bucket);
    wholly.add(bucket);
  }

  /**
   * The same, and wants to know how it comes out, at the latest when this is closed.
   *
   * @param key may be null
   */
  public void limitIn(String bucket, String key, Outcome outcome) {
    limited.add(bucket);
    if (key == null) {
      wholly.add(bucket);
    } else {
      keys.add(bucket + '/' + key);
    }
    pending.add(new Pending(key, outcome));
  }

  public boolean isLimitedIn(String bucket) {
    return limited.contains(bucket);
  }

  /**
   * Whether that is so of one key of a batch, about each of which it was decided by itself: what a
   * policy lets do with one key is not bounded by what decides about another.
   */
  public boolean isLimitedTo(String bucket, String key) {
    return wholly.contains(bucket) || keys.contains(bucket + '/' + key);
  }

  /** One key of a batch was refused; from any thread that works on it. */
  public void refused(String key, String why) {
    refused.put(key, why);
  }

  /** What was asked for was refused as a whole. */
  public void failed(String why) {
    failed = why;
  }

  @Override
  public void close() {
    if (before == null) {
      CURRENT.remove();
    } else {
      CURRENT.set(before);
    }
    for (Pending decision : pending) {
      String ofKey = decision.key() == null ? null : refused.get(decision.key());
      decision.outcome().decided(ofKey == null ? failed : ofKey);
    }
    pending.clear();
  }
}

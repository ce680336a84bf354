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
package io.stowage.common.policy;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Policies as they were read last, by their text, so that a request parses none that one before it
 * met. Thread-safe by its own lock, which is held for a look-up only.
 */
public final class PolicyCache {
  /** Length of the texts kept, in all; what is parsed takes a few times as much. */
  static final long MOST_CHARS = 4L << 20;

  /** What an entry costs beside its text, so that many small ones are bounded, too. */
  private static final int ENTRY_CHARS = 256;

  /**
   * A policy's text and what it is of.
   *
   * @param bucket null for one of a user
   */
  private record Name(String json, String bucket) {
    long weight() {
      return (long) json.length() + ENTRY_CHARS;
    }
  }

  private final Map<Name, Policy> policies = new LinkedHashMap<>(64, 0.75f, true);
  private long chars;

  public Policy ofUser(String json) throws MalformedPolicyException {
    Name name = new Name(json, null);
    Policy policy = find(name);
    return policy != null ? policy : keep(name, Policy.ofUser(json));
  }

  public Policy ofBucket(String json, String bucket) throws MalformedPolicyException {
    Name name = new Name(json, bucket);
    Policy policy = find(name);
    return policy != null ? policy : keep(name, Policy.ofBucket(json, bucket));
  }

  private synchronized Policy find(Name name) {
    return policies.get(name);
  }

  private synchronized Policy keep(Name name, Policy policy) {
    if (policies.put(name, policy) == null) {
      chars += name.weight();
    }
    Iterator<Name> oldest = policies.keySet().iterator();
    while (chars > MOST_CHARS && oldest.hasNext()) {
      chars -= oldest.next().weight();
      oldest.remove();
    }
    return policy;
  }

  synchronized int count() {
    return policies.size();
  }
}

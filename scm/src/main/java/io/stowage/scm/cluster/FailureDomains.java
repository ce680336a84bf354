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
package io.stowage.scm.cluster;

import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The failure domain of each policy. Immutable.
 *
 * @param usual of those that are not named
 * @param named by names of policies
 */
public record FailureDomains(FailureDomain usual, Map<String, FailureDomain> named) {
  public FailureDomains {
    named = Map.copyOf(named);
  }

  /** One for all policies. */
  public static FailureDomains all(FailureDomain domain) {
    return new FailureDomains(domain, Map.of());
  }

  /**
   * Reads "host", or "host,rs-3-2=rack,rs-1-2=disk": the first is of all policies that are not
   * named.
   *
   * @throws StoreException BAD_CONFIGURATION
   */
  public static FailureDomains parse(String text) throws StoreException {
    List<String> words = List.of(text.split(",", -1));
    Map<String, FailureDomain> named = new HashMap<>();
    for (String word : words.subList(1, words.size())) {
      String[] sides = word.trim().split("=", -1);
      if (sides.length != 2
          || ErasurePolicy.ALL.stream().noneMatch(policy -> policy.name().equals(sides[0]))
          || named.put(sides[0], FailureDomain.named(sides[1])) != null) {
        throw new StoreException(
            ErrorCode.BAD_CONFIGURATION,
            "Cannot use failure domains '"
                + text
                + "': expected one for all, then POLICY=DOMAIN, each policy once, where '"
                + word
                + "' is");
      }
    }
    return new FailureDomains(FailureDomain.named(words.get(0).trim()), named);
  }

  public FailureDomain of(ErasurePolicy policy) {
    return named.getOrDefault(policy.name(), usual);
  }
}

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

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * One question to a policy: may this principal take this action on this resource. Immutable.
 *
 * @param principal whose request it is
 * @param action as IAM names it: {@code s3:GetObject}
 * @param resource ARN: {@code arn:aws:s3:::bucket} or {@code arn:aws:s3:::bucket/key}
 * @param facts what conditions may ask for, by condition key in lower case; several values for a
 *     key that has several, none for one that cannot be known: a denial is not escaped by it, and
 *     nothing is allowed by it
 */
public record Question(
    Principal principal, String action, String resource, Map<String, List<String>> facts) {

  /** Somebody, as policies name them. */
  public record Principal(
      String canonicalId, String userName, boolean anonymous, List<String> names) {
    public static final Principal ANONYMOUS = new Principal("", "", true);

    /** Begins the one name among {@link #arns} of a service, as no user's begins. */
    public static final String SERVICE = "service:";

    /** A user. */
    public Principal(String canonicalId, String userName, boolean anonymous) {
      this(canonicalId, userName, anonymous, List.of());
    }

    /**
     * A user with a path.
     *
     * @param path as "/team/"; empty: none
     */
    public static Principal user(String canonicalId, String userName, String path) {
      Principal plain = new Principal(canonicalId, userName, false);
      if (path.length() <= 1) {
        return plain;
      }
      List<String> names = new ArrayList<>(plain.arns());
      names.add("arn:aws:iam:::user" + path + userName);
      names.add("arn:aws:iam::" + ACCOUNT + ":user" + path + userName);
      return new Principal(canonicalId, userName, false, List.copyOf(names));
    }

    /** Somebody without a user of its own: a session of a role. */
    public static Principal session(String canonicalId, List<String> arns) {
      return new Principal(canonicalId, "", false, arns);
    }

    /** A service, as a policy names it under "Service". */
    public static Principal service(String name) {
      return new Principal(SERVICE + name, SERVICE + name, false, List.of(SERVICE + name));
    }

    /** The same, but not as one of everybody in the account. */
    public Principal withoutAccount() {
      List<String> own = arns().stream().filter(arn -> !arn.equals(ACCOUNT_ROOT)).toList();
      return new Principal(canonicalId, userName, anonymous, own);
    }

    /** ARNs by which a policy may mean this principal. */
    List<String> arns() {
      return anonymous || !names.isEmpty()
          ? names
          : List.of(
              "arn:aws:iam:::user/" + userName,
              "arn:aws:iam::" + canonicalId + ":root",
              "arn:aws:iam::" + canonicalId + ":user/" + userName,
              "arn:aws:iam::" + ACCOUNT + ":user/" + userName,
              ACCOUNT_ROOT);
    }
  }

  /** The account of everybody: a store is one. */
  public static final String ACCOUNT = "000000000000";

  /** Begins the facts that say the tags that the object has, before the tag's name. */
  public static final String EXISTING_TAG = "s3:existingobjecttag/";

  static final String ACCOUNT_ROOT = "arn:aws:iam::" + ACCOUNT + ":root";

  public static String resourceOf(String bucket, String key) {
    return "arn:aws:s3:::" + bucket + (key == null ? "" : "/" + key);
  }

  /** The bucket that a resource is, or is in; null: it is in none. */
  public static String bucketOf(String resource) {
    String ofS3 = resourceOf("", null);
    return resource.startsWith(ofS3) ? resource.substring(ofS3.length()).split("/", 2)[0] : null;
  }

  /** Collects facts. Confined to one thread. */
  public static final class Facts {
    private final Map<String, List<String>> byKey = new TreeMap<>();

    /** Notes a fact; a null value is none. */
    public Facts put(String key, String value) {
      if (value != null) {
        byKey.put(key.toLowerCase(Locale.ROOT), List.of(value));
      }
      return this;
    }

    /** Notes a fact with several values; none are no fact. */
    public Facts putAll(String key, List<String> values) {
      if (!values.isEmpty()) {
        byKey.put(key.toLowerCase(Locale.ROOT), List.copyOf(values));
      }
      return this;
    }

    /** Notes that a fact cannot be known of this request, which may have it or not. */
    public Facts unknown(String key) {
      byKey.put(key.toLowerCase(Locale.ROOT), List.of());
      return this;
    }

    public Map<String, List<String>> done() {
      return Map.copyOf(byKey);
    }
  }
}

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
package io.stowage.s3.iam;

import io.stowage.common.error.StoreException;
import io.stowage.common.policy.Question;
import io.stowage.common.proto.User;
import io.stowage.s3.auth.Caller;
import io.stowage.s3.xml.XmlOut;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Supplier;

/**
 * One call: its parameters, its caller, and the answer that is being written. Confined to one
 * worker.
 */
final class IamCall {
  private static final int MOST_ITEMS = 1_000;
  private static final int ITEMS = 100;

  private final Map<String, String> form;
  private final Caller caller;
  private final Supplier<Question.Facts> facts;
  private final XmlOut out;

  /** What the call's search over all users found; null: it was not done yet. */
  private Optional<User> found;

  /**
   * @param facts what every request says that conditions may ask for, gathered anew each time
   */
  IamCall(Map<String, String> form, Caller caller, Supplier<Question.Facts> facts, XmlOut out) {
    this.form = form;
    this.caller = caller;
    this.facts = facts;
    this.out = out;
  }

  Caller caller() {
    return caller;
  }

  /** What conditions of policies may ask for, for the caller to add to. */
  Question.Facts facts() {
    return facts.get();
  }

  /** Within the result of the action. */
  XmlOut out() {
    return out;
  }

  /** Looks for something in all users. */
  interface Search {
    User in() throws StoreException;
  }

  /** What a search over all users found, which is done once a call; null: nothing. */
  User once(Search search) throws StoreException {
    if (found == null) {
      found = Optional.ofNullable(search.in());
    }
    return found.orElse(null);
  }

  /** A parameter's value; null if it was not sent. */
  String param(String name) {
    return form.get(name);
  }

  /** A parameter that has to be there. */
  String need(String name) throws IamException {
    String value = form.get(name);
    if (value == null || value.isEmpty()) {
      throw IamException.validation(
          "1 validation error detected: Value at '"
              + Character.toLowerCase(name.charAt(0))
              + name.substring(1)
              + "' failed to satisfy constraint: Member must not be null");
    }
    return value;
  }

  /** A name of a user, group, role, policy or session. */
  String needName(String name, int longest) throws IamException {
    String value = need(name);
    if (value.length() > longest || !value.matches("[\\w+=,.@-]+")) {
      throw IamException.validation(
          "The specified value for "
              + Character.toLowerCase(name.charAt(0))
              + name.substring(1)
              + " is invalid. It must contain only alphanumeric characters and/or the following:"
              + " +=,.@_- and be at most "
              + longest
              + " long");
    }
    return value;
  }

  /** The path asked for; "/" unless said. */
  String path() throws IamException {
    String path = form.getOrDefault("Path", "/");
    if (path.length() > 512 || !path.matches("/|/[!-~]*/")) {
      throw IamException.validation(
          "The specified value for path is invalid. It must begin and end with / and contain only"
              + " alphanumeric characters and/or / characters.");
    }
    return path;
  }

  /** The path that something is to have from now on; null: the one that it has. */
  String newPath() throws IamException {
    String path = form.get("NewPath");
    if (path != null && !path.matches("/|/[!-~]*/")) {
      throw IamException.validation("The specified value for newPath is invalid.");
    }
    return path;
  }

  int integer(String name, int absent, int least, int most) throws IamException {
    String value = form.get(name);
    if (value == null) {
      return absent;
    }
    try {
      int number = Integer.parseInt(value);
      if (number >= least && number <= most) {
        return number;
      }
    } catch (NumberFormatException e) {
      // refused below
    }
    throw IamException.validation(
        "1 validation error detected: Value '"
            + value
            + "' at '"
            + Character.toLowerCase(name.charAt(0))
            + name.substring(1)
            + "' failed to satisfy constraint: Member must be between "
            + least
            + " and "
            + most);
  }

  int maxItems() throws IamException {
    return integer("MaxItems", ITEMS, 1, MOST_ITEMS);
  }

  /** NAME.member.N. */
  List<String> members(String name) {
    List<String> members = new ArrayList<>();
    for (int i = 1; form.containsKey(name + ".member." + i); i++) {
      members.add(form.get(name + ".member." + i));
    }
    return members;
  }

  /** Tags.member.N.Key and .Value. */
  Map<String, String> tags() throws IamException {
    Map<String, String> tags = new TreeMap<>();
    for (int i = 1; form.containsKey("Tags.member." + i + ".Key"); i++) {
      tags.put(
          form.get("Tags.member." + i + ".Key"),
          form.getOrDefault("Tags.member." + i + ".Value", ""));
    }
    if (tags.size() > 50) {
      throw IamException.limit("Cannot exceed quota for Tags: 50");
    }
    return tags;
  }
}

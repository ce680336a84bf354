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
package io.stowage.s3.xml;

import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/**
 * What an element of a document may hold: children in any order with how often each may come, or a
 * text. S3 refuses all else as MalformedXML. Immutable.
 */
public final class XmlShape {
  private final String name;
  private final int least;
  private final int most;
  private final Predicate<String> text;
  private final Map<String, XmlShape> children;

  /** Text of the element where it is left out; null: it has none. */
  private final String otherwise;

  private XmlShape(
      String name, int least, int most, Predicate<String> text, Map<String, XmlShape> children) {
    this(name, least, most, text, children, null);
  }

  private XmlShape(
      String name,
      int least,
      int most,
      Predicate<String> text,
      Map<String, XmlShape> children,
      String otherwise) {
    this.name = name;
    this.least = least;
    this.most = most;
    this.text = text;
    this.children = children;
    this.otherwise = otherwise;
  }

  /** An element that holds elements and has to be there once. */
  public static XmlShape element(String name, XmlShape... children) {
    Map<String, XmlShape> byName = new LinkedHashMap<>();
    for (XmlShape child : children) {
      byName.put(child.name, child);
    }
    return new XmlShape(name, 1, 1, null, byName);
  }

  /** An element that holds a text and has to be there once. */
  public static XmlShape text(String name, Predicate<String> allowed) {
    return new XmlShape(name, 1, 1, allowed, Map.of());
  }

  public static XmlShape text(String name) {
    return text(name, any -> true);
  }

  /** One of some words. */
  public static XmlShape word(String name, String... words) {
    return text(name, List.of(words)::contains);
  }

  /** A whole number from {@code least} up. */
  public static XmlShape number(String name, long least) {
    return text(
        name,
        value -> {
          try {
            return Long.parseLong(value.strip()) >= least;
          } catch (NumberFormatException e) {
            return false;
          }
        });
  }

  public static XmlShape truth(String name) {
    return text(name, value -> value.equalsIgnoreCase("true") || value.equalsIgnoreCase("false"));
  }

  /** The same, at most once. */
  public XmlShape optional() {
    return new XmlShape(name, 0, 1, text, children);
  }

  /** The same, at most once; left out it means that text. */
  public XmlShape otherwise(String meant) {
    return new XmlShape(name, 0, 1, text, children, meant);
  }

  /** The same, so many times. */
  public XmlShape times(int fewest, int highest) {
    return new XmlShape(name, fewest, highest, text, children);
  }

  public String name() {
    return name;
  }

  /** Throws MalformedXML if the element is not of this shape. */
  public void check(XmlElement element) throws S3Exception {
    if (text != null) {
      if (!element.children().isEmpty() || !text.test(element.text())) {
        throw malformed(element);
      }
      return;
    }
    Map<String, Integer> counts = new HashMap<>();
    for (XmlElement child : element.children()) {
      XmlShape shape = children.get(child.name());
      if (shape == null) {
        throw malformed(child);
      }
      shape.check(child);
      counts.merge(child.name(), 1, Integer::sum);
    }
    for (XmlShape shape : children.values()) {
      int count = counts.getOrDefault(shape.name, 0);
      if (count < shape.least || count > shape.most) {
        throw malformed(element);
      }
    }
  }

  /** An element of this shape with what it leaves out. */
  public XmlElement whole(XmlElement element) {
    if (text != null) {
      return element;
    }
    List<XmlElement> all = new ArrayList<>();
    for (XmlElement child : element.children()) {
      all.add(children.get(child.name()).whole(child));
    }
    for (XmlShape shape : children.values()) {
      if (shape.otherwise != null && element.childText(shape.name) == null) {
        all.add(XmlElement.of(shape.name, shape.otherwise));
      }
    }
    return element.with(all);
  }

  private static S3Exception malformed(XmlElement where) {
    return new S3Exception(S3Error.MALFORMED_XML).with("Element", where.name());
  }
}

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

import java.util.ArrayDeque;

/**
 * Writes one document. Not StAX: keys may hold characters that XML 1.0 has no form for, and clients
 * expect what S3 does with them, a character reference all the same; StAX writes them bare.
 * Confined to one thread.
 */
public final class XmlOut {
  /** What every document begins with. */
  public static final String DECLARATION = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

  private static final String NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/";

  private final StringBuilder out = new StringBuilder(512);
  private final ArrayDeque<String> open = new ArrayDeque<>();

  private XmlOut(String root, String attributes) {
    out.append(DECLARATION).append('<').append(root).append(attributes);
    out.append('>');
    open.push(root);
  }

  /** A document in S3's namespace. */
  public static XmlOut document(String root) {
    return new XmlOut(root, " xmlns=\"" + NAMESPACE + "\"");
  }

  /** A document in another namespace: other services' answers. */
  public static XmlOut document(String root, String namespace) {
    return new XmlOut(root, " xmlns=\"" + namespace + "\"");
  }

  /** A document in no namespace, as errors are. */
  public static XmlOut plainDocument(String root) {
    return new XmlOut(root, "");
  }

  /** A document in S3's namespace with the elements of one that was read. */
  public static String copyOf(XmlElement root) {
    XmlOut out = document(root.name());
    out.copyContent(root);
    return out.finish();
  }

  private void copyContent(XmlElement element) {
    if (element.children().isEmpty()) {
      escape(element.text());
      return;
    }
    for (XmlElement child : element.children()) {
      open(child.name());
      copyContent(child);
      close();
    }
  }

  /** Adds an element that was read, with all that it holds. */
  public XmlOut copy(XmlElement element) {
    open(element.name());
    copyContent(element);
    return close();
  }

  public XmlOut open(String element) {
    out.append('<').append(element).append('>');
    open.push(element);
    return this;
  }

  /** Opens an element that says of which type it is, as grantees do. */
  public XmlOut openTyped(String element, String type) {
    out.append('<').append(element);
    out.append(" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"");
    out.append(type).append("\">");
    open.push(element);
    return this;
  }

  public XmlOut close() {
    out.append("</").append(open.pop()).append('>');
    return this;
  }

  /** Adds an element with a text; an empty one for an empty text. */
  public XmlOut text(String element, String value) {
    out.append('<').append(element).append('>');
    escape(value);
    out.append("</").append(element).append('>');
    return this;
  }

  public XmlOut text(String element, long value) {
    return text(element, Long.toString(value));
  }

  public XmlOut text(String element, boolean value) {
    return text(element, Boolean.toString(value));
  }

  /** Adds the element unless the value is null or empty. */
  public XmlOut textIfAny(String element, String value) {
    return value == null || value.isEmpty() ? this : text(element, value);
  }

  /** Adds the text of the element that is open. */
  public XmlOut content(String value) {
    escape(value);
    return this;
  }

  /** Closes what is open and gives the document. */
  public String finish() {
    while (!open.isEmpty()) {
      close();
    }
    return out.toString();
  }

  private void escape(String value) {
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      switch (c) {
        case '<' -> out.append("&lt;");
        case '>' -> out.append("&gt;");
        case '&' -> out.append("&amp;");
        case '"' -> out.append("&quot;");
        default -> {
          if ((c < 0x20 && c != '\t' && c != '\n') || c == 0xfffe || c == 0xffff) {
            out.append("&#x").append(Integer.toHexString(c)).append(';');
          } else {
            out.append(c);
          }
        }
      }
    }
  }
}

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
import java.io.ByteArrayInputStream;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamConstants;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;

/**
 * An element of a document that a client sent: name without namespace, text, children. Documents
 * with a DTD are refused, and so no entity of their making is ever expanded. Immutable.
 */
public final class XmlElement {
  /** 10,000 parts of a completion with all their fields. */
  private static final int MOST_ELEMENTS = 120_000;

  private static final int DEEPEST = 16;

  /** The JDK's own parser: another on the class path would bring its own defaults. */
  private static final XMLInputFactory FACTORY = newFactory();

  private final String name;
  private final List<XmlElement> children = new ArrayList<>(2);
  private String text = "";

  private XmlElement(String name) {
    this.name = name;
  }

  private static XMLInputFactory newFactory() {
    XMLInputFactory factory = XMLInputFactory.newDefaultFactory();
    factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);
    factory.setProperty(XMLInputFactory.IS_SUPPORTING_EXTERNAL_ENTITIES, false);
    factory.setProperty(XMLInputFactory.IS_COALESCING, true);
    return factory;
  }

  /** Reads a document whose root has the given name; anything else is MalformedXML. */
  public static XmlElement parse(byte[] document, String root) throws S3Exception {
    try {
      XmlElement element = parse(document);
      if (!element.name.equals(root)) {
        throw malformed();
      }
      return element;
    } catch (XMLStreamException e) {
      throw malformed();
    }
  }

  private static XmlElement parse(byte[] document) throws XMLStreamException, S3Exception {
    XMLStreamReader reader;
    synchronized (FACTORY) { // factories are not promised to be thread-safe
      reader = FACTORY.createXMLStreamReader(new ByteArrayInputStream(document));
    }
    ArrayDeque<XmlElement> open = new ArrayDeque<>();
    ArrayDeque<StringBuilder> texts = new ArrayDeque<>();
    XmlElement root = null;
    int count = 0;
    while (reader.hasNext()) {
      switch (reader.next()) {
        case XMLStreamConstants.START_ELEMENT -> {
          if (++count > MOST_ELEMENTS || open.size() == DEEPEST) {
            throw malformed();
          }
          XmlElement element = new XmlElement(reader.getLocalName());
          if (open.isEmpty()) {
            root = element;
          } else {
            open.peek().children.add(element);
          }
          open.push(element);
          texts.push(new StringBuilder());
        }
        case XMLStreamConstants.END_ELEMENT -> open.pop().text = texts.pop().toString();
        case XMLStreamConstants.CHARACTERS, XMLStreamConstants.CDATA, XMLStreamConstants.SPACE -> {
          if (!texts.isEmpty()) {
            texts.peek().append(reader.getText());
          }
        }
        case XMLStreamConstants.DTD, XMLStreamConstants.ENTITY_REFERENCE -> throw malformed();
        default -> {
          // comments, processing instructions: not ours
        }
      }
    }
    if (root == null) {
      throw malformed();
    }
    return root;
  }

  static XmlElement of(String name, String text) {
    XmlElement element = new XmlElement(name);
    element.text = text;
    return element;
  }

  /** The same with other children. */
  XmlElement with(List<XmlElement> others) {
    XmlElement element = of(name, text);
    element.children.addAll(others);
    return element;
  }

  public String name() {
    return name;
  }

  /** Text between the tags, children left out. */
  public String text() {
    return text;
  }

  public List<XmlElement> children() {
    return Collections.unmodifiableList(children);
  }

  /** Children of that name. */
  public List<XmlElement> children(String childName) {
    return children.stream().filter(child -> child.name.equals(childName)).toList();
  }

  /** Text of the first child of that name; null if there is none. */
  public String childText(String childName) {
    for (XmlElement child : children) {
      if (child.name.equals(childName)) {
        return child.text;
      }
    }
    return null;
  }

  private static S3Exception malformed() {
    return new S3Exception(S3Error.MALFORMED_XML);
  }
}

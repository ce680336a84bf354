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
package io.stowage.minicluster;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.Predicate;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;

/**
 * What the classes of a jar call, read from their constant pools, and whether a class path has it:
 * what the JVM would find out call by call, and a NoSuchMethodError in somebody's job would tell us
 * otherwise. Stateless.
 */
final class JarReferences {
  private static final int UTF8 = 1;
  private static final int FIELD = 9;
  private static final int METHOD = 10;
  private static final int INTERFACE_METHOD = 11;

  /**
   * A member that a class refers to.
   *
   * @param from the class, as a path in the jar
   * @param owner internal name of the class that is to have the member
   */
  record Reference(String from, String owner, boolean field, String name, String descriptor) {}

  private JarReferences() {}

  /** References from the classes, and to the owners, that are wanted. */
  static List<Reference> of(JarFile jar, Predicate<String> from, Predicate<String> to)
      throws IOException {
    List<Reference> references = new ArrayList<>();
    for (JarEntry entry : Collections.list(jar.entries())) {
      if (entry.getName().endsWith(".class") && from.test(entry.getName())) {
        try (DataInputStream in =
            new DataInputStream(new BufferedInputStream(jar.getInputStream(entry)))) {
          read(in, entry.getName()).stream()
              .filter(reference -> to.test(reference.owner()))
              .forEach(references::add);
        }
      }
    }
    return references;
  }

  /** The constant pool of a class file (JVMS 4.4). */
  private static List<Reference> read(DataInputStream in, String from) throws IOException {
    in.readInt(); // magic
    in.readInt(); // version
    int count = in.readUnsignedShort();
    int[] tags = new int[count];
    String[] texts = new String[count];
    int[] first = new int[count];
    int[] second = new int[count];
    for (int i = 1; i < count; i++) {
      tags[i] = in.readUnsignedByte();
      switch (tags[i]) {
        case UTF8 -> texts[i] = in.readUTF();
        case 3, 4 -> in.readInt();
        case 5, 6 -> {
          in.readLong();
          i++; // takes two places
        }
        case 7, 8, 16, 19, 20 -> first[i] = in.readUnsignedShort();
        case FIELD, METHOD, INTERFACE_METHOD, 12, 17, 18 -> {
          first[i] = in.readUnsignedShort();
          second[i] = in.readUnsignedShort();
        }
        case 15 -> {
          in.readUnsignedByte();
          in.readUnsignedShort();
        }
        default -> throw new IOException("unknown constant " + tags[i] + " in " + from);
      }
    }
    List<Reference> references = new ArrayList<>();
    for (int i = 1; i < count; i++) {
      if (tags[i] == FIELD || tags[i] == METHOD || tags[i] == INTERFACE_METHOD) {
        int nameAndType = second[i];
        references.add(
            new Reference(
                from,
                texts[first[first[i]]],
                tags[i] == FIELD,
                texts[first[nameAndType]],
                texts[second[nameAndType]]));
      }
    }
    return references;
  }

  /** Whether a class loader has what is referred to. */
  static boolean resolves(Reference reference, ClassLoader loader) {
    try {
      return has(Class.forName(reference.owner().replace('/', '.'), false, loader), reference);
    } catch (ClassNotFoundException | LinkageError e) {
      return false;
    }
  }

  private static boolean has(Class<?> type, Reference wanted) {
    if (type == null) {
      return false;
    }
    if (declares(type, wanted) || has(type.getSuperclass(), wanted)) {
      return true;
    }
    for (Class<?> parent : type.getInterfaces()) {
      if (has(parent, wanted)) {
        return true;
      }
    }
    return type.isInterface() && declares(Object.class, wanted);
  }

  private static boolean declares(Class<?> type, Reference wanted) {
    if (wanted.field()) {
      for (Field field : type.getDeclaredFields()) {
        if (field.getName().equals(wanted.name())
            && field.getType().descriptorString().equals(wanted.descriptor())) {
          return true;
        }
      }
      return false;
    }
    if (wanted.name().equals("<init>")) {
      for (Constructor<?> constructor : type.getDeclaredConstructors()) {
        if (descriptor(void.class, constructor.getParameterTypes()).equals(wanted.descriptor())) {
          return true;
        }
      }
      return false;
    }
    Method[] methods;
    try {
      methods = type.getDeclaredMethods();
    } catch (NoClassDefFoundError e) {
      // Of a method that is not the wanted one, perhaps; who calls that never meets this one.
      return links(type, wanted);
    }
    for (Method method : methods) {
      if (method.getName().equals(wanted.name())
          && descriptor(method.getReturnType(), method.getParameterTypes())
              .equals(wanted.descriptor())) {
        return true;
      }
    }
    return false;
  }

  /** Whether the JVM finds the method as a call would, without a look at the class's others. */
  private static boolean links(Class<?> type, Reference wanted) {
    try {
      MethodType descriptor =
          MethodType.fromMethodDescriptorString(wanted.descriptor(), type.getClassLoader());
      MethodHandles.Lookup inside = MethodHandles.privateLookupIn(type, MethodHandles.lookup());
      try {
        inside.findStatic(type, wanted.name(), descriptor);
      } catch (IllegalAccessException notStatic) {
        inside.findVirtual(type, wanted.name(), descriptor);
      }
      return true;
    } catch (ReflectiveOperationException e) {
      return false;
    }
  }

  private static String descriptor(Class<?> result, Class<?>[] parameters) {
    return MethodType.methodType(result, parameters).descriptorString();
  }
}

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
package io.stowage.om.door;

import io.stowage.common.error.StoreException;
import io.stowage.common.proto.RecordNeedle;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.thirdparty.protobuf.Descriptors.Descriptor;
import org.apache.hadoop.thirdparty.protobuf.Descriptors.FieldDescriptor;
import org.apache.hadoop.thirdparty.protobuf.Message;

/**
 * What answers tell of objects, wherever in them they do: so a call that is added later tells no
 * more than the others. Thread-safe.
 *
 * <p>Records stay as they are: a rebuild needs them whole.
 */
final class Answers {
  private static final Map<Way, List<FieldDescriptor>> WAYS = new ConcurrentHashMap<>();

  /** From messages of one type to those of another in them. */
  private record Way(Descriptor from, Descriptor to) {}

  private Answers() {}

  /** What is told instead. */
  interface Change {
    Message of(Message said) throws StoreException;
  }

  /**
   * The answer with every message of this type in it changed; never its records. The same, if what
   * is told instead is the same.
   */
  static Message with(Message answer, Descriptor type, Change change) throws StoreException {
    if (answer.getDescriptorForType() == type) {
      return change.of(answer);
    }
    Message.Builder told = null;
    for (FieldDescriptor field : fields(answer.getDescriptorForType(), type)) {
      int count =
          field.isRepeated()
              ? answer.getRepeatedFieldCount(field)
              : (answer.hasField(field) ? 1 : 0);
      for (int i = 0; i < count; i++) {
        Message said =
            (Message)
                (field.isRepeated() ? answer.getRepeatedField(field, i) : answer.getField(field));
        Message instead = with(said, type, change);
        if (instead == said) {
          continue;
        }
        told = told == null ? answer.toBuilder() : told;
        if (field.isRepeated()) {
          told.setRepeatedField(field, i, instead);
        } else {
          told.setField(field, instead);
        }
      }
    }
    return told == null ? answer : told.build();
  }

  /** Those of a message in which there may be one of another type. */
  private static List<FieldDescriptor> fields(Descriptor from, Descriptor to) {
    return WAYS.computeIfAbsent(
        new Way(from, to),
        way -> from.getFields().stream().filter(f -> leads(f, to, new HashSet<>())).toList());
  }

  private static boolean leads(FieldDescriptor field, Descriptor to, Set<Descriptor> passed) {
    if (field.getJavaType() != FieldDescriptor.JavaType.MESSAGE) {
      return false;
    }
    Descriptor from = field.getMessageType();
    if (from == to) {
      return true;
    }
    return from != RecordNeedle.getDescriptor()
        && passed.add(from)
        && from.getFields().stream().anyMatch(next -> leads(next, to, passed));
  }
}

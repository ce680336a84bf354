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
import java.util.List;
import java.util.Map;
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
  private static final Map<Way, Boolean> WAYS = new ConcurrentHashMap<>();

  /** Whether messages of one type may hold one of another. */
  private record Way(Descriptor from, Descriptor to) {}

  private Answers() {}

  /** What is told instead. */
  interface Change {
    Message of(Message said) throws StoreException;
  }

  /** The answer with every message of this type in it changed; never its records. */
  static Message with(Message answer, Descriptor type, Change change) throws StoreException {
    if (answer.getDescriptorForType() == type) {
      return change.of(answer);
    }
    if (!leads(answer.getDescriptorForType(), type)) {
      return answer;
    }
    Message.Builder told = answer.toBuilder();
    for (Map.Entry<FieldDescriptor, Object> said : answer.getAllFields().entrySet()) {
      FieldDescriptor field = said.getKey();
      if (!leads(field, type)) {
        continue;
      }
      if (field.isRepeated()) {
        List<?> all = (List<?>) said.getValue();
        for (int i = 0; i < all.size(); i++) {
          told.setRepeatedField(field, i, with((Message) all.get(i), type, change));
        }
      } else {
        told.setField(field, with((Message) said.getValue(), type, change));
      }
    }
    return told.build();
  }

  private static boolean leads(FieldDescriptor field, Descriptor to) {
    return field.getJavaType() == FieldDescriptor.JavaType.MESSAGE
        && leads(field.getMessageType(), to);
  }

  private static boolean leads(Descriptor from, Descriptor to) {
    if (from == to) {
      return true;
    }
    if (from == RecordNeedle.getDescriptor()) {
      return false;
    }
    Way way = new Way(from, to);
    Boolean known = WAYS.get(way);
    if (known == null) {
      known = from.getFields().stream().anyMatch(field -> leads(field, to));
      WAYS.put(way, known);
    }
    return known;
  }
}

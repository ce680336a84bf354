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

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.Entity;
import io.stowage.common.proto.EntityKind;
import io.stowage.common.proto.GetEntityRequest;
import io.stowage.common.proto.ListEntitiesReply;
import io.stowage.common.proto.ListEntitiesRequest;
import io.stowage.common.proto.PutEntityRequest;
import java.util.function.BiConsumer;

/** Groups or roles as they are kept: found, changed by what was read, listed. Thread-safe. */
final class Entities {
  /** Rivals that change the same group or role; each lost attempt means one won. */
  private static final int MOST_ATTEMPTS = 50;

  private final ObjectManager namespace;
  private final EntityKind kind;
  private final String word;

  /**
   * @param word how messages call one: {@code group}
   */
  Entities(ObjectManager namespace, EntityKind kind, String word) {
    this.namespace = namespace;
    this.kind = kind;
    this.word = word;
  }

  Entity find(String name) throws IamException, StoreException {
    Entity found = look(name);
    if (found == null) {
      throw IamException.noSuchEntity(word, name);
    }
    return found;
  }

  /** Null if there is none. */
  Entity look(String name) throws StoreException {
    try {
      return namespace
          .getEntity(GetEntityRequest.newBuilder().setKind(kind).setName(name).build())
          .getEntity();
    } catch (StoreException e) {
      if (e.code() != ErrorCode.NO_SUCH_KEY) {
        throw e;
      }
      return null;
    }
  }

  /**
   * The one of an id, by what it was called last; null if there is none, during a rename either of
   * the two. A listing misses what is renamed behind its back, so that there are two.
   */
  Entity now(String name, String id) throws StoreException {
    Entity named = look(name);
    if (named != null && named.getId().equals(id)) {
      return named;
    }
    Entity listed = lookFor(id);
    return listed != null ? listed : lookFor(id);
  }

  private Entity lookFor(String id) throws StoreException {
    String after = "";
    ListEntitiesReply page;
    do {
      page = page(after);
      for (Entity entity : page.getEntitiesList()) {
        if (entity.getId().equals(id)) {
          return entity;
        }
        after = entity.getName();
      }
    } while (page.getMore());
    return null;
  }

  private ListEntitiesReply page(String after) throws StoreException {
    return namespace.listEntities(
        ListEntitiesRequest.newBuilder().setKind(kind).setAfter(after).build());
  }

  private IamException known(StoreException e, String name) throws StoreException {
    return switch (e.code()) {
      case NO_SUCH_KEY -> IamException.noSuchEntity(word, name);
      case KEY_EXISTS -> IamException.exists(title(), name);
      default -> throw e;
    };
  }

  Entity create(Entity.Builder entity) throws IamException, StoreException {
    try {
      return put(entity.setKind(kind).build(), false);
    } catch (StoreException e) {
      throw known(e, entity.getName());
    }
  }

  private Entity put(Entity entity, boolean remove) throws StoreException {
    return namespace
        .putEntity(PutEntityRequest.newBuilder().setEntity(entity).setRemove(remove).build())
        .getEntity();
  }

  /** Part of a change. */
  interface Change {
    void on(Entity.Builder entity) throws IamException;
  }

  void change(String name, Change change) throws IamException, StoreException {
    attempt(name, change, false);
  }

  void remove(String name, Change check) throws IamException, StoreException {
    attempt(name, check, true);
  }

  /**
   * Gives one another name: (1) it is made under the new one, with its id, (2) the old one is
   * removed, as it was when it was copied. Whatever a crash leaves is two of one id, of which each
   * is as good; whoever asks again ends it.
   *
   * @return what it was
   */
  Entity rename(String name, String newName, Change change) throws IamException, StoreException {
    for (int attempt = 1; ; attempt++) {
      Entity old = find(name);
      Entity.Builder made = old.toBuilder().setName(newName);
      change.on(made);
      copy(made);
      try {
        put(old, true);
        return old;
      } catch (StoreException e) {
        if (e.code() != ErrorCode.CONFLICT || attempt == MOST_ATTEMPTS) {
          throw known(e, name);
        } // else it changed: that has to be copied, too
      }
    }
  }

  /** Writes one under a name that is free, or that a rename which did not end has given it. */
  private void copy(Entity.Builder made) throws IamException, StoreException {
    for (int attempt = 1; ; attempt++) {
      Entity there = look(made.getName());
      if (there != null && !there.getId().equals(made.getId())) {
        throw IamException.exists(title(), made.getName());
      }
      try {
        put(made.setStamp(there == null ? 0 : there.getStamp()).build(), false);
        return;
      } catch (StoreException e) {
        boolean isRival = e.code() == ErrorCode.CONFLICT || e.code() == ErrorCode.KEY_EXISTS;
        if (!isRival || attempt == MOST_ATTEMPTS) {
          throw known(e, made.getName());
        }
      }
    }
  }

  private String title() {
    return Character.toUpperCase(word.charAt(0)) + word.substring(1);
  }

  private void attempt(String name, Change change, boolean remove)
      throws IamException, StoreException {
    for (int attempt = 1; ; attempt++) {
      Entity.Builder entity = find(name).toBuilder();
      change.on(entity);
      try {
        put(entity.build(), remove);
        return;
      } catch (StoreException e) {
        if (e.code() != ErrorCode.CONFLICT || attempt == MOST_ATTEMPTS) {
          throw known(e, name);
        }
      }
    }
  }

  /** Writes a page of those under a path, as a list and what follows it. */
  void list(IamCall call, String element, BiConsumer<IamCall, Entity> write)
      throws IamException, StoreException {
    String prefix = call.param("PathPrefix") == null ? "/" : call.param("PathPrefix");
    int limit = call.maxItems();
    String after = call.param("Marker") == null ? "" : call.param("Marker");
    call.out().open(element);
    int listed = 0;
    String more = null;
    ListEntitiesReply page;
    do {
      page = page(after);
      for (Entity entity : page.getEntitiesList()) {
        if (entity.getPath().startsWith(prefix)) {
          if (listed == limit) {
            more = after;
            break;
          }
          write.accept(call, entity);
          listed++;
        }
        after = entity.getName();
      }
    } while (page.getMore() && more == null);
    call.out().close();
    call.out().text("IsTruncated", more != null);
    call.out().textIfAny("Marker", more);
  }
}

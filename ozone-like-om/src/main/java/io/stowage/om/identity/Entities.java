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
package io.stowage.om.identity;

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.OutcomeUnknownException;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.Entity;
import io.stowage.common.proto.EntityKind;
import io.stowage.common.proto.EntityRecord;
import io.stowage.common.proto.ListEntitiesReply;
import io.stowage.common.proto.ListEntitiesRequest;
import io.stowage.common.secret.SecretSeal;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.row.Stamps;
import io.stowage.om.table.Check;
import io.stowage.om.table.IdentityRowLayout;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import io.stowage.om.table.RowChange;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;

/**
 * Groups, roles and sealing keys: one row each, changed by comparing what was read. As with users,
 * a row that is no more says so and is never deleted. Thread-safe.
 */
public final class Entities {
  private static final int MOST_LISTED = 1_000;
  private static final int MOST_BYTES = 128 << 10;

  private final RowCommitter rows;
  private final Stamps stamps;
  private volatile SecretSeal seal = SecretSeal.NONE;

  public Entities(RowCommitter rows, Stamps stamps) {
    this.rows = rows;
    this.stamps = stamps;
  }

  /** A row as it was read; the record null where there is none. */
  private record Seen(ByteString cell, EntityRecord record) {
    static Seen of(Row row) throws StoreException {
      ByteString cell = row.value(IdentityRowLayout.ENTITY);
      if (cell == null) {
        return new Seen(null, null);
      }
      try {
        EntityRecord record = EntityRecord.parseFrom(cell);
        if (record.getFormat() > IdentityRowLayout.FORMAT) {
          throw new StoreException(
              ErrorCode.FORMAT_TOO_NEW,
              "Cannot read a group, role or key of format " + record.getFormat());
        }
        return new Seen(cell, record);
      } catch (InvalidProtocolBufferException e) {
        throw new CorruptDataException("Cannot read a group, role or key");
      }
    }

    boolean exists() {
      return record != null && !record.getRemoved();
    }

    Entity entity(EntityKind kind, String name) {
      return record.getEntity().toBuilder()
          .setKind(kind)
          .setName(name)
          .setStamp(record.getStamp())
          .build();
    }
  }

  /** From now on secrets of keys are stored so; before the first request. */
  public void sealWith(SecretSeal how) {
    seal = how;
  }

  /** Writes keys anew that were stored as they are, if they no longer are to be. */
  public void sealOld() throws StoreException {
    if (seal.cipher() == SecretSeal.PLAIN) {
      return;
    }
    for (Row row :
        rows.scan(
            IdentityRowLayout.entities(EntityKind.SEALING_KEY),
            ObjectRowLayout.behindPrefix(IdentityRowLayout.entities(EntityKind.SEALING_KEY)),
            'i',
            IdentityRowLayout.ENTITY.qualifier(),
            MOST_LISTED)) {
      Seen seen = Seen.of(row);
      Entity stored = seen.record() == null ? null : seen.record().getEntity();
      if (seen.exists()
          && !stored.getSecret().isEmpty()
          && stored.getSecretCipher() == SecretSeal.PLAIN) {
        try {
          var unused =
              put(
                  opened(seen, EntityKind.SEALING_KEY, row.key().toStringUtf8().substring(1)),
                  false);
        } catch (StoreException e) {
          if (e.code() != ErrorCode.CONFLICT) {
            throw e;
          }
          // another object manager that starts has done it
        }
      }
    }
  }

  /** What a secret of this place is bound to. */
  private static String place(EntityKind kind, String name) {
    return "\0entity/" + kind.getNumber() + "/" + name;
  }

  private Entity opened(Seen seen, EntityKind kind, String name) throws StoreException {
    Entity entity = seen.entity(kind, name);
    return entity.getSecret().isEmpty()
        ? entity
        : entity.toBuilder()
            .setSecret(
                seal.open(
                    kind + " " + name,
                    place(kind, name),
                    entity.getSecretCipher(),
                    entity.getSecret()))
            .clearSecretCipher()
            .build();
  }

  private Entity sealed(Entity entity) {
    return entity.getSecret().isEmpty()
        ? entity
        : entity.toBuilder()
            .setSecret(seal.seal(place(entity.getKind(), entity.getName()), entity.getSecret()))
            .setSecretCipher(seal.cipher())
            .build();
  }

  private Seen read(EntityKind kind, String name) throws StoreException {
    return Seen.of(
        rows.get(IdentityRowLayout.entity(kind, name), List.of(IdentityRowLayout.ENTITY)));
  }

  /** Null if there is none. */
  Entity find(EntityKind kind, String name) throws StoreException {
    Seen seen = read(kind, name);
    return seen.exists() ? opened(seen, kind, name) : null;
  }

  /**
   * The one of an id, by what it was called last; null if there is none. A listing misses what is
   * renamed behind its back, so that there are two.
   */
  Entity find(EntityKind kind, String name, String id) throws StoreException {
    Entity named = find(kind, name);
    if (named != null && named.getId().equals(id)) {
      return named;
    }
    Entity listed = list(kind, id);
    return listed != null ? listed : list(kind, id);
  }

  private Entity list(EntityKind kind, String id) throws StoreException {
    ListEntitiesRequest.Builder next = ListEntitiesRequest.newBuilder().setKind(kind);
    ListEntitiesReply page;
    do {
      page = list(next.build());
      for (Entity entity : page.getEntitiesList()) {
        if (entity.getId().equals(id)) {
          return entity;
        }
        next.setAfter(entity.getName());
      }
    } while (page.getMore());
    return null;
  }

  public Entity get(EntityKind kind, String name) throws StoreException {
    requireKind(kind, name);
    Entity entity = find(kind, name);
    if (entity == null) {
      throw new StoreException(ErrorCode.NO_SUCH_KEY, "Cannot find " + kind + " " + name);
    }
    return entity;
  }

  /** Writes or removes one, if it still is as the caller read it. */
  public Entity put(Entity entity, boolean remove) throws StoreException {
    requireKind(entity.getKind(), entity.getName());
    if (entity.getSerializedSize() > MOST_BYTES) {
      throw new StoreException(
          ErrorCode.TOO_LARGE,
          "Cannot keep " + entity.getSerializedSize() + " bytes of " + entity.getName());
    }
    Seen seen = read(entity.getKind(), entity.getName());
    if (entity.getStamp() == 0 ? seen.exists() : !seen.exists()) {
      throw entity.getStamp() == 0
          ? new StoreException(
              ErrorCode.KEY_EXISTS, "Cannot create " + entity.getName() + ": there is one")
          : new StoreException(ErrorCode.NO_SUCH_KEY, "Cannot find " + entity.getName());
    }
    if (entity.getStamp() != 0 && entity.getStamp() != seen.record().getStamp()) {
      throw new StoreException(
          ErrorCode.CONFLICT, "Cannot change " + entity.getName() + ": it changed meanwhile");
    }
    long stamp = stamps.above(seen.record() == null ? 0 : seen.record().getStamp());
    EntityRecord next =
        EntityRecord.newBuilder()
            .setFormat(IdentityRowLayout.FORMAT)
            .setEntity(sealed(entity).toBuilder().clearKind().clearName().clearStamp())
            .setStamp(stamp)
            .setRemoved(remove)
            .build();
    RowCommitter.Outcome outcome =
        rows.commit(
            IdentityRowLayout.entity(entity.getKind(), entity.getName()),
            Check.of(IdentityRowLayout.ENTITY, seen.cell()),
            new RowChange(stamp).put(IdentityRowLayout.ENTITY, next.toByteString()));
    switch (outcome) {
      case APPLIED -> {
        return entity.toBuilder().setStamp(stamp).build();
      }
      case REFUSED ->
          throw new StoreException(
              ErrorCode.CONFLICT, "Cannot change " + entity.getName() + ": it changed meanwhile");
      case UNKNOWN ->
          throw new OutcomeUnknownException(
              "Cannot tell whether " + entity.getName() + " was changed", null);
    }
    throw new IllegalStateException();
  }

  public ListEntitiesReply list(ListEntitiesRequest request) throws StoreException {
    requireKind(request.getKind(), "any");
    int limit = request.getLimit() == 0 ? MOST_LISTED : Math.min(MOST_LISTED, request.getLimit());
    ByteString first = IdentityRowLayout.entities(request.getKind());
    ByteString end = ObjectRowLayout.behindPrefix(first);
    ByteString from =
        request.getAfter().isEmpty()
            ? first
            : ObjectRowLayout.behind(
                IdentityRowLayout.entity(request.getKind(), request.getAfter()));
    ListEntitiesReply.Builder reply = ListEntitiesReply.newBuilder();
    while (true) {
      List<Row> page = rows.scan(from, end, 'i', IdentityRowLayout.ENTITY.qualifier(), MOST_LISTED);
      for (Row row : page) {
        from = ObjectRowLayout.behind(row.key());
        Seen seen = Seen.of(row);
        if (!seen.exists()) {
          continue;
        }
        if (reply.getEntitiesCount() == limit) {
          return reply.setMore(true).build();
        }
        reply.addEntities(opened(seen, request.getKind(), row.key().toStringUtf8().substring(1)));
      }
      if (page.size() < MOST_LISTED) {
        return reply.build();
      }
    }
  }

  private static void requireKind(EntityKind kind, String name) throws StoreException {
    if (kind == EntityKind.ENTITY_NONE || kind == EntityKind.UNRECOGNIZED || name.isEmpty()) {
      throw new StoreException(ErrorCode.INVALID_ARGUMENT, "Cannot find what has no kind or name");
    }
  }
}
